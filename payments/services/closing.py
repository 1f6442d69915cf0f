"""Closing a day at a gateway, and opening it again by two people.

A closed day is an account that was given: nothing is booked on it any more (a trigger holds it),
and what arrives for it later is a break of the next open day.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.accounts.models import User
from backoffice.approvals import registry as rules
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit import verbs
from backoffice.audit.services import record, update_where
from payments.gateways.settling import settling
from payments.models import Break, ReconciledDay, Refund, SettlementEntry, SettlementImport
from payments.services import reconciliation
from payments.services.matching import ABOUT

CLOSED = verbs.register("payments.day_closed", gettext_lazy("Day closed"))
REOPENING = verbs.register("payments.day_reopening_asked", gettext_lazy("Reopening asked for"))
REOPENED = verbs.register("payments.day_reopened", gettext_lazy("Day opened again"))
_D = ReconciledDay.State
# Nobody knows where the money of these is.
_UNSURE = (Refund.State.EXECUTING, Refund.State.UNKNOWN, Refund.State.NEEDS_REVIEW)


class NotClosableError(ValidationError):
    """The day cannot be closed; the messages say why."""


def close(gateway: str, day: date, *, actor: User) -> ReconciledDay:
    """Close a day, with its sums on the record. Raises PermissionDenied, NotClosableError."""
    if not actor.is_active or not actor.has_perm("payments.close_day"):
        raise PermissionDenied
    row = reconciliation.day_of(gateway, day)
    with transaction.atomic():
        locked = ReconciledDay.objects.select_for_update().get(pk=row.pk)
        if why := list(why_not(locked)):
            raise NotClosableError(why)
        totals = reconciliation.sums(gateway, day)
        changes: dict[str, Any] = {
            "state": _D.CLOSED,
            "closed_by": actor,
            "closed_at": timezone.now(),
            "sums": totals,
        }
        if not update_where(locked, Q(state=_D.OPEN), actor=actor, changes=changes):
            raise NotClosableError([_("Somebody closed the day in the meantime.")])
        facts = {"gateway": gateway, "day": str(day), "sums": totals, "matched": locked.matched}
        record(CLOSED, actor=actor, subject=locked, context=facts)
    return locked


def why_not(row: ReconciledDay) -> Iterator[str]:
    """Return in words why a day cannot be closed; nothing where it can."""
    if row.state == _D.CLOSED:
        yield _("The day is closed.")
        return
    if row.day >= settling(row.gateway).today():
        yield _("The day is not over at the gateway.")
        return
    yield from not_matched(row)
    yield from _open_breaks(row)
    yield from _unsure_refunds(row)


def not_matched(row: ReconciledDay) -> Iterator[str]:
    """Return in words why a day that is over was not compared with its whole settlement."""
    lag = settling(row.gateway).lag.days
    if not reconciliation.complete(row.gateway, row.day):
        text = _("The settlement of the day was not fetched after the day was over.")
        late = _("The settlements of the day and of %(days)s after it were not all fetched.")
        days = ngettext("%(count)s day", "%(count)s days", lag) % {"count": lag}
        yield late % {"days": days} if lag else text
    elif row.matched_at is None or _came_since(row):
        yield _("The day was not matched since the last settlement came.")


def _came_since(row: ReconciledDay) -> bool:
    newer = SettlementImport.objects.filter(gateway=row.gateway, at__gt=row.matched_at)
    return newer.filter(Q(day=row.day) | Q(entries__day=row.day)).exists()


def _open_breaks(row: ReconciledDay) -> Iterator[str]:
    waiting = Break.objects.filter(
        gateway=row.gateway, day=row.day, state__in=(Break.State.OPEN, Break.State.PROPOSED)
    ).count()
    if waiting:
        yield ngettext(
            "%(count)s difference is not solved.", "%(count)s differences are not solved.", waiting
        ) % {"count": waiting}
    free = SettlementEntry.objects.filter(
        gateway=row.gateway, day=row.day, kind__in=ABOUT, payment=None, refund=None, dispute=None
    )
    unjudged = free.filter(breaks=None).count()
    if unjudged:
        yield ngettext(
            "%(count)s settled movement was not looked at.",
            "%(count)s settled movements were not looked at.",
            unjudged,
        ) % {"count": unjudged}


def _unsure_refunds(row: ReconciledDay) -> Iterator[str]:
    end = settling(row.gateway).bounds(row.day)[1]
    unsure = Refund.objects.filter(
        gateway=row.gateway, state__in=_UNSURE, created_at__lt=end
    ).count()
    if unsure:
        yield ngettext(
            "Of %(count)s refund nobody knows yet whether it went out.",
            "Of %(count)s refunds nobody knows yet whether they went out.",
            unsure,
        ) % {"count": unsure}


def ask_reopen(row: ReconciledDay, *, actor: User, reason: str) -> ApprovalRequest:
    """Ask a second person to open a closed day again. Raises PermissionDenied, ValidationError."""
    if not actor.is_active or not actor.has_perm("payments.close_day"):
        raise PermissionDenied
    if row.state != _D.CLOSED:
        raise ValidationError(_("The day is open."))
    text = _("Open %(day)s at %(gateway)s again") % {"day": row.day, "gateway": row.gateway}
    with transaction.atomic():
        request = approvals.ask(
            REOPEN_RULE.kind,
            subject=row,
            payload={"day": str(row.day), "gateway": row.gateway},
            summary=text,
            reason=reason,
            actor=actor,
        )
        record(REOPENING, actor=actor, subject=row, reason=reason, context=_named(row))
    return request


def _named(row: ReconciledDay) -> dict[str, str]:
    return {"day": str(row.day), "gateway": row.gateway}


def _state(request: ApprovalRequest) -> dict[str, Any]:
    row = request.record()
    closed = row.closed_at if isinstance(row, ReconciledDay) else None
    return {"closed_at": closed.isoformat() if closed else ""}


def _reopen(request: ApprovalRequest) -> None:
    row = request.record()
    if not isinstance(row, ReconciledDay):
        raise approvals.VoidError(_("The day is gone."))
    changes = {"state": _D.OPEN, "closed_by": None, "closed_at": None}
    actor = request.decided_by
    if not update_where(row, Q(state=_D.CLOSED), actor=actor, changes=changes):
        raise approvals.VoidError(_("The day is open."))
    record(REOPENED, actor=actor, subject=row, context=_named(row))


REOPEN_RULE = rules.register(
    rules.Rule(
        kind="payments.reopen_day",
        label=gettext_lazy("Opening a closed day again"),
        permission="payments.close_day",
        execute=_reopen,
        snapshot=_state,
    )
)
