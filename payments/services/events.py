"""The inbox of webhooks: each item is stored once, and worked on later.

Where the gateway lists refunds an event is a hint, and the payment is read. Only a signed event of
a gateway that lists nothing is believed, and then an older one never undoes a newer one.
"""

import hashlib
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import limits
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Outcome as Done
from backoffice.audit.services import record
from backoffice.jobs import registry as jobs
from backoffice.money import Money
from payments.gateways.base import (
    DisputeSnapshot,
    DisputeState,
    GatewayEvent,
    GatewayUnavailableError,
    NotOfferedError,
    Outcome,
    PaymentUnknownError,
)
from payments.models import InboxEvent, Payment, Refund
from payments.models.payment import REFERENCE
from payments.services import alarms, breakers, disputes, external
from payments.services.attempts import text
from payments.services.external import Heard, Reply, Word

logger = logging.getLogger("payments")
NEEDS_PERSON = verbs.register(
    "payments.event_needs_person", gettext_lazy("Event of a gateway needs a person")
)
AGAIN = verbs.register("payments.event_again", gettext_lazy("Event is looked at again"))
FORGED = verbs.register(
    "payments.event_forged", gettext_lazy("Events of a gateway without a valid signature")
)
_State = InboxEvent.State
_RULE = "event"
EVERY_SECONDS = 1
BATCH = 50
# One turn goes on for so many seconds while something waits.
TURN = 4.0
LEASE = timedelta(seconds=90)
LONGEST_WAIT = 60
# A word about nothing that we know: a payment may be recorded a little after its first event.
MOST_TRIES_STRANGE = 6
# A gateway that cannot be read for so many tries (some hours) is for people.
MOST_TRIES = 200
_HOUR = 3600
_BEFORE_MONEY = (DisputeState.INQUIRY.value, DisputeState.ANNOUNCED.value)


def store(alias: str, items: Iterable[GatewayEvent], body: bytes) -> int:
    """Keep each item once and count how often it came; return how many were new."""
    digest = hashlib.sha256(body).hexdigest()
    return sum(_store(alias, item, digest) for item in items)


def of_ours(alias: str, items: Iterable[GatewayEvent]) -> list[GatewayEvent]:
    """Return those about payments that we have: anybody may have sent what is not signed.

    One whose payment is recorded a moment later is lost by that; the look-around makes up for it.
    """
    return [item for item in items if item.kind != "other" and _is_ours(alias, item)]


def _is_ours(alias: str, item: GatewayEvent) -> bool:
    return _named(alias, item.payment_reference, item.number, item.refund_reference) is not None


def forged(alias: str) -> None:
    """Count a body that was not signed as it should be.

    The 1st, 10th, 100th and so on of an hour go on the record: who knocks all day must not fill it.
    """
    count = limits.hit("webhook-forged", alias, limits.Limit(10**9, _HOUR)).hits
    if str(count).strip("0") == "1":
        record(FORGED, actor=None, outcome=Done.REFUSED, context={"gateway": alias, "count": count})


def process() -> int:
    """Work on the events that wait, those of one payment together; return how many."""
    end, done = time.monotonic() + TURN, 0
    while time.monotonic() < end:
        waiting = InboxEvent.objects.filter(state=_State.WAITING, next_try_at__lte=timezone.now())
        groups = _groups(waiting.exclude(gateway__in=breakers.paused()).order_by("pk")[:BATCH])
        for group in groups:
            done += _guarded(group)
        if not groups:
            break
    return done


def _store(alias: str, item: GatewayEvent, digest: str) -> int:
    name = item.id if len(item.id) <= 200 else hashlib.sha256(item.id.encode()).hexdigest()  # noqa: PLR2004 - the column
    known = InboxEvent.objects.filter(gateway=alias, event_id=name)
    if known.update(deliveries=F("deliveries") + 1):
        return 0
    try:
        with transaction.atomic():
            InboxEvent.objects.create(gateway=alias, event_id=name, digest=digest, **_columns(item))
    except IntegrityError:  # the same one came twice at once
        known.update(deliveries=F("deliveries") + 1)
        return 0
    return 1


def _columns(item: GatewayEvent) -> dict[str, Any]:
    amount = item.amount
    return {
        "kind": item.kind,
        "payment_reference": text(item.payment_reference, REFERENCE),
        "refund_reference": text(item.refund_reference, REFERENCE),
        "number": text(item.number, 80),
        "occurred_at": item.occurred_at,
        "outcome": item.outcome.value if item.outcome else "",
        "amount_minor": amount.minor if amount else None,
        "currency": amount.currency if amount else "",
        "dispute": _dispute_columns(item.dispute) if item.dispute else {},
        "trusted": item.trusted,
    }


