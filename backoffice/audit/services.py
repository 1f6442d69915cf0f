"""Writing to the record of activity, and saving rows so that their history knows who and why."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models, transaction
from django.utils import timezone
from simple_history.utils import get_history_manager_for_model

from backoffice.audit import chain, history, verbs
from backoffice.audit import context as origin_context
from backoffice.audit.models import Event, EventReason, EventSubject, Outcome

# U+2022, the character of every mask: a masked value has no place in the record.
_MASK = "\N{BULLET}"
_BATCH = 500

Actor = AbstractBaseUser | AnonymousUser | None
type Subject = models.Model | type[models.Model]


class PersonalValueError(ValueError):
    """A (masked) personal value was about to be written to the record."""


def record(
    verb: str,
    *,
    actor: Actor,
    subject: Subject | None = None,
    also: Sequence[Subject] = (),
    reason: str = "",
    outcome: Outcome = Outcome.DONE,
    context: Mapping[str, Any] | None = None,
) -> Event:
    """Write one event in the running transaction and return it.

    `also` are further subjects. `reason` is what somebody typed; it is kept where it can be
    erased. Who really acts in the actor's name, and by which token, is taken from the running
    origin.

    Raises UnknownVerbError for an unregistered verb, PersonalValueError when the context holds
    the mask character.
    """
    verbs.require(verb)
    _refuse_personal_values(context or {})
    event, salt = _event(verb, actor, subject, reason, outcome, context)
    _write(event, also, reason, salt)
    return event


def record_each(
    verb: str,
    *,
    actor: Actor,
    subjects: Sequence[models.Model],
    reason: str = "",
    context: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
) -> list[Event]:
    """Write one event for each of `subjects` in the running transaction, in their order.

    Like so many calls of `record`, in two statements for 500 of them. `context` is that of all, or
    one for each. Raises as `record` does.
    """
    verbs.require(verb)
    _refuse_personal_values(context or {})
    if context is None or isinstance(context, Mapping):
        context = [context or {}] * len(subjects)
    events = [
        _event(verb, actor, subject, reason, Outcome.DONE, told)
        for subject, told in zip(subjects, context, strict=True)
    ]
    with transaction.atomic(savepoint=False):
        Event.objects.bulk_create((event for event, _salt in events), batch_size=_BATCH)
        if reason:
            EventReason.objects.bulk_create(
                (EventReason(event=event, text=reason, salt=salt) for event, salt in events),
                batch_size=_BATCH,
            )
    return [event for event, _salt in events]


def _event(
    verb: str,
    actor: Actor,
    subject: Subject | None,
    reason: str,
    outcome: Outcome,
    context: Mapping[str, Any] | None,
) -> tuple[Event, str]:
    """Return an unsaved event and the salt of its reason."""
    kind, identity = _subject(subject)
    where = origin_context.current()
    salt = chain.new_salt() if reason else ""
    event = Event(
        at=timezone.now(),
        verb=verb,
        actor_id=getattr(actor, "pk", None),
        real_actor_id=where.real_actor_id,
        subject_type=kind,
        subject_id=identity,
        reason_hash=chain.reason_hash(salt, reason) if reason else "",
        outcome=outcome,
        context={**({"token": where.token} if where.token else {}), **(context or {})},
        address=where.address,
        session=where.session,
        request_id=where.request_id,
    )
    return event, salt


def _write(event: Event, also: Sequence[Subject], reason: str, salt: str) -> None:
    """Insert the event with what hangs on it, so that the sealer sees all of it or nothing."""
    with transaction.atomic(savepoint=False):
        event.save(force_insert=True)
        if reason:
            event.typed = EventReason.objects.create(event=event, text=reason, salt=salt)
        if also:
            EventSubject.objects.bulk_create(
                EventSubject(event=event, position=place, subject_type=kind, subject_id=identity)
                for place, (kind, identity) in enumerate(map(_subject, also), start=1)
            )


def _subject(subject: Subject | None) -> tuple[str, str]:
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


def erase_reasons(subject: models.Model, *, actor: Actor, reason: str = "") -> int:
    """Erase the typed reasons of every event about `subject`, and of its change history.

    For when a person's right to erasure reaches what others typed about them. The erasure itself
    is an event. Who did what, when, stays; so does the chain. Returns the number of reasons erased.
    """
    with transaction.atomic():
        events = Event.objects.about(subject).order_by().values("pk")
        typed = EventReason.objects.filter(event__in=events, erased_in=None)
        event = record(
            verbs.REASONS_ERASED,
            actor=actor,
            subject=subject,
            reason=reason,
            context={"reasons": typed.count()},
        )
        erased = typed.exclude(event=event).update(text="", salt="", erased_in=event)
        if hasattr(type(subject), "history"):
            past = get_history_manager_for_model(type(subject))
            past.filter(**{subject._meta.pk.attname: subject.pk}).update(history_change_reason=None)
    return erased


def save_with_history(
    instance: models.Model,
    *,
    actor: Actor,
    reason: str = "",
    update_fields: Iterable[str] | None = None,
) -> None:
    """Save `instance`; its history row names `actor` and `reason`, also outside a request."""
    history.sign(instance, actor=actor, reason=reason)
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
    with transaction.atomic(), history.recorded():
        manager = type(instance)._default_manager
        if not manager.filter(condition, pk=instance.pk).update(**changes):
            return False
        instance.refresh_from_db()
        history.sign(instance, actor=actor, reason=reason)
        history.write(type(instance), [instance.pk], "~", actor=actor, reason=reason)
        return True
