"""Seeing clear values, finding by them, and being let in: each is an event on the record."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from guardian.shortcuts import assign_perm, remove_perm

from backoffice.accounts import acting
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Event, Outcome
from backoffice.audit.services import record
from backoffice.masking import grants
from backoffice.masking.fields import MaskedMixin
from backoffice.masking.models import Grant
from backoffice.masking.values import Clear, Sealed, unseal, whole
from backoffice.policy import codename, may

REVEALED = verbs.register("masking.revealed", _("Personal data revealed"), personal="revealed")
GRANTED = verbs.register("masking.granted", _("Access to personal data given"), personal="granted")
GRANT_ENDED = verbs.register("masking.grant_ended", _("Access to personal data ended"))

SHOWN_SECONDS = 60
OVER_LIMIT = "limit"
GRANT_MINUTES = 30
# Azure's just-in-time access ends after at most eight hours; so does ours.
LONGEST_GRANT_MINUTES = 8 * 60
_HOUR, _DAY = dt.timedelta(hours=1), dt.timedelta(days=1)

_Row = TypeVar("_Row", bound=models.Model)


class Purpose(models.TextChoices):
    """Why somebody looks at a clear value."""

    CALL = "call", _("Call the customer back")
    DELIVERY = "delivery", _("Arrange delivery or return")
    IDENTITY = "identity", _("Check identity before a change")
    LEGAL = "legal", _("Legal or fraud request")
    OTHER = "other", _("Something else")


@dataclass(frozen=True, slots=True)
class Reason:
    """A purpose from the list, and a few words."""

    purpose: str
    text: str

    def clean(self) -> None:
        """Raise ValidationError unless both are given."""
        if self.purpose not in Purpose.values:
            raise ValidationError({"purpose": _("Choose why you need it.")})
        if not self.text.strip():
            raise ValidationError({"text": _("Say in a few words why you need it.")})

    def __str__(self) -> str:
        """Return both, for the record; also of a reason that was refused."""
        label = dict(Purpose.choices).get(self.purpose, "")
        return f"{label}: {self.text.strip()}".strip(": ")


class RevealRefusedError(PermissionDenied):
    """The value is not shown; `rule` is the machine's word, the message is for people."""

    def __init__(self, rule: str, message: object) -> None:
        self.rule = rule
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many more records one person may look into: within the hour, within the day."""

    hour: int
    day: int


@dataclass(frozen=True, slots=True)
class RevealedValue:
    """A clear value on its way to one person; its repr does not show it."""

    name: str
    text: str = field(repr=False)
    seconds: int = SHOWN_SECONDS


def reveal(
    obj: models.Model, field_name: str, *, actor: User, reason: Reason, fresh: bool
) -> RevealedValue:
    """Return the clear value of one field of one record, the event committed before.

    `fresh` says that the person proved who they are within the last minutes. Raises
    RevealRefusedError (on the record) without the right, fresh proof or allowance, ValidationError
    without a reason, ValueError for a field that is not masked, and RuntimeError inside an open
    transaction: a rollback would take the event back after the value left.
    """
    _require_masked(obj, field_name)
    decision = may(actor, "reveal", obj, field_name)
    if not decision:
        raise _refused(obj, field_name, actor, reason, decision.rule, _("You may not see this."))
    reason.clean()
    if not fresh:
        raise _refused(obj, field_name, actor, reason, "not fresh", _("Enter your password first."))
    with transaction.atomic(durable=True):
        spent = _spend(obj, field_name, actor, reason)
    if not spent:
        text = _("You have looked into as many records as your limit allows. Try again later.")
        raise _refused(obj, field_name, actor, reason, OVER_LIMIT, text)
    return RevealedValue(field_name, _clear_text(obj, field_name))


def _require_masked(obj: models.Model, field_name: str) -> None:
    if not isinstance(obj._meta.get_field(field_name), MaskedMixin):
        msg = f"{obj._meta.label}.{field_name} is not masked"
        raise ValueError(msg)  # noqa: TRY004 - the name is wrong, not a type


def _refused(
    obj: models.Model, field_name: str, actor: User, reason: Reason, rule: str, text: object
) -> RevealRefusedError:
    facts = {"field": field_name, "purpose": reason.purpose, "rule": rule}
    with transaction.atomic(durable=True):
        record(
            REVEALED,
            actor=actor,
            subject=obj,
            reason=str(reason),
            outcome=Outcome.REFUSED,
            context=facts,
        )
    return RevealRefusedError(rule, text)


def _spend(obj: models.Model, field_name: str, actor: User, reason: Reason) -> bool:
    """Write the event if the person's allowance covers this record.

    The person's row is locked meanwhile (SQLite lets one writer in at a time anyway), so that two
    requests at once cannot both take the last one.
    """
    User.objects.select_for_update().get(pk=actor.pk)
    rest = allowance(actor, beside=obj)
    if min(rest.hour, rest.day) <= 0:
        return False
    facts = {"field": field_name, "purpose": reason.purpose}
    record(REVEALED, actor=actor, subject=obj, reason=str(reason), context=facts)
    return True


def allowance(actor: User, *, beside: models.Model | None = None) -> Allowance:
    """Return how many more records `actor` may look into; `beside` one that counts as new."""
    return Allowance(
        hour=int(getattr(settings, "BACKOFFICE_REVEALS_PER_HOUR", 30))
        - _seen(actor, _HOUR, beside),
        day=int(getattr(settings, "BACKOFFICE_REVEALS_PER_DAY", 120)) - _seen(actor, _DAY, beside),
    )


def _seen(actor: User, span: dt.timedelta, beside: models.Model | None) -> int:
    """Return of how many records `actor` saw something within `span`."""
    events = Event.objects.filter(
        actor=actor, verb=REVEALED, outcome=Outcome.DONE, at__gt=timezone.now() - span
    ).order_by()
    if beside is not None:
        events = events.exclude(subject_type=beside._meta.label_lower, subject_id=str(beside.pk))
    return int(events.values("subject_type", "subject_id").distinct().count())


def _clear_text(obj: models.Model, field_name: str) -> str:
    """Read the column anew: the object in memory may be old or changed."""
    rows = type(obj)._default_manager.filter(pk=obj.pk)
    value = rows.values_list(field_name, flat=True).get()
    clear: Clear = unseal(value) if isinstance(value, Sealed) else value or ""
    return str(clear)


def search_exact(
    rows: "models.QuerySet[_Row]", field_name: str, value: str, *, actor: User
) -> "models.QuerySet[_Row]":
    """Return those of `rows` whose field is exactly `value`; that it was searched is recorded.

    Works for masked fields with search="exact" and for plain ones. The value goes nowhere but into
    the query; what is kept is the field and how many were found. Raises MaskedQueryError for a
    masked field that cannot be searched.
    """
    column = rows.model._meta.get_field(field_name)
    wanted = whole(value) if isinstance(column, MaskedMixin) else value
    found = rows.filter(**{field_name: wanted})
    facts = {"field": field_name, "found": found.count()}
    record(verbs.SEARCHED, actor=actor, subject=rows.model, context=facts)
    return found


def request_grant(obj: models.Model, *, actor: User, reason: str) -> Any:
    """Ask a second person for access to one record; return the request that now waits.

    Raises PermissionDenied when `actor` may not even see the record, ValidationError without a
    reason or when they may reveal it already, NoApprovalsError without the app of approvals.
    """
    acting.refuse()
    if not may(actor, "view", obj):
        raise PermissionDenied
    if may(actor, "reveal", obj):
        raise ValidationError(_("You can reveal these values already."))
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    return grants.asking()(obj, codename("reveal", obj), GRANT_MINUTES, actor, reason.strip())


def give_grant(
    obj: models.Model,
    *,
    user: User,
    actor: User,
    reason: str,
    minutes: int = GRANT_MINUTES,
    request_id: int | None = None,
) -> Grant:
    """Let `user` reveal the values of one record from now on for `minutes`.

    Raises PermissionDenied for oneself and without "masking.give_grant", ValidationError for a
    time beyond eight hours.
    """
    if actor.pk == user.pk or not may(actor, "masking.give_grant", None):
        raise PermissionDenied
    if not 0 < minutes <= LONGEST_GRANT_MINUTES:
        raise ValidationError({"minutes": _("Access lasts from one minute to eight hours.")})
    permission, now = codename("reveal", obj), timezone.now()
    with transaction.atomic():
        grant: Grant = Grant.objects.create(
            user=user,
            content_type=ContentType.objects.get_for_model(obj),
            object_id=str(obj.pk),
            permission=permission,
            given_by=actor,
            request_id=request_id,
            reason=reason,
            starts_at=now,
            expires_at=now + dt.timedelta(minutes=minutes),
        )
        assign_perm(permission, user, obj)
        facts = {"grant": grant.pk, "user": user.pk, "minutes": minutes}
        record(GRANTED, actor=actor, subject=obj, reason=reason, context=facts)
    return grant


def end_grant(grant: Grant, *, actor: User | None, reason: str = "") -> None:
    """End a grant now; `actor` None means that it ran out. Ending twice does nothing.

    Raises PermissionDenied for an `actor` without "masking.give_grant".
    """
    if actor is not None and not may(actor, "masking.give_grant", None):
        raise PermissionDenied
    with transaction.atomic():
        mine = Grant.objects.filter(pk=grant.pk, ended_at=None)
        if not mine.update(ended_at=timezone.now(), ended_by=actor):
            return
        grant.refresh_from_db()
        subject = grant.record
        if subject is not None and not _other_live(grant):
            remove_perm(grant.permission, grant.user, subject)
        facts = {"grant": grant.pk, "user": grant.user_id}
        record(GRANT_ENDED, actor=actor, subject=subject, reason=reason, context=facts)


def _other_live(grant: Grant) -> bool:
    others = Grant.objects.live().filter(
        user=grant.user_id,
        content_type=grant.content_type_id,
        object_id=grant.object_id,
        permission=grant.permission,
    )
    return bool(others.exists())


def end_expired_grants() -> int:
    """Take the object permissions of grants that ran out; return how many."""
    over = list(Grant.objects.over().select_related("user", "content_type"))
    for grant in over:
        end_grant(grant, actor=None)
    return len(over)
