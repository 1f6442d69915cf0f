"""Undoing an import: each row back to its version before, but for those that others touched since.

    undo = begin(job, actor=oli, reason="Wrong price list")

A job of the worker does it. The journal of the import (`ImportSpan`) is gone through from its
newest part to its oldest, so that lines go before their order does. Each chunk commits its rows,
their history, what was left and how far it came; a worker that is killed loses one chunk at most,
and the next one goes on there.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Exists, Max, Min
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import acting
from backoffice.accounts.models import User
from backoffice.audit import history, verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from backoffice.jobs import registry
from backoffice.jobs import services as jobs
from backoffice.jobs.run import CancelledError, JobRun, LostError
from backoffice.sheets import answers, gates
from backoffice.sheets.formats import Format
from backoffice.sheets.models import ImportJob, Undo, UndoLeft
from backoffice.sheets.plain import ResourceFormat
from backoffice.sheets.services import StateError
from backoffice.sheets.undoing.backwards import Past
from backoffice.sheets.undoing.unwriting import Walk

logger = logging.getLogger("backoffice.sheets")
UNDO: Final = "sheets.undo"
BEGUN = verbs.register("sheets.undo_started", gettext_lazy("Undo of an import started"))
ENDED = verbs.register("sheets.undone", gettext_lazy("Undo of an import ended"))
RIGHT: Final = "sheets.undo_importjob"
_OVER = (ImportJob.State.DONE, ImportJob.State.FAILED, ImportJob.State.CANCELLED)
_STOPPED = (Undo.State.FAILED, Undo.State.CANCELLED)


def is_allowed(job: ImportJob, user: User) -> bool:
    """Say whether the person may undo this import: their own, or anybody's with the right.

    Either needs the rights that its format asks for, still. What others had to approve is not taken
    back by whoever made it alone.
    """
    form = answers.form_of(job)
    if form is None:
        return False
    if job.owner_id == user.pk:
        return answers.may_import(user, form, job.tenant) and not gates.is_undone_by_others(job)
    return user.has_perms((RIGHT, *form.permissions))


def staying(form: Format | None) -> list[tuple[str, str]]:
    """Return (what it is called, why it stays) of each kind of records that no undo takes back."""
    found: dict[str, tuple[str, str]] = {}
    for dataset, label, model, said in _kinds(form):
        if why := str(said or _why_stays(model)):
            found.setdefault(dataset, (str(label), why))
    return list(found.values())


def _why_stays(model: Any) -> str:
    if not history.is_tracked(model):
        return _("No history of it is kept.")
    return _("It is kept in two tables.") if model._meta.parents else ""


def _kinds(form: Format | None) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yield (data set, what it is called, model, why it stays by itself)."""
    if isinstance(form, ResourceFormat):
        yield form.dataset, form.label, form.model, getattr(form.resource, "stays", "")
        return
    for step in form.steps if form else ():
        made: Any = getattr(step, "_meta", step)
        yield step.dataset, step.label, made.model, step.stays


def stays_whole(job: ImportJob) -> bool:
    """Say whether nothing of what the import wrote, or would write, can be taken back."""
    form = answers.form_of(job)
    return len(staying(form)) == len({dataset for dataset, *_rest in _kinds(form)})


def is_open(job: ImportJob) -> bool:
    """Say whether there is something to undo: it is over and wrote, or its undo was stopped."""
    if job.state == ImportJob.State.UNDOING:
        return Undo.objects.filter(import_job=job, state__in=_STOPPED).exists()
    over = job.state in _OVER and job.started_at is not None and _has_written(job)
    return over and not stays_whole(job)


def _has_written(job: ImportJob) -> bool:
    return bool(job.total("created") or job.total("updated")) or job.spans.exists()


def begin(job: ImportJob, *, actor: User, reason: str = "", by_itself: bool = False) -> Undo:
    """Start to undo an import, or go on with an undo that was stopped.

    `by_itself` says that an import which was all or nothing failed; nobody's right is asked then.
    Raises PermissionDenied, and StateError when there is nothing (more) to undo.
    """
    if not by_itself:
        acting.refuse()
        if not is_allowed(job, actor):
            raise PermissionDenied
        if stays_whole(job):
            raise StateError(_("What this import wrote stays."))
    with transaction.atomic():
        undo = _opened(job, actor, reason, by_itself=by_itself)
        begun = jobs.start(UNDO, actor=actor, title=job.original_name, params={"undo": undo.pk})
        Undo.objects.filter(pk=undo.pk).update(job=begun)
        facts = {"sha256": job.sha256, "by_itself": by_itself}
        record(BEGUN, actor=actor, subject=job, reason=reason, context=facts)
    undo.refresh_from_db()
    job.refresh_from_db()
    return undo


