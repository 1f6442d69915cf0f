"""Sending approved refunds to the gateway, and asking again where the outcome is open.

The order of steps is what keeps a refund single when anything dies in between: the intent with its
idempotency key is committed before the request leaves; no transaction is open while it runs; the
answer is recorded in another transaction. Whatever is lost leaves `executing` or `unknown` behind,
and `reconcile` repeats the same key or looks the refund up, never more.
"""

import logging
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.audit import verbs
from backoffice.audit.services import record, update_where
from backoffice.jobs import registry as jobs
from backoffice.jobs.run import JobRun
from payments import queries
from payments.gateways import gateways
from payments.gateways.base import (
    Gateway,
    GatewayUnavailableError,
    Outcome,
    PaymentUnknownError,
    RefundCommand,
    RefundResult,
)
from payments.models import Refund
from payments.services.moves import move
from payments.services.requests import RUN_JOB

logger = logging.getLogger("payments")
ASKED_AGAIN = verbs.register("payments.refund_asked_again", gettext_lazy("Asked again"))

_S = Refund.State
EVERY_SECONDS = 5
BATCH = 20
# Waiting time before the next try: it doubles from the first to the last.
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=5)
# A key is not replayed in the last part of its life: the gateway's clock is not ours.
KEY_MARGIN = timedelta(minutes=5)

_STATE_OF = {
    Outcome.SUCCEEDED: _S.SUCCEEDED,
    Outcome.PENDING: _S.PENDING,
    Outcome.FAILED: _S.FAILED,
    Outcome.NOT_SENT: _S.APPROVED,
    Outcome.UNKNOWN: _S.UNKNOWN,
}
_KNOWN = frozenset({Outcome.SUCCEEDED, Outcome.PENDING})
_OPEN = frozenset({_S.UNKNOWN, _S.PENDING})


class TransactionOpenError(RuntimeError):
    """A gateway was about to be called inside a transaction; its intent could be rolled back."""


def execute(refund: Refund) -> None:
    """Send an approved refund, once; do nothing in any other state.

    Raises TransactionOpenError inside `atomic`, before anything is changed.
    """
    _refuse_in_transaction()
    gateway = gateways[refund.payment.gateway]
    if _begin(refund, gateway):
        _settle(refund, gateway.refund(_command(refund)))


def reconcile() -> int:
    """Look once at every open refund whose time has come; return how many."""
    _refuse_in_transaction()
    refunds = list(queries.due(timezone.now(), BATCH))
    for refund in refunds:
        try:
            _take_up(refund)
        except Exception:
            # One refund that cannot be looked at must not keep the others waiting; its money
            # stays reserved and its lease runs out.
            logger.exception("refund %s could not be taken up", refund.number)
    return len(refunds)


def _refuse_in_transaction() -> None:
    if transaction.get_connection().in_atomic_block:
        raise TransactionOpenError("a refund must not run inside a transaction")


def _begin(refund: Refund, gateway: Gateway) -> bool:
    """Commit the intent: from here on the key may be at the gateway."""
    now = timezone.now()
    changes = {
        "attempts": F("attempts") + 1,
        "sent_at": now,
        "next_try_at": now + 2 * gateway.timeout,
    }
    with transaction.atomic(durable=True):
        return move(
            refund, _S.EXECUTING, actor=None, changes=changes, context={"key": str(refund.key)}
        )


def _command(refund: Refund) -> RefundCommand:
    return RefundCommand(
        number=str(refund.number),
        key=refund.key,
        payment_reference=refund.payment.reference,
        amount=refund.amount,
    )


def _settle(refund: Refund, result: RefundResult) -> None:
    """Record what is known now.

    Success is true whoever hears of it. Anything less holds only if nobody asked again meanwhile.
    """
    now = timezone.now()
    wait = timedelta(seconds=result.retry_after) if result.retry_after else _wait(refund)
    changes: dict[str, Any] = {"answer": result.message[:200], "next_try_at": now + wait}
    if result.reference:
        changes["gateway_ref"] = result.reference[:80]
    if result.outcome in {Outcome.SUCCEEDED, Outcome.FAILED}:
        del changes["next_try_at"]
    if result.outcome is Outcome.NOT_SENT:
        changes["sent_at"] = None  # the key never got there, so it has not begun to age
    only = Q() if result.outcome in _KNOWN else Q(attempts=refund.attempts)
    with transaction.atomic(durable=True):
        move(
            refund,
            _STATE_OF[result.outcome],
            actor=None,
            only=only,
            changes=changes,
            context=_facts(result),
        )


