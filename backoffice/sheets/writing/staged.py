"""Writing what the check of a plain Resource staged: set-based, or in bulk with objects."""

import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, takewhile
from typing import Any, Final, overload

from django.db import connection, connections, router, transaction
from django.db.models import Model
from django.utils import timezone

from backoffice import refusals
from backoffice.accounts.models import User
from backoffice.masking.fields import masked_fields
from backoffice.sheets import staging, withheld
from backoffice.sheets.formats import CheckSum, Derivation
from backoffice.sheets.models import ImportJob, Status
from backoffice.sheets.plain import ResourceFormat
from backoffice.sheets.resources import Plan, Step
from backoffice.sheets.staging import Part, Staged
from backoffice.sheets.writing import comparing, engine, modes, present, spans, statements, ways
from backoffice.sheets.writing.byrow import RowWriter
from backoffice.sheets.writing.converting import Bad, Source, sources
from backoffice.sheets.writing.engine import Fence, Progress
from backoffice.sheets.writing.statements import Signature, Upsert, Written

_SECONDS: Final = {"sqlite": 0.1, "postgresql": 0.5}
"""How long a transaction of the database's own statements should take."""
_PARTS: Final = 10
_WRITES: Final = frozenset({Status.NEW, Status.CHANGED, Status.UNCHANGED, Status.BRINGS})


class StagedRecords(Sequence[Staged]):
    """The staged records of a data set; holds one part."""

    def __init__(self, job: ImportJob, dataset: str) -> None:
        self.job, self.dataset = job, dataset
        parts = job.parts.filter(dataset=dataset).order_by("number")
        ends = list(accumulate(parts.values_list("records", flat=True)))
        self._size = ends[-1] if ends else 0
        self._starts = [0, *ends[:-1]] if ends else []
        self._held: Part | None = None

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> Staged: ...
    @overload
    def __getitem__(self, place: slice) -> list[Staged]: ...
    def __getitem__(self, place: int | slice) -> Staged | list[Staged]:
        if isinstance(place, int):
            return self._one(place)
        return [self._one(index) for index in range(*place.indices(self._size))]

    def place(self, index: int) -> tuple[int, int]:
        """Return the number of the part that a record stands in, and its place there."""
        number = bisect_right(self._starts, index) - 1
        return number, index - self._starts[number]

    def parts(self, index: int, count: int) -> list[int]:
        """Return the numbers of `count` parts from that of a record on, as far as there are."""
        number, _within = self.place(index)
        return list(range(number, min(number + count, len(self._starts))))

    def _one(self, index: int) -> Staged:
        number, within = self.place(index)
        if self._held is None or self._held.number != number:
            self._held = staging.load(self.job, self.dataset, number)
        return self._held.record(within)


