"""Payments of the past from sheets: booked, balanced, and never refunded from here."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.test import override_settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.money import Money
from backoffice.sheets import services
from backoffice.sheets.models import ImportJob
from orders.models import Order
from payments.gateways import check_gateways
from payments.models import Account, LedgerEntry, Payment
from payments.services import checking, choosing, past
from payments.states import SHEET
from tests.factories import make_order
from tests.sheets import made

pytestmark = pytest.mark.django_db
HEAD = ("order_id", "payment_sequential", "payment_type", "payment_value")


@pytest.fixture
def order() -> Order:
    return make_order(12_000)


def bring_in(rows: Any, user: User) -> ImportJob:
    job = made.upload(made.book(rows, head=HEAD), user)
    assert job.format == "payments"
    assert made.check(job).state == ImportJob.State.CHECKED, job.message
    return made.run(job)


def sums() -> dict[str, int]:
    found: dict[str, int] = {}
    for account, minor in LedgerEntry.objects.values_list("account", "minor"):
        found[account] = found.get(account, 0) + minor
    return {account: minor for account, minor in found.items() if minor}


def test_payments_come_in_booked_and_balanced(order: Order, oli: User) -> None:
    job = bring_in([[order.number, 1, "boleto", "70.5"], [order.number, 2, "voucher", 30]], oli)
    assert (job.created, job.total("failed")) == (2, 0)
    first, second = Payment.objects.order_by("reference")
    assert (first.reference, first.method, first.captured) == (
        f"{order.number}-1", "boleto", Money.of("70.50", "GBP"),
    )  # fmt: skip
    assert (first.gateway, first.captured_at) == (SHEET, order.placed_at)
    # What gateways owe us is as before: the money went on to the bank.
    assert sums() == {Account.SALES: -10_050, Account.BANK: 10_050}
    assert list(checking.books()) == []
    assert Event.objects.filter(verb=past.TOLD, actor=oli).count() == 2
    assert second.history.get().history_change_reason == job.change_reason
    status = order.status
    order.refresh_from_db()
    assert order.status == status


def test_none_of_it_can_be_refunded_from_here(order: Order, oli: User) -> None:
    bring_in([[order.number, 1, "boleto", 70]], oli)
    payment = Payment.objects.get()
    why = choosing.why_not(payment, payment.refundable)
    assert why is not None
    assert "A sheet told of this payment" in str(why)
    assert not choosing.room(order).left
    named = {**settings.GATEWAYS, SHEET: settings.GATEWAYS["manual"]}
    with override_settings(GATEWAYS=named):
        # Not even where somebody calls a gateway so, which the system check forbids.
        assert choosing.why_not(payment, payment.refundable) is not None
        assert "payments.E002" in {one.id for one in check_gateways()}


@pytest.mark.parametrize(
    "held", [{"reserved_minor": 1}, {"reserved_minor": 1, "refunded_minor": 1}]
)
def test_the_database_refuses_to_give_it_back(
    order: Order, oli: User, held: dict[str, int]
) -> None:
    bring_in([[order.number, 1, "boleto", 70]], oli)
    with pytest.raises(IntegrityError, match="payment_of_sheet_stays"), transaction.atomic():
        Payment.objects.filter(gateway=SHEET).update(**held)
    Payment.objects.filter(gateway=SHEET).update(gateway="manual")
    assert Payment.objects.update(**held) == 1


def test_the_gateways_are_not_asked_about_it(order: Order, oli: User) -> None:
    bring_in([[order.number, 1, "boleto", 70]], oli)
    since, until = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    assert list(checking.at_gateways(since, until, 10)) == []


def test_the_same_sheet_again_changes_nothing(order: Order, oli: User) -> None:
    rows = [[order.number, 1, "boleto", 70]]
    bring_in(rows, oli)
    before = (Payment.history.count(), LedgerEntry.objects.count())
    again = bring_in(rows, oli)
    assert (again.created, again.total("updated"), again.total("unchanged")) == (0, 0, 1)
    assert (Payment.history.count(), LedgerEntry.objects.count()) == before


def test_what_is_wrong_is_left_out(order: Order, oli: User) -> None:
    bring_in([[order.number, 1, "boleto", 70]], oli)
    rows = [
        [order.number, 1, "boleto", 71],
        [order.number, 2, "voucher", 0],
        [order.number, 3, "voucher", "1.005"],
        ["no such order", 1, "voucher", 5],
        [order.number, 4, "voucher", 5],
        [order.number, 4, "voucher", 5],
        [order.number, 5, "voucher", -5],
    ]
    job = bring_in(rows, oli)
    assert {(code, row) for code, _sheet, row, _column in made.said(job)} >= {
        ("other-payment-stored", 2),
        ("nothing-paid", 3),
        ("more-than-minor", 4),
        ("unknown-reference", 5),
        ("payment-twice", 7),
        ("negative", 8),
    }
    assert Payment.objects.get(reference=f"{order.number}-1").captured.amount == Decimal(70)
    assert Payment.objects.count() == 2


def test_who_may_not_import_payments_is_not_offered_it(order: Order, oli: User) -> None:
    oli.groups.first().permissions.remove(  # type: ignore[union-attr]
        *oli.groups.first().permissions.filter(codename="import_payment")  # type: ignore[union-attr]
    )
    user = User.objects.get(pk=oli.pk)
    assert "payments" not in {form.key for form in services.open_formats(user)}
