"""Asking for refunds and deciding about them: limits, two people, letting go."""

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.approvals.models import ApprovalRequest
from backoffice.approvals.services import AlreadyDecidedError, expire_old
from backoffice.audit.models import Event
from backoffice.jobs.models import Job
from backoffice.money import Money
from orders.models import Order
from orders.services import LineLimitError
from payments import services
from payments.models import TRANSITIONS, Payment, Refund
from payments.services import Asked, RefundRefusedError
from payments.services.requests import REFUND_RULE
from tests.factories import make_order, make_payment
from tests.people import allow, make_person

State = Refund.State


def pounds(amount: str) -> Money:
    return Money.of(amount, "GBP")


def of_line(order: Order, position: int, amount: str) -> list[Asked]:
    return [Asked(line=order.lines.get(position=position), amount=pounds(amount))]


@pytest.fixture
def order(db: None) -> Order:
    """Two lines of £12.75 and £7.16, paid."""
    order = make_order(1_275, 716)
    make_payment(order)
    return order


@pytest.fixture
def refund(order: Order, eve: User) -> Refund:
    return services.request_refund(
        order, of_line(order, 1, "12.75"), actor=eve, reason="Arrived damaged"
    )


def held(order: Order) -> tuple[int, int, list[int]]:
    """Return what payment and lines hold: reserved, refunded, reserved of each line."""
    payment = Payment.objects.get(order=order)
    lines = list(order.lines.order_by("position").values_list("reserved_minor", flat=True))
    return payment.reserved_minor, payment.refunded_minor, lines


def test_request_reserves_payment_and_line_and_moves_no_money(order: Order, refund: Refund) -> None:
    assert held(order) == (1_275, 0, [1_275, 0])
    assert (refund.state, refund.attempts, refund.sent_at) == (State.REQUESTED, 0, None)
    assert not Job.objects.filter(kind="payments.refund").exists()


def test_request_is_on_record_with_person_reason_and_history(refund: Refund, eve: User) -> None:
    event = Event.objects.about(refund).get(verb="payments.refund_requested")
    assert (event.actor, event.reason) == (eve, "Arrived damaged")
    assert event.context["amount"] == "£12.75"
    assert {row.history_user for row in refund.history.all()} == {eve}
    assert refund.payment.history.latest().reserved_minor == 1_275


def test_request_beyond_what_is_left_of_the_payment_is_refused(
    order: Order, refund: Refund, eve: User
) -> None:
    with pytest.raises(RefundRefusedError, match=r"£7\.16"):
        services.request_refund(order, pounds("7.17"), actor=eve, reason="More")
    assert held(order) == (1_275, 0, [1_275, 0])


def test_request_beyond_what_is_left_of_the_line_is_refused_and_holds_nothing(
    order: Order, eve: User
) -> None:
    with pytest.raises(LineLimitError, match=r"£7\.16"):
        services.request_refund(order, of_line(order, 2, "7.17"), actor=eve, reason="More")
    assert held(order) == (0, 0, [0, 0])
    assert not Refund.objects.exists()


def test_request_of_the_same_line_twice_is_refused(order: Order, refund: Refund, eve: User) -> None:
    with pytest.raises(LineLimitError, match=r"£0\.00"):
        services.request_refund(order, of_line(order, 1, "0.01"), actor=eve, reason="Twice")


def test_request_of_a_line_of_another_order_is_refused(order: Order, eve: User) -> None:
    other = make_order(500).lines.get()
    with pytest.raises(RefundRefusedError, match="another order"):
        services.request_refund(order, [Asked(line=other)], actor=eve, reason="Mixed up")


@pytest.mark.parametrize("minor", [0, -1])
def test_request_of_nothing_or_less_is_refused(order: Order, eve: User, minor: int) -> None:
    with pytest.raises(RefundRefusedError):
        services.request_refund(order, Money(minor, "GBP"), actor=eve, reason="Nothing")


def test_request_in_another_currency_is_refused(order: Order, eve: User) -> None:
    with pytest.raises(RefundRefusedError, match="No payment"):
        services.request_refund(order, Money(100, "EUR"), actor=eve, reason="Wrong money")


def test_request_without_reason_is_refused(order: Order, eve: User) -> None:
    with pytest.raises(RefundRefusedError):
        services.request_refund(order, pounds("1"), actor=eve, reason=" ")


def test_request_without_the_right_is_refused(order: Order, nia: User) -> None:
    with pytest.raises(PermissionDenied):
        services.request_refund(order, pounds("1"), actor=nia, reason="Curious")


def test_request_at_a_gateway_that_is_not_set_up_is_refused(
    order: Order, eve: User, settings: Settings
) -> None:
    settings.GATEWAYS = {}
    with pytest.raises(RefundRefusedError, match="not set up"):
        services.request_refund(order, pounds("1"), actor=eve, reason="Gone")


def test_request_takes_the_payment_that_still_covers_it(eve: User) -> None:
    order = make_order(1_000)
    first, second = make_payment(order, captured=300), make_payment(order, captured=700)
    refunds = [
        services.request_refund(order, pounds(amount), actor=eve, reason="Split")
        for amount in ("5.00", "3.00")
    ]
    assert [refund.payment for refund in refunds] == [second, first]


def test_approvers_see_the_sums_as_the_order_shows_them(refund: Refund) -> None:
    assert refund.approval is not None
    effects = REFUND_RULE.effects(refund.approval)
    assert [(effect.before, effect.after) for effect in effects] == [
        ("£0.00", "£12.75"),
        ("£12.75", "£0.00"),
        ("£7.16", "£7.16"),
    ]


