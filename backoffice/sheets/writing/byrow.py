"""Resources with row methods of their own: import-export's `import_row`, inside our transactions.

The check runs every row with `dry_run=True` and takes it back, as import-export's own preview does.
The run commits some rows at a time, each in a savepoint, with history rows, journal, counters and
checkpoint. What the Resource's methods write beside its own rows carries the import's reason too.
"""

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext_lazy as _lazy
from import_export.results import RowResult

from backoffice.accounts.models import User
from backoffice.audit import history
from backoffice.sheets import problems, staging
from backoffice.sheets.formats import Derivation
from backoffice.sheets.models import ImportJob, Status
from backoffice.sheets.plain import ResourceFormat
from backoffice.sheets.problems import Problem, Text
from backoffice.sheets.reading.reader import Batch as Read
from backoffice.sheets.writing import closed, converting, engine, modes, singles, spans
from backoffice.sheets.writing.checking import Batch, Check
from backoffice.sheets.writing.engine import Fence, Progress
from backoffice.sheets.writing.rows import STATUSES, Rows, problems_of

_SECONDS: Final = 0.15
"""How long the rows of one transaction may take."""
_TOGETHER: Final = 200
"""How many rows the check tries in one transaction: they see one another, as in the run."""
NO_SUCH_YET: Final = "no-such-record-yet"

problems.register(
    {
        NO_SUCH_YET: Text(
            _lazy("There is no such record yet"),
            _lazy("If a row above makes it, the import takes this row all the same."),
        )
    }
)

_COUNTERS: Final = {
    Status.NEW: "created",
    Status.CHANGED: "updated",
    Status.UNCHANGED: "unchanged",
    Status.FAILED: "failed",
}


class RowCheck(Check):
    """The check of a Resource with row methods: every row is tried and taken back."""

    def run(self, rows: Iterable[Read], progress: Progress, fence: Fence, total: int) -> None:
        """Stage every row with what becomes of it."""
        batches = list(self._batches(rows))
        trial = Rows(self.form, batches, self.job.owner, self.job.change_reason)
        trial.begin(dry_run=True)
        done = 0
        for number, batch in enumerate(batches):
            batch.statuses = [Status.FAILED] * batch.size
            batch.pks = [None] * batch.size
            start = 0
            while start < batch.size:
                start = self._try(trial, batch, done, start)
                progress(done + start, max(total, done + start), str(self.form.label))
            done += batch.size
            self._by_mode(batch)
            self._keep(number, batch, fence)
        self._tell_skipped(fence)

    def _try(self, trial: Rows, batch: Batch, done: int, start: int) -> int:
        """Try rows and take them back; return where to go on.

        Rows may refer to those above: the first ones are tried together, however long it takes.
        Those of larger files cannot be, since others would wait.
        """
        first, end, told = start, time.monotonic() + _SECONDS, set[str]()
        with transaction.atomic():
            while start < batch.size and not told:
                is_alone = done + start >= _TOGETHER and start > first
                if is_alone and time.monotonic() > end:
                    break
                told = self._try_one(trial, batch, done, start)
                start += 1
            transaction.set_rollback(True)
        trial.singles.note(told)
        return start

    def _try_one(self, trial: Rows, batch: Batch, done: int, start: int) -> set[str]:
        """Try a row; return the fields of which the person is told that a value is taken."""
        index = done + start
        if index >= len(trial.dataset):
            return set()
        if trial.is_closed(index):
            place = batch.sheet, batch.numbers[start]
            batch.problems.append(Problem(singles.TOO_OFTEN, *place, dataset=self.form.dataset))
            return set()
        # What the mode leaves alone is not there for the rows below either.
        out = modes.unwanted(self.job.mode)
        result = trial.one(index, out, dry_run=True, retain_instance_in_row_result=True)
        self._note(batch, start, result, trial.masked(index))
        return trial.tells(index, result)

    def _note(self, batch: Batch, index: int, result: RowResult, masked: Sequence[Any]) -> None:
        batch.statuses[index] = self._status(batch, index, result)
        if result.import_type != RowResult.IMPORT_TYPE_NEW:
            batch.pks[index] = result.object_id
        for name in (one.name for one in self.sources.values()):
            value = getattr(result.instance, self.form.model._meta.get_field(name).attname, None)
            batch.values.setdefault(name, [None] * batch.size)[index] = value
        found = problems_of(self.form, result, masked, batch.sheet, batch.numbers[index])
        for one in found:
            if one.code == converting.NO_SUCH and self.read + batch.size > _TOGETHER:
                one.code = NO_SUCH_YET
        batch.problems += found

    def _status(self, batch: Batch, index: int, result: RowResult) -> Status:
        """Return what is told of a tried row; of hidden values only that they are brought."""
        found = STATUSES[result.import_type]
        if found not in {Status.CHANGED, Status.UNCHANGED}:
            return found
        cells = {
            one.name: batch.cells[key][index]
            for key, one in self.sources.items()
            if key in batch.cells
        }
        hidden = closed.brought(self.closed, cells)
        return closed.status(self._changed(result), hidden) if hidden else found

    def _changed(self, result: RowResult) -> list[str]:
        """Return the fields that a row changes; none where import-export does not compare."""
        if result.original is None:
            return []
        names = [one.stored.attname for one in self.sources.values()]
        return [
            name
            for name in names
            if getattr(result.original, name) != getattr(result.instance, name, None)
        ]


