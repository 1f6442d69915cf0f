"""A list matched with masked values of records takes what a reveal takes, and is on the record."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit import context
from backoffice.audit.models import Event, Outcome
from backoffice.masking import matching
from backoffice.masking.existence import TOLD
from backoffice.masking.models import Alarm
from backoffice.masking.services import REVEALED, RevealRefusedError, allowance
from backoffice.policy import registry
from backoffice.sheets.kept import hits, joining, keeping, pairing
from backoffice.sheets.kept.frames import ModelFrame
from backoffice.sheets.kept.hits import MATCHED
from backoffice.sheets.models import KeptChart, KeptJoin, KeptSheet
from customers.models import Customer
from tests.accounts.factor_codes import app_code, set_up_app
from tests.clients import signed_in
from tests.people import PASSWORD, allow
from tests.sheets.kept_made import keep

pytestmark = pytest.mark.django_db
NAMES = ("anna", "bob", "carl")
GUESSES = "email,level\nAnna@example.com,gold\nnobody@example.com,x\nbob@example.com,y\n"
WHY = {"purpose": "legal", "text": "The court of Lyon asks"}
BY_EMAIL: dict[str, Any] = {
    "name": "J", "left_ref": "c0", "right": "customers.customer", "right_ref": "email"
}  # fmt: skip


def keeper(user: User) -> User:
    """Let the person keep sheets."""
    for right in (keeping.ADD, keeping.VIEW, "sheets.add_importjob"):
        user = allow(user, right)
    return user


@pytest.fixture
def customers(db: None) -> list[Customer]:
    return [
        Customer.objects.create(number=str(number), email=f"{name}@example.com")
        for number, name in enumerate(NAMES)
    ]


@pytest.fixture
def asks(ann: User, customers: list[Customer]) -> User:
    """Return somebody who may reveal and who keeps a list of guesses."""
    user = keeper(ann)
    keep(GUESSES, user, "Guesses")
    return user


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return what gets an item whenever values are looked up."""
    times: list[int] = []
    real = matching.keys

    def keys(*arguments: Any) -> Any:
        times.append(1)
        return real(*arguments)

    monkeypatch.setattr(matching, "keys", keys)
    return times


def save(user: User, rows: str = "", **more: Any) -> KeptJoin:
    """Join the list of the person, or one of a text, with customers."""
    left = keep(rows, user, f"List {KeptSheet.objects.count()}") if rows else mine(user)
    return joining.save(actor=user, left=left, **{**BY_EMAIL, **WHY, "fresh": True, **more})


def mine(user: User) -> KeptSheet:
    return KeptSheet.objects.get(owner=user, name="Guesses")


def revealed(user: User) -> list[str]:
    """Return the keys of the records that the person looked into, each time."""
    done = Event.objects.filter(verb=REVEALED, actor=user, outcome=Outcome.DONE)
    return list(done.order_by("pk").values_list("subject_id", flat=True))


def refused() -> list[str]:
    """Return the rules by which matching was refused, from the record."""
    events = Event.objects.filter(verb=MATCHED, outcome=Outcome.REFUSED).order_by("pk")
    return [event.context["rule"] for event in events]


def test_without_the_right_nothing_is_looked_up(
    eve: User, customers: list[Customer], looked_up: list[int]
) -> None:
    eve = keeper(eve)
    with pytest.raises(PermissionDenied):
        save(eve, GUESSES)
    assert (looked_up, len(refused()), KeptJoin.objects.count()) == ([], 1, 0)


@pytest.mark.parametrize("missing", [{"purpose": ""}, {"purpose": "fun"}, {"text": " "}])
def test_without_a_reason_nothing_is_looked_up(
    missing: dict[str, str], asks: User, looked_up: list[int]
) -> None:
    with pytest.raises(ValidationError, match="why you need it"):
        save(asks, **missing)
    assert looked_up == []


def test_without_fresh_proof_nothing_is_looked_up(asks: User, looked_up: list[int]) -> None:
    with pytest.raises(RevealRefusedError):
        save(asks, fresh=False)
    assert (looked_up, refused()) == ([], ["not fresh"])


def test_each_record_that_is_found_counts_as_one_that_was_looked_into(
    asks: User, customers: list[Customer]
) -> None:
    before = allowance(asks)
    join = save(asks)
    found = [str(row.pk) for row in customers[:2]]
    assert revealed(asks) == found
    assert allowance(asks).hour == before.hour - 2
    events = Event.objects.filter(actor=asks, verb__in=[REVEALED, MATCHED]).order_by("pk")
    reason = "Legal or fraud request: The court of Lyon asks"
    assert [event.reason for event in events] == [reason] * 3
    told = {"join": str(join.public_id), "field": "email", "purpose": "legal"}
    assert [event.context for event in events[:2]] == [told] * 2
    assert events[2].subject_id == str(join.pk)
    assert (events[2].context["pairs"], events[2].context["purpose"]) == (2, "legal")
    # A record that was looked into already is none more.
    save(asks, name="Again")
    assert allowance(asks).hour == before.hour - 2


