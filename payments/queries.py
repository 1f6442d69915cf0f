"""Shared reads about payments and refunds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from backoffice.audit.models import Event
from backoffice.money import Money
from customers.models import Customer
from orders.models import Order
from payments.models import HOLDING, Payment, Refund

_S = Refund.State
# Asked for and without an end yet.
OPEN = HOLDING - {_S.SUCCEEDED}
# States that the machine moves on by itself when the time has come.
MOVING = frozenset({_S.APPROVED, _S.EXECUTING, _S.UNKNOWN, _S.PENDING})


@dataclass(frozen=True, slots=True)
class LineRefunds:
    """What went back for one order line, and what open refunds hold, in minor units."""

    refunded_minor: int
    under_way_minor: int


def payment_for(order: Order, amount: Money) -> Payment | None:
    """Return the payment of the order from which `amount` should go back.

    The first that still covers it; else the one with the most left, so that the refusal can name
    a sum; None where nothing was captured in this currency.
    """
    payments = list(order.payments.filter(currency=amount.currency).order_by("captured_at", "id"))
    covering = [payment for payment in payments if amount <= payment.refundable]
    if covering:
        return covering[0]
    return max(payments, key=lambda payment: payment.refundable.minor, default=None)


def refundable(order: Order) -> Money:
    """Return what can still be refunded: captured - refunded - under way."""
    total = order.payments.filter(currency=order.currency).aggregate(
        captured=Coalesce(Sum("captured_minor"), 0), reserved=Coalesce(Sum("reserved_minor"), 0)
    )
    return Money(total["captured"] - total["reserved"], order.currency)


def refunds_of(order: Order) -> QuerySet[Refund]:
    """Return the refunds of an order, newest first."""
    return Refund.objects.filter(payment__order=order).select_related(
        "payment", "order_line__product", "requested_by", "decided_by"
    )


def open_refunds() -> QuerySet[Refund]:
    """Return the refunds that were asked for and have not come to an end."""
    return Refund.objects.filter(state__in=OPEN)


def refunds_of_customer(customer: Customer) -> QuerySet[Refund]:
    """Return the refunds of the customer's orders, newest first."""
    mine = Refund.objects.filter(payment__order__customer=customer).order_by("-pk")
    return mine.select_related("payment__order", "requested_by")


def refunds_count(customer: Customer) -> int:
    """Return how many refunds of the customer's orders there are, in any state."""
    return Refund.objects.filter(payment__order__customer=customer).count()


def refunds_by_line(order: Order) -> dict[int, LineRefunds]:
    """Return order line id -> what went back and what is under way, for lines with refunds."""
    rows = (
        Refund.objects.filter(payment__order=order, order_line__isnull=False, state__in=HOLDING)
        .order_by()
        .values("order_line")
        .annotate(
            held=Sum("amount_minor"),
            done=Coalesce(Sum("amount_minor", filter=Q(state=_S.SUCCEEDED)), 0),
        )
    )
    return {row["order_line"]: LineRefunds(row["done"], row["held"] - row["done"]) for row in rows}


def due(now: datetime, limit: int) -> QuerySet[Refund]:
    """Return the refunds that the machine should look at now, longest waiting first."""
    refunds = Refund.objects.filter(state__in=MOVING, next_try_at__lte=now)
    return refunds.select_related("payment", "order_line").order_by("next_try_at")[:limit]


def events_about(refunds: Iterable[Refund]) -> QuerySet[Event]:
    """Return what is on the record about these refunds, newest first."""
    ids = [str(refund.pk) for refund in refunds]
    found: QuerySet[Event] = Event.objects.filter(
        subject_type="payments.refund", subject_id__in=ids
    ).select_related("actor")
    return found