class StagedStep(Step):
    """Plans staged records with objects of the model, as forms would make them."""

    def __init__(self, job: ImportJob, form: ResourceFormat) -> None:
        self.form, self.dataset, self.label = form, form.dataset, form.label
        self.resource = form.resource()
        self.keys = ways.keys_of(form.resource)
        self.sources: dict[str, Source] = sources(self.resource)
        self.staged = StagedRecords(job, form.dataset)
        self._by_name = {one.name: (key, one) for key, one in self.sources.items()}

    def records(self, derivation: Derivation) -> Sequence[Any]:
        """Return the staged records."""
        return self.staged

    def plan(self, records: Sequence[Any], derivation: Derivation) -> Plan:
        """Compare the records with the database; only reads."""
        plan = Plan(self.form.model, fields=self._fields(records))
        plan.failed = sum(one.status == Status.FAILED for one in records)
        plan.skipped = sum(one.status == Status.SKIPPED for one in records)
        known = list(self._resolved([one for one in records if one.status in _WRITES], plan))
        names = [one.attname for one in self.keys]
        keys = [tuple(values.get(name) for name in names) for _record, values in known]
        present = comparing.objects(self.resource, self.keys, keys)
        for key, (record, values) in zip(keys, known, strict=True):
            self._sort(plan, record, values, present.get(key, []))
        return plan

    def _fields(self, records: Sequence[Staged]) -> list[str]:
        """Return the model's fields that a changed row is written with.

        Sheets may bring different columns: what one of them brings is written of all, and of the
        others it is what the row holds.
        """
        brought = dict.fromkeys(name for record in records for name in record.values)
        written = [name for name in brought if name not in {one.name for one in self.keys}]
        return written + [one.name for one in _clocks(self.form.model) if one.name not in written]

    def _resolved(
        self, records: Sequence[Staged], plan: Plan
    ) -> Iterator[tuple[Staged, dict[str, Any]]]:
        """Yield each record with its values by attribute of the model."""
        known = {
            name: source.resolve(record.values.get(name) for record in records)
            for name, (_column, source) in self._by_name.items()
            if source.is_reference
        }
        for record in records:
            values = {
                self._by_name[name][1].stored.attname: known[name][value]
                if name in known
                else value
                for name, value in record.values.items()
            }
            bad = next((one for one in values.items() if isinstance(one[1], Bad)), None)
            if bad is None:
                yield record, values
            else:
                self._refuse(plan, record, bad[0].removesuffix("_id"), bad[1])

    def _refuse(self, plan: Plan, record: Any, name: str, bad: Bad) -> None:
        column = self._by_name[name][0] if name in self._by_name else ""
        told = self.form.problem(bad, record.sheet, record.row, column, None)
        masked = [record.values.get(one.name) for one in masked_fields(self.form.model)]
        plan.refuse(record, withheld.guard(told, masked))

    def _sort(self, plan: Plan, record: Any, values: dict[str, Any], rows: list[Model]) -> None:
        instance = rows[0] if rows else self.form.model()
        if rows:
            plan.sees(instance)
        changed, bad = comparing.assign(instance, values, is_new=not rows)
        if bad is None and (changed or not rows):
            bad = comparing.refused(instance)
        if bad is not None or len(rows) > 1:
            name, why = bad or (self.keys[0].name, Bad("several-records"))
            self._refuse(plan, record, name, why)
        elif not rows:
            plan.create.append((instance, record))
            plan.note(record, Status.NEW)
        elif not changed:
            plan.unchanged += 1
            plan.note(record, Status.UNCHANGED, instance.pk)
        else:
            for one in _clocks(self.form.model):
                one.pre_save(instance, add=False)
            plan.update.append((instance, record))
            plan.note(record, Status.CHANGED, instance.pk)


def _clocks(model: Any) -> list[Any]:
    """Return the fields that note when a row changed."""
    return [one for one in model._meta.concrete_fields if getattr(one, "auto_now", False)]


class StagedWriter(engine.Writer):
    """Writes the staged records of a plain Resource with objects of its model."""

    def __init__(self, job: ImportJob, form: ResourceFormat, *, actor: User | None) -> None:
        self.step = StagedStep(job, form)
        self._prepare(job, Derivation({}), [self.step], actor)


class _LeftError(Exception):
    """Since the check rows came or went that the mode leaves alone: each has to be told."""


