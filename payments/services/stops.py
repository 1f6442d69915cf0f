"""The switch that stops refunds: of one gateway, or of all. One person stops, another lets go on.

Stopping has to be quick, so one person with the right and a reason does it at once. Nothing is
asked for and nothing new is sent meanwhile; what was sent is still looked up, and money stays held.
Whoever stopped does not end it: a second person with another right looks first (a CHECK stands
behind).
"""

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record, save_with_history, update_where
from payments.gateways import gateways
from payments.models import RefundStop

STOPPED = verbs.register("payments.refunds_stopped", gettext_lazy("Refunds stopped"))
RESUMED = verbs.register("payments.refunds_resumed", gettext_lazy("Refunds go on"))


def stop(gateway: str, *, actor: User, reason: str) -> RefundStop:
    """Stop the refunds of a gateway (its alias), or all of them ("").

    Raises PermissionDenied, ValidationError without a reason, for an unknown gateway, and when it
    is stopped already.
    """
    if not actor.is_active or not actor.has_perm("payments.stop_refunds"):
        raise PermissionDenied
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    if gateway and gateway not in gateways:
        raise ValidationError({"gateway": _("There is no such gateway.")})
    made = RefundStop(gateway=gateway, reason=reason, stopped_by=actor)
    try:
        with transaction.atomic():
            save_with_history(made, actor=actor, reason=reason)
            facts = {"gateway": gateway or "all"}
            record(STOPPED, actor=actor, subject=made, reason=reason, context=facts)
    except IntegrityError:
        raise ValidationError(_("These refunds are stopped already.")) from None
    return made


def resume(stopped: RefundStop, *, actor: User, reason: str) -> None:
    """Let the refunds go on.

    Raises PermissionDenied without the right and for who stopped them, ValidationError without a
    reason and when they go on already.
    """
    if not actor.is_active or not actor.has_perm("payments.resume_refunds"):
        raise PermissionDenied
    if stopped.stopped_by_id == actor.pk:
        raise PermissionDenied(_("You stopped them. Somebody else must let them go on."))
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    changes = {"ended_by": actor, "ended_at": timezone.now()}
    open_ = Q(ended_at__isnull=True) & ~Q(stopped_by=actor)
    with transaction.atomic():
        if not update_where(stopped, open_, actor=actor, reason=reason, changes=changes):
            raise ValidationError(_("These refunds go on already."))
        facts = {"gateway": stopped.gateway or "all"}
        record(RESUMED, actor=actor, subject=stopped, reason=reason, context=facts)


def running() -> list[RefundStop]:
    """Return the stops in force, the widest first."""
    found = RefundStop.objects.filter(ended_at__isnull=True).select_related("stopped_by")
    return list(found.order_by(F("gateway").asc(), "pk"))


def held(gateway: str, stops: "list[RefundStop] | None" = None) -> str:
    """Return why no refund of this gateway goes out now, in words; "" when none is stopped.

    `stops` are those in force, where somebody has read them already.
    """
    found = running() if stops is None else stops
    stopped = next((one for one in found if one.gateway in {"", gateway}), None)
    return "" if stopped is None else words(stopped)


def words(stopped: RefundStop) -> str:
    """Return what is stopped, by whom and why, in a sentence."""
    alias = stopped.gateway
    text = _("Refunds are stopped.") if not alias else _("Refunds of %(gateway)s are stopped.")
    label = gateways[alias].label if alias in gateways else alias
    by = _("%(person)s stopped them: %(reason)s")
    told = by % {"person": stopped.stopped_by, "reason": stopped.reason}
    return f"{text % {'gateway': label}} {told}"
