"""The check of a plain Resource: rows to columns, converted, validated, compared, and staged.

Reads only. Each part of some 2,000 rows is kept, with its problems, in a short transaction of its
own, while the child goes on parsing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from backoffice.sheets import formats, problems, staging, withheld
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportJob, Status
from backoffice.sheets.plain import ResourceFormat
from backoffice.sheets.problems import Problem, Text
from backoffice.sheets.reading import dialects
from backoffice.sheets.reading.reader import Batch as Read
from backoffice.sheets.writing import closed, comparing, engine, modes, ways
from backoffice.sheets.writing.converting import Bad, Source, sources
from backoffice.sheets.writing.forecast import Fence, Progress

TWICE: Final = "twice"
TAKEN: Final = "taken"

problems.register(
    {
        TWICE: Text(
            _("Row %(first)s and row %(row)s stand for the same record"),
            _("The first is taken. Leave one of them out."),
        ),
        TAKEN: Text(
            _("Another record has this value already"),
            _("Left out. Correct the cell."),
        ),
    }
)


@dataclass(slots=True)
class Batch:
    """Rows of one sheet as columns; `out` names those that cannot be taken, by index."""

    sheet: str
    numbers: list[int]
    cells: dict[str, list[Any]]
    values: dict[str, list[Any]] = field(default_factory=dict)
    out: set[int] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    pks: list[Any] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Return how many rows it has."""
        return len(self.numbers)

    def good(self) -> list[int]:
        """Return the indexes of the rows that nothing is wrong with so far."""
        return [index for index in range(self.size) if index not in self.out]