def test_approval_by_another_person_starts_a_job(refund: Refund, max_: User) -> None:
    services.approve_refund(refund, actor=max_)
    refund.refresh_from_db()
    assert (refund.state, refund.decided_by) == (State.APPROVED, max_)
    assert Job.objects.get().params == {"refund": refund.pk}
    assert Event.objects.about(refund).filter(verb="payments.refund_approved", actor=max_).exists()


def test_second_click_on_approve_does_nothing_more(refund: Refund, max_: User, kim: User) -> None:
    services.approve_refund(refund, actor=max_)
    with pytest.raises(AlreadyDecidedError):
        services.approve_refund(Refund.objects.get(pk=refund.pk), actor=kim)
    refund.refresh_from_db()
    assert (refund.decided_by, Job.objects.count()) == (max_, 1)


def test_maker_cannot_approve_even_with_the_right(order: Order, max_: User) -> None:
    refund = services.request_refund(order, pounds("1"), actor=max_, reason="Mine")
    with pytest.raises(PermissionDenied):
        services.approve_refund(refund, actor=max_)
    assert Refund.objects.get(pk=refund.pk).state == State.REQUESTED


def test_maker_cannot_approve_even_as_superuser(order: Order) -> None:
    root = make_person("root")
    root.is_superuser = True
    root.save()
    refund = services.request_refund(order, pounds("1"), actor=root, reason="Mine")
    with pytest.raises(PermissionDenied):
        services.approve_refund(refund, actor=root)


def test_database_refuses_a_maker_as_checker(refund: Refund) -> None:
    with pytest.raises(IntegrityError, match="refund_maker_is_not_checker"), transaction.atomic():
        Refund.objects.filter(pk=refund.pk).update(decided_by=refund.requested_by)


def test_approval_without_the_right_is_refused(refund: Refund, ann: User) -> None:
    with pytest.raises(PermissionDenied):
        services.approve_refund(refund, actor=ann)


@pytest.mark.parametrize("minor", [1, 1_276])
def test_changed_amount_voids_the_approval_and_lets_go_of_what_was_held(
    order: Order, refund: Refund, max_: User, minor: int
) -> None:
    Refund.objects.filter(pk=refund.pk).update(amount_minor=minor)
    services.approve_refund(refund, actor=max_)
    found = Refund.objects.select_related("approval").get(pk=refund.pk)
    assert found.approval is not None
    assert (found.state, found.approval.state) == (State.VOID, "void")
    assert "amount_minor" in found.approval.outcome
    assert held(order) == (0, 0, [0, 0])
    assert not Job.objects.filter(kind="payments.refund").exists()


def test_rejection_lets_go_of_payment_and_line(order: Order, refund: Refund, max_: User) -> None:
    services.reject_refund(refund, actor=max_, comment="No photo")
    refund.refresh_from_db()
    assert (refund.state, refund.decided_by) == (State.REJECTED, max_)
    assert refund.finished_at is not None
    assert held(order) == (0, 0, [0, 0])


def test_withdrawal_by_the_maker_lets_go(order: Order, refund: Refund, eve: User) -> None:
    services.withdraw_refund(refund, actor=eve)
    refund.refresh_from_db()
    assert (refund.state, held(order)) == (State.WITHDRAWN, (0, 0, [0, 0]))


def test_withdrawal_by_somebody_else_is_refused(order: Order, refund: Refund, ann: User) -> None:
    with pytest.raises(PermissionDenied):
        services.withdraw_refund(refund, actor=ann)
    assert held(order) == (1_275, 0, [1_275, 0])


def test_request_that_ran_out_lets_go(order: Order, refund: Refund) -> None:
    ApprovalRequest.objects.update(expires_at=timezone.now())
    expire_old()
    refund.refresh_from_db()
    assert (refund.state, held(order)) == (State.EXPIRED, (0, 0, [0, 0]))


def test_withdrawal_after_approval_is_refused(refund: Refund, eve: User, max_: User) -> None:
    services.approve_refund(refund, actor=max_)
    refund.refresh_from_db()
    with pytest.raises(AlreadyDecidedError):
        services.withdraw_refund(refund, actor=eve)
    assert Refund.objects.get(pk=refund.pk).state == State.APPROVED


@pytest.mark.parametrize(
    "values",
    [
        {"reserved_minor": 1_992},
        {"reserved_minor": -1},
        {"refunded_minor": 1},
        {"captured_minor": 0},
    ],
)
def test_database_refuses_sums_that_cannot_be(order: Order, values: dict[str, int]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.filter(order=order).update(**values)


def test_database_refuses_a_refund_of_nothing(refund: Refund) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Refund.objects.filter(pk=refund.pk).update(amount_minor=0)


def test_every_state_has_its_row_of_transitions() -> None:
    assert set(TRANSITIONS) == set(State)


def test_capture_makes_a_placed_order_paid(kim: User) -> None:
    order = make_order(1_000, status=Order.Status.PLACED)
    services.record_capture(
        order,
        pounds("10"),
        gateway="simulator",
        reference="pay_1",
        captured_at=timezone.now(),
        actor=kim,
    )
    order.refresh_from_db()
    assert order.status == Order.Status.PAID


def test_same_capture_twice_is_refused_by_the_database(order: Order, kim: User) -> None:
    payment = Payment.objects.get(order=order)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_payment(order, reference=payment.reference)


def test_right_that_was_taken_away_ends_approving(refund: Refund, eve: User) -> None:
    checker = allow(make_person("cho"), "payments.approve_refund")
    checker.user_permissions.clear()
    with pytest.raises(PermissionDenied):
        services.approve_refund(refund, actor=checker.__class__.objects.get(pk=checker.pk))
