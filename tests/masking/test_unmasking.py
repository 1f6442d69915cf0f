"""A page of a list at once: who may, what is on the record first, what counts, what goes."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event, Outcome
from backoffice.masking import services
from backoffice.masking.models import Alarm
from backoffice.masking.services import REVEALED, Reason, RevealRefusedError, unmask
from customers.models import Customer
from tests.clients import signed_in
from tests.masking.conftest import EMAIL, PHONE, leaks
from tests.masking.test_pages import SCRIPT, WHY, text
from tests.masking.test_services import attempts, make_customer
from tests.people import PASSWORD, allow

REASON = Reason("legal", "Court asks")
FIELDS = {"fields_shown": ["phone"]}


@pytest.fixture
def rows(db: None) -> list[Customer]:
    return [make_customer(str(number)) for number in range(3)]


def where(view: str = "unmask") -> str:
    return reverse(f"admin:customers_customer_{view}")


def posted(rows: list[Customer], **values: object) -> dict[str, Any]:
    return {**WHY, **FIELDS, "pk": [str(row.pk) for row in rows], **values}


def test_each_record_has_its_event_before_the_values_leave(rows: list[Customer], kim: User) -> None:
    seen = unmask(rows, ["phone", "email"], actor=kim, reason=REASON, fresh=True)
    events = Event.objects.filter(verb=REVEALED).order_by("pk")
    assert [(event.actor, event.subject_id, event.context, event.reason) for event in events] == [
        (kim, str(row.pk), {"fields": ["phone", "email"], "purpose": "legal", "page": 3},
         "Legal or fraud request: Court asks")
        for row in rows
    ]  # fmt: skip
    assert [(one.obj, one.event, one.texts) for one in seen] == [
        (row, event.pk, {"phone": PHONE, "email": EMAIL})
        for row, event in zip(rows, events, strict=True)
    ]
    assert leaks(repr(seen).replace(repr(rows), "")) == []


def test_no_value_is_read_when_the_events_cannot_be_written(
    rows: list[Customer], kim: User, read_unrecorded: list[str]
) -> None:
    with pytest.raises(OSError, match="disk full"):
        unmask(rows, ["phone"], actor=kim, reason=REASON, fresh=True)
    assert read_unrecorded == []


def test_page_over_the_cap_shows_nothing_of_any_row(
    rows: list[Customer], kim: User, settings: Settings
) -> None:
    settings.BACKOFFICE_REVEALS_PER_HOUR = 3
    other = make_customer("9")
    unmask([other], ["phone"], actor=kim, reason=REASON, fresh=True)
    with pytest.raises(RevealRefusedError) as refused:
        unmask(rows, ["phone"], actor=kim, reason=REASON, fresh=True)
    assert refused.value.rule == services.OVER_LIMIT
    assert attempts() == [("done", "kim", None), ("refused", "kim", "limit")]
    assert len(unmask([*rows[:2], other], ["email"], actor=kim, reason=REASON, fresh=True)) == 3


@pytest.mark.parametrize("role", ["ann", "eve", "gus"])
def test_right_to_reveal_one_is_no_right_to_unmask_a_page(
    rows: list[Customer], role: str, request: pytest.FixtureRequest
) -> None:
    person: User = request.getfixturevalue(role)
    with pytest.raises(RevealRefusedError):
        unmask(rows, ["phone"], actor=person, reason=REASON, fresh=True)
    assert [outcome for outcome, _who, _rule in attempts()] == ["refused"]
    client = signed_in(person)
    answers = [client.get(where()), client.post(where(), posted(rows))]
    assert [(answer.status_code, leaks(text(answer))) for answer in answers] == [(403, [])] * 2


def test_page_of_nothing_or_of_too_much_is_an_error(rows: list[Customer], kim: User) -> None:
    for some, names in ([], ["phone"]), (rows * 40, ["phone"]), (rows, []), (rows, ["country"]):
        with pytest.raises(ValueError, match=r"a page has|not masked"):
            unmask(some, names, actor=kim, reason=REASON, fresh=True)


def test_dialog_lists_the_rows_of_the_page_and_shows_nothing(
    rows: list[Customer], kim: User
) -> None:
    Customer.objects.filter(pk=rows[0].pk).update(country="PT")
    client = signed_in(kim)
    listing = client.get(where("changelist") + "?country=PT")
    assert f"{where()}?country=PT" in text(listing)
    answer = client.get(where() + "?country=PT")
    assert re.findall(r'name="pk" value="(\d+)"', text(answer)) == [str(rows[0].pk)]
    assert (leaks(text(listing)), leaks(text(answer))) == ([], [])
    assert not Event.objects.filter(verb=REVEALED).exists()


def test_posting_shows_the_chosen_field_of_each_row(rows: list[Customer], kim: User) -> None:
    answer = signed_in(kim).post(where(), posted(rows), headers=SCRIPT)
    assert (answer.status_code, text(answer).count(PHONE)) == (200, 3)
    assert leaks(text(answer).replace(PHONE, "")) == []
    assert "no-store" in answer["Cache-Control"]
    assert "<html" not in text(answer)


def test_without_script_the_page_leaves_by_itself(rows: list[Customer], kim: User) -> None:
    answer = signed_in(kim).post(where() + "?country=PT", posted(rows))
    assert answer["Refresh"] == f"60; url={where('changelist')}?country=PT"


@pytest.mark.parametrize("missing", ["purpose", "text", "fields_shown", "pk"])
def test_without_reason_field_or_row_nothing_is_shown(
    rows: list[Customer], kim: User, missing: str
) -> None:
    answer = signed_in(kim).post(where(), posted(rows, **{missing: []}))
    assert (answer.status_code, leaks(text(answer))) == (400, [])
    assert not Event.objects.filter(verb=REVEALED).exists()


@pytest.mark.parametrize("field", ["country", "phone_index", "number"])
def test_field_that_is_not_masked_is_no_choice(rows: list[Customer], kim: User, field: str) -> None:
    answer = signed_in(kim).post(where(), posted(rows, fields_shown=[field]))
    assert answer.status_code == 400


def test_without_csrf_or_fresh_proof_nothing_is_shown(rows: list[Customer], kim: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(kim)
    assert strict.post(where(), posted(rows)).status_code == 403
    client = signed_in(kim, fresh=False)
    for proof in ({}, {"step_up_proof": "wrong"}):
        answer = client.post(where(), posted(rows, **proof))
        assert (answer.status_code, leaks(text(answer))) == (400, [])
    assert not Event.objects.filter(verb=REVEALED).exists()
    answer = client.post(where(), posted(rows, step_up_proof=PASSWORD))
    assert text(answer).count(PHONE) == 3


def test_over_the_cap_the_dialog_says_so(
    rows: list[Customer], kim: User, settings: Settings
) -> None:
    settings.BACKOFFICE_REVEALS_PER_DAY = 2
    answer = signed_in(kim).post(where(), posted(rows))
    assert (answer.status_code, leaks(text(answer))) == (429, [])


def test_keys_that_are_no_rows_are_left_out(rows: list[Customer], kim: User) -> None:
    answer = signed_in(kim).post(where(), posted(rows, pk=[str(rows[0].pk), "999999"]))
    assert text(answer).count(PHONE) == 1
    assert signed_in(kim).post(where(), posted(rows, pk=["x"])).status_code == 400


def test_list_offers_it_to_who_may(rows: list[Customer], kim: User, ann: User) -> None:
    pages = [text(signed_in(user).get(where("changelist"))) for user in (kim, ann)]
    assert [where() in page for page in pages] == [True, False]


def test_superuser_gives_a_reason_too(rows: list[Customer]) -> None:
    root = User.objects.create_superuser("root", password=PASSWORD)
    client = signed_in(root)
    assert client.post(where(), {**posted(rows), "text": ""}).status_code == 400
    assert client.post(where(), posted(rows)).status_code == 200


def test_denied_row_keeps_the_whole_page_masked(
    rows: list[Customer], ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backoffice.policy import registry  # noqa: PLC0415 - the list is looked at, not imported

    person = allow(ann, "customers.unmask_page_customer")

    def deny(user: object, permission: str, found: object) -> dict[object, str]:
        return {rows[1].pk: "not this one"} if "unmask_page" in permission else {}

    monkeypatch.setattr(registry, "denials", [deny])
    with pytest.raises(RevealRefusedError, match="may not see"):
        unmask(rows, ["phone"], actor=person, reason=REASON, fresh=True)
    assert attempts() == [("refused", "ann", "not this one")]


def test_events_name_the_outcome_and_no_value(rows: list[Customer], kim: User) -> None:
    unmask(rows, ["phone"], actor=kim, reason=REASON, fresh=True)
    kept = list(Event.objects.values_list("outcome", "context", "typed__text"))
    assert {outcome for outcome, _context, _text in kept} == {Outcome.DONE}
    assert leaks(kept) == []


def test_over_the_cap_it_is_said_before_anybody_is_told(
    rows: list[Customer], kim: User, pia: User, settings: Settings
) -> None:
    settings.BACKOFFICE_REVEALS_PER_HOUR = 2
    dialog = text(signed_in(kim).get(where()))
    assert "more records than you may look into now" in dialog
    assert "Show 3 records" not in dialog
    assert not Alarm.objects.exists()
