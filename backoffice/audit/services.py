"""Writing to the record of activity, and saving rows so that their history knows who and why."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models, transaction
from simple_history.utils import get_history_manager_for_model

from backoffice.audit import context as origin_context
from backoffice.audit import verbs
from backoffice.audit.models import Event, Outcome

# U+2022, the character of every mask: a masked value has no place in the record.
_MASK = "\N{BULLET}"

Actor = AbstractBaseUser | AnonymousUser | None


class PersonalValueError(ValueError):
    """A (masked) personal value was about to be written to the record."""


def record(
    verb: str,
    *,
    actor: Actor,
    subject: models.Model | type[models.Model] | None = None,
    reason: str = "",
    outcome: Outcome = Outcome.DONE,
    context: Mapping[str, Any] | None = None,
) -> Event:
    """Write one event in the running transaction and return it.

    Raises UnknownVerbError for an unregistered verb, PersonalValueError when the context holds
    the mask character.
    """
    verbs.require(verb)
    _refuse_personal_values(context or {})
    kind, identity = _subject(subject)
    where = origin_context.current()
    return Event.objects.create(
        verb=verb,
        actor_id=getattr(actor, "pk", None),
        subject_type=kind,
        subject_id=identity,
        reason=reason,
        outcome=outcome,
        context=dict(context or {}),
        address=where.address,
        session=where.session,
        request_id=where.request_id,
    )


def _subject(subject: models.Model | type[models.Model] | None) -> tuple[str, str]:
    if subject is None:
        return "", ""
    identity = str(subject.pk) if isinstance(subject, models.Model) else ""
    return subject._meta.label_lower, identity


def _refuse_personal_values(value: Any) -> None:
    if isinstance(value, Mapping):
        for part in value.values():
            _refuse_personal_values(part)
    elif isinstance(value, list | tuple):
        for part in value:
            _refuse_personal_values(part)
    elif isinstance(value, str) and _MASK in value:
        msg = "the context of an event must not hold a masked value"
        raise PersonalValueError(msg)


def save_with_history(
    instance: models.Model,
    *,
    actor: Actor,
    reason: str = "",
    update_fields: Iterable[str] | None = None,
) -> None:
    """Save `instance`; its history row names `actor` and `reason`, also outside a request."""
    instance._history_user = actor if getattr(actor, "pk", None) else None  # type: ignore[attr-defined]
    instance._change_reason = reason or None  # type: ignore[attr-defined]
    with transaction.atomic():
        instance.save(update_fields=None if update_fields is None else list(update_fields))


def update_where(
    instance: models.Model,
    condition: models.Q,
    *,
    actor: Actor,
    reason: str = "",
    changes: Mapping[str, Any],
) -> bool:
    """Change one row in a single UPDATE if it still meets `condition`, with its history row.

    The way to move a state or to keep a limit: two that read the same row before cannot both win,
    on any database and without a lock (`condition=Q(reserved__lte=F("captured") - 5)`,
    `changes={"reserved": F("reserved") + 5}`). Returns False, with nothing changed, where the row
    no longer meets it; else `instance` is read again.
    """
    with transaction.atomic():
        manager = type(instance)._default_manager
        if not manager.filter(condition, pk=instance.pk).update(**changes):
            return False
        instance.refresh_from_db()
        instance._history_user = actor if getattr(actor, "pk", None) else None  # type: ignore[attr-defined]
        instance._change_reason = reason or None  # type: ignore[attr-defined]
        history = get_history_manager_for_model(type(instance))
        history.bulk_history_create([instance], update=True)
        return True
