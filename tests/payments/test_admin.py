"""Staff pages of refunds: who is offered what, and what a click does."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.models import Event
from backoffice.jobs.models import Job
from backoffice.money import MINUS, Money
from backoffice.site.versions import version_of
from orders.models import Order
from payments import queries, services
from payments.models import Dispute, Evidence, Payment, Refund, RefundAttempt, RefundStop
from payments.services import Asked
from tests.factories import make_charge, make_customer, make_line, make_order, make_payment
from tests.people import PASSWORD, allow, make_person

State = Refund.State


def sign_in(user: User) -> Client:
    """Return a browser in which the person has just signed in."""
    client = Client()
    client.force_login(user)
    return client


def do(user: User, action: str, obj: Any, **values: str) -> int:
    """Post the action's dialog as the person; return the status."""
    name = f"admin:{obj._meta.label_lower.replace('.', '_')}_do_{action}"
    data = {"record_version": version_of(obj), **values}
    return sign_in(user).post(reverse(name, args=[obj.pk]), data).status_code


def page(user: User, obj: Any) -> str:
    """Return the record page as the person sees it."""
    name = f"admin:{obj._meta.label_lower.replace('.', '_')}_change"
    response = sign_in(user).get(reverse(name, args=[obj.pk]))
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def order(db: None) -> Order:
    """Two lines, £12.75 (one piece) and £10.00 (three pieces), and £3.60 of postage; paid."""
    order = make_order(1_275, customer=make_customer(name="Clara Lindqvist"))
    make_line(order, 1_000, position=2, quantity=3)
    Order.objects.filter(pk=order.pk).update(total_minor=2_635)
    make_payment(order, captured=2_635)
    return Order.objects.get(pk=order.pk)


@pytest.fixture
def refund(order: Order, eve: User) -> Refund:
    line = order.lines.get(position=1)
    return services.request_refund(order, [Asked(line=line)], actor=eve, reason="Damaged")


def ask(user: User, order: Order, **values: str) -> int:
    """Post the dialog; "line1_pieces" stands for the box of the first line."""
    by_position = {str(line.position): line.pk for line in order.lines.all()}
    boxes = {}
    for name, value in values.items():
        what, _, box = name.partition("_")
        position = what.removeprefix("line")
        key = by_position.get(position, position)
        boxes[f"line-{key}-{box}" if what.startswith("line") else name] = value
    newest = str(queries.newest_refund(order))
    return do(user, "request_refund", order, **{"why": "damaged", "newest": newest, **boxes})


def test_agent_asks_for_a_line(order: Order, eve: User) -> None:
    line = order.lines.get(position=1)
    assert ask(eve, order, line1_pieces="1", note="Photos in return 4417") == 302
    refund = Refund.objects.get()
    assert (refund.parts.get().order_line, refund.amount, refund.requested_by) == (
        line,
        line.total,
        eve,
    )
    assert refund.reason == "Arrived damaged. Photos in return 4417"


def test_agent_asks_for_one_of_three_pieces_and_no_penny_is_lost(order: Order, eve: User) -> None:
    assert ask(eve, order, line2_pieces="1") == 302
    assert ask(eve, order, line2_pieces="2") == 302
    amounts = sorted(Refund.objects.values_list("amount_minor", flat=True))
    assert amounts == [333, 667]


def test_agent_asks_for_lines_postage_and_an_amount_in_one_refund(order: Order, eve: User) -> None:
    charge = make_charge(order, 360)
    boxes = {f"charge-{charge.pk}-all": "on", "amount": "1.00"}
    assert ask(eve, order, line1_amount="2.50", line2_pieces="3", **boxes) == 302
    refund = Refund.objects.get()
    assert refund.amount == Money(250 + 1_000 + 360 + 100, "GBP")
    assert [part.amount_minor for part in refund.parts.order_by("pk")] == [350, 1_000, 360]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"amount": "26.36"},
        {"amount": "0.001"},
        {"amount": "-1"},
        {"line2_pieces": "4"},
        {"line2_pieces": "1", "line2_amount": "1"},
        {"line1_amount": "12.76"},
        {"line1_pieces": "1", "newest": ""},
    ],
)
def test_wrong_request_is_shown_again_and_holds_nothing(
    order: Order, eve: User, values: dict[str, str]
) -> None:
    assert ask(eve, order, **values) == 400
    assert not Refund.objects.exists()
    assert Payment.objects.get().reserved_minor == 0


