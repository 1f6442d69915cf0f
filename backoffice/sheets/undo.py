"""Undoing an import: each row back to its version before, but for those that others touched since.

    undo = begin(job, actor=oli, reason="Wrong price list")

A job of the worker does it. The journal of the import (`ImportSpan`) is gone through from its
newest part to its oldest, so that lines go before their order does. Each chunk commits its rows,
their history, what was left and how far it came; a worker that is killed loses one chunk at most,
and the next one goes on there.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Exists, Max, Min, Q, QuerySet, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice import refusals
from backoffice.accounts import acting
from backoffice.accounts.models import User
from backoffice.audit import history, verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from backoffice.jobs import registry
from backoffice.jobs import services as jobs
from backoffice.jobs.run import CancelledError, JobRun, LostError
from backoffice.sheets import answers, backwards, formats
from backoffice.sheets.backwards import Part, Past
from backoffice.sheets.models import ImportJob, ImportSpan, Undo, UndoLeft
from backoffice.sheets.services import StateError

logger = logging.getLogger("backoffice.sheets")
UNDO: Final = "sheets.undo"
BEGUN = verbs.register("sheets.undo_started", gettext_lazy("Undo of an import started"))
ENDED = verbs.register("sheets.undone", gettext_lazy("Undo of an import ended"))
RIGHT: Final = "sheets.undo_importjob"
CHUNK: Final = 1_000
"""Rows a transaction; short enough that nobody else waits for the lock of SQLite."""
SINGLY: Final = 100
_OVER = (ImportJob.State.DONE, ImportJob.State.FAILED, ImportJob.State.CANCELLED)
_STOPPED = (Undo.State.FAILED, Undo.State.CANCELLED)


def is_allowed(job: ImportJob, user: User) -> bool:
    """Say whether the person may undo this import: their own, or anybody's with the right."""
    return answers.owns(job, user) or user.has_perm(RIGHT)


def is_open(job: ImportJob) -> bool:
    """Say whether there is something to undo: it is over and wrote, or its undo was stopped."""
    if job.state == ImportJob.State.UNDOING:
        return Undo.objects.filter(import_job=job, state__in=_STOPPED).exists()
    return job.state in _OVER and job.started_at is not None and _has_written(job)


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
        past = Past(apps.get_model(span["model"]), job.change_reason, span["last"])
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
        walk = _Walk(undo, run)
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


@dataclass(frozen=True, slots=True)
class Written:
    """What one phase of the import wrote of one model: the spans from `oldest` on, as one.

    `first` and `last` are ids of history rows; those of others may lie between.
    """

    phase: int
    model: str
    dataset: str
    oldest: int
    first: int
    last: int
    rows: int


def _parts(job: ImportJob) -> list[Written]:
    """Return the journal of an import, the newest part first."""
    spans = job.spans.order_by().values_list("phase", "model", "dataset")
    found = spans.annotate(Min("pk"), Min("first"), Max("last"), Sum("rows"))
    return sorted((Written(*one) for one in found), key=lambda part: -part.oldest)


