"""What is sent to a gateway for a refund: the same every time, as gateways compare repeats."""

from django.db.models import Q, Sum

from backoffice.money import Money
from payments.gateways.base import RefundCommand
from payments.models import Refund

_S = Refund.State
# Of these nobody knows whether the gateway has counted them already.
_MAY_BE_OUT = Q(state__in=(_S.EXECUTING, _S.UNKNOWN, _S.PENDING, _S.NEEDS_REVIEW))


def of(refund: Refund) -> RefundCommand:
    """Return the command for the refund's one key."""
    return RefundCommand(
        number=str(refund.number),
        key=refund.key,
        payment_reference=refund.payment.reference,
        amount=refund.amount,
        refundable_before=_before(refund),
        tax_free=_tax_free(refund),
    )


def _before(refund: Refund) -> Money | None:
    """Return what could go back before this refund; None while another one may be out or not."""
    payment = refund.payment
    if payment.refunds.filter(_MAY_BE_OUT).exclude(pk=refund.pk).exists():
        return None
    return payment.captured - payment.refunded


def _tax_free(refund: Refund) -> Money | None:
    """Return the part without tax; None where nothing tells of tax."""
    sums = refund.parts.aggregate(
        tax=Sum("tax_minor"), free=Sum("amount_minor", filter=Q(tax_minor=0))
    )
    return Money(sums["free"] or 0, refund.currency) if sums["tax"] else None
