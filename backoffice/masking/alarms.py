"""The privacy officer hears of who hits the cap, looks into more than usual, or gives access."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import post
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.masking import allowances
from backoffice.masking.models import Alarm
from backoffice.policy import may

RAISED = verbs.register("masking.alarm_raised", _("Alarm about personal data"))
SETTLED = verbs.register("masking.alarm_settled", _("Alarm about personal data looked into"))
SETTLE: Final = "masking.settle_alarm"
MAIL = post.register(
    "masking.alarm",
    label=_("Alarm about personal data"),
    subject=_("%(who)s: %(what)s"),
    fields=("who", "what", "seen"),
)
GIVEN_MAIL = post.register(
    "masking.right_given",
    label=_("Access to clear values given"),
    subject=_("%(who)s gave access to clear values"),
    fields=("who", "given", "to"),
)
# The same about the same person is told once in this time.
QUIET: Final = {
    Alarm.Kind.LIMIT: dt.timedelta(hours=1),
    Alarm.Kind.UNUSUAL: dt.timedelta(hours=12),
}
_AT_MOST: Final = 50


def over_cap(actor: User, rows: int) -> Alarm | None:
    """Tell that `actor` was stopped at the cap, asking for `rows` records; see `_raise`."""
    most = allowances.caps()
    facts = {"asked": rows, "seen": allowances.today(actor), "hour": most.hour, "day": most.day}
    return _raise(Alarm.Kind.LIMIT, actor, facts)


def watch(actor: User) -> Alarm | None:
    """Tell when today is unusual for `actor`, counting what is on the record; see `_raise`."""
    seen = allowances.today(actor)
    if seen < allowances.LEAST_UNUSUAL or _is_told(Alarm.Kind.UNUSUAL, actor):
        return None
    usual = allowances.usual(actor)
    if usual is None or seen < allowances.UNUSUAL * usual:
        return None
    return _raise(Alarm.Kind.UNUSUAL, actor, {"seen": seen, "usual": f"{usual:g}"})


def right_given(person: User, facts: Mapping[str, Any]) -> None:
    """Tell that `person` gave somebody access to clear values; each time (see `guarded.listen`)."""
    _write(Alarm.Kind.RIGHT, person, dict(facts))


def _raise(kind: Alarm.Kind, person: User, facts: dict[str, Any]) -> Alarm | None:
    """Write the alarm and ask for the mails, unless it was told lately (then None).

    Call it in a transaction that holds the person (`allowances.hold`): of two requests at once one
    tells.
    """
    return None if _is_told(kind, person) else _write(kind, person, facts)


def _write(kind: Alarm.Kind, person: User, facts: dict[str, Any]) -> Alarm:
    alarm: Alarm = Alarm.objects.create(kind=kind, person=person, facts=facts)
    record(RAISED, actor=person, subject=alarm, context={"kind": kind.value, **facts})
    for officer in officers(person):
        _tell(officer, alarm)
    return alarm


def _is_told(kind: Alarm.Kind, person: User) -> bool:
    since = timezone.now() - QUIET[kind]
    return bool(Alarm.objects.filter(person=person, kind=kind, raised_at__gt=since).exists())


def officers(person: User) -> Iterable[User]:
    """Return who hears of an alarm about `person`: staff with the right, never the person."""
    held = User.objects.with_perm(
        SETTLE,
        is_active=True,
        include_superusers=False,
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return held.filter(is_staff=True).exclude(pk=person.pk).order_by("pk")[:_AT_MOST]


def _tell(officer: User, alarm: Alarm) -> None:
    try:
        link = {"link": reverse("admin:masking_alarm_change", args=[alarm.pk])}
    except NoReverseMatch:  # an installation without the staff site
        link = {}
    context = {"who": alarm.person.get_username(), **link}
    if alarm.kind == Alarm.Kind.RIGHT:
        mail = GIVEN_MAIL
        context |= {name: alarm.facts[name] for name in ("given", "to")}
    else:
        mail = MAIL
        context |= {"what": str(alarm.get_kind_display()), "seen": alarm.facts["seen"]}
    reason = _("You look after personal data.")
    try:
        post.send(mail, to=officer, reason=reason, actor=alarm.person, context=context)
    except post.NoOutboxError:
        return  # an installation without mail has the page


def settle(alarm: Alarm, *, actor: User, finding: str) -> None:
    """Note what was found out about an alarm.

    Raises PermissionDenied without "masking.settle_alarm" and for whom it is about,
    ValidationError without a finding or when it was settled before.
    """
    if actor.pk == alarm.person_id or not may(actor, SETTLE, None):
        raise PermissionDenied
    if not finding.strip():
        raise ValidationError({"reason": _("Say what you found.")})
    with transaction.atomic():
        values = {"settled_at": timezone.now(), "settled_by": actor, "finding": finding.strip()}
        if not Alarm.objects.open().filter(pk=alarm.pk).update(**values):
            raise ValidationError(_("Somebody looked into this already."))
        record(SETTLED, actor=actor, subject=alarm, reason=finding.strip())


def waiting(user: Any) -> int:
    """Return how many open alarms `user` may settle, for the sidebar."""
    if not may(user, SETTLE, None):
        return 0
    return int(Alarm.objects.open().exclude(person=user).count())