def _facts(result: RefundResult) -> dict[str, Any]:
    facts = {"reference": result.reference, "code": result.code, "message": result.message[:200]}
    return {name: value for name, value in facts.items() if value}


def _wait(refund: Refund) -> timedelta:
    return min(FIRST_WAIT * (1 << min(max(refund.attempts - 1, 0), 10)), LONGEST_WAIT)


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
    gateway = gateways[refund.payment.gateway]
    if _claim(refund, gateway):
        _ask_again(refund, gateway)


def _claim(refund: Refund, gateway: Gateway) -> bool:
    """Take the refund for this worker; another one sees it only after the lease."""
    now = timezone.now()
    return update_where(
        refund,
        Q(state__in=_OPEN, next_try_at__lte=now),
        actor=None,
        changes={"attempts": F("attempts") + 1, "next_try_at": now + 3 * gateway.timeout},
    )


def _ask_again(refund: Refund, gateway: Gateway) -> None:
    sent = _send_again(refund, gateway)
    if sent is not None and sent.outcome in _KNOWN:
        _settle(refund, sent)
        return
    try:
        found = _look_up(refund, gateway)
    except GatewayUnavailableError as error:
        _postpone(refund, sent, str(error))
        return
    if found is None:
        _conclude_absent(refund, gateway, sent)
    else:
        _conclude_found(refund, sent, found)


def _send_again(refund: Refund, gateway: Gateway) -> RefundResult | None:
    """Repeat the same key within its life; None where only a look-up is safe."""
    sent_at = refund.sent_at or refund.created_at
    good = timezone.now() < sent_at + gateway.caps.key_ttl - KEY_MARGIN
    return gateway.refund(_command(refund)) if good and refund.state == _S.UNKNOWN else None


def _look_up(refund: Refund, gateway: Gateway) -> RefundResult | None:
    if gateway.caps.lookup == "none":
        return None
    try:
        return gateway.find_refund(_command(refund))
    except PaymentUnknownError:
        return None


def _conclude_found(refund: Refund, sent: RefundResult | None, found: RefundResult) -> None:
    if found.outcome is Outcome.UNKNOWN:
        _give_to_people(refund, found.message)
    elif _STATE_OF[found.outcome] == refund.state:
        _postpone(refund, sent, "")
    else:
        _settle(refund, found)


def _conclude_absent(refund: Refund, gateway: Gateway, sent: RefundResult | None) -> None:
    """Decide where the gateway does not list the refund.

    A refusal of a repeat is no proof by itself: the gateway may refuse because the first request
    was executed. Only with a list that must show it by now does absence prove failure.
    """
    if sent is None and refund.state == _S.UNKNOWN:
        _give_to_people(refund, _("The key is too old to send again, and nothing is listed"))
    elif sent is None or sent.outcome is not Outcome.FAILED:
        _postpone(refund, sent, _("Not listed yet"))
    elif gateway.caps.lookup == "none":
        _give_to_people(refund, sent.message)
    elif timezone.now() >= (refund.sent_at or refund.created_at) + gateway.caps.settle:
        _settle(refund, sent)
    else:
        _postpone(refund, sent, _("Not listed yet"))


def _give_to_people(refund: Refund, message: str) -> None:
    """End what the machine may do; the money stays reserved."""
    facts, changes = {"message": message}, {"answer": message[:200]}
    only = Q(attempts=refund.attempts)
    move(refund, _S.NEEDS_REVIEW, actor=None, only=only, changes=changes, context=facts)


def _postpone(refund: Refund, sent: RefundResult | None, found: str) -> None:
    """Note what was tried, and when it is tried again."""
    answer = (sent.message if sent else "") or found
    changes = {"answer": answer[:200], "next_try_at": timezone.now() + _wait(refund)}
    with transaction.atomic(durable=True):
        if update_where(refund, Q(attempts=refund.attempts), actor=None, changes=changes):
            facts = {"found": found} if found else {}
            context = facts | (_facts(sent) if sent else {})
            record(ASKED_AGAIN, actor=None, subject=refund, context=context)


@jobs.handler(RUN_JOB)
def _run_refund(run: JobRun) -> dict[str, Any]:
    refund = Refund.objects.select_related("payment").get(pk=run.params["refund"])
    execute(refund)
    return {"refund": str(refund.number), "state": refund.state}


jobs.every(
    seconds=EVERY_SECONDS, name="payments.reconcile", label=gettext_lazy("Look up unknown refunds")
)(reconcile)
