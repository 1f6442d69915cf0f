"""What a gateway has on its books of a payment, taken into ours: nothing is ever moved back.

A refund of our number is settled, or was reversed. One that nobody here asked for is `external`: it
has gone out, so that its amount is held at once; where there is no room for it, what was not sent
yet becomes void, since who decides on it saw another picture. While one of ours may be on its way
nobody can tell whose it is: then it waits.
"""

import hashlib
import logging
import secrets
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import chain
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.approvals import services as approvals
from backoffice.audit import verbs
from backoffice.audit.models import Event
from backoffice.audit.models import Outcome as Done
from backoffice.audit.services import record, update_where
from backoffice.jobs import registry as jobs
from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import (
    GatewayUnavailableError,
    NotOfferedError,
    Outcome,
    PaymentSnapshot,
    PaymentUnknownError,
    RefundResult,
)
from payments.models import Payment, Refund
from payments.models.payment import REFERENCE
from payments.services import alarms, attempts, breakers, disputes, outcomes
from payments.services.attempts import Kind, Told
from payments.services.moves import add_external, move
from payments.states import OPEN, PAID_OUT

logger = logging.getLogger("payments")
CONTRADICTED = verbs.register(
    "payments.gateway_contradicts", gettext_lazy("The gateway contradicts the books")
)
_S = Refund.State
# While one of these is there, an unknown refund may be ours.
_ON_ITS_WAY = (_S.EXECUTING, _S.UNKNOWN)
# "Failed" from the gateway says something new of these alone.
_FAILED_MATTERS = frozenset({_S.UNKNOWN, _S.PENDING}) | PAID_OUT
EVERY_SECONDS = 60
# Payments looked at in a turn, and for how long after a change: events get lost.
A_TURN = 20
# A gateway that gave so few answers is left alone for the turn.
MOST_SILENT = 2
RECENT = timedelta(days=3)
TURN = 10.0


class Heard(Enum):
    """What became of a word."""

    DONE = "done"  # the books follow it now, or did already
    NOTHING = "nothing"  # nothing to do: too old, or no money moved
    WAIT = "wait"  # one of ours is on its way: ask again later
    PERSON = "person"  # the books cannot follow; it is on the record