class _Walk:
    """One try at an undo."""

    def __init__(self, undo: Undo, run: JobRun) -> None:
        self.undo, self.run = undo, run
        self.job = undo.import_job
        self.signed: dict[str, Any] = {"actor": undo.owner, "reason": undo.change_reason}
        self.newest: dict[str, int] = {}
        self.total = self.done = 0

    def all(self) -> None:
        """Go through the journal from its newest part to its oldest."""
        self._journal()
        parts = _parts(self.job)
        for part in parts:
            self.newest[part.model] = max(part.last, self.newest.get(part.model, 0))
        self.total = sum(part.rows for part in parts)
        for part in parts:
            if not self.undo.span or part.oldest <= self.undo.span:
                self._part(part)
            self.done += part.rows
        self._once_more()

    def _journal(self) -> None:
        """Make the journal of an import from before there was one, from the histories."""
        if self.job.spans.exists():
            return
        made = list(_from_histories(self.job))
        with self.run.effect():
            ImportSpan.objects.bulk_create(made)

    def _part(self, part: Written) -> None:
        past = self._past(part.model)
        place = self.undo.place if self.undo.span == part.oldest else 0
        done, before = self.done, self._rows_done(part.dataset)
        while place != part.first:
            so_far = done + self._rows_done(part.dataset) - before
            self.run.progress(so_far, self.total, _("Taking rows back"))
            # What the import wrote cannot change any more: this needs no lock.
            until = place - 1 if place else part.last
            firsts = past.firsts(part.first, until).order_by("-history_id")
            ids = list(firsts.values_list("history_id", flat=True)[:CHUNK])
            place = ids[-1] if len(ids) == CHUNK else part.first
            self._chunk(part, past, ids, place)

    def _rows_done(self, dataset: str) -> int:
        return sum(self.undo.counters.get(dataset, {}).values())

    def _past(self, label: str) -> Past:
        return Past(apps.get_model(label), self.job.change_reason, self.newest[label])

    def _chunk(self, of: Written, past: Past, ids: Sequence[int], place: int) -> None:
        nameless = self._nameless(of, past) if place == of.first else {}
        try:
            with self.run.effect():
                part = backwards.judge(past, ids)
                backwards.carry_out(past, part, **self.signed)
                part.left.update(nameless)
                moved = self._note(of, part, place)
        except refusals.REFUSED:
            self._singly(of, past, ids, place, nameless)
        else:
            self._keep(moved)

    def _singly(
        self, of: Written, past: Past, ids: Sequence[int], place: int, nameless: dict[Any, str]
    ) -> None:
        """Do the same in small transactions, row by row."""
        for start in range(0, len(ids), SINGLY):
            some, is_last = ids[start : start + SINGLY], start + SINGLY >= len(ids)
            with self.run.effect():
                part = backwards.judge(past, some)
                backwards.carry_out_singly(past, part, **self.signed)
                part.left.update(nameless if is_last else {})
                moved = self._note(of, part, place if is_last else some[-1])
            self._keep(moved)

    def _nameless(self, of: Written, past: Past) -> dict[Any, str]:
        """Return rows of the part whose history does not tell any more whose it is.

        An erasure takes the reasons of a person's history; what it emptied must not come back.
        """
        within = past.rows.filter(history_id__range=(of.first, of.last))
        if within.filter(past.mine).count() >= of.rows:
            return {}
        empty = Q(history_change_reason=None) | Q(history_change_reason="")
        keys = within.filter(empty).values_list(past.key, flat=True)
        return dict.fromkeys(keys, UndoLeft.Why.UNKNOWN)

    def _note(self, of: Written, part: Part, place: int) -> dict[str, Any]:
        """Write down what was left and how far it came, in the transaction of the rows."""
        UndoLeft.objects.bulk_create(
            UndoLeft(undo=self.undo, dataset=of.dataset, model=of.model, object_id=key, why=why)
            for key, why in part.left.items()
        )
        counts = {"back": len(part.back), "deleted": len(part.away), "left": len(part.left)}
        return self._move(of.dataset, counts, span=of.oldest, place=place)

    def _move(self, dataset: str, counts: dict[str, int], **place: int) -> dict[str, Any]:
        """Write counters and place; LostError when another worker goes on with this undo."""
        undo = self.undo
        counters = {name: dict(of) for name, of in undo.counters.items()}
        mine = counters.setdefault(dataset, {"back": 0, "deleted": 0, "left": 0})
        for name, count in counts.items():
            mine[name] += count
        still = Undo.objects.filter(pk=undo.pk, step=undo.step, state=Undo.State.RUNNING)
        values = {"counters": counters, "step": undo.step + 1, **place}
        if not still.update(**values):
            raise LostError
        return values

    def _keep(self, moved: dict[str, Any]) -> None:
        """Know what is committed."""
        for name, value in moved.items():
            setattr(self.undo, name, value)

    def _once_more(self) -> None:
        """Look again at made rows that were used: what used them may have gone since."""
        went = True
        while went:
            went = False
            used = self.undo.left.filter(why=UndoLeft.Why.USED).order_by()
            for model, dataset in used.values_list("model", "dataset").distinct():
                rows = used.filter(model=model, dataset=dataset).order_by("pk")
                went = self._again(self._past(model), dataset, rows) or went

    def _again(self, past: Past, dataset: str, rows: QuerySet[UndoLeft]) -> bool:
        went, last = 0, 0
        while some := dict(rows.filter(pk__gt=last).values_list("object_id", "pk")[:CHUNK]):
            last = max(some.values())
            went += self._some_again(past, dataset, some)
        return bool(went)

    def _some_again(self, past: Past, dataset: str, some: dict[str, int]) -> int:
        """Delete those of the rows (key -> id of what says so) that nobody uses any more."""
        made = past.rows.filter(past.mine, history_type=backwards.MADE)
        ids = made.filter(**{f"{past.key}__in": list(some)}).values_list("history_id", flat=True)
        try:
            with self.run.effect():
                part = Part(away=backwards.judge(past, list(ids)).away)
                backwards.carry_out(past, part, **self.signed)
                UndoLeft.objects.filter(pk__in=[some[str(key)] for key in part.away]).delete()
                count = len(part.away)
                moved = self._move(dataset, {"deleted": count, "left": -count})
        except refusals.REFUSED:
            return 0
        self._keep(moved)
        return count


def _from_histories(job: ImportJob) -> Iterator[ImportSpan]:
    """Yield one span for each model that the import wrote, in the order of its format."""
    seen: set[Any] = set()
    for phase, step in enumerate(formats.get(job.format).steps):
        meta: Any = getattr(step, "_meta", None)
        model = meta.model if meta else step.model  # type: ignore[attr-defined]
        if model in seen or not history.is_tracked(model):
            continue
        seen.add(model)
        rows = Past(model, job.change_reason, 0).rows.filter(
            history_change_reason=job.change_reason
        )
        found = rows.aggregate(first=Min("history_id"), last=Max("history_id"), rows=Count("pk"))
        if found["rows"]:
            yield ImportSpan(
                import_job=job, dataset=step.dataset, phase=phase, model=model._meta.label, **found
            )
