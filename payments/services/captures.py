"""Money that came in."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record, save_with_history
from backoffice.money import Money
from orders.models import Order
from orders.services import mark_paid
from payments.models import Payment

CAPTURED = verbs.register("payments.captured", _("Payment captured"))


def record_capture(
    order: Order,
    amount: Money,
    *,
    gateway: str,
    reference: str,
    captured_at: datetime,
    actor: User | None,
) -> Payment:
    """Note a captured payment of an order; a placed order becomes paid.

    Raises IntegrityError where the gateway's reference is known already.
    """
    payment = Payment(
        order=order,
        gateway=gateway,
        reference=reference,
        currency=amount.currency,
        captured_minor=amount.minor,
        captured_at=captured_at,
    )
    with transaction.atomic():
        save_with_history(payment, actor=actor)
        record(CAPTURED, actor=actor, subject=payment, context={"amount": str(amount)})
        if order.status == Order.Status.PLACED:
            mark_paid(order, actor=actor)
    return payment
