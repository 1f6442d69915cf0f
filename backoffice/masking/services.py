"""Seeing clear values, finding by them, and being let in: each is an event on the record."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.apps import apps
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
from backoffice.audit.services import record, record_each
from backoffice.masking import alarms, allowances, grants
from backoffice.masking.allowances import REVEALED, Allowance, allowance
from backoffice.masking.fields import MaskedMixin
from backoffice.masking.models import Grant
from backoffice.masking.values import opened_text, whole
from backoffice.policy import codename, may, may_many

__all__ = ["REVEALED", "Allowance", "allowance"]

COPIED = verbs.register("masking.copied", _("Revealed value copied"))
GRANTED = verbs.register("masking.granted", _("Access to personal data given"), personal="granted")
GRANT_ENDED = verbs.register("masking.grant_ended", _("Access to personal data ended"))

SHOWN_SECONDS = 60
# Between the answer of the server and the clock of the page.
_GRACE_SECONDS = 15
OVER_LIMIT = "limit"
UNMASK_PAGE = "unmask_page"
GRANT_MINUTES = 30
# Azure's just-in-time access ends after at most eight hours; so does ours.
LONGEST_GRANT_MINUTES = 8 * 60
# Rows that one page of a list can show at once.
LONGEST_PAGE = 100

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

    @property
    def chosen(self) -> str:
        """The purpose where it is one of the list: what somebody posted instead is not kept."""
        return self.purpose if self.purpose in Purpose.values else ""

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
class RevealedValue:
    """A clear value on its way to one person; its repr does not show it. `event` recorded it."""

    name: str
    text: str = field(repr=False)
    event: int = 0
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
    _require_masked(type(obj), [field_name])
    attempt = _Attempt([obj], {"field": field_name, "purpose": reason.chosen}, actor, reason)
    decision = may(actor, "reveal", obj, field_name)
    attempt.allow(decision.rule if not decision else "", fresh=fresh)
    [event] = attempt.spend()
    [(_key, texts)] = _clear_texts(type(obj), [obj.pk], [field_name])
    return RevealedValue(field_name, texts[field_name], event.pk)


def is_over(actor: User, rows: Sequence[models.Model]) -> bool:
    """Say whether `rows` are more than `actor` may look into now; nothing is spent, nobody told."""
    rest = allowance(actor, beside=rows)
    return min(rest.hour, rest.day) < 0


@dataclass(frozen=True, slots=True)
class RevealedRow:
    """The clear values of one record of a page, field -> text; `event` recorded it."""

    obj: models.Model
    event: int
    texts: dict[str, str] = field(repr=False)


def unmask(
    rows: Sequence[models.Model],
    names: Sequence[str],
    *,
    actor: User,
    reason: Reason,
    fresh: bool,
) -> list[RevealedRow]:
    """Return clear values of fields of all `rows` (a page of one model), or of none.

    Needs the right `unmask_page_<model>` for each of them. Each record counts against the caps and
    has an event of its own, committed before any value leaves. Raises as `reveal` does, and
    ValueError for no rows, for no fields, and for more rows than a page has.
    """
    if not names or not 0 < len(rows) <= LONGEST_PAGE:
        msg = f"a page has 1 to {LONGEST_PAGE} rows and at least one field"
        raise ValueError(msg)
    model = type(rows[0])
    _require_masked(model, names)
    facts = {"fields": list(names), "purpose": reason.chosen, "page": len(rows)}
    attempt = _Attempt(rows, facts, actor, reason)
    decisions = may_many(actor, UNMASK_PAGE, rows)
    refused = next((one.rule for one in decisions.values() if not one), "")
    attempt.allow(refused, fresh=fresh)
    events = attempt.spend()
    texts = dict(_clear_texts(model, [row.pk for row in rows], names))
    return [
        RevealedRow(row, event.pk, texts[row.pk])
        for row, event in zip(rows, events, strict=True)
        if row.pk in texts
    ]


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Somebody wants to see something of `rows` (of one model)."""

    rows: Sequence[models.Model]
    facts: dict[str, Any]
    actor: User
    reason: Reason

    def allow(self, against: str, *, fresh: bool) -> None:
        """Raise unless there is nothing `against` it, a reason and fresh proof."""
        if against:
            raise self._refused(against, _("You may not see this."))
        self.reason.clean()
        if not fresh:
            raise self._refused("not fresh", _("Enter your password first."))

    def spend(self) -> list[Event]:
        """Commit an event for each record if the person's allowance covers all of them.

        The person is held meanwhile, so that two requests at once cannot both take the last one.
        """
        with transaction.atomic(durable=True):
            allowances.hold(self.actor)
            if not is_over(self.actor, self.rows):
                events = record_each(
                    REVEALED,
                    actor=self.actor,
                    subjects=self.rows,
                    reason=str(self.reason),
                    context=self.facts,
                )
                alarms.watch(self.actor)
                return events
            alarms.over_cap(self.actor, len(self.rows))
        text = _("You have looked into as many records as your limit allows. Try again later.")
        raise self._refused(OVER_LIMIT, text)

    def _refused(self, rule: str, text: object) -> RevealRefusedError:
        one = self.rows[0]
        with transaction.atomic(durable=True):
            record(
                REVEALED,
                actor=self.actor,
                subject=one if len(self.rows) == 1 else type(one),
                reason=str(self.reason),
                outcome=Outcome.REFUSED,
                context={**self.facts, "rule": rule},
            )
        return RevealRefusedError(rule, text)


