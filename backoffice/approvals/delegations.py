"""Handing one's decisions over for a period, on the record."""

import datetime as dt

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals.models import Delegation
from backoffice.audit import verbs
from backoffice.audit.services import record

HANDED_OVER = verbs.register("approvals.handed_over", gettext_lazy("Decisions handed over"))
TAKEN_BACK = verbs.register("approvals.taken_back", gettext_lazy("Decisions taken back"))
LONGEST = dt.timedelta(days=60)


def hand_over(
    stand_in: User, *, starts_at: dt.datetime, until: dt.datetime, reason: str, actor: User
) -> Delegation:
    """Let `stand_in` decide in the place of `actor` from `starts_at` to `until`.

    Only one's own decisions can be handed over. Raises ValidationError for oneself, somebody who
    is no active staff, a period that is over or longer than LONGEST, or without a reason.
    """
    if stand_in == actor:
        raise ValidationError({"stand_in": _("Choose somebody else.")})
    if not (stand_in.is_active and stand_in.is_staff):
        raise ValidationError({"stand_in": _("Choose somebody who works here.")})
    if not starts_at < until or until <= timezone.now():
        raise ValidationError({"until": _("It must end after it starts, and not in the past.")})
    if until - starts_at > LONGEST:
        text = _("At most %(days)s days. Hand over again when it is longer.")
        raise ValidationError({"until": text % {"days": LONGEST.days}})
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    with transaction.atomic():
        made: Delegation = Delegation.objects.create(
            giver=actor, stand_in=stand_in, starts_at=starts_at, until=until, reason=reason
        )
        facts = {
            "to": stand_in.get_username(),
            "from": starts_at.isoformat(),
            "until": until.isoformat(),
        }
        record(HANDED_OVER, actor=actor, subject=made, reason=reason, context=facts)
    return made


def take_back(delegation: Delegation, *, actor: User) -> None:
    """End it now. Raises PermissionDenied for others', ValidationError when it is over."""
    if delegation.giver_id != actor.pk:
        raise PermissionDenied
    now = timezone.now()
    with transaction.atomic():
        open_ones = Delegation.objects.filter(pk=delegation.pk, ended_at=None, until__gt=now)
        if not open_ones.update(ended_at=now):
            raise ValidationError(_("This is over already."))
        delegation.refresh_from_db()
        facts = {"to": delegation.stand_in.get_username()}
        record(TAKEN_BACK, actor=actor, subject=delegation, context=facts)