@dataclass(frozen=True, slots=True)
class Word:
    """What the gateway says of one refund; `at` is when that became so."""

    reference: str
    number: str
    amount: Money | None
    outcome: Outcome
    at: datetime | None = None

    @property
    def result(self) -> RefundResult:
        """The same as an answer."""
        return RefundResult(
            self.outcome, reference=attempts.text(self.reference, REFERENCE), amount=self.amount
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a word, about which refund, and why."""

    heard: Heard
    refund: Refund | None = None
    why: str = ""


def look_at(payment: Payment) -> dict[str, Reply]:
    """Read the payment at its gateway and let the books follow; return reference -> what became.

    Raises GatewayUnavailableError, PaymentUnknownError, NotOfferedError.
    """
    gateway = gateways[payment.gateway]
    try:
        seen = gateway.fetch_payment(payment.reference)
    except GatewayUnavailableError:
        breakers.note(payment.gateway, alive=False)
        raise
    breakers.note(payment.gateway, alive=True)
    return follow(payment, seen)


def follow(payment: Payment, seen: PaymentSnapshot) -> dict[str, Reply]:
    """Let the books follow what was read of a payment.

    A refund of ours may stand there twice, a failed try beside one that is paid: what failed says
    nothing as long as the other one stands.
    """
    replies = {}
    paid = {one.number for one in seen.refunds if one.number and one.outcome is not Outcome.FAILED}
    for listed in seen.refunds:
        if listed.outcome is Outcome.FAILED and listed.number in paid:
            replies[listed.reference] = Reply(Heard.NOTHING)
            continue
        word = Word(listed.reference, listed.number, listed.amount, listed.outcome)
        replies[listed.reference] = hear(payment, word)
    for dispute in seen.disputes:
        disputes.note(payment, dispute)
    return replies


def hear(payment: Payment, word: Word) -> Reply:
    """Let the books follow one word about a refund of the payment."""
    found = ours(payment.gateway, word.number, word.reference)
    if found is None:
        return _hear_of_another(payment, word)
    if found.payment_id != payment.pk:
        return _contradict(payment, found, word, _("Our number stands on another payment"))
    return _hear_of_ours(payment, found, word)


def look_around() -> int:
    """Look at payments that changed lately or have open refunds; return at how many.

    Heals what no event told: a lost webhook, a refund made on the gateway's own pages. All of them
    have their turn, since each minute begins anywhere and goes round: one that cannot be read, or a
    gateway that is down, does not hide the others.
    """
    payments = _changed_lately()
    count, end = payments.count(), time.monotonic() + TURN
    if not count:
        return 0
    begin = secrets.randbelow(count)
    behind = payments[: min(begin, max(0, begin + A_TURN - count))]
    looked, silent = 0, Counter[str]()
    for payment in chain(payments[begin : begin + A_TURN], behind):
        if time.monotonic() > end:
            break
        if silent[payment.gateway] >= MOST_SILENT:
            continue
        if _look_quietly(payment):
            looked += 1
        else:
            silent[payment.gateway] += 1
    return looked


def _changed_lately() -> QuerySet[Payment]:
    since = timezone.now() - RECENT
    listing = [name for name in gateways if gateways[name].caps.lookup == "list"]
    changed = Q(refunds__finished_at__gte=since) | Q(refunds__state__in=(_S.PENDING, _S.UNKNOWN))
    found = Payment.objects.filter(changed | Q(captured_at__gte=since), gateway__in=listing)
    return found.exclude(gateway__in=breakers.paused()).distinct().order_by("pk")


def _look_quietly(payment: Payment) -> bool:
    """Look; False where the gateway gave no answer, so that the others need not be tried."""
    try:
        look_at(payment)
    except (PaymentUnknownError, NotOfferedError):
        return True
    except GatewayUnavailableError:
        return False
    except Exception:
        # One that the books do not take must not keep the others from being looked at.
        logger.exception("payment %s could not be looked at", payment.pk)
    return True


def ours(gateway: str, number: str, reference: str) -> Refund | None:
    """Return our refund of this number, or the one to which the gateway gave this reference."""
    mine = Refund.objects.select_related("payment").filter(gateway=gateway)
    try:
        found = mine.filter(number=UUID(number)).first()
    except ValueError:
        found = None
    if found is not None or not reference:
        return found
    return mine.filter(gateway_ref=attempts.text(reference, REFERENCE)).first()


def _hear_of_ours(payment: Payment, refund: Refund, word: Word) -> Reply:
    state, failed = refund.state, word.outcome is Outcome.FAILED
    if state == _S.EXECUTING:
        return Reply(Heard.WAIT, refund, _("Our own answer is not recorded yet"))
    if not (word.outcome in outcomes.KNOWN or (failed and state in _FAILED_MATTERS)):
        return Reply(Heard.NOTHING, refund)
    if state in PAID_OUT:
        return _hear_of_paid(payment, refund, word)
    if state in OPEN - {_S.REQUESTED}:
        return _end(refund, word)
    return _paid_but_over(payment, refund, word)


def _hear_of_paid(payment: Payment, refund: Refund, word: Word) -> Reply:
    if word.amount is not None and word.amount != refund.amount:
        return _contradict(payment, refund, word, _("The gateway reports another amount"))
    reference = attempts.text(word.reference, REFERENCE)
    if word.outcome in outcomes.KNOWN and reference and refund.gateway_ref not in {"", reference}:
        return _contradict(payment, refund, word, _("The gateway lists it more than once"))
    if word.outcome is not Outcome.FAILED:
        return Reply(Heard.DONE if word.outcome is Outcome.SUCCEEDED else Heard.NOTHING, refund)
    with transaction.atomic(durable=True):
        if move(refund, _S.REVERSED, actor=None, context=outcomes.facts(word.result)):
            attempts.note(refund, Told(Kind.EVENT, result=word.result))
    return Reply(Heard.DONE, refund)


def _end(refund: Refund, word: Word) -> Reply:
    """Settle an open refund; a word that says what we know already changes nothing."""
    if refund.state == _S.NEEDS_REVIEW and word.amount != refund.amount:
        return Reply(Heard.NOTHING, refund)  # people look at just that
    if refund.state == _S.APPROVED:
        move(refund, _S.EXECUTING, actor=None)  # it got there though we thought that it had not
    if outcomes.STATE_OF[word.outcome] != refund.state:
        outcomes.settle(refund, word.result, Told(Kind.EVENT, result=word.result))
    return Reply(Heard.DONE, refund)


def _paid_but_over(payment: Payment, refund: Refund, word: Word) -> Reply:
    """The money went out though the refund ended without: take it into the books, and call people.

    Of one that came back, a word from before that (`at`) is only late.
    """
    ended = refund.finished_at
    late = word.at is not None and ended is not None and word.at <= ended
    if late and refund.state == _S.REVERSED:
        return Reply(Heard.NOTHING, refund)
    reference = attempts.text(word.reference, REFERENCE)
    _let_go_of(refund, reference)
    if not Refund.objects.filter(gateway=payment.gateway, gateway_ref=reference).exists():
        _take_in(payment, word)
    return _contradict(payment, refund, word, _("It went out, though it is over here"))


def _let_go_of(refund: Refund, reference: str) -> None:
    """Give up the reference of a refund that failed: it is that of what went out after all."""
    if reference and refund.gateway_ref == reference:
        failed = Q(state=_S.FAILED)
        update_where(refund, failed, actor=None, changes={"gateway_ref": ""})


def _hear_of_another(payment: Payment, word: Word) -> Reply:
    if word.outcome not in outcomes.KNOWN or word.amount is None:
        return Reply(Heard.NOTHING)
    if payment.refunds.filter(state__in=_ON_ITS_WAY).exists():
        return Reply(Heard.WAIT, why=_("It may be one of ours that is on its way"))
    if word.amount.currency != payment.currency:
        return _contradict(payment, None, word, _("The refund is in another currency"))
    return _take_in(payment, word)


def _take_in(payment: Payment, word: Word) -> Reply:
    """Book a refund that was made at the gateway; make room for it where there is none."""
    try:
        taken = _add(payment, word)
        if taken is None:
            _make_room(payment, word)
            taken = _add(payment, word)
    except IntegrityError:
        return Reply(Heard.DONE)  # somebody else took it in at the same moment
    if taken is None:
        return _contradict(payment, None, word, _("More went back than was captured"))
    return Reply(Heard.DONE, taken)


def _add(payment: Payment, word: Word) -> Refund | None:
    assert word.amount is not None  # noqa: S101 - the callers looked
    refund = Refund(
        payment=payment,
        gateway=payment.gateway,
        gateway_ref=attempts.text(word.reference, REFERENCE),
        amount_minor=word.amount.minor,
        currency=word.amount.currency,
        reason=_("Made at the gateway"),
    )
    return refund if add_external(refund, context=outcomes.facts(word.result)) else None


def _make_room(payment: Payment, word: Word) -> None:
    """Void what was not sent yet, the newest first, then take from what disputes block."""
    amount = word.amount
    assert amount is not None  # noqa: S101 - the callers looked
    not_sent = payment.refunds.filter(state__in=(_S.REQUESTED, _S.APPROVED)).order_by("-pk")
    for refund in not_sent.select_related("approval", "payment"):
        if _lacks(payment, amount) > 0:
            _void(refund)
    if (lacking := _lacks(payment, amount)) > 0:
        disputes.make_room(payment, lacking)


def _lacks(payment: Payment, amount: Money) -> int:
    payment.refresh_from_db()
    return amount.minor - payment.refundable.minor


def _void(refund: Refund) -> None:
    why = _("Money of this payment was refunded at the gateway meanwhile.")
    if refund.state == _S.REQUESTED and refund.approval is not None:
        approvals.void(refund.approval, why=why)
    else:
        move(refund, _S.VOID, actor=None, changes={"answer": why}, context={"message": why})


def _contradict(payment: Payment, refund: Refund | None, word: Word, why: str) -> Reply:
    """Put it on the record and call people, once for each word."""
    subject = refund or payment
    facts = outcomes.facts(word.result) | {"message": why}
    said = Event.objects.about(subject).filter(verb=CONTRADICTED)
    if not any(event.context.get("reference") == facts.get("reference") for event in said):
        # What a clerk typed as a number at the gateway may be about a person: it stays out of keys.
        typed = hashlib.sha256(word.number.encode()).hexdigest()[:16]
        row = f"payment {payment.pk} {facts.get('reference') or typed}"
        about = refund.pk if refund else None
        with transaction.atomic():
            record(CONTRADICTED, actor=None, subject=subject, outcome=Done.FAILED, context=facts)
            alarms.call(alarms.Wrong("contradiction", row, f"{row}: {why}", payment.pk, about))
    return Reply(Heard.PERSON, refund, why)


def worst(replies: Iterable[Reply]) -> Reply | None:
    """Return the reply that asks for most: a person, then waiting."""
    order = {Heard.PERSON: 0, Heard.WAIT: 1, Heard.DONE: 2, Heard.NOTHING: 3}
    return min(replies, key=lambda reply: order[reply.heard], default=None)


jobs.every(
    seconds=EVERY_SECONDS,
    name="payments.look_around",
    label=gettext_lazy("Look for refunds that no event told of"),
)(look_around)