def test_same_form_posted_twice_asks_once(order: Order, eve: User, ann: User) -> None:
    """A double click, the back button, a second tab, another person: all post what was before."""
    assert ask(eve, order, amount="1.00", newest="0") == 302
    assert ask(eve, order, amount="1.00", newest="0") == 400
    assert ask(ann, order, amount="2.00", newest="0") == 400
    assert Refund.objects.get().amount == Money(100, "GBP")
    assert Payment.objects.get().reserved_minor == 100


def test_dialog_says_what_is_left_who_approves_and_where_it_goes(order: Order, eve: User) -> None:
    ask(eve, order, line2_pieces="2")
    address = reverse("admin:orders_order_do_request_refund", args=[order.pk])
    shown = sign_in(eve).get(f"{address}?line={order.lines.get(position=1).pk}").content.decode()
    for text in ("Up to £19.68", "Simulator", "1 · £3.33", "1 other person", "Above £500.00: 2"):
        assert text in shown
    assert 'data-refund-pieces="1"' in shown


def test_person_without_the_right_sees_no_button_and_is_refused(order: Order, nia: User) -> None:
    assert "request_refund" not in page(nia, order)
    assert ask(nia, order, amount="1") == 403
    assert not Refund.objects.exists()


def test_looking_at_the_dialog_changes_nothing(order: Order, eve: User) -> None:
    address = reverse("admin:orders_order_do_request_refund", args=[order.pk])
    assert sign_in(eve).get(address).status_code == 200
    assert not Refund.objects.exists()


def test_checker_approves_in_the_row(refund: Refund, max_: User) -> None:
    rows = sign_in(max_).get(reverse("admin:payments_refund_changelist")).content.decode()
    assert reverse("admin:payments_refund_do_approve", args=[refund.pk]) in rows
    assert do(max_, "approve", refund, comment="Photos match") == 302
    refund.refresh_from_db()
    assert (refund.state, refund.decided_by) == (State.APPROVED, max_)
    assert Job.objects.filter(kind="payments.refund").count() == 1


def test_second_click_on_approve_is_refused(refund: Refund, max_: User) -> None:
    before = version_of(refund)
    assert do(max_, "approve", refund) == 302
    assert do(max_, "approve", refund, record_version=before) == 409
    assert Job.objects.filter(kind="payments.refund").count() == 1


def test_dialog_of_a_refund_that_changed_meanwhile_is_refused(refund: Refund, max_: User) -> None:
    assert do(max_, "approve", refund, record_version="h0") == 409
    refund.refresh_from_db()
    assert refund.state == State.REQUESTED


def test_maker_sees_no_approve_and_is_refused_on_the_record(order: Order, max_: User) -> None:
    refund = services.request_refund(order, Money(100, "GBP"), actor=max_, reason="Mine")
    assert "do/approve" not in page(max_, refund)
    assert do(max_, "approve", refund) == 403
    refund.refresh_from_db()
    assert refund.state == State.REQUESTED
    event = Event.objects.get(verb="record.action_refused")
    assert (event.actor, event.outcome) == (max_, "refused")


def test_maker_is_refused_even_as_superuser(order: Order) -> None:
    root = make_person("root")
    root.is_superuser = True
    root.save()
    refund = services.request_refund(order, Money(100, "GBP"), actor=root, reason="Mine")
    assert "do/approve" not in page(root, refund)
    assert do(root, "approve", refund) == 403


def test_agent_without_the_right_sees_no_approve(refund: Refund, ann: User) -> None:
    assert "do/approve" not in page(ann, refund)
    assert do(ann, "approve", refund) == 403


def test_checker_rejects_with_a_reason(refund: Refund, max_: User) -> None:
    assert do(max_, "reject", refund, comment="") == 400
    assert do(max_, "reject", refund, comment="No photo") == 302
    refund.refresh_from_db()
    assert (refund.state, Payment.objects.get().reserved_minor) == (State.REJECTED, 0)


def test_maker_takes_an_own_request_back_and_nobody_else_does(
    refund: Refund, eve: User, ann: User
) -> None:
    assert "do/withdraw" not in page(ann, refund)
    assert do(ann, "withdraw", refund) == 403
    assert do(eve, "withdraw", refund) == 302
    refund.refresh_from_db()
    assert refund.state == State.WITHDRAWN


def test_old_sign_in_asks_for_the_password_before_approving(refund: Refund, max_: User) -> None:
    client = Client()
    client.force_login(max_)
    session = client.session
    session["stepup_at"] = 0
    session.save()
    address = reverse("admin:payments_refund_do_approve", args=[refund.pk])
    data = {"record_version": version_of(refund)}
    assert client.post(address, data).status_code == 400
    assert client.post(address, data | {"step_up_proof": "wrong"}).status_code == 400
    assert client.post(address, data | {"step_up_proof": PASSWORD}).status_code == 302


