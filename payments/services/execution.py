"""Sending approved refunds to the gateway, and asking again where the outcome is open.

The order of steps is what keeps a refund single when anything dies in between: the intent with its
idempotency key is committed before the request leaves; no transaction is open while it runs; the
answer is recorded in another transaction (`outcomes`). Whatever is lost leaves `executing` or
`unknown` behind, and `reconcile` repeats the same key or looks the refund up, never more.
"""

import logging
import time
from datetime import timedelta
from itertools import pairwise
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record, update_where
from backoffice.jobs import registry as jobs
from backoffice.jobs.run import JobRun
from payments import queries
from payments.gateways import gateways
from payments.gateways.base import Gateway, Outcome
from payments.models import Refund
from payments.services import attempts, breakers, commands, holds, outcomes
from payments.services.attempts import Kind, Told
from payments.services.holds import Hold
from payments.services.moves import POSTPONED, move
from payments.services.requests import RUN_JOB

logger = logging.getLogger("payments")

_S = Refund.State
EVERY_SECONDS = 5
BATCH = 20
# One turn of the reconciler goes on for so many seconds while something is due.
TURN = 4.0
# A key is not replayed in the last part of its life: the gateway's clock is not ours.
KEY_MARGIN = timedelta(minutes=5)
# After so many tries a refund of which the gateway lists nothing is for people.
MOST_TRIES = 8
SHORTEST_LEASE = timedelta(seconds=5)

_OPEN = frozenset({_S.UNKNOWN, _S.PENDING})
LOOK_UP = verbs.register("payments.refund_look_up_asked", gettext_lazy("Look-up asked for"))
_SOON = gettext_lazy("It is looked up within a minute or two by itself.")


class TransactionOpenError(RuntimeError):
    """A gateway was about to be called inside a transaction; its intent could be rolled back."""


def execute(refund: Refund) -> None:
    """Send an approved refund, once; do nothing in any other state.

    Raises TransactionOpenError inside `atomic`, before anything is changed.
    """
    _refuse_in_transaction()
    if refund.state != _S.APPROVED:
        return
    if (hold := holds.why_not(refund)) is not None:
        _hold(refund, hold)
        return
    gateway = gateways[refund.gateway]
    until = _begin(refund, gateway)
    if until is None or time.monotonic() > until:
        return  # somebody else has it; or this process slept so long that others may have
    command = commands.of(refund)
    told = attempts.sent(Kind.SENT, lambda: gateway.refund(command))
    assert told.result is not None  # noqa: S101 - what was sent has a result
    outcomes.settle(refund, told.result, told)
    breakers.note(refund.gateway, alive=told.alive)


def reconcile() -> int:
    """Look once at every open refund whose time has come, in one turn; return how many."""
    _refuse_in_transaction()
    end, seen = time.monotonic() + TURN, set[int]()
    while time.monotonic() < end:
        held = {"paused": breakers.paused(), "stopped": holds.stopped()}
        due = queries.due(timezone.now(), BATCH, **held)
        refunds = [refund for refund in due if refund.pk not in seen]
        for refund in refunds:
            seen.add(refund.pk)
            _guarded(refund)
        if not refunds:
            break
    return len(seen)


def look_up_now(refund: Refund, *, actor: User) -> None:
    """Let the reconciler look at a refund now that it would look at later.

    Nothing is sent from here: the reconciler does what it would have done at its own time.
    Raises PermissionDenied, ValidationError where it cannot be looked at, or is looked at already.
    """
    if not actor.is_active or not actor.has_perm("payments.request_refund"):
        raise PermissionDenied
    if why := why_not_look_up(refund):
        raise ValidationError(why)
    now = timezone.now()
    waits = Q(state__in=_OPEN, next_try_at__gt=now + _claimed_for(gateways[refund.gateway]))
    with transaction.atomic():
        if not update_where(refund, waits, actor=actor, changes={"next_try_at": now}):
            raise ValidationError(_SOON)
        record(LOOK_UP, actor=actor, subject=refund, context={"gateway": refund.gateway})


def why_not_look_up(refund: Refund) -> str:
    """Return why nobody can have this refund looked up now, in words; "" where it can be.

    While a request about it may be under way nobody else may ask (its lease), and no row says
    which of both `next_try_at` is. So only what lies further ahead than any lease is brought
    forward; a refund that is being sent always is in its lease.
    """
    if refund.state not in _OPEN:
        return _("Its state does not allow it.")
    if refund.gateway not in gateways:
        return _("The gateway of this payment is not set up.")
    gateway = gateways[refund.gateway]
    if gateway.caps.by_hand:
        return _("People move this money: there is nothing to ask.")
    if refund.gateway in breakers.paused():
        return _("The gateway does not answer. Requests to it pause.")
    if refund.next_try_at is None or refund.next_try_at <= timezone.now() + _claimed_for(gateway):
        return str(_SOON)
    return ""


