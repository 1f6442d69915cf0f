"""Keeping a sheet as a table: the verbs, and the job that reads the file.

The file goes the way of every stranger's file (guard, child process). Its cells are put away raw,
block by block; when all are known each column gets its kind and is written again as such. A killed
job begins anew; nobody sees a sheet before it is whole.
"""

import json
import logging
from array import array
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import sealed
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.files import sealing
from backoffice.jobs import registry
from backoffice.jobs import services as jobs
from backoffice.jobs.models import Job
from backoffice.jobs.run import CancelledError, JobError, JobRun, LostError
from backoffice.policy import register_scope
from backoffice.policy.registry import STAFF
from backoffice.sheets import answers, dialects, reader
from backoffice.sheets.errors import ReadError
from backoffice.sheets.guard import letters
from backoffice.sheets.kept import recognise, vault
from backoffice.sheets.kept.columns import Cell, Column, Kind
from backoffice.sheets.kept.recognise import Guess, Raw, Reading
from backoffice.sheets.kept.vault import Vault
from backoffice.sheets.models import ImportJob, KeptBlock, KeptChart, KeptJoin, KeptSheet

logger = logging.getLogger("backoffice.sheets")
KEEP: Final = "sheets.keep"
KEPT = verbs.register("sheets.kept", gettext_lazy("Sheet kept as a table"))
SHARED = verbs.register("sheets.shared", gettext_lazy("Kept sheet shared, or shared no more"))
MASKED = verbs.register("sheets.masked", gettext_lazy("Column of a kept sheet masked"))
DROPPED = verbs.register("sheets.dropped", gettext_lazy("Kept sheet deleted"))
ADD, VIEW, OVERSEE, EXPORT = (
    f"sheets.{name}_keptsheet" for name in ("add", "view", "oversee", "export")
)
LASTS: Final = {
    30: gettext_lazy("30 days"),
    365: gettext_lazy("A year"),
    0: gettext_lazy("Until deleted"),
}
_SECONDS: Final = 300
_LONGEST_LABEL: Final = 80
_MOST_COLUMNS: Final = 500
_COLUMNS_AT_ONCE: Final = 20