def test_more_than_the_caps_shows_nothing_and_is_told(
    asks: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hits, "may_many", None)  # however many they are, they are not even read
    for cap in ("HOUR", "DAY"):
        setattr(settings, f"BACKOFFICE_REVEALS_PER_{cap}", 1)
        with pytest.raises(RevealRefusedError, match="limit"):
            save(asks)
        setattr(settings, f"BACKOFFICE_REVEALS_PER_{cap}", 30)
    assert (revealed(asks), KeptJoin.objects.count()) == ([], 0)
    assert refused() == ["limit", "limit"]
    assert Alarm.objects.filter(person=asks, kind=Alarm.Kind.LIMIT).count() == 1


def test_earlier_looks_count_too(asks: User, settings: Settings) -> None:
    settings.BACKOFFICE_REVEALS_PER_HOUR = 2
    save(asks, "email,n\ncarl@example.com,1\n")
    with pytest.raises(RevealRefusedError, match="limit"):
        save(asks)
    assert len(revealed(asks)) == 1


def test_whoever_is_over_the_caps_asks_no_single_values(
    asks: User, settings: Settings, looked_up: list[int]
) -> None:
    settings.BACKOFFICE_REVEALS_PER_HOUR = 0
    settings.BACKOFFICE_TAKEN_PER_DAY = 2
    for _turn in range(2):
        with pytest.raises(RevealRefusedError):
            save(asks)
    assert Event.objects.filter(verb=TOLD, actor=asks).count() == 2
    for text in ("email,n\nanna@example.com,1\n", "email,n\nnobody@example.com,1\n"):
        with pytest.raises(RevealRefusedError, match="Try again tomorrow"):
            save(asks, text)
    assert len(looked_up) == 2