def _opened(job: ImportJob, actor: User, reason: str, *, by_itself: bool) -> Undo:
    """Return the import's one undo, running. Raises StateError."""
    over = ImportJob.objects.filter(pk=job.pk, state__in=_OVER).exclude(started_at=None)
    if _has_written(job) and over.update(state=ImportJob.State.UNDOING):
        return Undo.objects.create(
            import_job=job, owner=actor, reason=reason[:300], by_itself=by_itself
        )
    stopped = Undo.objects.filter(import_job=job, state__in=_STOPPED)
    if not stopped.update(state=Undo.State.RUNNING, message="", finished_at=None):
        raise StateError(_("There is nothing to undo, or it is being undone already."))
    return Undo.objects.get(import_job=job)


def totals(undo: Undo) -> dict[str, int]:
    """Return how many rows went back, how many were deleted, how many are left."""
    total: Counter[str] = Counter({"back": 0, "deleted": 0, "left": 0})
    for counts in undo.counters.values():
        total.update(counts)
    return dict(total)


def reasons(undo: Undo) -> list[tuple[str, int]]:
    """Return why rows were left, in words, and how many for each."""
    found = undo.left.order_by().values_list("why").annotate(Count("pk"))
    counts = dict(found)
    return [(str(why.label), counts[why]) for why in UndoLeft.Why if why in counts]


def edited_since(job: ImportJob, most: int) -> int:
    """Return how many rows of the import others changed since; no more than `most` + 1."""
    count = 0
    for span in job.spans.values("model").annotate(first=Min("first"), last=Max("last")).order_by():
        past = Past(apps.get_model(span["model"]), job.change_reason, span["last"], span["first"])
        later = past.rows.filter(history_id__gt=span["first"]).exclude(past.mine)
        touched = later.filter(Exists(past.older().filter(past.mine)))
        keys = touched.values_list(past.key, flat=True).distinct()
        count += len(keys[: most + 1 - count])
        if count > most:
            break
    return count


@registry.handler(UNDO, again=False)
def run_undo(run: JobRun) -> dict[str, Any]:
    """Undo, from the last checkpoint on."""
    undo = Undo.objects.select_related("import_job", "owner").get(pk=run.params["undo"])
    with _ending(undo, run):
        walk = Walk(undo, run)
        walk.all()
        with run.effect():
            _finish(undo, Undo.State.DONE)
            ImportJob.objects.filter(pk=undo.import_job_id).update(state=ImportJob.State.UNDONE)
            _record_end(undo, Outcome.DONE)
    return totals(undo)


@contextmanager
def _ending(undo: Undo, run: JobRun) -> Iterator[None]:
    """Let the undo end with its job, whatever happens; the import stays half undone till then."""
    try:
        yield
    except LostError:
        raise
    except CancelledError:
        _stop(undo, run, Undo.State.CANCELLED, _("Stopped on request."))
        raise
    except Exception:
        text = _("Something went wrong. Quote %(number)s.") % {"number": run.job.public_id}
        _stop(undo, run, Undo.State.FAILED, text)
        raise


def _stop(undo: Undo, run: JobRun, state: str, message: str) -> None:
    with run.effect():
        _finish(undo, state, message)
        _record_end(undo, Outcome.FAILED)


def _finish(undo: Undo, state: str, message: str = "") -> None:
    running = Undo.objects.filter(pk=undo.pk, state=Undo.State.RUNNING)
    if not running.update(state=state, message=message[:300], finished_at=timezone.now()):
        raise LostError
    undo.refresh_from_db()


def _record_end(undo: Undo, outcome: Outcome) -> None:
    facts = {**totals(undo), "sha256": undo.import_job.sha256}
    record(ENDED, actor=undo.owner, subject=undo.import_job, outcome=outcome, context=facts)


@registry.every(seconds=30, name="sheets.tidy_undos", label=gettext_lazy("Tidy up undos"))
def tidy() -> None:
    """End the undos whose job ended without them (stopped while it waited, or lost for good)."""
    ended = {"failed": Undo.State.FAILED, "cancelled": Undo.State.CANCELLED}
    lost = Undo.objects.filter(state=Undo.State.RUNNING, job__state__in=ended).select_related("job")
    for undo in lost:
        assert undo.job is not None  # noqa: S101 - the filter asks for one
        Undo.objects.filter(pk=undo.pk, state=undo.state, job=undo.job).update(
            state=ended[undo.job.state], message=undo.job.message, finished_at=timezone.now()
        )
