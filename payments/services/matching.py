"""Whose a settled movement is, and whether it says what our books say.

A movement belongs to a payment, refund or dispute

1. by the gateway's reference,
2. else by our number,
3. else by its payment and its amount, where exactly one of ours fits, and not both sides name a
   reference (two references that differ are two movements).

`link` does that for all movements of a day that are nobody's yet: the first by one UPDATE each, the
others only for what is left. `judge` compares a part of them with the ledger, in a number of
queries that does not grow with the rows, and writes nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery

from backoffice.money import Money
from payments.gateways.base import MovementKind
from payments.gateways.settling import Settling
from payments.models import (
    Account,
    Break,
    Dispute,
    LedgerEntry,
    LedgerTransaction,
    Payment,
    Refund,
    SettlementEntry,
)
from payments.services import corrections
from payments.services.corrections import Booked
from payments.states import PAID_OUT, RefundState

_B = LedgerTransaction.Kind
_M = MovementKind
BATCH = 500
# kind of movement -> (what it is about, the kind of booking that says the same)
ABOUT: dict[str, tuple[str, str]] = {
    _M.CAPTURE: ("payment", _B.CAPTURE),
    _M.REFUND: ("refund", _B.REFUND),
    _M.REVERSAL: ("refund", _B.REFUND_REVERSED),
    _M.CHARGEBACK: ("dispute", _B.CHARGEBACK),
    _M.CHARGEBACK_REVERSED: ("dispute", _B.CHARGEBACK_REVERSED),
}
MOVEMENT_OF = {booking: kind for kind, (_what, booking) in ABOUT.items()}
"""Kind of booking -> the kind of movement that says the same."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a movement says otherwise: `ours` and `theirs` are signed from our side."""

    kind: Break.Kind
    entry: SettlementEntry
    ours: Money | None
    theirs: Money


def link(gateway: str, rows: QuerySet[SettlementEntry]) -> None:
    """Say of movements of the gateway whose they are, as far as nobody said it yet."""
    free = rows.filter(gateway=gateway, kind__in=ABOUT)
    payments = Payment.objects.filter(gateway=gateway)
    named = _pk(payments.filter(reference=OuterRef("payment_reference")))
    free.filter(payment=None).exclude(payment_reference="").update(payment=named)
    captures = free.filter(kind=_M.CAPTURE, payment=None)
    captures.exclude(reference="").update(
        payment=_pk(payments.filter(reference=OuterRef("reference")))
    )
    _link_by_order(gateway, captures)
    refunds = Refund.objects.filter(gateway=gateway, gateway_ref=OuterRef("reference"))
    movements = free.filter(kind__in=(_M.REFUND, _M.REVERSAL), refund=None)
    movements.exclude(reference="").update(refund=_pk(refunds))
    _link_by_number(gateway, movements)
    disputes = Dispute.objects.filter(gateway=gateway, reference=OuterRef("reference"))
    contested = free.filter(kind__in=(_M.CHARGEBACK, _M.CHARGEBACK_REVERSED), dispute=None)
    contested.exclude(reference="").update(dispute=_pk(disputes))
    _link_by_amount(movements.exclude(payment=None), "refund")
    _link_by_amount(contested.exclude(payment=None), "dispute")


def _pk(rows: QuerySet[Any]) -> Subquery:
    return Subquery(rows.order_by().values("pk")[:1])


def _link_by_order(gateway: str, captures: QuerySet[SettlementEntry]) -> None:
    """Captures that name our order and no payment: it has to have one of this amount alone."""
    for part in batched(captures.exclude(number="").order_by("pk").iterator(BATCH), BATCH):
        numbers = {entry.number for entry in part}
        found: dict[tuple[str, int, str], list[Payment]] = defaultdict(list)
        payments = Payment.objects.filter(gateway=gateway, order__number__in=numbers)
        for payment in payments.select_related("order").order_by("pk"):
            key = payment.order.number, payment.captured_minor, payment.currency
            found[key].append(payment)
        for entry in part:
            fitting = found[entry.number, entry.amount_minor, entry.currency]
            if len(fitting) == 1:
                entry.payment = fitting[0]
        SettlementEntry.objects.bulk_update(part, ["payment"], batch_size=100)