def _dispute_columns(dispute: DisputeSnapshot) -> dict[str, Any]:
    return {
        "reference": text(dispute.reference, REFERENCE),
        "minor": dispute.amount.minor,
        "currency": dispute.amount.currency,
        "state": dispute.state.value,
        "reason": text(dispute.reason, 80),
        "opened_at": dispute.opened_at.isoformat() if dispute.opened_at else "",
        "answer_by": dispute.answer_by.isoformat() if dispute.answer_by else "",
    }


def _groups(events: Iterable[InboxEvent]) -> list[list[InboxEvent]]:
    found: dict[tuple[str, str, str], list[InboxEvent]] = {}
    for event in events:
        # One read answers all hints about a payment, whatever numbers somebody made up for them.
        number = event.number if event.trusted or not event.payment_reference else ""
        key = event.gateway, event.payment_reference, number
        found.setdefault(key, []).append(event)
    return list(found.values())


def _guarded(group: Sequence[InboxEvent]) -> int:
    """Work on one group; one that cannot be worked on must not keep the others waiting."""
    mine = [event for event in group if _claim(event)]
    try:
        _work(mine)
    except Exception:
        logger.exception("events of a gateway could not be worked on")
        for event in mine:
            _later(event, _("Something went wrong"), most=MOST_TRIES)
    return len(mine)


def _claim(event: InboxEvent) -> bool:
    """Take the event for this worker; another one sees it only after the lease."""
    same = InboxEvent.objects.filter(
        pk=event.pk, state=_State.WAITING, next_try_at=event.next_try_at
    )
    if not same.update(tries=F("tries") + 1, next_try_at=timezone.now() + LEASE):
        return False
    event.refresh_from_db()
    return True


def _work(group: Sequence[InboxEvent]) -> None:
    hints: dict[Payment, list[InboxEvent]] = defaultdict(list)
    for event in group:
        payment = _payment(event)
        if event.kind == "other":
            _close(event, _State.IGNORED, "")
        elif payment is None:
            # What nobody could read again is waited for: its payment may come with the next import.
            most = MOST_TRIES if event.trusted else MOST_TRIES_STRANGE
            _later(event, _("No such payment here"), most=most, end=_State.IGNORED)
        elif event.trusted:
            _believe(event, payment)
        else:
            hints[payment].append(event)
    for payment, about in hints.items():
        _look(payment, about)


def _payment(event: InboxEvent) -> Payment | None:
    """Return the payment that the event names, or that of the refund that it names."""
    return _named(event.gateway, event.payment_reference, event.number, event.refund_reference)


def _named(gateway: str, payment: str, number: str, refund: str) -> Payment | None:
    mine = Payment.objects.filter(gateway=gateway)
    named = mine.filter(reference=text(payment, REFERENCE)).first() if payment else None
    if named is not None:
        return named
    found = external.ours(gateway, number, refund)
    return found.payment if found is not None else None


def _look(payment: Payment, group: Sequence[InboxEvent]) -> None:
    """Read the payment once for all hints about it."""
    try:
        replies = external.look_at(payment)
    except GatewayUnavailableError as error:
        for event in group:
            _later(event, text(error), most=MOST_TRIES)
    except (PaymentUnknownError, NotOfferedError):
        for event in group:
            _later(event, _("The gateway does not list it"), most=MOST_TRIES_STRANGE)
    else:
        for event in group:
            reply = _reply_to(event, replies)
            if reply is None:
                _later(event, _("Not listed yet"), most=MOST_TRIES_STRANGE, end=_State.IGNORED)
            else:
                _answer(event, reply)


def _reply_to(event: InboxEvent, replies: Mapping[str, Reply]) -> Reply | None:
    """Return what became of what the event is about; None where the gateway does not list it."""
    if event.kind != "refund":
        return external.worst(replies.values()) or Reply(Heard.DONE)
    for reference, reply in replies.items():
        number = str(reply.refund.number) if reply.refund else ""
        if reference == event.refund_reference or (event.number and number == event.number):
            return reply
    return None


def _believe(event: InboxEvent, payment: Payment) -> None:
    if _is_older(event):
        _close(event, _State.IGNORED, _("A newer event was there before"))
    elif event.kind == "dispute":
        disputes.note(payment, _dispute(event.dispute))
        _close(event, _State.DONE, "")
    elif event.kind == "refund" and event.outcome:
        money = event.amount_minor is not None and Money(event.amount_minor, event.currency)
        word = Word(
            event.refund_reference,
            event.number,
            money or None,
            Outcome(event.outcome),
            event.occurred_at,
        )
        _answer(event, external.hear(payment, word))
    else:
        _close(event, _State.IGNORED, "")


