"""What refunds hold of an order line or of a charge: never more than it cost."""

from django.core.exceptions import ValidationError
from django.db.models import F, Q
from django.utils.translation import gettext as _

from backoffice.accounts.models import User
from backoffice.audit.services import update_where
from backoffice.money import Money
from orders.models import Charge, OrderLine


class LineLimitError(ValidationError):
    """More would go back for a line or charge than it cost."""


def reserve_line(line: OrderLine | Charge, amount: Money, *, actor: User, reason: str) -> None:
    """Hold `amount` of the line or charge for a refund; raise LineLimitError when less is left."""
    held = update_where(
        line,
        Q(currency=amount.currency, reserved_minor__lte=F("total_minor") - amount.minor),
        actor=actor,
        reason=reason,
        changes={"reserved_minor": F("reserved_minor") + amount.minor},
    )
    if not held:
        line.refresh_from_db()
        left = Money(line.total_minor - line.reserved_minor, line.currency)
        message = _("Only %(left)s of this line can still be refunded.") % {"left": left}
        raise LineLimitError({"amount": message})


def release_line(
    line: OrderLine | Charge, amount: Money, *, actor: User | None, reason: str
) -> None:
    """Let go of what `reserve_line` held; the CHECK refuses to let go of more."""
    update_where(
        line,
        Q(),
        actor=actor,
        reason=reason,
        changes={"reserved_minor": F("reserved_minor") - amount.minor},
    )
