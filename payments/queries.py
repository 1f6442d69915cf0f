"""Shared reads about payments and refunds."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from backoffice.audit.models import Event
from backoffice.money import Money
from customers.models import Customer
from orders.models import Order
from payments.models import Refund, RefundPart
from payments.states import HOLDING, OPEN, PAID_OUT

_S = Refund.State
# States that the machine moves on by itself when the time has come.
MOVING = frozenset({_S.APPROVED, _S.EXECUTING, _S.UNKNOWN, _S.PENDING})


@dataclass(frozen=True, slots=True)
class LineRefunds:
    """What went back for one line or charge, and what open refunds hold, in minor units."""

    refunded_minor: int
    under_way_minor: int


def refundable(order: Order) -> Money:
    """Return what can still be refunded: captured - refunded - under way - disputed."""
    total = order.payments.filter(currency=order.currency).aggregate(
        captured=Coalesce(Sum("captured_minor"), 0),
        held=Coalesce(Sum(F("reserved_minor") + F("blocked_minor")), 0),
    )
    return Money(total["captured"] - total["held"], order.currency)


def newest_refund(order: Order) -> int:
    """Return the key of the newest refund of the order; 0 without one."""
    keys = Refund.objects.filter(payment__order=order).order_by("-pk").values_list("pk", flat=True)
    return keys.first() or 0


def refunds_of(order: Order) -> QuerySet[Refund]:
    """Return the refunds of an order, newest first."""
    return (
        Refund.objects.filter(payment__order=order)
        .select_related("payment", "requested_by", "decided_by")
        .prefetch_related("parts__order_line__product", "parts__charge")
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


def refunds_by_thing(order: Order) -> dict[tuple[int | None, int | None], LineRefunds]:
    """Return (line id, charge id) -> what went back and what is under way, for what has refunds.

    One of both is None; both are for what was for no single thing.
    """
    rows = (
        RefundPart.objects.filter(refund__payment__order=order, refund__state__in=HOLDING)
        .order_by()
        .values("order_line", "charge")
        .annotate(
            held=Sum("amount_minor"),
            done=Coalesce(Sum("amount_minor", filter=Q(refund__state__in=PAID_OUT)), 0),
        )
    )
    return {
        (row["order_line"], row["charge"]): LineRefunds(row["done"], row["held"] - row["done"])
        for row in rows
    }


def due(
    now: datetime, limit: int, *, paused: Collection[str] = (), stopped: Collection[str] = ()
) -> QuerySet[Refund]:
    """Return the refunds that the machine should look at now, longest waiting first.

    Of the `paused` gateways only those of which no answer came: that is to be said. Of the
    `stopped` ones none that was not sent yet.
    """
    refunds = Refund.objects.filter(state__in=MOVING, next_try_at__lte=now)
    if paused:
        refunds = refunds.exclude(~Q(state=_S.EXECUTING), gateway__in=paused)
    if stopped:
        refunds = refunds.exclude(state=_S.APPROVED, gateway__in=stopped)
    return refunds.select_related("payment").order_by("next_try_at", "pk")[:limit]


def events_about(refunds: Iterable[Refund]) -> QuerySet[Event]:
    """Return what is on the record about these refunds, newest first."""
    ids = [str(refund.pk) for refund in refunds]
    found: QuerySet[Event] = Event.objects.filter(
        subject_type="payments.refund", subject_id__in=ids
    ).select_related("actor")
    return found
