"""The two jobs of an import: the check and the writing. Both may be killed and begun again."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from backoffice.files.sealing import DamagedError
from backoffice.jobs import registry
from backoffice.jobs.run import CancelledError, JobError, JobRun, LostError
from backoffice.sheets import answers, differences, formats, staging
from backoffice.sheets.errors import ReadError
from backoffice.sheets.formats import CheckSum, Derivation, Format, SheetRow
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportJob
from backoffice.sheets.plain import ResourceFormat
from backoffice.sheets.problems import Severity
from backoffice.sheets.reading import dialects, reader
from backoffice.sheets.resources import SheetResource
from backoffice.sheets.services import CHECK, FINISHED, IMPORT
from backoffice.sheets.writing import closed, engine, lanes, lengths, staged, wholes
from backoffice.sheets.writing.byrow import RowCheck
from backoffice.sheets.writing.checking import Check
from backoffice.sheets.writing.forecast import forecast
from backoffice.sheets.writing.ways import Verdict, Way

_SECONDS = 120


def sheet_rows(job: ImportJob, form: Format) -> Iterator[SheetRow]:
    """Yield the typed rows below the headers of the chosen sheets.

    Raises ReadError, also when the file is gone or is not the one that was uploaded.
    """
    yield from _typed(job, form, raw_rows(job))


def _typed(job: ImportJob, form: Format, rows: Iterable[reader.RawRow]) -> Iterator[SheetRow]:
    return formats.typed(rows, form, _maps(job), dialects.of(job))


def _maps(job: ImportJob) -> dict[str, SheetMapping]:
    return {name: SheetMapping.from_json(job.mapping[name]) for name in job.chosen}


def raw_rows(job: ImportJob) -> Iterator[reader.RawRow]:
    """Yield the rows below the headers of the chosen sheets as they stand in the file.

    Raises ReadError, also when the file is gone or is not the one that was uploaded.
    """
    last = _headers(job)
    for row in reader.rows(job, sheets=job.chosen, seconds=_SECONDS):
        if row.number > last[row.sheet]:
            yield row


def raw_batches(job: ImportJob) -> Iterator[reader.Batch]:
    """Yield the same as columns, some thousand rows at a time."""
    last = _headers(job)
    for batch in reader.batches(job, sheets=job.chosen, seconds=_SECONDS):
        below = batch.below(last[batch.sheet])
        if below.numbers:
            yield below


def _headers(job: ImportJob) -> dict[str, int]:
    """Return the last header row of each sheet. Raises ReadError unless the file is the same."""
    if not job.file:
        raise ReadError(_("The file is not kept any more. Upload it again."))
    if _digest(job) != job.sha256:
        raise ReadError(_("The stored file is not the one that was uploaded. Upload it again."))
    return {name: one.header_row for name, one in _maps(job).items()}


def _digest(job: ImportJob) -> str:
    try:
        with job.open() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except (DamagedError, FileNotFoundError):
        return ""


def derive(
    job: ImportJob,
    form: Format,
    run: JobRun | None = None,
    raw: Iterable[reader.RawRow] | None = None,
) -> Derivation:
    """Return what the file's rows make; `raw` are they, if they are read already.

    Raises ReadError.
    """
    rows: Iterable[SheetRow] = _typed(job, form, raw_rows(job) if raw is None else raw)
    made = form.derive(rows if run is None else _watched(rows, run, _expected(job)))
    made.tenant = job.tenant
    return made


def _expected(job: ImportJob) -> int:
    return sum(one["rows"] for one in job.sheets if one["name"] in job.chosen)


def _watched(rows: Iterable[SheetRow], run: JobRun, total: int) -> Iterator[SheetRow]:
    for count, row in enumerate(rows):
        if count % 1000 == 0:
            run.progress(min(count, total), total, _("Reading rows"))
        yield row


@registry.handler(CHECK, again=False)
def run_check(run: JobRun) -> dict[str, Any]:
    """Read every row, note what is wrong and what would come in. Writes no record."""
    job = ImportJob.objects.get(pk=run.params["import"])
    with _ending(job, run, stopped=ImportJob.State.UPLOADED):
        form = formats.get(job.format)
        _same_tenant(job, form)
        _begin_staging(job, run)
        summary = _check_rows(job, form, run)
        summary["totals"] = staging.totals(job)
        summary |= differences.totals(job, form, _still_wanted(run))
        summary["compared"] = sorted(differences.compared(job, form))
        with transaction.atomic():
            run.fence()
            _finish(job, state=ImportJob.State.CHECKED, summary=summary, ways=_ways(form))
            closed.note_compared(job, summary["compared"])
    return {"rows": summary["read"], "ready": summary["ready"]}


def _check_rows(job: ImportJob, form: Format, run: JobRun) -> dict[str, Any]:
    """Stage the records and note their problems; return the summary."""
    watch = lengths.Lengths(form, _maps(job))
    summary = _stage_rows(job, form, run, watch)
    with transaction.atomic():
        run.fence()
        engine.store_problems(job, watch.problems())
    return summary


def _stage_rows(
    job: ImportJob, form: Format, run: JobRun, watch: lengths.Lengths
) -> dict[str, Any]:
    if isinstance(form, ResourceFormat):
        check = (RowCheck if form.verdict.way == Way.ROWS else Check)(job, form)
        rows = watch.watched_batches(raw_batches(job))
        check.run(rows, run.progress, run.fence, _expected(job))
        return check.summary()
    derivation = derive(job, form, run, watch.watched(raw_rows(job)))
    found = forecast(job, form, derivation, run.progress, run.fence)
    with transaction.atomic():
        run.fence()
        engine.store_problems(job, derivation.problems)
    return _summary(form, derivation, found)


def _still_wanted(run: JobRun) -> Callable[[], None]:
    """Return what raises CancelledError or LostError once the job is stopped or lost."""
    return lambda: run.progress(0, 1, _("Comparing fields"))


def _same_tenant(job: ImportJob, form: Format) -> None:
    """Raise ReadError where the person is not, or not any more, of the tenant of the import."""
    if job.tenant and not answers.may_import(job.owner, form, job.tenant):
        raise ReadError(_("The person who uploaded it may not import this any more."))


def _ways(form: Format) -> dict[str, Any]:
    """Return data set -> how it is written, and why not faster."""
    if isinstance(form, ResourceFormat):
        return {form.dataset: form.verdict.as_json()}
    steps = [one for one in form.steps if issubclass(one, SheetResource)]
    return {one.dataset: Verdict(Way.BULK).as_json() for one in steps}


def _begin_staging(job: ImportJob, run: JobRun) -> None:
    with transaction.atomic():
        run.fence()
        staging.forget(job)
        job.problems.all().delete()


def _summary(
    form: Format, derivation: Derivation, found: dict[str, dict[str, int]]
) -> dict[str, Any]:
    return {
        "read": derivation.read,
        "ready": derivation.ready,
        "repeated": derivation.repeated,
        "failed": derivation.rows_with(Severity.FAILED),
        "skipped": derivation.rows_with(Severity.SKIPPED),
        "datasets": found,
        "sums": [one.as_json() for one in derivation.sums],
    }


@registry.handler(IMPORT, again=False)
def run_import(run: JobRun) -> dict[str, Any]:
    """Write the file's records, from the last checkpoint on."""
    job = ImportJob.objects.select_related("owner").get(pk=run.params["import"])
    with _ending(job, run, stopped=ImportJob.State.CANCELLED):
        form = formats.get(job.format)
        _same_tenant(job, form)
        sums = _write(job, form, run)
        with transaction.atomic():
            run.fence()
            _finish(job, state=ImportJob.State.DONE, sums=sums, finished_at=timezone.now())
            _record_end(job, Outcome.DONE)
    return {name: job.total(name) for name in ("created", "updated", "unchanged", "failed")}