def test_page_of_an_unknown_refund_says_so_and_offers_nothing_that_sends_money(
    refund: Refund, max_: User
) -> None:
    at = timezone.now()
    Refund.objects.filter(pk=refund.pk).update(
        state=State.UNKNOWN, attempts=1, sent_at=at, next_try_at=at
    )
    shown = page(allow(max_, "payments.change_refund"), refund)
    assert "Do not refund by hand" in shown
    assert "bo-badge--unkn" in shown
    assert "£12.75 is held back" in shown
    assert "the same request with the same key" in shown
    assert "/do/" not in shown


def test_order_page_shows_the_chain_of_sums_and_no_clear_name(
    order: Order, refund: Refund, eve: User
) -> None:
    shown = page(eve, order)
    for text in ("£26.35", f"{MINUS}£12.75", "£13.60", "£12.75 reserved", "Refund requested"):
        assert text in shown
    assert "Clara" not in shown
    assert "C•••" in shown


def test_list_of_refunds_asks_the_same_number_of_queries_for_one_and_three(
    order: Order,
    refund: Refund,
    eve: User,
    max_: User,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    client, address = sign_in(max_), reverse("admin:payments_refund_changelist")
    client.get(address)
    with CaptureQueriesContext(connection) as one:
        client.get(address)
    for _ in range(2):
        services.request_refund(order, Money(100, "GBP"), actor=eve, reason="More")
    with django_assert_num_queries(len(one)):
        client.get(address)


@pytest.mark.parametrize("model", ["payments_refund", "payments_payment", "orders_order"])
@pytest.mark.parametrize("view", ["add", "changelist"])
def test_nobody_adds_or_deletes_by_hand(refund: Refund, kim: User, model: str, view: str) -> None:
    status = sign_in(kim).get(reverse(f"admin:{model}_{view}")).status_code
    assert status == (403 if view == "add" else 200)


def test_payment_page_shows_its_refunds(refund: Refund, max_: User) -> None:
    shown = page(max_, refund.payment)
    assert refund.code in shown
    assert "Can still be refunded" in shown


def bulk(user: User, action: str, refunds: list[Refund], **values: str) -> Any:
    """Post the dialog for ticked refunds."""
    address = reverse(f"admin:payments_refund_do_{action}_several")
    versions = {f"version-{one.pk}": version_of(one) for one in refunds}
    data = {"pk": [str(one.pk) for one in refunds], **versions, **values}
    return sign_in(user).post(address, data)


def test_checker_approves_in_bulk_and_sees_every_line(
    order: Order, refund: Refund, eve: User, max_: User
) -> None:
    other = services.request_refund(order, Money(100, "GBP"), actor=max_, reason="His own")
    third = services.request_refund(order, Money(200, "GBP"), actor=eve, reason="Late")
    refunds = [refund, other, third]
    address = reverse("admin:payments_refund_do_approve_several")
    listed = sign_in(max_).get(address, {"pk": [one.pk for one in refunds]}).content.decode()
    for text in (f"{refund.code}: £12.75, order {order.number}", "Damaged", "£2.00", "Late"):
        assert text in listed
    told = bulk(max_, "approve", refunds, comment="All looked at").content.decode()
    assert "You may not do this to it" in told
    states = list(Refund.objects.order_by("pk").values_list("state", flat=True))
    assert states == [State.APPROVED, State.REQUESTED, State.APPROVED]


def test_first_of_two_approvals_says_that_one_more_is_needed(
    order: Order, eve: User, max_: User, kim: User, settings: Settings
) -> None:
    settings.BACKOFFICE_APPROVALS = {"payments.refund": {"approvers": 2}}
    refund = services.request_refund(order, Money(100, "GBP"), actor=eve, reason="Broken")
    client = sign_in(max_)
    address = reverse("admin:payments_refund_do_approve", args=[refund.pk])
    answer = client.post(address, {"record_version": version_of(refund)}, follow=True)
    assert "One more person has to approve" in answer.content.decode()
    assert "(1 of 2)" in answer.content.decode()
    assert do(kim, "approve", refund) == 302
    refund.refresh_from_db()
    assert refund.state == State.APPROVED


def test_lists_narrow_to_what_waits_and_to_what_needs_people(
    order: Order, refund: Refund, eve: User, max_: User
) -> None:
    mine = services.request_refund(order, Money(100, "GBP"), actor=max_, reason="Mine")
    stuck = services.request_refund(order, Money(200, "GBP"), actor=eve, reason="Stuck")
    Refund.objects.filter(pk=stuck.pk).update(state=State.NEEDS_REVIEW)
    Refund.objects.filter(pk=refund.pk).update(created_at=timezone.now() - timedelta(days=4))
    address = reverse("admin:payments_refund_changelist")

    def listed(**query: str) -> set[str]:
        shown = sign_in(max_).get(address, query).content.decode()
        return {one.code for one in (mine, stuck, refund) if f">{one.code}<" in shown}

    assert listed() == {mine.code, stuck.code, refund.code}
    assert mine.code not in listed(view="waiting")
    assert listed(view="people") == {stuck.code}
    assert listed(older="3") == {refund.code}
    assert listed(total_from="1.50", total_to="5") == {stuck.code}
    assert listed(gateway="manual") == set()
    assert listed(state="needs_review") == {stuck.code}


def test_stop_is_said_where_refunds_are_and_lifted_by_another(
    order: Order, refund: Refund, eve: User, max_: User, kim: User
) -> None:
    address = reverse("admin:payments_refundstop_do_stop")
    answer = sign_in(max_).post(address, {"gateway": "simulator", "reason": "Wrong amounts"})
    assert answer.status_code == 302
    lists = sign_in(eve).get(reverse("admin:payments_refund_changelist")).content.decode()
    for shown in (page(eve, order), page(eve, refund), lists):
        assert "Refunds of Simulator are stopped" in shown
    stopped = RefundStop.objects.get()
    assert do(max_, "resume", stopped, reason="Fine") == 403
    assert do(kim, "resume", stopped, reason="Fine") == 302
    assert "are stopped" not in page(eve, refund)


def test_two_people_end_a_refund_that_needs_review(
    order: Order, refund: Refund, max_: User, kim: User, ann: User
) -> None:
    Refund.objects.filter(pk=refund.pk).update(state=State.NEEDS_REVIEW, answer="No list")
    refund.refresh_from_db()
    address = reverse("admin:payments_refund_do_review", args=[refund.pk])
    data = {
        "record_version": version_of(refund),
        "outcome": "succeeded",
        "reference": "bank-77",
        "reason": "On the statement",
        "file": SimpleUploadedFile("clara.pdf", b"%PDF-1.7 statement"),
    }
    assert sign_in(ann).post(address, data).status_code == 403
    assert sign_in(max_).post(address, data | {"file": ""}).status_code == 400
    data["file"] = SimpleUploadedFile("clara.pdf", b"%PDF-1.7 statement")
    assert sign_in(max_).post(address, data).status_code == 302
    shown = page(kim, refund)
    assert "The money went out" in shown
    assert "clara" not in shown
    kept = Evidence.objects.get()
    download = reverse("admin:payments_evidence", args=[kept.public_id])
    assert download in shown
    answer = sign_in(kim).get(download)
    assert answer.content == b"%PDF-1.7 statement"
    assert answer["Content-Disposition"].startswith("attachment")
    assert sign_in(ann).get(download).status_code == 403
    approvals.approve(ApprovalRequest.objects.get(kind="payments.review"), actor=kim)
    refund.refresh_from_db()
    assert (refund.state, refund.gateway_ref) == (State.SUCCEEDED, "bank-77")


def test_raw_answers_are_for_who_has_the_right(refund: Refund, eve: User, max_: User) -> None:
    RefundAttempt.objects.create(
        refund=refund, kind="sent", outcome="unknown", raw={"told": "by the gateway"}
    )
    assert "by the gateway" in page(max_, refund)
    assert "by the gateway" not in page(eve, refund)


def test_disputes_stand_on_payment_and_order(order: Order, eve: User, max_: User) -> None:
    payment = Payment.objects.get()
    Dispute.objects.create(
        payment=payment,
        gateway="simulator",
        reference="dp_7",
        amount_minor=2_000,
        currency="GBP",
        blocked_minor=2_000,
        opened_at=timezone.now(),
    )
    Payment.objects.filter(pk=payment.pk).update(blocked_minor=2_000)
    for shown in (page(eve, order), page(max_, payment)):
        for text in ("dp_7", "Disputed", "Blocked by a dispute", f"{MINUS}£20.00", "£6.35"):
            assert text in shown
    assert ask(eve, order, amount="6.36") == 400
    assert ask(eve, order, amount="6.35") == 302
