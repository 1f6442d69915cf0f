"""Matching a day at a gateway with our books.

What differs is a break. It stays until two people solve it (`breaks`) or the fact itself is healed:
the missing row came. Nothing else is corrected.

A day is matched from both sides. Each settled movement is compared with the ledger (`matching`);
each booking that no movement was found for, and that may not be late any more, is missing at the
gateway. Fees and payouts are booked as the gateway says where nothing differs.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import batched
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.audit import history, verbs
from backoffice.audit.services import record, update_where
from payments.gateways.base import MovementKind
from payments.gateways.settling import settling
from payments.models import (
    Account,
    Break,
    LedgerEntry,
    LedgerTransaction,
    ReconciledDay,
    SettlementEntry,
    SettlementImport,
)
from payments.services import corrections, ledger, matching, settlements
from payments.services.alarms import FOUND, HEALED
from payments.services.matching import ABOUT, MOVEMENT_OF, Difference

MATCHED = verbs.register("payments.day_matched", gettext_lazy("Day matched"))
BATCH = 500
_K = Break.Kind
_OPEN = (Break.State.OPEN, Break.State.PROPOSED)
_ABOUT_ROW = ("payment", "refund", "dispute")


def match_day(gateway: str, day: date, *, actor: User | None) -> ReconciledDay:
    """Match a day as far as it is known, and return it. Raises PermissionDenied.

    In parts of 500 movements, each in a transaction of its own: one that stops is begun anew and
    finds what it wrote, since each break has a key.
    """
    settlements.require(actor)
    row = day_of(gateway, day)
    began = timezone.now()
    entries = SettlementEntry.objects.filter(gateway=gateway, day=day)
    last = day + settling(gateway).lag  # what is settled late stands there
    matching.link(gateway, SettlementEntry.objects.filter(gateway=gateway, day__range=(day, last)))
    matched = sum(_match_part(row, part) for part in _parts(entries))
    _find_missing_there(row)
    heal(gateway)
    _look_again(gateway)
    changes = {"matched": matched, "matched_at": began, "sums": sums(gateway, day)}
    with transaction.atomic():
        if update_where(row, Q(state=ReconciledDay.State.OPEN), actor=actor, changes=changes):
            facts = {"day": str(day), "gateway": gateway, "matched": matched}
            record(MATCHED, actor=actor, subject=row, context=facts)
    return row


def day_of(gateway: str, day: date) -> ReconciledDay:
    """Return the row of a day, made where it is missing."""
    found = ReconciledDay.objects.filter(gateway=gateway, day=day).first()
    if found is not None:
        return found
    with transaction.atomic():
        made, _created = ReconciledDay.objects.get_or_create(gateway=gateway, day=day)
    return made


def _parts(rows: QuerySet[SettlementEntry]) -> Iterator[list[SettlementEntry]]:
    """Return the rows in parts, by key: no cursor stays open while others are written."""
    last = 0
    while part := list(
        rows.filter(pk__gt=last).select_related(*_ABOUT_ROW, "source").order_by("pk")[:BATCH]
    ):
        last = part[-1].pk
        yield part


def _match_part(row: ReconciledDay, part: list[SettlementEntry]) -> int:
    """Write the breaks of a part and book what agrees; return how many agree."""
    how = settling(row.gateway)
    with transaction.atomic():
        locked = ReconciledDay.objects.select_for_update().get(pk=row.pk)
        judged = list(zip(part, matching.judge(part, how), strict=True))
        late = {entry.pk for entry in part if _is_late(locked, entry)}
        differing = [found for _entry, found in judged if found is not None]
        agreeing = [entry for entry, found in judged if found is None]
        if locked.state == ReconciledDay.State.CLOSED:
            differing = [found for found in differing if found.entry.pk in late]
        _note(locked, differing)
        broken = set(Break.objects.filter(entry__in=agreeing).values_list("entry_id", flat=True))
        unquestioned = [entry for entry in agreeing if entry.pk not in broken]
        _note(locked, [_late(entry) for entry in unquestioned if entry.pk in late])
        if locked.state == ReconciledDay.State.OPEN:
            _book(unquestioned)
    return len(agreeing)


def _is_late(day: ReconciledDay, entry: SettlementEntry) -> bool:
    return day.closed_at is not None and entry.source.at > day.closed_at


def _late(entry: SettlementEntry) -> Difference:
    return Difference(_K.LATE, entry, entry.amount, entry.amount)


def _book(entries: Iterable[SettlementEntry]) -> None:
    """Book fees and payouts that nobody has a question about."""
    entries = list(entries)
    payouts = [entry for entry in entries if entry.kind == MovementKind.PAYOUT]
    ledger.book_all(ledger.fees_of(entries) + [ledger.payout_of(entry) for entry in payouts])


def _note(day: ReconciledDay, found: list[Difference]) -> None:
    """Write breaks that are not known yet, on the day or the next one that is open."""
    made = [_break(day, one) for one in found]
    _write(day, made)


def _write(day: ReconciledDay, made: list[Break]) -> None:
    if not made:
        return
    keys = [one.key for one in made]
    known = set(Break.objects.filter(key__in=keys).values_list("key", flat=True))
    new = [one for one in made if one.key not in known]
    for one in history.bulk_create(new, actor=None):
        facts = {"kind": one.kind, "gateway": one.gateway, "day": str(one.day)}
        record(FOUND, actor=None, subject=one, also=_about(one), context=facts)


def _break(day: ReconciledDay, found: Difference) -> Break:
    entry = found.entry
    return Break(
        key=f"settled:{entry.pk}:{found.kind}",
        gateway=day.gateway,
        day=ledger.open_day(day.gateway, day.day),
        kind=found.kind,
        entry=entry,
        payment=entry.payment,
        refund=entry.refund,
        dispute=entry.dispute,
        ours_minor=None if found.ours is None else found.ours.minor,
        theirs_minor=found.theirs.minor,
        currency=(found.theirs if found.ours is None else found.ours).currency,
        their_currency=found.theirs.currency,
    )


def _about(found: Break) -> list[Any]:
    return [row for row in (found.refund, found.payment) if row is not None]


def _find_missing_there(day: ReconciledDay) -> None:
    """Name the bookings of the day that the gateway did not settle, once they cannot be late.

    That is when the accounts of all days are here on which they might stand.
    """
    if not complete(day.gateway, day.day):
        return
    for part in batched(unsettled(day.gateway, day.day).iterator(BATCH), BATCH):
        with transaction.atomic():
            ReconciledDay.objects.select_for_update().get(pk=day.pk)
            _write(day, [_missing_there(day, booking) for booking in part])


def complete(gateway: str, day: date) -> bool:
    """Say whether the accounts of the day, and of those that may bring its late rows, are here."""
    how = settling(gateway)
    days = [day + timedelta(days=later) for later in range(how.lag.days + 1)]
    return all(settlements.is_fetched(gateway, one) for one in days)


def unsettled(gateway: str, day: date) -> QuerySet[LedgerTransaction]:
    """Return the bookings of a day that no movement was found for; `minor` is from our side.

    Of several bookings of one thing (a dispute that was opened again) each needs its own movement.
    """
    rows = LedgerTransaction.objects.filter(gateway=gateway, day=day, kind__in=MOVEMENT_OF)
    missing = Q()
    for kind, (what, booking) in ABOUT.items():
        settled = SettlementEntry.objects.filter(kind=kind, **{what: OuterRef(what)})
        if what == "dispute":
            rows = rows.alias(**{f"of_{kind}": _times(settled), f"due_{kind}": _due(booking)})
            missing |= Q(**{"kind": booking, f"of_{kind}__lt": F(f"due_{kind}")})
        else:
            missing |= Q(~Exists(settled), kind=booking)
    sides = LedgerEntry.objects.filter(transaction=OuterRef("pk"), account=Account.CLEARING)
    return (
        rows.filter(missing)
        .annotate(minor=Subquery(sides.order_by().values("minor")[:1]))
        .select_related("payment", "refund", "dispute")
        .order_by("pk")
    )


def _times(settled: QuerySet[Any]) -> Coalesce:
    counted = settled.order_by().values("dispute").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted), 0)


def _due(kind: str) -> Coalesce:
    """Count the bookings of this kind of a dispute up to this one.

    The kind is asked within the count: else SQLite reads all bookings of the kind for each row.
    """
    upto = Q(kind=kind, pk__lte=OuterRef("pk"))
    bookings = LedgerTransaction.objects.filter(dispute=OuterRef("dispute")).order_by()
    counted = bookings.values("dispute").annotate(count=Count("pk", filter=upto)).values("count")
    return Coalesce(Subquery(counted), 0)


def _missing_there(day: ReconciledDay, booking: Any) -> Break:
    return Break(
        key=f"booked:{booking.pk}:{_K.MISSING_THERE}",
        gateway=day.gateway,
        day=ledger.open_day(day.gateway, day.day),
        kind=_K.MISSING_THERE,
        payment=booking.payment,
        refund=booking.refund,
        dispute=booking.dispute,
        ours_minor=booking.minor,
        currency=booking.currency,
    )


def heal(gateway: str) -> int:
    """Close the open breaks whose missing side came by itself; return how many. On the record."""
    count = 0
    rows = Break.objects.filter(gateway=gateway, state__in=_OPEN).select_related(
        "entry", "approval", "payment", "refund"
    )
    for kind in (_K.MISSING_HERE, _K.MISSING_THERE):
        for part in batched(rows.filter(kind=kind).order_by("pk").iterator(BATCH), BATCH):
            came = _came_here if kind == _K.MISSING_HERE else _came_there
            count += sum(_heal(one) for one in came(gateway, part))
    return count


def _came_here(gateway: str, part: Iterable[Break]) -> list[Break]:
    """Return those whose movement is in our books by now.

    Where the gateway says it otherwise, that is another difference, written here.
    """
    by_entry = {one.entry_id: one for one in part if one.entry_id is not None}
    rows = SettlementEntry.objects.filter(pk__in=by_entry)
    matching.link(gateway, rows)
    entries = list(rows.select_related(*_ABOUT_ROW).order_by("pk"))
    judged = list(zip(entries, matching.judge(entries, settling(gateway)), strict=True))
    came = [(entry, found) for entry, found in judged if not _is_missing(found)]
    _note_each([found for _entry, found in came if found is not None])
    return [by_entry[entry.pk] for entry, _found in came]


def _is_missing(found: Difference | None) -> bool:
    return found is not None and found.ours is None


def _note_each(found: Iterable[Difference]) -> None:
    """Write differences of any days, each on its own day or the next one that is open."""
    for one in found:
        day = day_of(one.entry.gateway, one.entry.day)
        with transaction.atomic():
            _note(ReconciledDay.objects.select_for_update().get(pk=day.pk), [one])


def _look_again(gateway: str) -> None:
    """Name what two people solved and we booked since then: twice, or with another sum.

    On whatever day that is, closed ones too: nothing else reads their movements again.
    """
    for keys in batched(corrections.to_look_at(gateway), BATCH):
        rows = SettlementEntry.objects.filter(pk__in=keys)
        matching.link(gateway, rows)
        part = list(rows.select_related(*_ABOUT_ROW).order_by("pk"))
        judged = [found for found in matching.judge(part, settling(gateway)) if found is not None]
        _note_each(found for found in judged if found.kind in {_K.AMOUNT, _K.CURRENCY})


def _came_there(gateway: str, part: Iterable[Break]) -> list[Break]:
    """Return those whose booking a movement was found for by now."""
    bookings = {int(one.key.split(":")[1]): one for one in part}
    days = LedgerTransaction.objects.filter(pk__in=bookings).values_list("day", flat=True)
    still = {
        pk
        for day in sorted(set(days))
        for pk in unsettled(gateway, day).filter(pk__in=bookings).values_list("pk", flat=True)
    }
    return [one for pk, one in bookings.items() if pk not in still]


def _heal(found: Break) -> bool:
    with transaction.atomic():
        if found.state == Break.State.PROPOSED and found.approval is not None:
            approvals.void(found.approval, why=_("The missing side came by itself."))
        changes = {"state": Break.State.HEALED, "solved_at": timezone.now()}
        if not update_where(found, Q(state__in=_OPEN), actor=None, changes=changes):
            return False
        if found.entry is not None and not found.entry.breaks.exclude(pk=found.pk).exists():
            _book([found.entry])
        facts = {"kind": found.kind, "gateway": found.gateway, "day": str(found.day)}
        record(HEALED, actor=None, subject=found, also=_about(found), context=facts)
    return True


def sums(
    gateway: str, day: date, *, until: datetime | None = None
) -> dict[str, dict[str, list[int]]]:
    """Return currency -> kind of movement -> ours, theirs, and how many of both; minor units.

    `until` leaves out rows that came later: a closed day was an account without them.
    """
    found: dict[str, dict[str, list[int]]] = {}
    bookings = LedgerEntry.objects.filter(
        account=Account.CLEARING, transaction__gateway=gateway, transaction__day=day
    )
    grouped = bookings.order_by().values_list("currency", "transaction__kind")
    for currency, kind, minor, count in grouped.annotate(Sum("minor"), Count("pk")):
        side = found.setdefault(currency, {}).setdefault(_OWN[kind], [0, 0, 0, 0])
        side[0] += minor
        side[2] += count
    entries = SettlementEntry.objects.filter(gateway=gateway, day=day).order_by()
    entries = entries.filter(source__at__lte=until) if until else entries
    columns = entries.values_list("currency", "kind")
    totals = columns.annotate(Sum("amount_minor"), Sum("fee_minor"), Count("pk"))
    for currency, kind, minor, fee, count in totals:
        kinds = found.setdefault(currency, {})
        side = kinds.setdefault(kind, [0, 0, 0, 0])
        side[1] += minor
        side[3] += count
        if fee:
            kinds.setdefault(str(MovementKind.FEE), [0, 0, 0, 0])[1] -= fee
    return found


_OWN: dict[str, str] = {str(booking): str(kind) for booking, kind in MOVEMENT_OF.items()} | {
    "fee": "fee",
    "payout": "payout",
    "adjustment": "adjustment",
}


def source_days(source: SettlementImport) -> list[date]:
    """Return the days that a settlement says something about, the oldest first."""
    days = set(source.entries.order_by().values_list("day", flat=True).distinct())
    return sorted(days | ({source.day} if source.day else set()))