def _link_by_number(gateway: str, movements: QuerySet[SettlementEntry]) -> None:
    for part in batched(movements.exclude(number="").order_by("pk").iterator(BATCH), BATCH):
        numbers = {number for entry in part if (number := _uuid(entry.number))}
        refunds = Refund.objects.filter(gateway=gateway, number__in=numbers)
        found = {refund.number: refund for refund in refunds.order_by("pk")}
        for entry in part:
            number = _uuid(entry.number)
            entry.refund = found.get(number) if number else None
        SettlementEntry.objects.bulk_update(part, ["refund"], batch_size=100)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _link_by_amount(rows: QuerySet[SettlementEntry], what: str) -> None:
    for part in batched(rows.order_by("pk").iterator(BATCH), BATCH):
        fitting = _candidates(part, what)
        asked = Counter(_about(entry) for entry in part)
        for entry in part:
            found = [one for one in fitting[_about(entry)] if _fits(entry, one)]
            if len(found) == 1 and asked[_about(entry)] == 1:
                setattr(entry, what, found[0])
        SettlementEntry.objects.bulk_update(part, [what], batch_size=100)


def _about(entry: SettlementEntry) -> tuple[str, int | None, int, str]:
    return entry.kind, entry.payment_id, abs(entry.amount_minor), entry.currency


def _candidates(
    part: Sequence[SettlementEntry], what: str
) -> dict[tuple[str, int | None, int, str], list[Any]]:
    """Return what of ours no movement of the same kind was given to yet."""
    payments = {entry.payment_id for entry in part}
    taken = {
        (kind, pk)
        for kind, pk in SettlementEntry.objects.filter(
            **{f"{what}__payment__in": payments}
        ).values_list("kind", what)
    }
    model: Any = Refund if what == "refund" else Dispute
    found: dict[tuple[str, int | None, int, str], list[Any]] = defaultdict(list)
    for one in model.objects.filter(payment__in=payments).order_by("pk"):
        for kind in _kinds(one):
            if (kind, one.pk) not in taken:
                found[kind, one.payment_id, one.amount_minor, one.currency].append(one)
    return found


def _kinds(one: Refund | Dispute) -> tuple[str, ...]:
    """Return which movements there may be of it by its state."""
    if isinstance(one, Dispute):
        return (_M.CHARGEBACK, _M.CHARGEBACK_REVERSED)
    if one.state == RefundState.REVERSED:
        return (_M.REFUND, _M.REVERSAL)
    return (_M.REFUND,) if one.state in PAID_OUT else ()


def _fits(entry: SettlementEntry, one: Refund | Dispute) -> bool:
    """Say whether they may be the same: not where both have a reference, which then differ."""
    ours = one.gateway_ref if isinstance(one, Refund) else one.reference
    return not (ours and entry.reference)


def judge(part: Sequence[SettlementEntry], how: Settling) -> Iterator[Difference | None]:
    """Return of each movement what it says otherwise, None where it agrees with our books.

    What two people had booked of it as a difference counts as ours.
    """
    booked = _booked(part)
    order = _order(part)
    own = {entry.pk: _booked_of(entry, booked) for entry in part}
    same = {pk: rows[order[pk]] for pk, rows in own.items() if len(rows) > order.get(pk, 0)}
    corrected = corrections.of(part, {pk: booking for pk, (booking, _amount) in same.items()})
    for entry in part:
        if entry.kind not in ABOUT:
            yield None  # fees and payouts: the settlement itself is what we know of them
        elif entry.pk not in same:
            kind = Break.Kind.TWICE if own[entry.pk] else Break.Kind.MISSING_HERE
            yield Difference(kind, entry, None, entry.amount)
        else:
            already = corrected.get(entry.pk, {})
            yield _compared(entry, same[entry.pk][1], already, how)


