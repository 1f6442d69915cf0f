"""Whether settlements and ledger say the same: `manage.py money check --settlements`.

What the desk found is a difference already, so this is no rule of every night: it would find its
own differences again. It names those that are not solved, days that nobody compared, and, of the
days that were compared, each movement and each booking that differs without a difference of it.
"""

from collections.abc import Iterator
from datetime import date
from itertools import batched

from django.db.models import QuerySet

from backoffice.money import Money
from payments.gateways.base import MovementKind
from payments.gateways.settling import settling
from payments.models import Break, LedgerTransaction, ReconciledDay, SettlementEntry
from payments.services import closing, ledger, matching, reconciliation, settlements
from payments.services.alarms import Wrong
from payments.services.matching import MOVEMENT_OF

BATCH = 500
RULE = "settlement"
_OPEN = (Break.State.OPEN, Break.State.PROPOSED)
# States of a difference that tells of its row still; a healed one agrees by now.
_TELLING = (*_OPEN, Break.State.SOLVED)


def at_the_desk(since: date, until: date) -> Iterator[Wrong]:
    """Return what settlements and ledger say otherwise of days from `since` until before `until`.

    Closed days are left to the rule of closed days. A day counts once all accounts may be here that
    bring its late rows; gateways that tell no settlements are left out.
    """
    differences = Break.objects.filter(state__in=_OPEN, day__gte=since, day__lt=until)
    for found in differences.order_by("day", "pk").iterator(BATCH):
        yield _wrong(found, _both(found), found.gateway)
    for day in _days(since, until):
        waits = list(closing.not_matched(day))
        yield from (Wrong(RULE, f"day {day}", text, gateway=day.gateway) for text in waits)
        if not waits:
            yield from _movements(day)
            yield from _bookings(day)


def _wrong(row: Break | SettlementEntry | LedgerTransaction, text: str, gateway: str) -> Wrong:
    name = f"{row._meta.verbose_name} {row.pk}"
    return Wrong(RULE, name, text, row.payment_id, row.refund_id, gateway)


def _both(found: Break) -> str:
    """Return both sides of a difference in words."""
    sides = ((found.ours_minor, found.currency), (found.theirs_minor, found.their_currency))
    ours, theirs = (
        "none" if minor is None else str(Money(minor, currency)) for minor, currency in sides
    )
    return f"{found.get_kind_display()} on {found.day}: ours {ours}, theirs {theirs}"


def _days(since: date, until: date) -> list[ReconciledDay]:
    """Return the days that something was booked or settled on, over and not closed, in order."""
    names = {*settlements.offering(), *settlements.reading_files()}
    span = {"gateway__in": names, "day__gte": since, "day__lt": until}
    booked = LedgerTransaction.objects.filter(kind__in=MOVEMENT_OF, **span)
    days: set[tuple[str, date]] = set()
    for rows in (booked, SettlementEntry.objects.filter(**span)):
        days.update(rows.order_by().values_list("gateway", "day").distinct())
    known = {(row.gateway, row.day): row for row in ReconciledDay.objects.filter(**span)}
    found = [
        known.get(key) or ReconciledDay(gateway=key[0], day=key[1])
        for key in sorted(days)
        if key[1] + settling(key[0]).lag < settling(key[0]).today()
    ]
    return [row for row in found if row.state == ReconciledDay.State.OPEN]


def _movements(day: ReconciledDay) -> Iterator[Wrong]:
    """Return the movements of a day that differ, or whose fee is not booked, without a word."""
    rows = SettlementEntry.objects.filter(gateway=day.gateway, day=day.day)
    for part in _parts(rows.exclude(breaks__state__in=_TELLING)):
        for found in matching.judge(part, settling(day.gateway)):
            if found is not None:
                ours = found.ours or "none"
                text = f"{found.kind.label}: ours {ours}, theirs {found.theirs}"
                yield _wrong(found.entry, text, day.gateway)
        yield from _not_booked(part)


def _parts(rows: QuerySet[SettlementEntry]) -> Iterator[list[SettlementEntry]]:
    for part in batched(rows.select_related("payment").order_by("pk").iterator(BATCH), BATCH):
        yield list(part)


def _not_booked(part: list[SettlementEntry]) -> Iterator[Wrong]:
    """Return the movements whose fee or payout the ledger has not."""
    due = {f"settled:{one.pk}:fee": (one, ledger.kept(one)) for one in part}
    payouts = [one for one in part if one.kind == MovementKind.PAYOUT]
    due |= {f"settled:{one.pk}:payout": (one, -one.amount) for one in payouts}
    known = set(LedgerTransaction.objects.filter(key__in=due).values_list("key", flat=True))
    for key, (entry, amount) in due.items():
        if amount and key not in known:
            kind = key.rpartition(":")[2]
            yield _wrong(entry, f"{kind} of {amount} is not booked", entry.gateway)


def _bookings(day: ReconciledDay) -> Iterator[Wrong]:
    """Return the bookings of a day that no movement was found for, without a difference of it."""
    rows = reconciliation.unsettled(day.gateway, day.day)
    for part in batched(rows.iterator(BATCH), BATCH):
        keys = {f"booked:{one.pk}:{Break.Kind.MISSING_THERE}": one for one in part}
        told = Break.objects.filter(key__in=keys, state__in=_TELLING)
        known = set(told.values_list("key", flat=True))
        for key, one in keys.items():
            if key not in known:
                text = f"{one.get_kind_display()} of {day.day}: no movement is settled for it"
                yield _wrong(one, text, day.gateway)
