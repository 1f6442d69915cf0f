"""Where personal data lies in payments: in what people typed. Payments and amounts stay."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.masking import subjects
from backoffice.masking.subjects import CLEAN, TOMBSTONE, Blocker, Group, Place
from payments.models import Payment, Refund
from payments.states import OPEN

_BOOKS = gettext_lazy("Bookkeeping: what was paid and paid back has to be kept; it names nobody")

_MACHINE = gettext_lazy("Bookkeeping: codes, sums and references of gateways, which name nobody")
_PROOF = gettext_lazy("Bookkeeping: what proves a payment is kept as long as the books, encrypted")
# Tables whose one typed column is searched: (name, label, column).
_TYPED = (
    ("refundstop", gettext_lazy("Stops of refunds"), "reason"),
    ("break", gettext_lazy("Differences of reconciliation"), "note"),
)
# Tables with texts that came from elsewhere: the line of a bank's statement is what somebody wrote
# on a transfer, a reference in a gateway's own pages is typed there, people name their files.
_TOLD = (
    ("settlemententry", gettext_lazy("Rows of settlements"),
     ("reference", "payment_reference", "number")),
    ("settlementimport", gettext_lazy("Settlement files"), ("name",)),
    ("inboxevent", gettext_lazy("Events of gateways"), ("number", "note")),
)  # fmt: skip
# Nobody types into these.
_WITH_PAST = {
    "dispute": gettext_lazy("Disputes"),
    "reconciledday": gettext_lazy("Days of reconciliation"),
}
_PLAIN = {
    "refundpart": gettext_lazy("Parts of refunds"),
    "refundattempt": gettext_lazy("Tries of refunds"),
    "evidence": gettext_lazy("Evidence"),
    "gatewaystate": gettext_lazy("States of gateways"),
    "gatewayverification": gettext_lazy("Verifications of gateways"),
    "dailytotal": gettext_lazy("Totals of a day"),
    "ledgertransaction": gettext_lazy("Bookings"),
    "ledgerentry": gettext_lazy("Entries of the ledger"),
}


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
    _register_money()
    _register_words()
    _register_machine()
    subjects.register_blocker(open_refunds)


def _register_money() -> None:
    """Name payments and refunds: amounts and references are kept for the books."""
    kept = ("currency", "gateway", "reference", "method", "captured_minor", "refunded_minor")
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
            kept=dict.fromkeys(
                ("currency", "gateway", "gateway_ref", "sent_under", "amount_minor"), _BOOKS
            ),
            everywhere=True,
        )
    )


def _register_words() -> None:
    """Name the rows that hold what somebody typed, here or at the gateway."""
    for name, label, text in _TYPED:
        subjects.with_past(
            Place(
                f"payments.{name}",
                label,
                f"payments.{name}",
                fields={text: CLEAN},
                kept={"*": _MACHINE},
                everywhere=True,
            )
        )
    for name, label, texts in _TOLD:
        subjects.register(
            Place(
                f"payments.{name}",
                label,
                f"payments.{name}",
                fields=dict.fromkeys(texts, CLEAN),
                kept={"*": _MACHINE},
                everywhere=True,
            )
        )


def _register_machine() -> None:
    """Name the rows that machines write, and evidence."""
    for name, label in _WITH_PAST.items():
        subjects.with_past(
            Place(f"payments.{name}", label, f"payments.{name}", kept={"*": _MACHINE}), reason=False
        )
    for name, label in _PLAIN.items():
        why = {"*": _PROOF if name == "evidence" else _MACHINE}
        private = ("sealed_key",) if name == "evidence" else ()
        place = Place(f"payments.{name}", label, f"payments.{name}", kept=why, private=private)
        subjects.register(place)