def _is_older(event: InboxEvent) -> bool:
    """Say whether a later word about the same thing was worked on already."""
    if event.occurred_at is None:
        return False
    same = InboxEvent.objects.filter(
        gateway=event.gateway,
        kind=event.kind,
        state=_State.DONE,
        payment_reference=event.payment_reference,
        occurred_at__gt=event.occurred_at,
    )
    if event.kind == "dispute":
        # Before the money was taken nothing was said about it: that makes no chargeback old.
        told = same.filter(dispute__reference=event.dispute.get("reference"))
        return told.exclude(dispute__state__in=_BEFORE_MONEY).exists()
    return same.filter(refund_reference=event.refund_reference, number=event.number).exists()


def _dispute(columns: Mapping[str, Any]) -> DisputeSnapshot:
    return DisputeSnapshot(
        reference=columns["reference"],
        amount=Money(columns["minor"], columns["currency"]),
        state=DisputeState(columns["state"]),
        reason=columns["reason"],
        opened_at=_moment(columns["opened_at"]),
        answer_by=_moment(columns["answer_by"]),
    )


def _moment(written: str) -> datetime | None:
    return parse_datetime(written) if written else None


def look_again(event: InboxEvent, *, actor: User) -> None:
    """Let an event that needs a person be worked on once more, as if it had just come.

    Raises PermissionDenied, ValidationError where it does not need a person any more.
    """
    if not actor.is_active or not actor.has_perm("payments.look_again"):
        raise PermissionDenied
    with transaction.atomic():
        failed = InboxEvent.objects.filter(pk=event.pk, state=_State.FAILED)
        now = timezone.now()
        if not failed.update(state=_State.WAITING, tries=0, next_try_at=now, processed_at=None):
            raise ValidationError(_("It does not need a person any more."))
        alarms.over(_RULE, _row(event))
        record(AGAIN, actor=actor, subject=event, context={"gateway": event.gateway})


def _answer(event: InboxEvent, reply: Reply) -> None:
    event.refund = reply.refund
    if reply.heard is Heard.WAIT:
        _later(event, reply.why, most=MOST_TRIES)
    elif reply.heard is Heard.PERSON:
        _call_people(event, reply.why, called=True)
    else:
        done = reply.heard is Heard.DONE
        _close(event, _State.DONE if done else _State.IGNORED, reply.why)


def _later(
    event: InboxEvent, why: str, *, most: int, end: InboxEvent.State = _State.FAILED
) -> None:
    """Try again in a while; after `most` tries it is for people, or ended."""
    if event.tries < most:
        seconds = min(2 ** min(event.tries, 10) / 2, LONGEST_WAIT)
        later = {"next_try_at": timezone.now() + timedelta(seconds=seconds), "note": why[:200]}
        InboxEvent.objects.filter(pk=event.pk).update(**later, refund=event.refund)
    elif end == _State.FAILED:
        _call_people(event, why)
    else:
        _close(event, end, why)


def _call_people(event: InboxEvent, why: str, *, called: bool = False) -> None:
    """Leave the event to people; `called` where a difference of the desk says why already."""
    with transaction.atomic():
        _close(event, _State.FAILED, why)
        refund: list[Refund] = [event.refund] if event.refund else []
        facts = {"gateway": event.gateway, "why": why}
        record(
            NEEDS_PERSON, actor=None, subject=event, also=refund, outcome=Done.FAILED,
            context=facts,
        )  # fmt: skip
        if not called:
            _alarm(event, why)


def _alarm(event: InboxEvent, why: str) -> None:
    found = _payment(event)
    payment = found.pk if found else None
    words = f"event {event.pk} of {event.gateway}: {why}"
    wrong = alarms.Wrong(_RULE, _row(event), words, payment, event.refund_id, event.gateway)
    # Thousands may fail of one cause: all stand at the desk, a mail tells of the first.
    alarms.call(wrong, mailed=limits.once("event-failed", event.gateway, seconds=_HOUR))


def _row(event: InboxEvent) -> str:
    return f"event {event.pk}"


def _close(event: InboxEvent, state: InboxEvent.State, why: str) -> None:
    InboxEvent.objects.filter(pk=event.pk).update(
        state=state, note=why[:200], refund=event.refund, processed_at=timezone.now()
    )


jobs.every(
    seconds=EVERY_SECONDS, name="payments.inbox", label=gettext_lazy("Work on gateways' events")
)(process)
