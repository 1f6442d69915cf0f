"""Settlements: what gateways say they moved, taken in once, whole or not at all.

A day is fetched from the gateway's API, or read from its file; both are read to the end before one
row is stored, and stored in one transaction. A row is known by its values: rows of overlapping days
and of the same file twice come in once, while equal rows of one file count as so many, so that what
was settled twice stays visible. What the settlement says about a refund that is open here is looked
up at once: a webhook that got lost heals with the next settlement.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import batched
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Min, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import (
    Gateway,
    GatewayUnavailableError,
    MovementKind,
    NotOfferedError,
    Outcome,
    PaymentUnknownError,
    SettlementRow,
)
from payments.gateways.settling import settling
from payments.models import Payment, Refund, SettlementEntry, SettlementImport
from payments.models.payment import REFERENCE
from payments.services import external

logger = logging.getLogger("payments")
TAKEN = verbs.register("payments.settlement_taken", gettext_lazy("Settlement taken in"))
BATCH = 1000
MOST_BACK = 13
"""Days before yesterday that are still fetched by the clock."""
# The longest values that are stored of a row; a longer one is an error of the row, never cut.
_LONGEST = {"reference": REFERENCE, "payment_reference": REFERENCE, "number": 80}
_S = Refund.State
# States that a settled movement has something new to say about.
_OPEN_TO = {
    MovementKind.REFUND: (_S.EXECUTING, _S.PENDING, _S.UNKNOWN, _S.NEEDS_REVIEW),
    MovementKind.REVERSAL: (_S.SUCCEEDED, _S.EXTERNAL),
}

type Progress = Callable[[int], object]
"""Told how many rows were read."""


@dataclass(slots=True)
class Checked:
    """What a settlement holds: `sums` is (kind, currency) -> rows, amount and fees in minor units.

    `days` are those of the movements.
    """

    rows: int = 0
    sums: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    days: set[date] = field(default_factory=set)

    def add(self, row: SettlementRow) -> None:
        """Count a row."""
        self.rows += 1
        self.days.add(row.occurred_on)
        sums = self.sums.setdefault((str(row.kind), row.amount.currency), [0, 0, 0])
        for place, minor in enumerate((1, row.amount.minor, row.fee.minor)):
            sums[place] += minor


class Spool:
    """Rows that were read, on the disk: they are looked at as a whole before one is stored."""

    def __init__(self, file: IO[bytes]) -> None:
        self.checked = Checked()
        self._file = file
        self._seen: Counter[bytes] = Counter()

    def read(self, rows: Iterable[SettlementRow]) -> Iterator[int]:
        """Write every row down, and yield how many there are so far.

        Raises what reading raises, and ValidationError for a value that is too long.
        """
        for row in rows:
            _check(row)
            self.checked.add(row)
            digest = _digest(row)
            self._seen[digest] += 1
            name = hashlib.sha256(digest + b":%d" % self._seen[digest]).hexdigest()
            self._file.write(json.dumps([name, *_plain(row)]).encode() + b"\n")
            yield self.checked.rows

    def rows(self) -> Iterator[list[Any]]:
        """Return the rows: hash, then as `_plain` has it."""
        self._file.seek(0)
        return (json.loads(line) for line in self._file)


def check_file(gateway: str, file: BinaryIO) -> Checked:
    """Read a settlement file to its end and say what it holds; nothing is stored.

    Raises BadSettlementError or ValidationError, which name row and column, and NotOfferedError.
    """
    with TemporaryFile() as disk:
        spool = Spool(disk)
        for _row in spool.read(gateways[gateway].read_settlement(file)):
            pass
    return spool.checked


def take_day(
    gateway: str, day: date, *, actor: User | None, tell: Progress | None = None
) -> SettlementImport:
    """Fetch a day from the gateway's API and store it; raises as `take` and the adapter do."""
    source = SettlementImport(gateway=gateway, source="api", day=day, by=actor)
    rows = _of_one_time(gateway, day)
    return take(source, rows, actor=actor, tell=tell)


def _of_one_time(gateway: str, day: date) -> Iterator[SettlementRow]:
    """Return the rows of a day, unless the day ends while they are read: then some may be missing.

    Whether an account is that of a whole day is told by when it was stored.
    """
    was_over = day < settling(gateway).today()
    yield from gateways[gateway].settlement(day)
    if not was_over and day < settling(gateway).today():
        raise ValidationError(_("The day ended while it was read. Fetch it once more."))


