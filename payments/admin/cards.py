"""What several pages show of refunds and payments: states, the chain of sums, the record."""

from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backoffice.audit.models import Event
from backoffice.money import Money
from backoffice.site.values import Badge, BadgeKind
from payments.gateways import gateways
from payments.models import Dispute, Payment, Refund, RefundPart
from payments.states import SHEET

_S = Refund.State

REFUND_STATES: dict[str, Any] = {
    "requested": "wait",
    "rejected": "fail",
    "withdrawn": "rest",
    "expired": "rest",
    "void": "rest",
    "approved": "move",
    "executing": "move",
    "pending": "move",
    "unknown": "unkn",
    "needs_review": "unkn",
    "succeeded": "done",
    "failed": "fail",
    "reversed": "fail",
    "external": "done",
}
PAYMENT_STATES: dict[str, BadgeKind] = {
    "captured": "done",
    "partly_refunded": "rest",
    "refunded": "rest",
    "disputed": "fail",
}
DISPUTE_STATES: dict[str, BadgeKind] = {
    "inquiry": "wait",
    "announced": "wait",
    "open": "wait",
    "won": "done",
    "lost": "fail",
}
MOST_NAMED = 3
OPEN_QUESTION = frozenset({_S.UNKNOWN, _S.NEEDS_REVIEW})


@dataclass(frozen=True, slots=True)
class Part:
    """One coloured part of the bar: percent from the left, percent wide."""

    tone: str
    start: float
    width: float


@dataclass(frozen=True)
class Chain:
    """captured - refunded - reserved - blocked = can still be refunded, of one payment.

    `doubtful` is the part of what is reserved of which nobody knows whether it went out.
    """

    payment: Payment
    captured: Money
    refunded: Money
    reserved: Money
    doubtful: Money
    blocked: Money
    left: Money

    @property
    def rows(self) -> list[tuple[str, str, Money]]:
        """What is taken off the captured sum: tone, words, negative amount."""
        rows = [("done", _("Refunded"), -self.refunded)]
        if self.doubtful:
            rows.append(("unkn", _("May be refunded, not known yet"), -self.doubtful))
        rows.append(("wait", _("Reserved for refunds under way"), -self.reserved))
        if self.blocked:
            rows.append(("fail", _("Blocked by a dispute"), -self.blocked))
        return rows

    @property
    def parts(self) -> list[Part]:
        """The bar: what is gone, what may be gone, what is held."""
        parts, start = [], 0.0
        sums = (
            ("done", self.refunded),
            ("unkn", self.doubtful),
            ("wait", self.reserved),
            ("fail", self.blocked),
        )
        for tone, amount in sums:
            width = 100 * amount.minor / self.captured.minor
            parts.append(Part(tone, round(start, 2), round(width, 2)))
            start += width
        return [part for part in parts if part.width]

    @property
    def badge(self) -> Badge:
        """How far the payment has gone back."""
        state = self.payment.state
        return Badge(PAYMENT_STATES[state], str(state.label))

    @property
    def disputes(self) -> list[tuple[Dispute, Badge]]:
        """The disputes of the payment, each with its state."""
        found = self.payment.disputes.all()
        return [(one, Badge(DISPUTE_STATES[one.status], one.get_status_display())) for one in found]

    @property
    def gateway(self) -> str:
        """The gateway's name for people."""
        return label_of(self.payment.gateway)


def label_of(alias: str) -> str:
    """Return a gateway's name for people; of one that is not set up any more its alias."""
    if alias == SHEET:
        return _("Sheet")
    return gateways[alias].label if alias in gateways else alias


def chain(payment: Payment) -> Chain:
    """Return the sums of a payment, whose refunds may have been fetched with others."""
    refunds = payment.refunds.all()
    doubtful = sum(one.amount_minor for one in refunds if one.state in OPEN_QUESTION)
    return Chain(
        payment,
        payment.captured,
        payment.refunded,
        payment.under_way - Money(doubtful, payment.currency),
        Money(doubtful, payment.currency),
        payment.blocked,
        payment.refundable,
    )


def refund_badge(refund: Refund) -> Badge:
    """Return the state of a refund as a badge."""
    return Badge(REFUND_STATES[refund.state], refund.get_state_display())


def what_for(refund: Refund) -> str:
    """Return the codes of what the refund is for: "22423, POST"; a dash for no single thing."""
    parts = [part for part in refund.parts.all() if part.order_line_id or part.charge_id]
    if len(parts) > MOST_NAMED:
        return ngettext("%(count)s line", "%(count)s lines", len(parts)) % {"count": len(parts)}
    return ", ".join(code_of(part) for part in parts) or "–"  # noqa: RUF001 - an empty value


def code_of(part: RefundPart) -> str:
    """Return the code of the line's product, or of the charge; "" for no single thing."""
    if part.order_line is not None:
        return part.order_line.product.code
    return part.charge.code if part.charge is not None else ""


def waiting_since(refund: Refund) -> Any:
    """Return since when the outcome is open: the first answer that did not come."""
    return refund.sent_at or refund.created_at


def is_late(refund: Refund) -> bool:
    """Say whether the next try is due already (the worker is busy or not running)."""
    return refund.next_try_at is not None and refund.next_try_at < timezone.now()


def explanation(event: Event) -> str:
    """Return what the gateway said at a step, in one line; "" where it said nothing."""
    context = event.context if isinstance(event.context, dict) else {}
    words = [context.get(name) for name in ("message", "found", "reference")]
    said = [str(word) for word in words if word]
    if key := context.get("key"):
        said.append(_("key %(key)s, the same in every try") % {"key": str(key)[:8]})
    return " · ".join(said)