class Check:
    """The check of one file by one Resource."""

    def __init__(self, job: ImportJob, form: ResourceFormat) -> None:
        self.job, self.form = job, form
        self.resource = form.resource()
        self.sources: dict[str, Source] = sources(self.resource)
        self.counts = {"new": 0, "existing": 0}
        self.read = self.failed = self.skipped = 0
        self._lacking: dict[frozenset[str], dict[str, Bad]] = {}
        self._seen: dict[Any, int] = {}
        self._single: dict[str, dict[Any, int]] = {}
        self._first_skipped: tuple[str, int] | None = None

    def run(self, rows: Iterable[Read], progress: Progress, fence: Fence, total: int) -> None:
        """Stage every row with what becomes of it."""
        for number, batch in enumerate(self._batches(rows)):
            self._look_at(batch)
            self._keep(number, batch, fence)
            progress(self.read, max(total, self.read), str(self.form.label))
        self._tell_skipped(fence)

    def _batches(self, rows: Iterable[Read]) -> Iterator[Batch]:
        maps = {name: SheetMapping.from_json(self.job.mapping[name]) for name in self.job.chosen}
        dialect = dialects.of(self.job)
        read = {name: formats.column_reader(self.form, one, dialect) for name, one in maps.items()}
        for one in rows:
            yield Batch(one.sheet, list(one.numbers), read[one.sheet](one))

    def _look_at(self, batch: Batch) -> None:
        self._convert(batch)
        self._resolve(batch)
        self._compare(batch)
        # After it: where the first of two is refused, the second is taken.
        self._find_twice(batch)
        self._find_taken(batch)
        self._by_mode(batch)

    def _convert(self, batch: Batch) -> None:
        for column, cells in batch.cells.items():
            source = self.sources.get(column)
            if source is None:
                continue
            if source.reads:
                batch.values[source.name], bad = source.convert_with(cells, batch.cells)
            else:
                batch.values[source.name], bad = source.convert(cells)
            self._refuse(batch, column, bad)

    def _refuse(self, batch: Batch, column: str, bad: Mapping[int, Bad]) -> None:
        for index, one in bad.items():
            cell = batch.cells[column][index] if column in batch.cells else None
            told = self.form.problem(one, batch.sheet, batch.numbers[index], column, cell)
            batch.problems.append(withheld.guard(told, self._masked(batch, index)))
            batch.out.add(index)

    def _masked(self, batch: Batch, index: int) -> Iterator[Any]:
        """Yield the row's cells for masked fields, as they stand and as they were read."""
        for column in (one.key for one in self.form.masks()):
            source = self.sources.get(column)
            yield from batch.cells.get(column, [])[index : index + 1]
            yield from batch.values.get(source.name if source else "", [])[index : index + 1]

    def _resolve(self, batch: Batch) -> None:
        """Find the records that cells name; the staged values stay their natural keys."""
        for column, source in self.sources.items():
            if not source.is_reference or source.name not in batch.values:
                continue
            naturals = batch.values[source.name]
            found = source.resolve(naturals)
            bad = {
                index: found[one]
                for index, one in enumerate(naturals)
                if isinstance(found[one], Bad)
            }
            self._refuse(batch, column, bad)

    @cached_property
    def keys(self) -> list[Any]:
        """Return the model's fields that a record is found by."""
        return ways.keys_of(self.form.resource)

    @cached_property
    def closed(self) -> frozenset[str]:
        """Return the masked fields that the check tells nothing of."""
        return closed.fields(self.job.owner, self.form.model)

    @cached_property
    def has_rows(self) -> bool:
        """Whether the table held any row when it was first asked for."""
        return bool(self.resource.get_queryset().exists())

    def lacking(self, batch: Batch) -> dict[str, Bad]:
        """Return what a new record needs and no column of its sheet brings."""
        brought = frozenset(batch.values)
        if brought not in self._lacking:
            self._lacking[brought] = comparing.lacking(self.form.model, set(brought))
        return self._lacking[brought]

    def refuse_row(self, batch: Batch, index: int, bad: Bad, name: str) -> None:
        """Note that a record cannot be taken, at the column that brings the field, if one does."""
        column = next((key for key, one in self.sources.items() if one.name == name), "")
        self._refuse(batch, column, {index: bad})

    def _find_twice(self, batch: Batch) -> None:
        columns = [batch.values[one.name] for one in self.keys]
        keys: Sequence[Any] = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
        self._note_twice(batch, self._seen, keys, self.keys[0].name, batch.good())

    def _note_twice(
        self,
        batch: Batch,
        seen: dict[Any, int],
        keys: Sequence[Any],
        name: str,
        places: Iterable[int],
    ) -> None:
        for index in places:
            key, number = keys[index], batch.numbers[index]
            if key is None or seen.setdefault(key, number) == number:
                continue
            params = (("first", str(seen[key])), ("row", str(number)))
            self.refuse_row(batch, index, Bad(TWICE, params), name)

    def _compare(self, batch: Batch) -> None:
        found = comparing.compare(self, batch)
        batch.statuses = [Status.FAILED] * batch.size
        batch.pks = [None] * batch.size
        for index, (status, pk) in found.items():
            batch.statuses[index], batch.pks[index] = status, pk

    @cached_property
    def _unique(self) -> list[Any]:
        """Return the imported fields, beside the key, whose value no two records may share."""
        alone = len(self.keys) == 1
        return [
            one.stored
            for one in self.sources.values()
            if one.stored.unique
            and not one.stored.primary_key
            and not (alone and one.stored is self.keys[0])
            and not comparing.is_closed(one.stored)
        ]

    def _find_taken(self, batch: Batch) -> None:
        for stored in self._unique:
            if stored.name not in batch.values:
                continue
            values = batch.values[stored.name]
            places = [one for one in batch.good() if values[one] not in {None, ""}]
            seen = self._single.setdefault(stored.name, {})
            self._note_twice(batch, seen, values, stored.name, places)
            self._note_taken(batch, stored, [one for one in places if one not in batch.out])
        for index in batch.out:
            batch.statuses[index] = Status.FAILED

    def _note_taken(self, batch: Batch, stored: Any, places: Sequence[int]) -> None:
        writes = {Status.NEW, Status.CHANGED}
        mine = {
            batch.values[stored.name][one]: one for one in places if batch.statuses[one] in writes
        }
        if not mine:
            return
        rows = self.form.model._default_manager.filter(**{f"{stored.name}__in": list(mine)})
        for pk, value in rows.order_by().values_list("pk", stored.attname):
            index = mine.get(value)
            if index is not None and batch.pks[index] != pk:
                self.refuse_row(batch, index, Bad(TAKEN), stored.name)

    def _by_mode(self, batch: Batch) -> None:
        out = modes.left_alone(self.job.mode)
        places = [index for index, status in enumerate(batch.statuses) if status in out]
        if not places:
            return
        self._first_skipped = self._first_skipped or (batch.sheet, batch.numbers[places[0]])
        for index in places:
            batch.statuses[index] = Status.SKIPPED

    def _keep(self, number: int, batch: Batch, fence: Fence) -> None:
        part = staging.Part(
            self.form.dataset,
            number,
            self.read,
            [batch.sheet] * batch.size,
            batch.numbers,
            "".join(batch.statuses),
            batch.pks,
            batch.values,
            batch.cells if self.form.verdict.way == ways.Way.ROWS else {},
        )
        with transaction.atomic():
            fence()
            staging.put(self.job, part)
            engine.store_problems(self.job, sorted(batch.problems, key=lambda one: one.row))
        self._count(batch)

    def _count(self, batch: Batch) -> None:
        self.read += batch.size
        self.counts["new"] += batch.statuses.count(Status.NEW)
        for status in (Status.CHANGED, Status.UNCHANGED, Status.BRINGS):
            self.counts["existing"] += batch.statuses.count(status)
        self.failed += batch.statuses.count(Status.FAILED)
        self.skipped += batch.statuses.count(Status.SKIPPED)

    def _tell_skipped(self, fence: Fence) -> None:
        """Say once how many records the mode leaves alone: they may be all of them."""
        if self._first_skipped is None:
            return
        sheet, row = self._first_skipped
        told = Problem(modes.code(self.job.mode), sheet, row, count=self.skipped)
        told.dataset = self.form.dataset
        with transaction.atomic():
            fence()
            engine.store_problems(self.job, [told])

    def summary(self) -> dict[str, Any]:
        """Return what the pages show of the check."""
        return {
            "read": self.read,
            "ready": self.read - self.failed - self.skipped,
            "repeated": 0,
            "failed": self.failed,
            "skipped": self.skipped,
            "datasets": {self.form.dataset: self.counts},
            "sums": [self._sum().as_json()],
        }

    def _sum(self) -> formats.CheckSum:
        out = self.failed + self.skipped
        label = str(self.form.label)
        return formats.CheckSum(self.form.dataset, label, self.read, out, self.read - out)