def visible(user: Any, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the kept things that a person may see: their own, shared ones, all to overseers."""
    if user.has_perm(OVERSEE):
        return rows
    return rows.filter(Q(owner=user.pk) | Q(shared=True))


register_scope(KeptSheet, STAFF, visible)
register_scope(KeptJoin, STAFF, visible)


def must(actor: User, *rights: str) -> None:
    """Raise PermissionDenied for a person without one of the rights."""
    if not all(actor.has_perm(right) for right in rights):
        raise PermissionDenied


def must_own(thing: KeptSheet | KeptJoin | KeptChart, actor: User) -> None:
    """Raise PermissionDenied unless the person may write and it is theirs."""
    must(actor, ADD)
    if thing.owner_id != actor.pk:
        raise PermissionDenied


def keep(
    source: ImportJob,
    *,
    actor: User,
    name: str,
    sheet: str,
    header_row: int,
    shared: bool = False,
    days: int = 30,
) -> KeptSheet:
    """Begin to keep a sheet of an uploaded file as a table; a job reads it.

    Raises PermissionDenied, ValidationError for a name that is taken or a sheet that is not there.
    """
    must(actor, ADD)
    if source.owner_id != actor.pk:
        raise PermissionDenied
    if not source.file or sheet not in {one["name"] for one in source.sheets}:
        raise ValidationError(_("Upload the file again and choose one of its sheets."))
    if must_say(source):
        raise ValidationError(_("Say first how the text of the file is written."))
    _free_name(name, actor)
    kept = KeptSheet(
        owner=actor,
        name=name.strip(),
        shared=shared,
        file_name=source.original_name,
        sheet=sheet,
        header_row=header_row,
        source=source,
        expires_at=timezone.now() + timedelta(days=days) if days else None,
    )
    kept.sealed_key = sealing.new_key(kept.use)
    with transaction.atomic():
        kept.save()
        kept.job = jobs.start(
            KEEP, actor=actor, title=source.original_name, params={"kept": kept.pk}
        )
        kept.save(update_fields=["job"])
        facts = {"sha256": source.sha256, "shared": shared, "days": days}
        record(KEPT, actor=actor, subject=kept, context=facts)
    return kept


def must_say(source: ImportJob) -> bool:
    """Whether somebody has to say first how a csv file is written.

    Marks of decimals and the order of dates are read off whole columns here; those that may be
    read in two ways stay text.
    """
    if not answers.must_say_dialect(source):
        return False
    guess = dialects.guess(source)
    return guess is None or not set(guess.unsure) <= {"decimal", "thousands", "dates"}


def _free_name(name: str, actor: User) -> None:
    if not name.strip():
        raise ValidationError({"name": _("Give the table a name.")})
    if KeptSheet.objects.filter(owner=actor, name=name.strip()).exists():
        raise ValidationError({"name": _("You keep a sheet of this name already.")})


def share(kept: KeptSheet | KeptJoin, shared: bool, *, actor: User) -> None:  # noqa: FBT001
    """Let everybody with the right to view kept sheets see it, or only its owner."""
    must_own(kept, actor)
    with transaction.atomic():
        type(kept)._default_manager.filter(pk=kept.pk).update(shared=shared)
        record(SHARED, actor=actor, subject=kept, context={"shared": shared})
    kept.shared = shared


def mask(kept: KeptSheet, ref: str, *, actor: User) -> None:
    """Mask a further column for everybody. Raises ValidationError for one that is none.

    Its order goes, and with it joins and charts that would go on telling of its values.
    """
    must_own(kept, actor)
    found = next((one for one in columns_of(kept) if one.ref == ref and not one.mask), None)
    if found is None or found.kind is not Kind.TEXT:
        raise ValidationError(_("Only a column of text can be masked."))
    with transaction.atomic():
        columns = [
            {**values, "mask": "text"} if values["index"] == found.index else values
            for values in kept.columns
        ]
        KeptSheet.objects.filter(pk=kept.pk).update(columns=columns)
        kept.blocks.filter(kind=KeptBlock.Kind.ORDER, column=found.index).delete()
        kept.joins.filter(left_column=found.index).delete()
        kept.joins_as_right.filter(right_column=found.index).delete()
        _charts_of(kept, found).delete()
        record(MASKED, actor=actor, subject=kept, context={"column": found.index})
    kept.columns = columns


def _charts_of(kept: KeptSheet, column: Column) -> QuerySet[KeptChart]:
    ref = column.ref
    return KeptChart.objects.filter(
        Q(sheet=kept, group=ref)
        | Q(join__left=kept, group=f"l.{ref}")
        | Q(join__right=kept, group=f"r.{ref}")
    )


def drop(thing: KeptSheet | KeptJoin | KeptChart, *, actor: User) -> None:
    """Delete it, with what was made of it. Raises PermissionDenied."""
    must_own(thing, actor)
    with transaction.atomic():
        context = {"kind": thing._meta.model_name, "rows": getattr(thing, "rows", 0)}
        record(DROPPED, actor=actor, subject=thing, context=context)
        thing.delete()


@registry.every(
    seconds=3600, name="sheets.expire", label=gettext_lazy("Delete expired kept sheets")
)
def expire() -> int:
    """Delete the kept sheets whose time is over; return how many."""
    due = KeptSheet.objects.filter(expires_at__lte=timezone.now()).order_by("pk")
    for kept in due:
        with transaction.atomic():
            record(
                DROPPED, actor=None, subject=kept, context={"kind": "keptsheet", "expired": True}
            )
            kept.delete()
    return len(due)


@registry.every(seconds=30, name="sheets.kept_tidy", label=gettext_lazy("Tidy up kept sheets"))
def tidy() -> None:
    """Say of sheets whose job ended without them (stopped, or lost for good) that they failed."""
    ended = [Job.State.CANCELLED, Job.State.FAILED]
    loading = KeptSheet.objects.filter(state=KeptSheet.State.LOADING, job__state__in=ended)
    for kept in loading.select_related("job"):
        assert kept.job is not None  # noqa: S101 - the filter asks for one
        failed = {"state": KeptSheet.State.FAILED, "message": kept.job.message}
        KeptSheet.objects.filter(pk=kept.pk, state=KeptSheet.State.LOADING).update(**failed)


def columns_of(kept: KeptSheet) -> list[Column]:
    """Return the columns in the order of the sheet."""
    return [Column.from_json(values) for values in kept.columns]


@registry.handler(KEEP, again=False)
def run_keep(run: JobRun) -> dict[str, Any]:
    """Read the file and write the table; what a killed try left is thrown away first."""
    kept = KeptSheet.objects.select_related("source").get(pk=run.params["kept"])
    try:
        loading = _Loading(kept, run)
        loading.read()
        columns = loading.finish()
    except (CancelledError, ReadError) as error:
        _fail(kept, run, str(error) or _("Stopped on request."))
        if isinstance(error, ReadError):
            raise JobError(str(error)) from None
        raise
    except LostError:
        raise
    except Exception:
        _fail(
            kept, run, _("Something went wrong. Quote %(number)s.") % {"number": run.job.public_id}
        )
        raise
    with run.effect():
        values = {"columns": columns, "rows": loading.rows, "state": KeptSheet.State.READY}
        KeptSheet.objects.filter(pk=kept.pk).update(**values)
    return {"rows": loading.rows, "columns": len(columns)}


def _fail(kept: KeptSheet, run: JobRun, message: str) -> None:
    with run.effect():
        kept.blocks.all().delete()
        KeptSheet.objects.filter(pk=kept.pk).update(
            state=KeptSheet.State.FAILED, message=message[:300]
        )


class _Loading:
    """One try at reading a file into blocks."""

    def __init__(self, kept: KeptSheet, run: JobRun) -> None:
        if kept.source is None or not kept.source.file:
            raise ReadError(_("The file is not kept any more. Upload it again."))
        self.kept, self.run = kept, run
        self.source = kept.source
        self.vault = Vault(kept)
        self.guesses: list[Guess] = []
        self.rows = 0
        described = {one["name"]: one["rows"] for one in kept.source.sheets}
        self.expected = described.get(kept.sheet, 0)
        with run.effect():
            kept.blocks.all().delete()

    def read(self) -> None:
        """Put the raw cells away, and learn what each column may be. Raises ReadError."""
        for part, rows in enumerate(batched(self._below_header(), vault.SIZE)):
            width = max(len(self.guesses), *(len(row.cells) for row in rows))
            self._widen(width)
            with self.run.effect():
                KeptBlock.objects.bulk_create(self._drafts(part, rows))
            self.rows += len(rows)
            self.run.progress(min(self.rows, self.expected), self.expected * 2, _("Reading rows"))
        if not self.rows:
            raise ReadError(_("There are no rows below the header."))

    def _below_header(self) -> Iterator[reader.RawRow]:
        for row in reader.rows(self.source, sheets=[self.kept.sheet], seconds=_SECONDS):
            if row.number == self.kept.header_row:
                self._name(row)
            elif row.number > self.kept.header_row:
                yield row

    def _name(self, row: reader.RawRow) -> None:
        for cell in row.cells:
            self._widen(len(self.guesses) + 1, recognise.text_of(_raw(cell)))

    def _widen(self, width: int, label: str = "") -> None:
        if width > _MOST_COLUMNS:
            raise ReadError(
                _("The sheet has more than %(most)s columns.") % {"most": _MOST_COLUMNS}
            )
        while len(self.guesses) < width:
            taken = {guess.header for guess in self.guesses}
            plain = " ".join(label.split())[:_LONGEST_LABEL] or letters(len(self.guesses) + 1)
            free, number = plain, 2
            while free in taken:
                free, number = f"{plain} ({number})", number + 1
            said = getattr(self.source, "dialect", None) or {}
            dates = str(said.get("dates", ""))
            self.guesses.append(Guess(free, str(said.get("decimal", "")), dates))

    def _drafts(self, part: int, rows: tuple[reader.RawRow, ...]) -> Iterator[KeptBlock]:
        for index, guess in enumerate(self.guesses):
            cells = [_raw(row.cells[index]) if index < len(row.cells) else None for row in rows]
            guess.see(cells)
            clear = json.dumps(cells, ensure_ascii=False).encode("utf-8", "surrogatepass")
            yield self.vault.block(self.kept, KeptBlock.Kind.DRAFT, index, part, clear)

    def finish(self) -> list[dict[str, Any]]:
        """Write each column as what it is; return the columns as plain JSON."""
        made = []
        readings, beside = self._readings()
        for index in range(len(self.guesses)):
            made.append(self._column(index, readings[index], beside.get(index)).as_json())
            done = self.expected * (len(self.guesses) + index + 1) // len(self.guesses)
            self.run.progress(min(done, self.expected * 2), self.expected * 2, _("Sorting columns"))
        with self.run.effect():
            self.kept.blocks.filter(kind=KeptBlock.Kind.DRAFT).delete()
        return made

    def _readings(self) -> tuple[list[Reading], dict[int, int]]:
        """Return how each column is read, and for amounts the column of their currencies."""
        readings = [guess.decide() for guess in self.guesses]
        currencies = [index for index, guess in enumerate(self.guesses) if guess.is_currency]
        beside: dict[int, int] = {}
        if len(currencies) == 1:
            codes = self.guesses[currencies[0]].codes
            for index, guess in enumerate(self.guesses):
                paid = guess.is_paid_in(codes)
                if paid is not None:
                    readings[index], beside[index] = paid, currencies[0]
        return readings, beside

    def _raw(self, index: int) -> Iterator[tuple[int, list[Raw]]]:
        """Yield the raw cells of a column by part; a column that came later is empty before."""
        parts = -(-self.rows // vault.SIZE)
        rows = self.kept.blocks.filter(kind=KeptBlock.Kind.DRAFT, column=index)
        found = set(rows.values_list("part", flat=True))
        for part in range(parts):
            size = min(vault.SIZE, self.rows - part * vault.SIZE)
            if part not in found:
                yield part, [None] * size
                continue
            clear = self.vault.clear(rows.get(part=part))
            yield part, json.loads(clear.decode("utf-8", "surrogatepass"))

    def _column(self, index: int, reading: Reading, beside: int | None) -> Column:
        """Write the blocks of a column and its order, and return what is known of it."""
        guess, cells, errors = self.guesses[index], [], 0
        if reading.kind is not Kind.TEXT and not self._fits(index, reading):
            reading = Reading(Kind.TEXT)
        own = reading.kind is Kind.MONEY and not reading.currency
        money: list[str] = []
        for part, raws in self._raw(index):
            block = _read(reading, raws)
            errors += sum(map(recognise.is_error, raws))
            cells.extend(block)
            if own:
                money.extend(self._currencies(reading, part, raws, beside))
            self._write(index, part, reading, block, money[-len(block) :] if own else [])
        mask = guess.mask
        if not mask:
            self._order(index, cells, reading)
        return Column(
            ref=f"c{index}",
            label=guess.header,
            kind=reading.kind,
            index=index,
            scale=reading.scale,
            currency=reading.currency,
            times=reading.kind is Kind.DATE
            and any(isinstance(cell, int) and cell % 86_400 for cell in cells),
            mask=mask,
            empty=sum(cell is None or cell == "" for cell in cells),
            errors=errors,
            totals=_totals(reading, cells, money),
        )

    def _fits(self, index: int, reading: Reading) -> bool:
        return all(
            recognise.is_small([cell for cell in _read(reading, raws) if isinstance(cell, int)])
            for _part, raws in self._raw(index)
        )

    def _currencies(
        self, reading: Reading, part: int, raws: list[Raw], beside: int | None
    ) -> list[str]:
        if beside is None:
            return [reading.currency_of(raw) for raw in raws]
        rows = self.kept.blocks.filter(kind=KeptBlock.Kind.DRAFT, column=beside, part=part)
        clear = self.vault.clear(rows.get())
        return [
            recognise.text_of(raw) for raw in json.loads(clear.decode("utf-8", "surrogatepass"))
        ]

    def _write(
        self, index: int, part: int, reading: Reading, cells: list[Cell], money: list[str]
    ) -> None:
        kinds = KeptBlock.Kind
        packed = (
            vault.pack_texts([str(cell or "") for cell in cells])
            if reading.kind is Kind.TEXT
            else vault.pack_numbers([cell if isinstance(cell, int) else None for cell in cells])
        )
        blocks = [self.vault.block(self.kept, kinds.VALUES, index, part, packed)]
        if money:
            texts = vault.pack_texts(money)
            blocks.append(self.vault.block(self.kept, kinds.CURRENCY, index, part, texts))
        with self.run.effect():
            KeptBlock.objects.bulk_create(blocks)

    def _order(self, index: int, cells: list[Cell], reading: Reading) -> None:
        keys: list[Any] = cells
        if reading.kind is Kind.TEXT:
            keys = [str(cell).casefold() or None for cell in cells]
        places: array[int] = recognise.in_order(keys)
        clear = vault.pack_places(places)
        with self.run.effect():
            self.vault.block(self.kept, KeptBlock.Kind.ORDER, index, 0, clear).save()


def _read(reading: Reading, raws: list[Raw]) -> list[Cell]:
    """Return the cells of a block; each different text is read once."""
    known: dict[Any, Cell] = {}
    cells: list[Cell] = []
    for raw in raws:
        if isinstance(raw, dict):
            cells.append(reading.cell(raw))
            continue
        key = (type(raw), raw)
        if key not in known:
            known[key] = reading.cell(raw)
        cells.append(known[key])
    return cells


def _totals(reading: Reading, cells: list[Cell], money: list[str]) -> dict[str, int]:
    """Return the exact sum of a column by currency ("" for plain numbers)."""
    if reading.kind is Kind.TEXT or reading.kind is Kind.DATE:
        return {}
    if not money:
        return {reading.currency: sum(cell for cell in cells if isinstance(cell, int))}
    sums: dict[str, int] = {}
    for cell, code in zip(cells, money, strict=True):
        if isinstance(cell, int):
            sums[code] = sums.get(code, 0) + cell
    return sums


def _raw(value: reader.Value) -> Raw:
    """Return a cell as plain JSON."""
    if isinstance(value, reader.CellError):
        return {"x": value.code}
    if isinstance(value, datetime):
        return {"d": value.isoformat()}
    return value


def _rewrite(row: KeptSheet, change: sealed.Change) -> dict[str, Any]:
    return {"sealed_key": change(row.sealed_key, row.use)}


sealed.register("kept sheets", KeptSheet, _rewrite, lambda: ~Q(sealed_key=""))