def _require_masked(model: type[models.Model], names: Sequence[str]) -> None:
    for name in names:
        if not isinstance(model._meta.get_field(name), MaskedMixin):
            msg = f"{model._meta.label}.{name} is not masked"
            raise ValueError(msg)  # noqa: TRY004 - the name is wrong, not a type


def _clear_texts(
    model: type[models.Model], keys: Sequence[Any], names: Sequence[str]
) -> list[tuple[Any, dict[str, str]]]:
    """Read the columns anew: the objects in memory may be old or changed."""
    rows = model._default_manager.filter(pk__in=keys).values_list("pk", *names)
    return [(key, dict(zip(names, map(opened_text, values), strict=True))) for key, *values in rows]


def note_copied(event_id: int, *, actor: User, field_name: str) -> bool:
    """Put on the record that `actor` copied a value that they revealed just now.

    A further event, linked to the first by its key. Returns False where there is no such reveal of
    this person within the time that a value is shown; a second copy leaves no second event.
    """
    since = timezone.now() - dt.timedelta(seconds=SHOWN_SECONDS + _GRACE_SECONDS)
    seen = Event.objects.filter(
        pk=event_id, actor=actor, verb=REVEALED, outcome=Outcome.DONE, at__gt=since
    ).first()
    if seen is None or field_name not in [
        seen.context.get("field"),
        *seen.context.get("fields", []),
    ]:
        return False
    facts = {"reveal": seen.pk, "field": field_name}
    with transaction.atomic():
        allowances.hold(actor)
        mine = Event.objects.filter(actor=actor, verb=COPIED, at__gt=since)
        if not any(one.context == facts for one in mine):
            subject = apps.get_model(seen.subject_type)(pk=seen.subject_id)
            record(COPIED, actor=actor, subject=subject, context=facts)
    return True


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


def request_grant(
    obj: models.Model, *, actor: User, reason: str, minutes: int = GRANT_MINUTES
) -> Any:
    """Ask a second person for access to one record; return the request that now waits.

    The `minutes` count from the approval. Raises PermissionDenied when `actor` may not even see
    the record, ValidationError without a reason, for a time beyond eight hours or when they may
    reveal it already, NoApprovalsError without the app of approvals.
    """
    acting.refuse()
    if not may(actor, "view", obj):
        raise PermissionDenied
    if may(actor, "reveal", obj):
        raise ValidationError(_("You can reveal these values already."))
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    _require_minutes(minutes)
    return grants.asking()(obj, codename("reveal", obj), minutes, actor, reason.strip())


def _require_minutes(minutes: int) -> None:
    if not 0 < minutes <= LONGEST_GRANT_MINUTES:
        raise ValidationError({"minutes": _("Access lasts from one minute to eight hours.")})


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
    _require_minutes(minutes)
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