class FastWriter(StagedWriter):
    """Lets the database compare and write; what it refuses is written as by the base."""

    def __init__(self, job: ImportJob, form: ResourceFormat, *, actor: User | None) -> None:
        super().__init__(job, form, actor=actor)
        self.form = form
        self.connection: Any = connections[router.db_for_write(form.model)]
        self._parts = 1
        out = modes.unwanted(job.mode)
        self._does = {"creates": out != Status.NEW, "updates": out != Status.CHANGED}

    def run(self, progress: Progress, fence: Fence) -> None:
        """Write what is not written yet."""
        while self.job.phase < len(self.steps):
            progress(self.job.offset, self.sizes[0], str(self.step.label))
            part = self._next()
            began = time.monotonic()
            if part is None or not self._fast(part, fence):
                self._slowly(part, fence)
            self._adapt(time.monotonic() - began)

    def _adapt(self, seconds: float) -> None:
        limit = _SECONDS.get(connection.vendor, 0.1)
        if seconds > limit:
            self._parts = max(self._parts // 2, 1)
        elif seconds < limit / 3:
            self._parts = min(self._parts * 2, _PARTS)

    def _next(self) -> Part | None:
        """Return the next records as one part, from the checkpoint on; None when there are none."""
        offset = self.job.offset
        if offset >= self.sizes[0]:
            return None
        records = self.step.staged
        taken = [
            staging.load(self.job, self.form.dataset, number, decoded=False)
            for number in records.parts(offset, self._parts)
        ]
        alike = takewhile(lambda one: one.columns.keys() == taken[0].columns.keys(), taken)
        return _joined(list(alike), records.place(offset)[1])

    def _fast(self, part: Part, fence: Fence) -> bool:
        """Write a part by statements; False when the database refuses something in it."""
        good = [index for index, letter in enumerate(part.statuses) if letter in _WRITES]
        columns = self._columns(part, good)
        if columns is None:
            return False
        try:
            self._commit_part(part, columns if good else {}, fence)
        except (*refusals.REFUSED, _LeftError):
            return False
        return True

    def _columns(self, part: Part, good: list[int]) -> dict[str, list[Any]] | None:
        """Return attribute -> values as the database takes them; None where objects are needed."""
        whole = len(good) == len(part.statuses)
        result: dict[str, list[Any]] = {}
        for source in self.step.sources.values():
            if source.name not in part.columns:
                continue
            values = part.columns[source.name]
            values = values if whole else [values[index] for index in good]
            if source.is_reference:
                known = source.resolve(values)
                values = [known[one] for one in values]
                if any(isinstance(one, Bad) for one in known.values()):
                    return None
            else:
                values = statements.prepared(source.stored, values, self.connection)
            if source.stored.primary_key and None in values:
                return None
            result[source.stored.attname] = values
        return result

    def _commit_part(self, part: Part, columns: dict[str, list[Any]], fence: Fence) -> None:
        counters = {name: dict(counts) for name, counts in self.job.counters.items()}
        signature = Signature(self.actor, self.job.change_reason, timezone.now())
        with transaction.atomic():
            fence()
            written = Written()
            if columns:
                keys = [one.attname for one in self.step.keys]
                upsert = Upsert(self.form.model, keys, list(columns), **self._does)
                with spans.noted(self.job, self.form.dataset, self.form.model):
                    written = upsert.write(list(columns.values()), signature)
            self._count_part(counters, part, written, len(next(iter(columns.values()), ())))
            place = self._checkpoint(counters, len(part.statuses))
        self._advance(counters, place)

    def _count_part(
        self, counters: dict[str, dict[str, int]], part: Part, written: Written, tried: int
    ) -> None:
        plan = Plan(self.form.model)
        plan.unchanged = written.unchanged
        plan.failed = part.statuses.count(Status.FAILED)
        left = tried - written.created - written.updated - written.unchanged
        only_new = not self._does["updates"]
        if left or (only_new and written.created != part.statuses.count(Status.NEW)):
            raise _LeftError
        plan.skipped = part.statuses.count(Status.SKIPPED)
        self._count(counters, self.form.dataset, plan, written.created, [])
        counters[self.form.dataset]["updated"] += written.updated

    def _slowly(self, part: Part | None, fence: Fence) -> None:
        """Write records with objects, and what is refused row by row."""
        end = self.job.offset + (len(part.statuses) if part else 0)
        if part is None:
            self._chunk(self.step, [], fence)
        while part is not None and self.job.phase == 0 and self.job.offset < end:
            last = min(self.job.offset + engine.CHUNK, end)
            records: Sequence[Any] = self.step.records(self.derivation)[self.job.offset : last]
            self._chunk(self.step, records, fence)


def _joined(parts: list[Part], within: int) -> Part:
    """Return parts that follow one another as one, without its first `within` records."""
    first = parts[0]
    names = first.columns
    return Part(
        first.dataset,
        first.number,
        first.first + within,
        statuses="".join(one.statuses for one in parts)[within:],
        columns={
            name: [value for one in parts for value in one.columns.get(name, [])][within:]
            for name in names
        },
    )


def writer(job: ImportJob, form: ResourceFormat, *, actor: User | None) -> engine.Writer:
    """Return what writes the staged records in the Resource's way."""
    made = {ways.Way.FAST: FastWriter, ways.Way.BULK: StagedWriter, ways.Way.ROWS: RowWriter}
    return made[form.verdict.way](job, form, actor=actor)


def sums(job: ImportJob, form: ResourceFormat) -> list[dict[str, Any]]:
    """Return the check sums of the check, with what the system holds now.

    Rows that were written are counted in the history, not by the counters that writing kept, and
    no more of them than the table holds by their keys.
    """
    counts = job.counters.get(form.dataset, {})
    there = present.count(job, form)
    result = [CheckSum.from_json(one) for one in job.summary["sums"]]
    for one in result:
        said = spans.rows(job, form.model) + counts.get("unchanged", 0)
        one.system = said if there is None else min(said, there)
    return [one.as_json() for one in result]
