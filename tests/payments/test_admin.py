"""Staff pages of refunds: who is offered what, and what a click does."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.jobs.models import Job
from backoffice.money import MINUS, Money
from backoffice.site.versions import version_of
from orders.models import Order
from payments import services
from payments.models import Payment, Refund
from payments.services import Asked
from tests.factories import make_customer, make_line, make_order, make_payment
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
    return do(user, "request_refund", order, why="damaged", **values)


def test_agent_asks_for_a_line(order: Order, eve: User) -> None:
    line = order.lines.get(position=1)
    assert ask(eve, order, line=str(line.pk), note="Photos in return 4417") == 302
    refund = Refund.objects.get()
    assert (refund.parts.get().order_line, refund.amount, refund.requested_by) == (
        line,
        line.total,
        eve,
    )
    assert refund.reason == "Arrived damaged. Photos in return 4417"


def test_agent_asks_for_one_of_three_pieces_and_no_penny_is_lost(order: Order, eve: User) -> None:
    line = order.lines.get(position=2)
    assert ask(eve, order, line=str(line.pk), quantity="1") == 302
    assert ask(eve, Order.objects.get(pk=order.pk), line=str(line.pk)) == 302
    amounts = sorted(Refund.objects.values_list("amount_minor", flat=True))
    assert (sum(amounts), amounts[1] - 2 * amounts[0]) == (1_000, 1_000 - 3 * amounts[0])


def test_agent_asks_for_postage_without_a_line(order: Order, eve: User) -> None:
    assert ask(eve, order, line="", amount="3.60") == 302
    assert Refund.objects.get().amount == Money(360, "GBP")


@pytest.mark.parametrize(
    "values",
    [
        {"line": ""},
        {"line": "", "amount": "26.36"},
        {"line": "", "amount": "0.001"},
        {"line": "999999"},
        {"line": "2", "quantity": "4"},
        {"line": "2", "quantity": "1", "amount": "1"},
        {"line": "1", "amount": "12.76"},
    ],
)
def test_wrong_request_is_shown_again_and_holds_nothing(
    order: Order, eve: User, values: dict[str, str]
) -> None:
    by_position = {str(line.position): str(line.pk) for line in order.lines.all()}
    values = values | {"line": by_position.get(values["line"], values["line"])}
    assert ask(eve, order, **values) == 400
    assert not Refund.objects.exists()
    assert Payment.objects.get().reserved_minor == 0


def test_person_without_the_right_sees_no_button_and_is_refused(order: Order, nia: User) -> None:
    assert "request_refund" not in page(nia, order)
    assert ask(nia, order, line="", amount="1") == 403
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