def take_file(
    gateway: str,
    file: BinaryIO,
    *,
    day: date | None,
    name: str,
    actor: User | None,
    tell: Progress | None = None,
) -> SettlementImport:
    """Store a settlement file; the same file again brings nothing and returns what it brought.

    `day` is the day that it accounts for. Raises as `take` and the adapter do.
    """
    digest = _sha256(file)
    known = SettlementImport.objects.filter(gateway=gateway, sha256=digest).first()
    if known is not None:
        return known
    source = SettlementImport(
        gateway=gateway, source="file", day=day, name=name[-120:], sha256=digest, by=actor
    )
    return take(source, gateways[gateway].read_settlement(file), actor=actor, tell=tell)


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def take(
    source: SettlementImport,
    rows: Iterable[SettlementRow],
    *,
    actor: User | None,
    tell: Progress | None = None,
) -> SettlementImport:
    """Store the rows that are new, all or none, and the import itself.

    `tell` is called now and then with how many rows were read. Raises PermissionDenied,
    ValidationError, BadSettlementError, GatewayUnavailableError.
    """
    require(actor)
    with TemporaryFile() as disk:
        spool = Spool(disk)
        for count in spool.read(rows):
            if tell is not None and count % BATCH == 0:
                tell(count)
        source.rows = spool.checked.rows
        with transaction.atomic():
            _store(source, spool)
            facts = {
                "gateway": source.gateway,
                "day": str(source.day or ""),
                "rows": source.rows,
                "new": source.new_rows,
            }
            record(TAKEN, actor=actor, subject=source, context=facts)
    return source


def _store(source: SettlementImport, spool: Spool) -> None:
    source.save()
    for part in batched(spool.rows(), BATCH):
        entries = [_entry(source, row) for row in part]
        SettlementEntry.objects.bulk_create(entries, ignore_conflicts=True)
    source.new_rows = source.entries.count()
    source.save(update_fields=["new_rows"])


def require(actor: User | None) -> None:
    """Raise PermissionDenied for a person who may not; None is the machine, by the clock."""
    if actor is not None and not (actor.is_active and actor.has_perm("payments.match_day")):
        raise PermissionDenied


def look_up_open(source: SettlementImport) -> int:
    """Look up the refunds that the settlement tells more about than we know; return how many.

    Outside of any transaction: the gateway is asked. What cannot be worked on is logged, and stays
    a difference: the rows are stored, and their days have to be matched.
    """
    payments: set[int] = set()
    for kind, states in _OPEN_TO.items():
        rows = source.entries.filter(kind=kind).order_by("pk").iterator(BATCH)
        for part in batched(rows, BATCH):
            for refund in _open(source.gateway, part, states):
                if _looked_up(kind, refund, part):
                    payments.add(refund.payment_id)
    return len(payments)


def _looked_up(kind: str, refund: Refund, rows: Iterable[SettlementEntry]) -> bool:
    """Look one up; say whether that could be done."""
    try:
        if not _looked_at(refund.payment) and _is_harmless(kind, refund):
            _believe(refund, rows)
    except Exception:
        # One payment that cannot be worked on must not keep a whole account from being matched.
        logger.exception("payment %s could not be looked up", refund.payment_id)
        return False
    return True


def _open(gateway: str, rows: Iterable[SettlementEntry], states: Iterable[str]) -> list[Refund]:
    references = [row.reference for row in rows if row.reference]
    numbers = [row.number for row in rows if _is_number(row.number)]
    known = Q(gateway_ref__in=references) | Q(number__in=numbers)
    found = Refund.objects.filter(known, gateway=gateway, state__in=states)
    return list(found.select_related("payment").order_by("pk"))


def _looked_at(payment: Payment) -> bool:
    """Read the payment at the gateway; False where the gateway has nothing to read back."""
    with suppress(GatewayUnavailableError, PaymentUnknownError):
        try:
            external.look_at(payment)
        except NotOfferedError:
            return False
    return True


