"""Limits of a day, bands of approval, and approvals that do not hold any more."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.money import Money
from orders.models import Order
from payments import services
from payments.models import DailyTotal, Payment, Refund
from payments.services import RefundRefusedError, limits
from payments.services.moves import move
from payments.services.requests import still_approved
from payments.states import RefundState
from tests.factories import make_customer, make_order, make_payment
from tests.people import allow, make_person

LIMITS = {"maker": ["10.00 GBP"], "customer": ["6.00 GBP"]}


def paid(total: int = 100_000, gateway: str = "simulator") -> Order:
    order = make_order(total, customer=make_customer())
    make_payment(order, gateway=gateway)
    return order


def ask(order: Order, actor: User, minor: int) -> Refund:
    return services.request_refund(order, Money(minor, "GBP"), actor=actor, reason="Broken")


@pytest.fixture
def limited(settings: Settings) -> None:
    settings.BACKOFFICE_REFUND_LIMITS = LIMITS


@pytest.fixture
def refund(eve: User, max_: User) -> Refund:
    """An approved refund of £1.00."""
    refund = ask(paid(), eve, 100)
    services.approve_refund(refund, actor=max_)
    return Refund.objects.get(pk=refund.pk)


def test_customer_has_a_limit_of_a_day_whoever_asks(limited: None, eve: User, ann: User) -> None:
    order = paid()
    ask(order, eve, 400)
    with pytest.raises(RefundRefusedError, match=r"£2\.00 is left"):
        ask(order, ann, 201)
    ask(order, ann, 200)
    assert Payment.objects.get(order=order).reserved_minor == 600


def test_maker_has_a_limit_of_a_day_over_all_orders(limited: None, eve: User, ann: User) -> None:
    ask(paid(), eve, 600)
    order = paid()
    with pytest.raises(RefundRefusedError, match=r"£4\.00 of it is left"):
        ask(order, eve, 401)
    ask(order, ann, 401)
    assert Payment.objects.get(order=order).reserved_minor == 401


def test_refusal_counts_nowhere(limited: None, eve: User) -> None:
    order = paid()
    with pytest.raises(RefundRefusedError):
        ask(order, eve, 700)
    assert set(DailyTotal.objects.values_list("requested_minor", flat=True)) <= {0}


def test_refund_that_ends_unpaid_the_same_day_gives_back(limited: None, eve: User) -> None:
    order = paid()
    refund = ask(order, eve, 600)
    services.withdraw_refund(refund, actor=eve)
    ask(order, eve, 600)
    assert limits.left("customer", order.customer_id or 0, "GBP") == Money(0, "GBP")


def test_refund_of_yesterday_gives_nothing_back_today(limited: None, eve: User) -> None:
    order = paid()
    old = ask(order, eve, 600)
    Refund.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=1))
    services.withdraw_refund(Refund.objects.get(pk=old.pk), actor=eve)
    with pytest.raises(RefundRefusedError):
        ask(order, eve, 600)


def test_currency_without_a_limit_has_none(settings: Settings, eve: User) -> None:
    settings.BACKOFFICE_REFUND_LIMITS = {"maker": ["1.00 EUR"]}
    assert ask(paid(), eve, 700).state == RefundState.REQUESTED


@pytest.mark.parametrize("wrong", [{"boss": ["1.00 GBP"]}, {"maker": ["1.001 GBP"]}])
def test_setting_that_cannot_be_read_is_an_error_at_start(
    settings: Settings, wrong: dict[str, list[str]]
) -> None:
    settings.BACKOFFICE_REFUND_LIMITS = wrong
    assert [error.id for error in limits.check_limits()] == ["payments.E040"]


@pytest.mark.parametrize(("minor", "needed"), [(50_000, 1), (50_001, 2)])
def test_large_refund_needs_a_second_approver(
    eve: User, max_: User, kim: User, minor: int, needed: int
) -> None:
    refund = ask(paid(), eve, minor)
    services.approve_refund(refund, actor=max_)
    refund.refresh_from_db()
    assert (refund.state == RefundState.APPROVED) is (needed == 1)
    if needed == 2:
        services.approve_refund(refund, actor=kim)
        assert Refund.objects.get(pk=refund.pk).state == RefundState.APPROVED


def test_refund_by_hand_needs_two_approvers_whatever_the_settings(
    settings: Settings, eve: User, max_: User, kim: User
) -> None:
    settings.BACKOFFICE_APPROVALS = {}
    refund = ask(paid(gateway="manual"), eve, 1)
    services.approve_refund(refund, actor=max_)
    assert Refund.objects.get(pk=refund.pk).state == RefundState.REQUESTED
    services.approve_refund(refund, actor=kim)
    assert Refund.objects.get(pk=refund.pk).state == RefundState.APPROVED


def test_approval_holds(refund: Refund) -> None:
    assert still_approved(refund) == ""


def test_approver_who_lost_the_right_does_not_count(refund: Refund, max_: User) -> None:
    max_.groups.clear()
    assert "lost the right" in still_approved(refund)


def test_approver_who_left_does_not_count(refund: Refund, max_: User) -> None:
    User.objects.filter(pk=max_.pk).update(is_active=False)
    assert "lost the right" in still_approved(refund)


def test_approval_that_is_too_old_does_not_count(refund: Refund) -> None:
    assert refund.approval is not None
    old = timezone.now() - timedelta(hours=73)
    type(refund.approval).objects.filter(pk=refund.approval.pk).update(decided_at=old)
    assert "older than 72 hours" in still_approved(refund)


@pytest.mark.parametrize("values", [{"amount_minor": 99}, {"key": "0" * 32}, {"currency": "EUR"}])
def test_approval_binds_amount_currency_and_key(refund: Refund, values: dict[str, object]) -> None:
    Refund.objects.filter(pk=refund.pk).update(**values)
    assert "changed" in still_approved(Refund.objects.get(pk=refund.pk))


def test_approval_binds_the_payment_and_where_it_leads(refund: Refund) -> None:
    Payment.objects.filter(pk=refund.payment_id).update(reference="somewhere-else")
    assert "changed" in still_approved(Refund.objects.get(pk=refund.pk))


def test_rule_that_became_stricter_counts(refund: Refund, settings: Settings) -> None:
    settings.BACKOFFICE_APPROVALS = {"payments.refund": {"approvers": 2}}
    assert still_approved(refund)


def test_refund_without_approval_is_not_approved(refund: Refund) -> None:
    Refund.objects.filter(pk=refund.pk).update(approval=None)
    assert still_approved(Refund.objects.get(pk=refund.pk))


def test_void_gives_the_day_back(limited: None, refund: Refund) -> None:
    order = refund.payment.order
    assert limits.left("customer", order.customer_id or 0, "GBP") == Money(500, "GBP")
    assert move(refund, RefundState.VOID, actor=None, reason="Not sent")
    assert limits.left("customer", order.customer_id or 0, "GBP") == Money(600, "GBP")


def test_approver_needs_the_right_at_the_second_vote_too(eve: User, max_: User) -> None:
    refund = ask(paid(), eve, 60_000)
    services.approve_refund(refund, actor=max_)
    checker = allow(make_person("cho"), "payments.approve_refund")
    max_.groups.clear()
    services.approve_refund(refund, actor=checker)
    assert Refund.objects.get(pk=refund.pk).state == RefundState.REQUESTED