def _refuse_in_transaction() -> None:
    if connection.in_atomic_block:
        raise TransactionOpenError("a refund must not run inside a transaction")


def _guarded(refund: Refund) -> None:
    """Take one up. One that cannot be looked at must not keep the others waiting."""
    try:
        _take_up(refund)
    except Exception:
        logger.exception("refund %s could not be taken up", refund.number)
        later = {"next_try_at": timezone.now() + outcomes.LONGEST_WAIT}
        update_where(refund, Q(state__in=queries.MOVING), actor=None, changes=later)


def _hold(refund: Refund, hold: Hold) -> None:
    """Say why it is not sent now; what can never be sent becomes void."""
    if hold.wait is None:
        said = {"answer": hold.why[:200]}
        move(refund, _S.VOID, actor=None, changes=said, context={"held": hold.code})
        return
    said_before = refund.answer == hold.why[:200]
    changes = {"answer": hold.why[:200], "next_try_at": timezone.now() + hold.wait}
    with transaction.atomic():
        held = update_where(refund, Q(state=_S.APPROVED), actor=None, changes=changes)
        if held and not said_before:
            record(POSTPONED, actor=None, subject=refund, context={"held": hold.code})


def _begin(refund: Refund, gateway: Gateway) -> float | None:
    """Commit the intent: from here on the key may be at the gateway.

    Return until when (monotonic) nobody else asks about it; None where it is not ours to send.
    """
    key = {"key": str(refund.key)}
    with transaction.atomic(durable=True):
        lease = _lease(gateway)
        until = time.monotonic() + lease.total_seconds()
        changes = {
            "attempts": F("attempts") + 1,
            "sent_at": Now(),
            "sent_under": gateway.key_scope,
            "next_try_at": timezone.now() + lease,
        }
        moved = move(refund, _S.EXECUTING, actor=None, changes=changes, context=key)
        soon = holds.too_soon(refund, gateway) if moved else None
        if soon is not None:
            transaction.set_rollback(True)
    if soon is not None:
        refund.refresh_from_db()
        _hold(refund, soon)
    return until if moved and soon is None else None


def _lease(gateway: Gateway) -> timedelta:
    """Return after how long a request has surely ended, and its worker surely spoken."""
    return max(2 * gateway.timeout, SHORTEST_LEASE)


def _claimed_for(gateway: Gateway) -> timedelta:
    """Return how long who asks again has it for itself: a repeat and a look-up."""
    return 2 * _lease(gateway)


def _take_up(refund: Refund) -> None:
    if refund.state == _S.APPROVED:
        execute(refund)
        return
    if refund.state == _S.EXECUTING:
        # Whoever sent it has not come back in twice the time that a request may take.
        message = _("No answer was recorded")
        still = Q(attempts=refund.attempts, next_try_at=refund.next_try_at)
        changes, facts = {"answer": message}, {"message": message}
        move(refund, _S.UNKNOWN, actor=None, only=still, changes=changes, context=facts)
    gateway = gateways[refund.gateway]
    if breakers.allow(refund.gateway, lease=2 * gateway.timeout) and _claim(refund, gateway):
        _ask_again(refund, gateway)


def _claim(refund: Refund, gateway: Gateway) -> bool:
    """Take the refund for this worker; another one sees it only after the lease."""
    now = timezone.now()
    changes = {"attempts": F("attempts") + 1, "next_try_at": now + _claimed_for(gateway)}
    mine = Q(state__in=_OPEN, next_try_at__lte=now)
    return update_where(refund, mine, actor=None, changes=changes)


def _ask_again(refund: Refund, gateway: Gateway) -> None:
    """Repeat the same key where that is safe, else look the refund up."""
    command = commands.of(refund)
    sent = None
    if _may_send_again(refund, gateway):
        sent = attempts.sent(Kind.AGAIN, lambda: gateway.refund(command))
        result = sent.result
        if result is not None and (
            result.outcome in outcomes.KNOWN or outcomes.differs(refund, result)
        ):
            outcomes.settle(refund, result, sent)
            breakers.note(refund.gateway, alive=True)
            return
    found = attempts.looked_up(lambda: gateway.find_refund(command))
    _conclude(refund, gateway, sent, found)
    breakers.note(refund.gateway, alive=found.alive)


def _may_send_again(refund: Refund, gateway: Gateway) -> bool:
    """Say whether the same key may go once more: it is unknown, good, and nothing forbids it."""
    return (
        refund.state == _S.UNKNOWN
        and _key_is_good(refund, gateway)
        and not holds.forbids_sending(refund)
    )


