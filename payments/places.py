"""Where personal data lies in payments: in what people typed. Payments and amounts stay."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.masking import subjects
from backoffice.masking.subjects import CLEAN, TOMBSTONE, Blocker, Group, Place
from payments.models import Payment, Refund
from payments.states import OPEN

_BOOKS = gettext_lazy("Bookkeeping: what was paid and paid back has to be kept; it names nobody")


def open_refunds(group: Group) -> list[Blocker]:
    """Name the refunds that are not over: their customer may have to be asked."""
    text = _("A refund is open: %(refund)s, %(state)s")
    return [
        Blocker(
            text % {"refund": one.code, "state": one.get_state_display()},
            "payments.refund",
            str(one.pk),
        )
        for one in Refund.objects.filter(
            pk__in=group.keys("payments.refund"), state__in=OPEN
        ).order_by("pk")
    ]


def register() -> None:
    """Say what belongs to an order, and put the places in force."""
    subjects.belongs(
        "payments.payment", "orders.order", lambda keys: Payment.objects.filter(order__in=keys)
    )
    subjects.belongs(
        "payments.refund", "payments.payment", lambda keys: Refund.objects.filter(payment__in=keys)
    )
    kept = ("currency", "gateway", "reference", "captured_minor", "refunded_minor")
    subjects.with_past(
        Place(
            "payments.payments",
            gettext_lazy("Payments"),
            "payments.payment",
            rows=lambda group: group.rows("payments.payment"),
            kept=dict.fromkeys(kept, _BOOKS),
        )
    )
    subjects.with_past(
        Place(
            "payments.refunds",
            gettext_lazy("Refunds"),
            "payments.refund",
            rows=lambda group: group.rows("payments.refund"),
            fields={"reason": TOMBSTONE, "answer": CLEAN},
            kept=dict.fromkeys(("currency", "gateway_ref", "amount_minor"), _BOOKS),
            everywhere=True,
        )
    )
    subjects.register_blocker(open_refunds)
