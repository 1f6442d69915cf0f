"""What two people had agreed on of a movement before our own booking came, or after it.

"Book what the gateway says" adds to the account of differences. If the refund, payment or dispute
is booked by us later, or the movement comes later, the same money stands in the books twice:
whoever compares the two has to know what was booked already. Where nothing was booked ("explained")
our own booking may come with another sum: that has to be seen as well.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import batched

from django.db.models import Q, QuerySet

from payments.models import Account, Break, LedgerEntry, LedgerTransaction, SettlementEntry

_K = Break.Kind
BOOK = "book"
"""The solution by which money is booked as a difference."""
BATCH = 500
type Booked = Mapping[str, int]
"""Currency -> minor units, signed from our side."""


def agreed() -> QuerySet[Break]:
    """Return the differences that two people had booked."""
    return Break.objects.filter(state=Break.State.SOLVED, solution=BOOK)


def of(part: Sequence[SettlementEntry], bookings: Mapping[int, int]) -> dict[int, Booked]:
    """Return movement -> what was booked of it as differences.

    `bookings` is movement -> the booking of ours that says the same: one that was missing at the
    gateway may have been booked back. Three queries at most, however many rows.
    """
    whose = {f"booked:{booking}:{_K.MISSING_THERE}": entry for entry, booking in bookings.items()}
    found = agreed().filter(Q(entry__in=part) | Q(key__in=whose)).order_by("pk")
    entries = {
        pk: entry or whose[key] for pk, entry, key in found.values_list("pk", "entry", "key")
    }
    sums: dict[int, Counter[str]] = defaultdict(Counter)
    for pk, currency, minor in _booked(entries):
        sums[entries[pk]][currency] += minor
    return dict(sums)


def _booked(breaks: Collection[int]) -> Iterable[tuple[int, str, int]]:
    """Return (break, currency, minor units) as the ledger has it."""
    if not breaks:
        return
    currencies = Break.objects.filter(pk__in=breaks).values_list("pk", "currency", "their_currency")
    keys = {key_of(pk, one): pk for pk, *both in currencies for one in both if one}
    rows = LedgerEntry.objects.filter(transaction__key__in=keys, account=Account.CLEARING)
    for key, currency, minor in rows.values_list("transaction__key", "currency", "minor"):
        yield keys[key], currency, minor


def key_of(break_pk: int, currency: str) -> str:
    """Return the key under which a difference is booked."""
    return f"break:{break_pk}:{currency}"


def to_look_at(gateway: str) -> list[int]:
    """Return the movements that two people solved, or booked, while the other side was missing."""
    solved = Break.objects.filter(gateway=gateway, state=Break.State.SOLVED)
    here = solved.filter(kind__in=(_K.MISSING_HERE, _K.TWICE))
    there = agreed().filter(gateway=gateway, kind=_K.MISSING_THERE)
    keys = [int(key.split(":")[1]) for key in there.values_list("key", flat=True)]
    found = {entry for entry in here.values_list("entry", flat=True) if entry}
    for part in batched(keys, BATCH):
        bookings = LedgerTransaction.objects.filter(pk__in=part)
        for what in ("refund", "dispute", "payment"):
            about = bookings.exclude(**{what: None}).order_by().values_list(what, flat=True)
            rows = SettlementEntry.objects.filter(**{f"{what}__in": list(about)}, gateway=gateway)
            found.update(rows.values_list("pk", flat=True))
    return sorted(found)
