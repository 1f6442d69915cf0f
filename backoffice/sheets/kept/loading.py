"""The job that reads a kept sheet.

The file goes the way of every stranger's file (guard, child process). Its cells are put away raw,
block by block; when all are known each column gets its kind and is written again as such. A killed
job begins anew; nobody sees a sheet before it is whole.
"""

import json
from array import array
from collections.abc import Iterator
from datetime import datetime
from itertools import batched
from typing import Any, Final

from django.utils.translation import gettext as _

from backoffice.jobs import registry
from backoffice.jobs.run import CancelledError, JobError, JobRun, LostError
from backoffice.sheets.errors import ReadError
from backoffice.sheets.kept import recognise, vault
from backoffice.sheets.kept.columns import DAY, Cell, Column, Kind
from backoffice.sheets.kept.keeping import KEEP
from backoffice.sheets.kept.recognise import Guess, Raw, Reading
from backoffice.sheets.kept.vault import Vault
from backoffice.sheets.models import KeptBlock, KeptSheet
from backoffice.sheets.reading import reader
from backoffice.sheets.reading.guard import letters

_SECONDS: Final = 300
_LONGEST_LABEL: Final = 80
_MOST_COLUMNS: Final = 500


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
            and any(isinstance(cell, int) and cell % DAY for cell in cells),
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