def _is_harmless(kind: str, refund: Refund) -> bool:
    """Say whether the account's word alone may count, which one person may have typed.

    That money went out which we sent keeps it held. What would free money, or end what two people
    look at, stays a difference: they solve it.
    """
    return kind == MovementKind.REFUND and refund.state in (_S.PENDING, _S.UNKNOWN)


def _believe(refund: Refund, rows: Iterable[SettlementEntry]) -> None:
    """Take the settlement's word, where the gateway has nothing to read back."""
    if gateways[refund.gateway].caps.by_hand:
        return
    row = next((row for row in rows if _is_of(row, refund)), None)
    if row is None:
        return
    gone = row.kind == MovementKind.REFUND
    word = external.Word(
        reference=row.reference,
        number=str(refund.number),
        amount=Money(abs(row.amount_minor), row.currency),
        outcome=Outcome.SUCCEEDED if gone else Outcome.FAILED,
    )
    external.hear(refund.payment, word)


def _is_of(row: SettlementEntry, refund: Refund) -> bool:
    """Say whether a row is about the refund; a report may spell our number in its own way."""
    if row.reference and refund.gateway_ref == row.reference:
        return True
    return _is_number(row.number) and UUID(row.number) == refund.number


def is_fetched(gateway: str, day: date) -> bool:
    """Say whether the account of the whole day is here: taken after the end of the day.

    Where the gateway's API tells settlements, only what it told counts: a file may hold one row
    that somebody typed. It is matched, and the API is asked all the same. Elsewhere a file counts
    that was given for the day, or that holds rows of it: reports of several days.
    """
    after = settling(gateway).begin(day + timedelta(days=1))
    if gateway in offering():
        whole = Q(source="api", day=day)
    else:
        whole = Q(day=day) | Q(source="file", entries__day=day)
    return SettlementImport.objects.filter(whole, gateway=gateway, at__gte=after).exists()


def offering() -> list[str]:
    """Return the gateways whose API tells settlements."""
    return [name for name in gateways if _offers(name, "settlement")]


def reading_files() -> list[str]:
    """Return the gateways whose files can be read."""
    return [name for name in gateways if _offers(name, "read_settlement")]


def _offers(name: str, method: str) -> bool:
    return getattr(type(gateways[name]), method) is not getattr(Gateway, method)


def due(gateway: str) -> list[date]:
    """Return the last days that are over and were not fetched.

    As far back as rows may be late; days in which the API could not be read, for two weeks.
    """
    how = settling(gateway)
    yesterday = how.today() - timedelta(days=1)
    back = max(how.lag.days, min((yesterday - _first(gateway, yesterday)).days, MOST_BACK))
    days = [yesterday - timedelta(days=one) for one in range(back, -1, -1)]
    return [day for day in days if not is_fetched(gateway, day)]


def _first(gateway: str, yesterday: date) -> date:
    """Return the first day that the API was read for: what lies before is nobody's gap."""
    read = SettlementImport.objects.filter(gateway=gateway, source="api", day__lte=yesterday)
    first: date | None = read.aggregate(Min("day"))["day__min"]
    return first or yesterday


def _check(row: SettlementRow) -> None:
    for name, longest in _LONGEST.items():
        if len(getattr(row, name)) > longest:
            text = _("%(place)s, %(column)s: more than %(longest)s characters.")
            raise ValidationError(text % {"place": row.place, "column": name, "longest": longest})


def _plain(row: SettlementRow) -> list[Any]:
    return [
        row.occurred_on.isoformat(),
        str(row.kind),
        row.reference,
        row.payment_reference,
        row.number,
        row.amount.minor,
        row.fee.minor,
        row.amount.currency,
        row.place[:40],
    ]


def _digest(row: SettlementRow) -> bytes:
    """Return what makes the row the same wherever it stands."""
    return hashlib.sha256(json.dumps(_plain(row)[:-1]).encode()).digest()[:16]


def _entry(source: SettlementImport, row: list[Any]) -> SettlementEntry:
    name, day, kind, reference, payment, number, amount, fee, currency, place = row
    return SettlementEntry(
        gateway=source.gateway,
        source=source,
        row_hash=name,
        day=date.fromisoformat(day),
        kind=kind,
        reference=reference,
        payment_reference=payment,
        number=number,
        amount_minor=amount,
        fee_minor=fee,
        currency=currency,
        place=place,
    )


def _is_number(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
