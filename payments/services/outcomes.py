"""What follows from what a gateway told of a refund: to its sender, the reconciler, by an event.

Success is true whoever hears of it. Anything less holds only while nobody asked again meanwhile
(`attempts` is the fence), and nothing moves a refund back. What cannot be (another amount, the
reference of another refund) goes to people, with the money held.
"""

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.audit import verbs
from backoffice.audit.services import record, update_where
from payments.gateways import gateways
from payments.gateways.base import Outcome, RefundResult
from payments.models import Refund
from payments.services import attempts
from payments.services.attempts import Told
from payments.services.moves import move

ASKED_AGAIN = verbs.register("payments.refund_asked_again", gettext_lazy("Asked again"))

_S = Refund.State
# Waiting time before the next try: it doubles from the first to the last.
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=5)
# A gateway may ask for no more than this.
LONGEST_RETRY_AFTER = timedelta(hours=1)

STATE_OF = {
    Outcome.SUCCEEDED: _S.SUCCEEDED,
    Outcome.PENDING: _S.PENDING,
    Outcome.FAILED: _S.FAILED,
    Outcome.NOT_SENT: _S.APPROVED,
    Outcome.UNKNOWN: _S.UNKNOWN,
}
KNOWN = frozenset({Outcome.SUCCEEDED, Outcome.PENDING})


def settle(refund: Refund, result: RefundResult, *told: Told) -> bool:
    """Record what is known now, with each request that told it; False where it came too late."""
    if differs(refund, result):
        return puzzle(refund, _("The gateway reports another amount"), *told)
    only = Q() if result.outcome in KNOWN else Q(attempts=refund.attempts)
    try:
        with transaction.atomic(durable=True):
            _note(refund, told)
            return move(
                refund,
                STATE_OF[result.outcome],
                actor=None,
                only=only,
                changes=_changes(refund, result),
                context=facts(result),
            )
    except IntegrityError as error:
        refund.refresh_from_db()
        return puzzle(refund, _clash(error), *told)


def puzzle(refund: Refund, why: str, *told: Told) -> bool:
    """Give what cannot be to people; the money stays held."""
    changes, context = {"answer": why[:200], "next_try_at": None}, {"message": why}
    with transaction.atomic(durable=True):
        _note(refund, told)
        if refund.state == _S.EXECUTING:
            move(refund, _S.UNKNOWN, actor=None, changes=changes, context=context)
        return move(refund, _S.NEEDS_REVIEW, actor=None, changes=changes, context=context)


def give_to_people(refund: Refund, why: str, *told: Told) -> None:
    """End what the machine may do, unless somebody asks again meanwhile; the money stays held."""
    changes = {"answer": why[:200], "next_try_at": None}
    only = Q(attempts=refund.attempts)
    with transaction.atomic(durable=True):
        _note(refund, told)
        move(
            refund, _S.NEEDS_REVIEW, actor=None, only=only, changes=changes,
            context={"message": why},
        )  # fmt: skip


def postpone(refund: Refund, why: str, *told: Told) -> None:
    """Note what was tried, and when it is tried again."""
    result = next((one.result for one in told if one.result is not None), None)
    answer = (result.message if result else "") or why
    asked = _asked(result) if result is not None else timedelta(0)
    later = timezone.now() + max(wait(refund), asked)
    changes = {"answer": answer[:200], "next_try_at": later}
    with transaction.atomic(durable=True):
        _note(refund, told)
        if update_where(refund, Q(attempts=refund.attempts), actor=None, changes=changes):
            context = ({"found": why} if why else {}) | (facts(result) if result else {})
            record(ASKED_AGAIN, actor=None, subject=refund, context=context)


def differs(refund: Refund, result: RefundResult) -> bool:
    """Say whether the gateway tells of another amount or currency than was asked for."""
    return result.amount is not None and result.amount != refund.amount


def wait(refund: Refund) -> timedelta:
    """Return the time until the next try."""
    return min(FIRST_WAIT * (1 << min(max(refund.attempts - 1, 0), 10)), LONGEST_WAIT)


def facts(result: RefundResult) -> dict[str, Any]:
    """Return what of an answer goes on the record of activity."""
    found = {"reference": result.reference, "code": result.code, "message": result.message}
    return {name: value for name, value in found.items() if value}


def _clash(error: IntegrityError) -> str:
    if "gateway_ref" in str(error):  # the name of the constraint, or on SQLite of its column
        return _("The gateway gave the reference of another refund")
    return _("The books do not take what the gateway reports")


def _note(refund: Refund, told: tuple[Told, ...]) -> None:
    for one in told:
        attempts.note(refund, one)


def _changes(refund: Refund, result: RefundResult) -> dict[str, Any]:
    changes: dict[str, Any] = {"answer": result.message, "next_try_at": _next(refund, result)}
    if result.reference:
        changes["gateway_ref"] = result.reference
    if result.outcome is Outcome.NOT_SENT:
        changes["sent_at"] = None  # the key never got there, so it has not begun to age
    return changes


def _next(refund: Refund, result: RefundResult) -> Any:
    """Return when the machine looks again; None where only the gateway or people can tell."""
    if result.outcome is Outcome.PENDING and gateways[refund.gateway].caps.lookup == "none":
        return None
    return timezone.now() + (_asked(result) or wait(refund))


def _asked(result: RefundResult) -> timedelta:
    """Return how long the gateway asked to be left alone, within reason."""
    seconds = max(result.retry_after or 0.0, 0.0)
    return min(timedelta(seconds=min(seconds, 1e6)), LONGEST_RETRY_AFTER)