def test_record_that_may_not_be_revealed_is_not_matched(
    asks: User, customers: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(user: Any, permission: str, rows: Any) -> dict[Any, str]:
        held = permission == "customers.reveal_customer"
        return {row.pk: "held" for row in rows if held and row.pk == customers[1].pk}

    monkeypatch.setattr(registry, "denials", [*registry.denials, refuse])
    with pytest.raises(RevealRefusedError):
        save(asks)
    assert revealed(asks) == []
    assert Event.objects.filter(verb=TOLD, actor=asks).count() == 1


def test_too_many_pairs_of_hidden_values_tell_that_there_are_some(
    asks: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing, "MOST_PAIRS", 1)
    with pytest.raises(ValidationError):
        save(asks)
    assert Event.objects.filter(verb=TOLD, actor=asks).count() == 1


def test_opening_is_on_the_record_once_a_session(asks: User, customers: list[Customer]) -> None:
    session: dict[str, Any] = {}
    join = save(asks, session=session)
    before = revealed(asks)
    joining.open_join(join, asks, session=session)
    assert revealed(asks) == before  # who saves a join opens it
    for _session in range(2):
        later: dict[str, Any] = {}
        for _turn in range(2):
            assert joining.open_join(join, asks, session=later).matched.counts.pairs == 2
    assert revealed(asks) == before * 3
    openings = Event.objects.filter(verb=MATCHED, context__opened=True, subject_id=str(join.pk))
    assert openings.count() == 2
    last = Event.objects.filter(verb=REVEALED).latest("pk")
    assert last.context["purpose"] == "legal"
    joining.open_join(join, asks)
    assert revealed(asks) == before * 4


def test_records_that_come_later_count_when_they_are_found(
    asks: User, customers: list[Customer], settings: Settings
) -> None:
    session: dict[str, Any] = {}
    join = save(asks, session=session)
    new = Customer.objects.create(number="9", email="nobody@example.com")
    joining.open_join(join, asks, session=session)
    assert revealed(asks)[-1] == str(new.pk)
    settings.BACKOFFICE_REVEALS_PER_HOUR = 2
    with pytest.raises(RevealRefusedError):
        joining.open_join(join, asks, session={})


def test_lost_right_or_acting_for_somebody_opens_nothing(asks: User, kim: User) -> None:
    session: dict[str, Any] = {}
    join = save(asks, session=session)
    with context.in_the_name_of_another(kim.pk), pytest.raises(RevealRefusedError):
        joining.open_join(join, asks, session=session)
    assert refused() == ["not while somebody acts for the person"]
    asks.user_permissions.filter(codename="reveal_customer").delete()
    with pytest.raises(RevealRefusedError):
        joining.open_join(join, User.objects.get(pk=asks.pk), session=session)


def test_two_masked_sheets_are_on_the_record(oli: User) -> None:
    left, right = keep(GUESSES, oli, "A"), keep(GUESSES, oli, "B")
    join = joining.save(actor=oli, name="J", left=left, left_ref="c0", right=right, right_ref="c0")
    event = Event.objects.get(verb=MATCHED)
    assert (event.actor, event.subject_id, event.context["pairs"]) == (oli, str(join.pk), 3)
    joining.save(actor=oli, name="K", left=left, left_ref="c1", right=right, right_ref="c1")
    assert Event.objects.filter(verb=MATCHED).count() == 1


def new_join(user: User) -> str:
    query = f"left={mine(user).public_id}&right=model:customers.customer"
    return f"{reverse('admin:kept_join_new')}?{query}"


POSTED = {"left_ref": "c0", "right_ref": "email", "how": "inner", "name": "J"}


def test_page_takes_a_second_factor_and_a_reason(asks: User, settings: Settings) -> None:
    settings.BACKOFFICE_REVEAL_FACTOR = True
    address, client = new_join(asks), signed_in(asks)
    assert b"Why do you need it?" in client.get(address).content
    answer = client.post(address, POSTED)
    assert answer.status_code == 422
    assert b"Choose why you need it." in answer.content
    for proof in ("", PASSWORD):  # without a factor, just signed in
        answer = client.post(address, {**POSTED, **WHY, "step_up_proof": proof})
        assert answer.status_code == 422
        assert f'href="{reverse("mfa_index")}"' in answer.content.decode()
    set_up_app(asks)
    answer = client.post(address, {**POSTED, **WHY})
    assert 'name="step_up_proof"' in answer.content.decode()
    answer = client.post(address, {**POSTED, **WHY, "step_up_proof": PASSWORD})
    assert (answer.status_code, KeptJoin.objects.count(), revealed(asks)) == (422, 0, [])
    answer = client.post(address, {**POSTED, **WHY, "step_up_proof": app_code()})
    join = KeptJoin.objects.get()
    assert answer.headers["Location"] == at("kept_join", join)
    assert client.get(answer.headers["Location"]).status_code == 200
    assert len(revealed(asks)) == 2  # saved and opened in one session


def test_key_in_clear_takes_neither(asks: User, settings: Settings) -> None:
    settings.BACKOFFICE_REVEAL_FACTOR = True
    answer = signed_in(asks).post(
        new_join(asks), {**POSTED, "left_ref": "c1", "right_ref": "number"}
    )
    assert answer.status_code == 302
    assert not Event.objects.filter(verb__in=[MATCHED, REVEALED]).exists()


def at(name: str, thing: KeptJoin | KeptChart) -> str:
    return reverse(f"admin:{name}", args=[thing.public_id])


def test_pages_over_the_caps_say_so(asks: User, settings: Settings) -> None:
    join = save(asks)
    settings.BACKOFFICE_REVEALS_PER_HOUR = 1
    client = signed_in(asks)
    for address in (at("kept_join", join), f"{at('kept_join', join)}?rows=left"):
        answer = client.get(address)
        assert answer.status_code == 429
        assert b"your limit of reveals" in answer.content
        assert b"gold" not in answer.content
    answer = client.post(new_join(asks), {**POSTED, **WHY})
    assert answer.status_code == 429
    assert b"your limit of reveals" in answer.content


def test_too_many_records_are_refused_before_their_keys_are_read(
    asks: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear = {"left_ref": "c1", "right_ref": "number"}
    join = save(asks, **clear)
    client = signed_in(asks)
    monkeypatch.setattr(joining, "MOST_RECORDS", 3)
    assert client.get(at("kept_join", join)).status_code == 200
    monkeypatch.setattr(joining, "MOST_RECORDS", 2)
    monkeypatch.setattr(ModelFrame, "cells", None)
    monkeypatch.setattr(ModelFrame, "keys", property(None))
    with pytest.raises(ValidationError, match="there are more of Customers"):
        save(asks, **clear)
    answer = client.post(new_join(asks), {**POSTED, **clear, "name": "K"})
    assert answer.status_code == 422
    assert b"A join reads 2 records at most" in answer.content
    said = f"{reverse('admin:kept_chart_new')}?join={join.public_id}"
    for address in (at("kept_join", join), said):
        answer = client.get(address)
        assert answer.status_code == 422
        assert b"A join reads 2 records at most" in answer.content
    assert client.post(at("kept_join_export", join), {"format": "csv"}).status_code in {403, 422}


def test_no_more_records_are_counted_than_a_join_reads(customers: list[Customer]) -> None:
    frame = ModelFrame(Customer.objects.all(), ["number"])
    with CaptureQueriesContext(connection) as queries:
        assert frame.has_more_than(2)
        assert not frame.has_more_than(3)
    limits = [query["sql"].partition(" LIMIT ")[2][:1] for query in queries]
    assert limits == ["3", "4"]