type Key = tuple[str, int]
"""Kind of booking and the key of what it is about."""


def key_of(entry: SettlementEntry) -> Key | None:
    """Return what the movement is about; None while nobody knows, or where it is about nothing."""
    if entry.kind not in ABOUT:
        return None
    what, kind = ABOUT[entry.kind]
    pk = getattr(entry, f"{what}_id")
    return (kind, pk) if pk else None


type Booking = tuple[int, Money]
"""Key of a booking, and what it booked at the gateway, signed from our side."""


def _booked_of(entry: SettlementEntry, booked: dict[Key, list[Booking]]) -> list[Booking]:
    key = key_of(entry)
    return booked.get(key, []) if key else []


def _compared(
    entry: SettlementEntry, ours: Money, already: Booked, how: Settling
) -> Difference | None:
    if ours.currency != entry.currency:
        return _in_two(entry, ours, already)
    whole = ours + Money(already.get(ours.currency, 0), ours.currency)
    if whole != entry.amount:
        return Difference(Break.Kind.AMOUNT, entry, whole, entry.amount)
    if ours != entry.amount:  # two people had it booked: it stays the difference that it was
        return Difference(Break.Kind.AMOUNT, entry, ours, entry.amount)
    expected = how.expected_fee(entry.kind, entry.amount)
    if expected is not None and expected != entry.fee:
        return Difference(Break.Kind.FEE, entry, expected, entry.fee)
    return None


def _in_two(entry: SettlementEntry, ours: Money, already: Booked) -> Difference:
    """Return what is left on each side of the two currencies; all of it where nothing is left."""
    mine = ours + Money(already.get(ours.currency, 0), ours.currency)
    theirs = entry.amount - Money(already.get(entry.currency, 0), entry.currency)
    if not (mine or theirs):
        mine, theirs = ours, entry.amount
    return Difference(Break.Kind.CURRENCY, entry, mine, theirs)


def _booked(part: Iterable[SettlementEntry]) -> dict[Key, list[Booking]]:
    """Return what was booked of each thing, in its order: signed from our side.

    Kind and account are looked at here: asked for in SQL they tempt SQLite to read whole accounts.
    """
    keys: dict[int, Key] = {}
    for what, about in _by_what(part).items():
        kinds = {kind for thing, kind in ABOUT.values() if thing == what}
        rows = LedgerTransaction.objects.filter(**{f"{what}__in": about}).order_by("pk")
        for pk, kind, thing in rows.values_list("pk", "kind", what):
            if kind in kinds:
                keys[pk] = (kind, thing)
    found: dict[Key, list[Booking]] = defaultdict(list)
    entries = LedgerEntry.objects.filter(transaction__in=keys).order_by("transaction")
    columns = entries.values_list("transaction", "account", "minor", "currency")
    for pk, account, minor, currency in columns:
        if account == Account.CLEARING:
            found[keys[pk]].append((pk, Money(minor, currency)))
    return found


def _order(part: Iterable[SettlementEntry]) -> dict[int, int]:
    """Return entry -> how many movements of the same kind and thing came before it."""
    order: dict[int, int] = {}
    counts: Counter[Any] = Counter()
    for what, keys in _by_what(part).items():
        kinds = [kind for kind, (about, _booking) in ABOUT.items() if about == what]
        rows = SettlementEntry.objects.filter(Q(**{f"{what}__in": keys}), kind__in=kinds)
        for pk, kind, about in rows.order_by("pk").values_list("pk", "kind", what):
            order[pk] = counts[kind, about]
            counts[kind, about] += 1
    return order


def _by_what(part: Iterable[SettlementEntry]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for entry in part:
        if entry.kind in ABOUT and (key := key_of(entry)) is not None:
            found[ABOUT[entry.kind][0]].add(key[1])
    return found