class RowWriter(engine.Writer):
    """Writes the staged rows by the Resource's own methods."""

    def __init__(self, job: ImportJob, form: ResourceFormat, *, actor: User | None) -> None:
        self.form = form
        parts = list(staging.parts(job, form.dataset))
        self.places = [(s, r) for one in parts for s, r in zip(one.sheets, one.rows, strict=True)]
        self.statuses = "".join(one.statuses for one in parts)
        batches = [Batch("", one.rows, one.raw) for one in parts]
        self.rows = Rows(form, batches, actor, job.change_reason)
        self.result = self.rows.resource.get_result_class()()
        self._prepare(job, Derivation({}), [], actor)

    def run(self, progress: Progress, fence: Fence) -> None:
        """Write what is not written yet."""
        if self.job.phase:
            return
        self.rows.begin(dry_run=False)
        self.sizes = [len(self.rows.dataset)]
        while not self.job.phase:
            progress(self.job.offset, self.sizes[0], str(self.form.label))
            self._some(fence)

    def _some(self, fence: Fence) -> None:
        """Commit the rows of a short time."""
        counters = {name: dict(counts) for name, counts in self.job.counters.items()}
        counts = Counter(counters.get(self.form.dataset, {}))
        counts.update(created=0, updated=0, unchanged=0, failed=0)
        first, size = self.job.offset, self.sizes[0]
        with transaction.atomic(), history.signing(self.actor, self.job.change_reason) as signer:
            fence()
            with spans.noted_all(self.job, self.form.dataset, signer, self.form.model):
                last, problems, told = self._rows(first, counts)
                if last >= size:
                    self.rows.resource.after_import(
                        self.rows.dataset, self.result, dry_run=False, user=self.actor
                    )
            counters[self.form.dataset] = dict(counts)
            news = [one for one in problems if engine.identity(one) not in self._told]
            engine.store_problems(self.job, news, from_run=True)
            place = self._checkpoint(counters, last - first)
        self._advance(counters, place)
        self.rows.singles.note(told)

    def _rows(self, first: int, counts: Counter[str]) -> tuple[int, list[Problem], set[str]]:
        """Write rows; end early where the person is told that a personal value is taken."""
        end, found, told = time.monotonic() + _SECONDS, list[Problem](), set[str]()
        index = first
        while index < self.sizes[0] and not told and (index == first or time.monotonic() < end):
            if self._is_skipped(index):
                counts["skipped"] += 1
            elif self.rows.is_closed(index):
                counts["failed"] += 1
                found.append(self._said(singles.TOO_OFTEN, index))
            else:
                told = self._row(index, counts, found)
            index += 1
        return index, found, told

    def _row(self, index: int, counts: Counter[str], found: list[Problem]) -> set[str]:
        out = modes.unwanted(self.job.mode)
        result = self.rows.one(index, out, dry_run=False)
        if STATUSES[result.import_type] == out:
            counts["skipped"] += 1
            found.append(self._said(modes.code(self.job.mode), index))
            return set()
        self.result.increment_row_result_total(result)
        self.result.append_row_result(result)
        counts[_COUNTERS[STATUSES[result.import_type]]] += 1
        masked = self.rows.masked(index)
        found += problems_of(self.form, result, masked, *self._place(index))
        return self.rows.tells(index, result)

    def _said(self, code: str, index: int) -> Problem:
        return Problem(code, *self._place(index), dataset=self.form.dataset)

    def _is_skipped(self, index: int) -> bool:
        alike = len(self.statuses) == self.sizes[0]
        return alike and self.statuses[index] == Status.SKIPPED

    def _place(self, index: int) -> tuple[str, int]:
        """Return where a row stands in the file; one that the Resource added stands nowhere."""
        return self.places[index] if index < len(self.places) else ("", index + 1)
