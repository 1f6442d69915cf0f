"""What a run would do with each record, found out by the check and kept: nothing is written."""

from collections.abc import Callable, Sequence

from django.db import transaction

from backoffice.sheets import staging
from backoffice.sheets.formats import Derivation, Format, Record
from backoffice.sheets.models import ImportJob, Status
from backoffice.sheets.problems import Problem
from backoffice.sheets.resources import Coming, Plan, SheetResource
from backoffice.sheets.writing import closed, modes

Progress = Callable[[int, int, str], None]
Fence = Callable[[], None]
Counts = dict[str, dict[str, int]]


def forecast(
    job: ImportJob, form: Format, derivation: Derivation, progress: Progress, fence: Fence
) -> Counts:
    """Stage the records of every data set; return data set -> how many are new and how many exist.

    What the models refuse is added to the problems of the derivation.
    """
    steps = [step for step in (made() for made in form.steps) if isinstance(step, SheetResource)]
    for step in steps:
        step.closed = closed.fields(job.owner, step._meta.model)
    total = sum(len(step.records(derivation)) for step in steps)
    coming = Coming.between(steps)
    result: Counts = {}
    done = 0
    for step in steps:
        records = step.records(derivation)
        counts = result[step.dataset] = {"new": 0, "existing": 0}
        for number, start in enumerate(range(0, len(records), staging.SIZE)):
            part = records[start : start + staging.SIZE]
            staged = _stage(job, step, part, derivation, coming)
            staged.number, staged.first = number, start
            _keep(job, staged, fence)
            _count(counts, staged.statuses)
            done += len(part)
            progress(done, total, str(step.label))
    return result


def _stage(
    job: ImportJob,
    step: SheetResource,
    records: Sequence[Record],
    derivation: Derivation,
    coming: Coming,
) -> staging.Part:
    plan = step.plan(records, derivation, coming)
    modes.apply(plan, job.mode, step)
    coming.add(plan.model, plan.outcomes)
    _note_problems(derivation.problems, plan.problems)
    return _part(step.dataset, records, plan)


def _note_problems(known: list[Problem], found: Sequence[Problem]) -> None:
    known.extend(found)


def _part(dataset: str, records: Sequence[Record], plan: Plan) -> staging.Part:
    outcomes = {id(one.record): one for one in plan.outcomes}
    mine = [outcomes[id(record)] for record in records]
    names = list(dict.fromkeys(name for record in records for name in record.values))
    return staging.Part(
        dataset,
        number=0,
        first=0,
        sheets=[record.sheet for record in records],
        rows=[record.row for record in records],
        statuses="".join(one.status.value for one in mine),
        pks=[one.pk for one in mine],
        columns={name: [record.values.get(name) for record in records] for name in names},
    )


def _keep(job: ImportJob, part: staging.Part, fence: Fence) -> None:
    with transaction.atomic():
        fence()
        staging.put(job, part)


def _count(counts: dict[str, int], statuses: str) -> None:
    new = statuses.count(Status.NEW.value)
    existing = (Status.CHANGED, Status.UNCHANGED, Status.BRINGS)
    counts["new"] += new
    counts["existing"] += sum(statuses.count(status.value) for status in existing)