def _key_is_good(refund: Refund, gateway: Gateway) -> bool:
    """Say whether the gateway surely takes the key for a repeat.

    Not where address or credential are others than it was first sent with: there it is a new key,
    and the refund would be paid twice.
    """
    return refund.sent_under == gateway.key_scope and key_is_young(refund, gateway)


def key_is_young(refund: Refund, gateway: Gateway) -> bool:
    """Say whether the gateway surely remembers the key.

    By the database's clock, which also wrote `sent_at`. A clock that went back makes old keys look
    young: then `sent_at` or a try lies ahead, or the tries are not in the order of their times, and
    the key counts as old. What surely did not arrive began no life of the key.
    """
    now = _database_now()
    times = [refund.sent_at or refund.created_at]
    lost = refund.tries.filter(kind=Kind.SENT, outcome=Outcome.NOT_SENT).order_by("-pk")
    since = lost.values_list("pk", flat=True).first() or 0
    times += refund.tries.filter(pk__gt=since).order_by("pk").values_list("at", flat=True)
    times.append(now)
    in_order = all(b >= a - KEY_MARGIN for a, b in pairwise(times))
    return in_order and now < times[0] + gateway.caps.key_ttl - KEY_MARGIN


def _database_now() -> Any:
    return Refund.objects.values_list(Now()).first()[0]  # type: ignore[index]


def _conclude(refund: Refund, gateway: Gateway, sent: Told | None, found: Told) -> None:
    """Decide after a look-up."""
    told = (found,) if sent is None else (sent, found)
    if found.result is not None:
        _conclude_found(refund, *told)
    elif found.unavailable:
        outcomes.postpone(refund, found.unavailable, *told)
    elif refund.state == _S.PENDING:
        # Accepted, and the gateway does not show it now: time alone ends nothing.
        outcomes.postpone(refund, _("Not listed yet"), *told)
    else:
        _conclude_absent(refund, gateway, sent, found)


def _conclude_found(refund: Refund, *told: Told) -> None:
    result = told[-1].result
    assert result is not None  # noqa: S101 - the caller looked
    if result.outcome is Outcome.UNKNOWN or outcomes.differs(refund, result):
        outcomes.puzzle(refund, result.message or _("The gateway reports another amount"), *told)
    elif outcomes.STATE_OF[result.outcome] == refund.state:
        outcomes.postpone(refund, "", *told)
    else:
        outcomes.settle(refund, result, *told)


def _conclude_absent(refund: Refund, gateway: Gateway, sent: Told | None, found: Told) -> None:
    """Decide where the gateway does not list the refund.

    A refusal of a repeat is no proof by itself: the gateway may refuse because the first request
    was executed. Only with a list that must show it by now does absence prove failure; a gateway
    that does not know the payment is another account, and proves nothing at all.
    """
    told = (found,) if sent is None else (sent, found)
    refused = (
        sent is not None and sent.result is not None and (sent.result.outcome is Outcome.FAILED)
    )
    listed = gateway.caps.lookup == "list" and not found.stranger
    settled = timezone.now() >= (refund.sent_at or refund.created_at) + gateway.caps.settle
    if refused and listed and settled:
        assert sent is not None  # noqa: S101 - refused
        assert sent.result is not None  # noqa: S101
        outcomes.settle(refund, sent.result, *told)
    elif refused and not listed:
        why = sent.result.message if sent is not None and sent.result is not None else ""
        if found.stranger:
            why = _("The gateway does not know this payment: is this another account?")
        outcomes.give_to_people(refund, why, *told)
    elif settled and not _key_is_good(refund, gateway):
        why = _("The key is too old to send again, and nothing is listed")
        if refund.sent_under != gateway.key_scope:
            why = _("Sent with another credential of the gateway, and nothing is listed")
        outcomes.give_to_people(refund, why, *told)
    elif refund.attempts >= MOST_TRIES and settled:
        why = _("Sent again %(times)s times without an outcome, and nothing is listed")
        outcomes.give_to_people(refund, why % {"times": refund.attempts - 1}, *told)
    else:
        outcomes.postpone(refund, _("Not listed yet"), *told)


@jobs.handler(RUN_JOB)
def _run_refund(run: JobRun) -> dict[str, Any]:
    refund = Refund.objects.select_related("payment").get(pk=run.params["refund"])
    execute(refund)
    return {"refund": str(refund.number), "state": refund.state}


jobs.every(
    seconds=EVERY_SECONDS, name="payments.reconcile", label=gettext_lazy("Look up unknown refunds")
)(reconcile)