def _write(job: ImportJob, form: Format, run: JobRun) -> list[dict[str, Any]]:
    """Write what is not written yet, when nobody else writes such records; return the sums."""
    wholes.require_possible(job)
    derivation = None if isinstance(form, ResourceFormat) else derive(job, form, run)
    keys = _lanes(form)

    def fence() -> None:
        run.fence()
        lanes.renew(job, keys)

    while True:
        try:
            with lanes.held(job, keys, lambda text: run.progress(0, 1, text), run.fence):
                with wholes.kept(job):
                    _writer(job, form, derivation).run(run.progress, fence)
                if isinstance(form, ResourceFormat):
                    return staged.sums(job, form)
                assert derivation is not None  # noqa: S101 - one of the two kinds of formats
                return _measured(form, derivation)
        except lanes.LostLaneError:
            job.refresh_from_db()


def _writer(job: ImportJob, form: Format, derivation: Derivation | None) -> Any:
    if isinstance(form, ResourceFormat):
        return staged.writer(job, form, actor=job.owner)
    assert derivation is not None  # noqa: S101 - one of the two kinds of formats
    return engine.Writer(job, form, derivation, actor=job.owner)


def _lanes(form: Format) -> list[str]:
    """Return the models that the format writes: two imports of one take turns."""
    if isinstance(form, ResourceFormat):
        return [form.model._meta.label]
    made = [getattr(one, "_meta", one) for one in form.steps]
    return sorted({one.model._meta.label for one in made if hasattr(one, "model")})


def _measured(form: Format, derivation: Derivation) -> list[dict[str, Any]]:
    system = form.measure(derivation)
    for one in derivation.sums:
        one.system = system.get(one.key)
    return [CheckSum.as_json(one) for one in derivation.sums]


@contextmanager
def _ending(job: ImportJob, run: JobRun, *, stopped: str) -> Iterator[None]:
    """Let the import end with its job, whatever happens."""
    try:
        yield
    except engine.TakenOverError:
        raise LostError from None
    except LostError:
        raise
    except CancelledError:
        _stop(job, run, stopped, _("Stopped on request."))
        raise
    except ReadError as error:
        _stop(job, run, ImportJob.State.FAILED, str(error))
        raise JobError(str(error)) from None
    except Exception:
        text = _("Something went wrong. Quote %(number)s.") % {"number": run.job.public_id}
        _stop(job, run, ImportJob.State.FAILED, text)
        raise


def _stop(job: ImportJob, run: JobRun, state: str, message: str) -> None:
    with transaction.atomic():
        run.fence()
        _finish(job, state=state, message=message[:300], finished_at=timezone.now())
        if job.started_at is not None:
            _record_end(job, Outcome.FAILED, message)
    wholes.take_back(job)


def _finish(job: ImportJob, **values: Any) -> None:
    busy = [ImportJob.State.CHECKING, ImportJob.State.RUNNING]
    if not ImportJob.objects.filter(pk=job.pk, state__in=busy).update(**values):
        raise LostError
    job.refresh_from_db()


def _record_end(job: ImportJob, outcome: Outcome, message: str = "") -> None:
    counts = {name: job.total(name) for name in ("created", "updated", "unchanged", "failed")}
    record(
        FINISHED,
        actor=job.owner,
        subject=job,
        outcome=outcome,
        reason=message,
        context={**counts, "sha256": job.sha256},
    )
