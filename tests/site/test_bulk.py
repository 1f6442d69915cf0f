"""Actions on ticked rows, with approval, reasons from a list, and what they leave on record."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.test import Client

from backoffice import policy
from backoffice.accounts.models import User
from backoffice.approvals import registry
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.approvals.registry import Band, Rule
from backoffice.audit.models import Event, Outcome
from backoffice.audit.services import save_with_history
from backoffice.money import Money
from backoffice.site import ReasonForm, ReasonListForm, action
from backoffice.site.checks import unruled
from backoffice.site.sites import StaffSite
from backoffice.site.versions import version_of
from customers.models import Customer
from tests.clients import signed_in
from tests.site.conftest import RIGHT, MovingAdmin

pytestmark = pytest.mark.usefixtures("moving_site")
LIST = "/moving/customers/customer/"
SEVERAL = f"{LIST}do/send/several/"
KIND = "tests.send"


class WhyForm(ReasonListForm):
    """A list of reasons, one of which says too little."""

    reasons = (("asked", "Asked by phone"), ("other", "Other"))
    text_required = frozenset({"other"})


@action("Send", permission=RIGHT, form=ReasonForm, bulk=True, visible=lambda o: o.country != "Peru")
def send(admin: Any, request: HttpRequest, obj: Customer, form: ReasonForm) -> str:
    if obj.country == "Nowhere":
        raise ValidationError("Nobody sends there.")
    obj.country = "Spain"
    save_with_history(obj, actor=request.user, reason=form.cleaned_data["reason"])
    return "Sent."


@action("Send for", permission=RIGHT, form=WhyForm, bulk=True, approval=KIND)
def send_asking(admin: Any, request: HttpRequest, obj: Customer, form: WhyForm) -> str:
    return str(send(admin, request, obj, ReasonLike(form)))


class ReasonLike:
    """The reason of another form, as `send` reads it."""

    def __init__(self, form: WhyForm) -> None:
        self.cleaned_data = {"reason": form.reason_text()}


def execute(request: ApprovalRequest) -> None:
    customer = request.record()
    customer.country = "Spain"
    save_with_history(customer, actor=request.decided_by, reason=request.reason)


@pytest.fixture(autouse=True)
def rule(monkeypatch: pytest.MonkeyPatch) -> Rule:
    made = Rule(KIND, "Send away", "payments.approve_refund", execute=execute)
    monkeypatch.setitem(registry._rules, KIND, made)
    return made


@pytest.fixture(autouse=True)
def _sending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Contribute the actions before the site makes its addresses."""
    monkeypatch.setattr(MovingAdmin, "contributed_actions", [send, send_asking])


@pytest.fixture
def rows(db: None) -> list[Customer]:
    return [Customer.objects.create(number=f"{number}", country="France") for number in range(1, 4)]


def ticked(rows: list[Customer], **more: Any) -> dict[str, Any]:
    versions = {f"version-{row.pk}": version_of(row) for row in rows}
    return {"pk": [str(row.pk) for row in rows], "reason": "moved away", **versions, **more}


def countries() -> list[str]:
    return list(Customer.objects.order_by("number").values_list("country", flat=True))


def test_list_offers_ticks_only_to_who_may(
    mover: User, onlooker: User, rows: list[Customer]
) -> None:
    assert f'formaction="{SEVERAL}"' in signed_in(mover).get(LIST).content.decode()
    page = signed_in(onlooker).get(LIST).content.decode()
    assert "several" not in page
    assert 'name="pk"' not in page


def test_dialog_lists_every_line_and_what_is_left_out(mover: User, rows: list[Customer]) -> None:
    Customer.objects.filter(pk=rows[1].pk).update(country="Peru")
    keys = [str(row.pk) for row in rows] + ["999999"]
    page = signed_in(mover).get(SEVERAL, {"pk": keys}).content.decode()
    assert page.count('type="hidden" name="pk"') == 2
    assert "Perhaps somebody else was faster" in page
    assert "not there for you" in page
    assert "Send: 2 rows" in page
    assert countries() == ["France", "Peru", "France"]


def test_post_does_each_row_with_an_event_and_history_of_its_own(
    mover: User, rows: list[Customer]
) -> None:
    assert signed_in(mover).post(SEVERAL, ticked(rows))["Location"] == LIST
    assert countries() == ["Spain"] * 3
    for row in rows:
        assert Event.objects.about(row).filter(actor=mover, outcome=Outcome.DONE).count() == 1
        assert row.history.count() == 2


def test_row_that_cannot_be_done_leaves_the_others_alone(mover: User, rows: list[Customer]) -> None:
    data = ticked(rows)
    Customer.objects.filter(pk=rows[0].pk).update(country="Nowhere")
    rows[2].country = "Italy"
    rows[2].save()
    page = signed_in(mover).post(SEVERAL, data).content.decode()
    assert countries() == ["Nowhere", "Spain", "Italy"]
    assert "Nobody sends there." in page
    assert "was changed since you opened it" in page


