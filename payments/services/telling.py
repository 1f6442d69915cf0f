"""Who hears by mail how a refund ended: whoever asked for it, and the customer of money that went.

The customer's mail says order number and amount and nothing else; the address is read when it
leaves. Where the mail app is not installed nobody hears anything.
"""

import logging

from django.apps import apps
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.services.reading import READERS
from payments.models import Refund
from payments.states import RefundState

logger = logging.getLogger("payments")
ENDED, PAID_BACK = "payments.refund_ended", "payments.refunded"
_S = RefundState
# How approvals ended, the maker hears from the approvals.
_TOLD = frozenset({_S.SUCCEEDED, _S.FAILED, _S.NEEDS_REVIEW, _S.REVERSED})


def register() -> None:
    """Announce the mails, where mail is installed."""
    if not apps.is_installed("backoffice.mail"):
        return
    from backoffice.mail import registry  # noqa: PLC0415 - not in every installation

    registry.register(
        ENDED,
        label=gettext_lazy("A refund ended"),
        subject=gettext_lazy("%(state)s: refund %(refund)s, %(amount)s"),
        fields=("refund", "amount", "order", "state"),
    )
    registry.register(
        PAID_BACK,
        label=gettext_lazy("Money went back to a customer"),
        subject=gettext_lazy("Your refund for order %(order)s"),
        fields=("order", "amount"),
    )


def tell(refund: Refund, state: RefundState) -> None:
    """Put into the outbox what this new state of the refund gives occasion to, if anything.

    What is known of money is recorded whether or not anybody can be told of it.
    """
    try:
        with transaction.atomic():
            _tell(refund, state)
    except Exception:
        logger.exception("nobody could be told of refund %s", refund.number)


def _tell(refund: Refund, state: RefundState) -> None:
    if state not in _TOLD or not apps.is_installed("backoffice.mail"):
        return
    from backoffice.mail.registry import Outside  # noqa: PLC0415 - not in every installation
    from backoffice.mail.services import queue  # noqa: PLC0415

    order = refund.payment.order
    facts = {"amount": str(refund.amount), "order": order.number}
    if refund.requested_by is not None:
        link = reverse("admin:payments_refund_change", args=[refund.pk])
        more = {"refund": refund.code, "state": str(state.label), "link": link}
        why = _("You asked for this refund.")
        queue(ENDED, to=refund.requested_by, context=facts | more, reason=why, actor=None)
    if state is _S.SUCCEEDED and order.customer is not None and order.customer.email:
        reader = Outside(READERS, str(order.customer.pk))
        queue(PAID_BACK, to=reader, context=facts, reason=_("Money went back."), actor=None)
