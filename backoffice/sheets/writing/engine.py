"""Writing a derivation in short transactions, each with its history rows and its checkpoint.

A chunk is planned outside the write transaction (reading and validating may take long) and
written inside one: rows, one history row for each, problems, counters and the checkpoint commit
together or not at all. A worker that dies loses at most the chunk it was writing, and the next
one goes on after the last checkpoint: nothing is lost, doubled or counted twice.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Model
from django.utils import timezone
from simple_history.utils import get_history_manager_for_model

from backoffice import refusals
from backoffice.accounts.models import User
from backoffice.audit import history
from backoffice.sheets import tenants
from backoffice.sheets.formats import Derivation, Format, Record
from backoffice.sheets.models import ImportJob, ImportProblem
from backoffice.sheets.problems import Problem, Severity
from backoffice.sheets.resources import REFUSED, Plan, SheetResource, Step
from backoffice.sheets.writing import closed, fresh, modes, singles, spans

CHUNK: Final = 500
"""Records a transaction; short enough that nobody else waits for the lock of SQLite."""
_ROWS_A_STATEMENT: Final = 500

Progress = Callable[[int, int, str], None]
Fence = Callable[[], None]


class TakenOverError(Exception):
    """Another worker goes on with this import."""


class Writer:
    """Writes one import; made anew for each try."""

    def __init__(
        self, job: ImportJob, form: Format, derivation: Derivation, *, actor: User | None
    ) -> None:
        self._prepare(job, derivation, [step() for step in form.steps], actor)

    def _prepare(
        self, job: ImportJob, derivation: Derivation, steps: Sequence[Step], actor: User | None
    ) -> None:
        self.job = job
        self.derivation = derivation
        self.actor = actor
        self.steps: list[Step] = list(steps)
        self.sizes = [len(step.records(derivation)) for step in self.steps]
        if job.mode == ImportJob.Mode.CREATE:
            # It writes no row that exists, so it must not tell of one whether it differs either.
            for step in self.steps:
                if isinstance(step, SheetResource):
                    step.closed = closed.fields(job.owner, step._meta.model)
        self._told = known_problems(job)

    def run(self, progress: Progress, fence: Fence) -> None:
        """Write what is not written yet."""
        while self.job.phase < len(self.steps):
            step = self.steps[self.job.phase]
            records = step.records(self.derivation)
            progress(self._done(), sum(self.sizes), str(step.label))
            self._chunk(step, records[self.job.offset : self.job.offset + CHUNK], fence)

    def _done(self) -> int:
        return sum(self.sizes[: self.job.phase]) + self.job.offset

    def _chunk(self, step: Step, records: Sequence[Record], fence: Fence) -> None:
        for _try in range(3):
            # Somebody may write the same rows between plan and commit: then plan again.
            plan = self._planned(step, records)
            try:
                self._commit(step, plan, len(records), fence)
            except (*refusals.REFUSED, fresh.StaleError):
                continue
            return
        plan = self._one_by_one(self._planned(step, records), step)
        self._commit(step, plan, len(records), fence, is_last=True)

    def _planned(self, step: Step, records: Sequence[Record]) -> Plan:
        plan = step.plan(records, self.derivation)
        modes.apply(plan, self.job.mode, step)
        return singles.allowed(plan, step, self.actor)

    def _one_by_one(self, plan: Plan, step: Step) -> Plan:
        """Try each row in a savepoint that is undone; return the plan of the rows that pass.

        Runs outside of a transaction: that somebody was told of a single value stays counted.
        """
        good = Plan(
            plan.model,
            fields=plan.fields,
            unchanged=plan.unchanged,
            problems=list(plan.problems),
            settles=plan.settles,
            failed=plan.failed,
            skipped=plan.skipped,
            before=plan.before,
        )
        fields = list(plan.fields)
        tried: list[tuple[Model, Record | None, list[Any], list[str]]] = [
            *((row, record, good.create, []) for row, record in plan.create),
            *((row, record, good.update, fields) for row, record in plan.update),
        ]
        over = False
        for row, record, into, written in tried:
            names = singles.touched(row, written)
            if not (over and names) and _passes(row, written):
                into.append((row, record))
                continue
            if record is not None:
                told = singles.problem if over and names else _refused
                good.problems.append(told(step, record))
            over = over or singles.told(self.actor, row, names)
        return good

    def _commit(
        self, step: Step, plan: Plan, count: int, fence: Fence, *, is_last: bool = False
    ) -> None:
        now = timezone.now()
        counters = {name: dict(counts) for name, counts in self.job.counters.items()}
        with transaction.atomic():
            fence()
            if is_last:
                fresh.leave_out(plan, step)
            else:
                fresh.require(plan)
            tenants.guard(plan, step, self.job.tenant)
            with spans.noted(self.job, step.dataset, plan.model):
                created = self._create(plan, now)
                updated = self._update(plan, now)
            step.written([row for row, _record in plan.create], actor=self.actor)
            step.changed(updated, actor=self.actor)
            self._count(counters, step.dataset, plan, created, updated)
            news = [one for one in plan.problems if identity(one) not in self._told]
            store_problems(self.job, news, from_run=True)
            place = self._checkpoint(counters, count)
        self._advance(counters, place)

    def _create(self, plan: Plan, now: datetime) -> int:
        rows = [row for row, _record in plan.create]
        if history.is_tracked(plan.model):
            history.bulk_create(rows, batch_size=_ROWS_A_STATEMENT, **self._signed(now))
        else:
            plan.model._base_manager.bulk_create(rows, batch_size=_ROWS_A_STATEMENT)
        return len(rows)

    def _update(self, plan: Plan, now: datetime) -> list[Model]:
        rows, fields = [row for row, _record in plan.update], list(plan.fields)
        if history.is_tracked(plan.model):
            history.bulk_update(rows, fields, batch_size=_ROWS_A_STATEMENT, **self._signed(now))
        elif rows:
            plan.model._base_manager.bulk_update(rows, fields, batch_size=_ROWS_A_STATEMENT)
        return rows

    def _signed(self, now: datetime) -> dict[str, Any]:
        """Return who writes, why and when, for the history rows."""
        return {"actor": self.actor, "reason": self.job.change_reason, "at": now}

    def _count(
        self,
        counters: dict[str, dict[str, int]],
        dataset: str,
        plan: Plan,
        created: int,
        updated: list[Model],
    ) -> None:
        counts = counters.setdefault(
            dataset, {"created": 0, "updated": 0, "unchanged": 0, "failed": 0}
        )
        counts["created"] += created
        told = sum(one.severity == Severity.SKIPPED for one in plan.problems)
        counts["failed"] += len(plan.problems) - told + plan.failed
        skipped = told + plan.skipped
        if skipped:
            counts["skipped"] = counts.get("skipped", 0) + skipped
        counts["unchanged"] += plan.unchanged
        older = len(updated) - (self._made_by_this_run(updated) if plan.settles else 0)
        counts["updated"] += older
        if plan.settles:
            # They were counted as unchanged when their own step met them, if there is such a step.
            counts["unchanged"] = max(counts["unchanged"] - older, 0)

    def _made_by_this_run(self, rows: list[Model]) -> int:
        if not rows:
            return 0
        past = get_history_manager_for_model(type(rows[0]))
        reason = self.job.change_reason
        mine = past.filter(history_type="+", history_change_reason=reason)
        return int(mine.filter(id__in=[row.pk for row in rows]).count())

    def _checkpoint(self, counters: dict[str, dict[str, int]], count: int) -> dict[str, int]:
        phase, offset = self.job.phase, self.job.offset + count
        if offset >= self.sizes[phase]:
            phase, offset = phase + 1, 0
        mine = ImportJob.objects.filter(
            pk=self.job.pk, step=self.job.step, state=ImportJob.State.RUNNING
        )
        place = {"phase": phase, "offset": offset, "step": self.job.step + 1}
        if not mine.update(counters=counters, **place):
            raise TakenOverError
        return place

    def _advance(self, counters: dict[str, dict[str, int]], place: dict[str, int]) -> None:
        """Note what is committed."""
        self.job.counters = counters
        for name, value in place.items():
            setattr(self.job, name, value)


def _passes(row: Model, fields: list[str]) -> bool:
    """Whether the database takes the row; the trial is undone."""
    pk, adding = row.pk, row._state.adding
    try:
        with transaction.atomic(), history.recorded():
            if fields:
                type(row)._default_manager.bulk_update([row], fields)
            else:
                type(row)._default_manager.bulk_create([row])
            transaction.set_rollback(True)
    except refusals.REFUSED:
        return False
    finally:
        row.pk, row._state.adding = pk, adding
    return True


def _refused(step: Step, record: Record) -> Problem:
    return Problem(REFUSED, record.sheet, record.row, dataset=step.dataset)


type Identity = tuple[str, str, int, str]


def identity(problem: Problem | ImportProblem) -> Identity:
    """Return what makes a problem the same one, seen by the check and by the run."""
    return problem.code, problem.sheet, problem.row, problem.dataset


def known_problems(job: ImportJob) -> set[Identity]:
    """Return the problems of records that the check found; a run does not tell them twice."""
    found = job.problems.filter(from_run=False).exclude(dataset="")
    return {identity(one) for one in found.iterator()}


def store_problems(job: ImportJob, problems: Sequence[Problem], *, from_run: bool = False) -> None:
    """Write problems as rows."""
    ImportProblem.objects.bulk_create(
        [
            ImportProblem(
                import_job=job,
                severity=one.severity,
                code=one.code,
                sheet=one.sheet,
                row=one.row,
                column=one.column,
                value=one.value[:60],
                params=one.params,
                count=one.count,
                dataset=one.dataset,
                from_run=from_run,
            )
            for one in problems
        ],
        batch_size=_ROWS_A_STATEMENT,
    )