def test_post_without_a_version_does_nothing_to_that_row(mover: User, rows: list[Customer]) -> None:
    data = ticked(rows)
    del data[f"version-{rows[0].pk}"]
    signed_in(mover).post(SEVERAL, data)
    assert countries() == ["France", "Spain", "Spain"]


def test_post_reads_each_row_through_the_scope(
    mover: User, rows: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    outside: dict[Any, Any] = {
        (Customer, "moving"): lambda _user, found: found.exclude(pk=rows[0].pk)
    }
    monkeypatch.setattr(policy.registry, "scopes", {**policy.registry.scopes, **outside})
    page = signed_in(mover).post(SEVERAL, ticked(rows)).content.decode()
    assert countries() == ["France", "Spain", "Spain"]
    assert "not there for you" in page


def test_post_without_the_right_is_refused_row_by_row_on_the_record(
    onlooker: User, rows: list[Customer]
) -> None:
    signed_in(onlooker).post(SEVERAL, ticked(rows))
    assert countries() == ["France"] * 3
    assert Event.objects.filter(actor=onlooker, outcome=Outcome.REFUSED).count() == 3


@pytest.mark.parametrize("values", [{"reason": ""}, {"pk": []}])
def test_post_of_half_a_form_does_nothing(
    mover: User, rows: list[Customer], values: dict[str, Any]
) -> None:
    assert signed_in(mover).post(SEVERAL, ticked(rows, **values)).status_code == 400
    assert countries() == ["France"] * 3


def test_post_without_a_csrf_token_is_refused(
    browser: Client, mover: User, rows: list[Customer]
) -> None:
    browser.force_login(mover)
    assert browser.post(SEVERAL, ticked(rows)).status_code == 403
    assert countries() == ["France"] * 3


def asking(row: Customer) -> str:
    return f"{LIST}{row.pk}/do/send_asking/"


def post_asking(user: User, row: Customer, **values: str) -> Any:
    data = {"why": "asked", "note": "", "record_version": version_of(row), **values}
    return signed_in(user).post(asking(row), data)


def test_action_under_a_rule_asks_and_does_nothing_until_somebody_agrees(
    mover: User, max_: User, rows: list[Customer]
) -> None:
    assert post_asking(mover, rows[0], note="ring twice").status_code == 302
    assert countries() == ["France"] * 3
    request = ApprovalRequest.objects.get()
    assert (request.maker, request.record(), request.kind) == (mover, rows[0], KIND)
    assert request.reason == "Asked by phone. ring twice"
    approvals.approve(request, actor=max_)
    assert countries() == ["Spain", "France", "France"]


def test_message_of_asking_leads_to_the_request(mover: User, rows: list[Customer]) -> None:
    client = signed_in(mover)
    data = {"why": "asked", "record_version": version_of(rows[0])}
    page = client.post(asking(rows[0]), data, follow=True).content.decode()
    assert "one other person has to agree" in page


def test_action_is_done_at_once_where_the_rule_asks_nobody(
    mover: User, rows: list[Customer], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = Rule(
        KIND,
        "Send away",
        "payments.approve_refund",
        execute=execute,
        approvers=0,
        bands=(Band(Money.of("1", "GBP")),),
        amount=lambda _request: Money.of("1", "GBP"),
    )
    monkeypatch.setitem(registry._rules, KIND, free)
    post_asking(mover, rows[0])
    assert (countries()[0], ApprovalRequest.objects.count()) == ("Spain", 0)


def test_ticked_rows_ask_line_by_line(mover: User, rows: list[Customer]) -> None:
    where = f"{LIST}do/send_asking/several/"
    signed_in(mover).post(where, ticked(rows, why="asked"))
    assert ApprovalRequest.objects.count() == 3
    assert countries() == ["France"] * 3


@pytest.mark.parametrize("values", [{"why": ""}, {"why": "other"}, {"why": "because"}])
def test_reason_from_a_list_is_asked_for(
    mover: User, rows: list[Customer], values: dict[str, str]
) -> None:
    assert post_asking(mover, rows[0], **values).status_code == 400
    assert not ApprovalRequest.objects.exists()


def test_message_leads_to_the_history_of_what_was_done(mover: User, rows: list[Customer]) -> None:
    data = {"reason": "asked", "record_version": version_of(rows[0])}
    client = signed_in(mover)
    page = client.post(f"{LIST}{rows[0].pk}/do/send/", data, follow=True).content.decode()
    assert f'{LIST}{rows[0].pk}/history/">See what changed</a>' in page


def test_check_names_an_action_without_its_rule(
    moving_site: StaffSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unruled(moving_site) == []
    monkeypatch.delitem(registry._rules, KIND)
    assert [message.id for message in unruled(moving_site)] == ["backoffice.E026"]
