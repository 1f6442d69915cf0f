"""Verbs of imports: upload, choose, map, check, start, stop, forget."""

import logging
from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import acting, sealed
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.files import content, sealing
from backoffice.files import services as files
from backoffice.jobs import registry
from backoffice.jobs import services as jobs
from backoffice.jobs.models import Job
from backoffice.sheets import formats, gates, profiles, staging
from backoffice.sheets.answers import (
    StateError,
    choose,
    form_of,
    is_ready,
    map_columns,
    may_import,
    may_upload,
    must_know_dialect,
    must_own,
    open_formats,
    read_as,
    say_headers,
    use_format,
    use_profile,
)
from backoffice.sheets.errors import ReadError, refusal
from backoffice.sheets.models import ImportJob, ImportProfile
from backoffice.sheets.reading import guard, heads, looking

__all__ = [
    "StateError",
    "cancel",
    "check",
    "choose",
    "forget",
    "map_columns",
    "may_import",
    "must_know_dialect",
    "must_own",
    "open_formats",
    "read_as",
    "say_headers",
    "start",
    "take",
    "tidy",
    "use_format",
    "use_profile",
]

logger = logging.getLogger("backoffice.sheets")
UPLOADED = verbs.register("sheets.uploaded", gettext_lazy("Sheet uploaded"))
STARTED = verbs.register("sheets.started", gettext_lazy("Import started"))
FINISHED = verbs.register("sheets.finished", gettext_lazy("Import finished"))
FAILED_ROWS = verbs.register(
    "sheets.failed_rows", gettext_lazy("Failed rows downloaded"), personal="exported"
)
CHECK: Final = "sheets.check"
IMPORT: Final = "sheets.import"
KEEP_STARTED: Final = timedelta(days=30)
KEEP_UNUSED: Final = timedelta(days=1)


def take(
    file: UploadedFile,
    actor: User,
    profile: ImportProfile | None = None,
    origin: str = ImportJob.Origin.PAGE,
    *,
    tenant: str = "",
) -> ImportJob:
    """Keep the file, look into it and propose format, sheets and mapping; all files come this way.

    `profile` says how it is read; without one, that which knows its headers does. `tenant` is the
    key of the one shop whose rows it may touch. Raises PermissionDenied, and ReadError, with
    nothing kept, for a file that cannot be read or that the profile does not fit.
    """
    acting.refuse()
    if not may_upload(actor, tenant):
        raise PermissionDenied
    if file.size is None or file.size > guard.MAX_BYTES:
        raise refusal("bytes", {"limit": guard.MAX_BYTES // 1024**2})
    job = _keep(file, actor)
    job.origin, job.tenant, job.profile = origin, tenant, profile
    try:
        # Reading may take long: nobody waits for a lock of the database meanwhile.
        sheets = looking.look(job, actor, open_formats(actor, job.tenant))
        with transaction.atomic():
            job.save()
            heads.keep(job, sheets)
            if job.profile is not None:
                profiles.used(job.profile)
            context = {"bytes": job.size, "sha256": job.sha256, "origin": job.origin}
            record(UPLOADED, actor=actor, subject=job, context=context)
    except BaseException:
        job.file.delete(save=False)
        raise
    return job


def _keep(file: UploadedFile, actor: User) -> ImportJob:
    """Return an import that is not saved yet, its file scanned and stored."""
    try:
        taken = files.take(file, actor=actor, purpose="sheets.import")
    except files.RefusedFileError as error:
        raise ReadError(str(error)) from None
    if taken.kind == content.OTHER:
        raise ReadError(_("This is neither a workbook nor a csv file."))
    job = ImportJob(
        owner=actor,
        original_name=taken.name,
        # By its first bytes; looking into it tells more.
        kind="xlsx" if taken.kind == content.WORKBOOK else "csv",
        size=taken.size,
        sha256=taken.sha256,
    )
    job.sealed_key = sealing.new_key(job.use)
    files.store(file.chunks(), job.file, name=taken.name, key=job.sealed_key, use=job.use)
    return job


def check(job: ImportJob, *, actor: User) -> Job:
    """Start the check of every row. Nothing is written but what was found.

    Raises PermissionDenied, and StateError, also while nobody said how a csv file is written or
    which column is which.
    """
    must_own(job, actor)
    must_know_dialect(job)
    form = form_of(job)
    # The check tells which records there are: who may not import them is not told.
    if form is not None and not may_import(actor, form, job.tenant):
        raise PermissionDenied
    if not is_ready(job):
        raise StateError(_("Say first which sheet is read, and which column is which."))
    # Who waits for an approval may check anew; the request is void then.
    states = [ImportJob.State.UPLOADED, ImportJob.State.CHECKED, ImportJob.State.WAITING]
    return _begin(job, CHECK, states, ImportJob.State.CHECKING, actor)


def start(job: ImportJob, *, actor: User) -> Job:
    """Start the import of a checked file, or go on with one that was stopped.

    Raises StateError, gates.ApprovalNeededError, PermissionDenied.
    """
    must_own(job, actor)
    if not may_import(actor, formats.get(job.format), job.tenant):
        raise PermissionDenied
    states = [ImportJob.State.CHECKED, ImportJob.State.WAITING]
    if job.summary and job.started_at:
        states += [ImportJob.State.CANCELLED, ImportJob.State.FAILED]
    with transaction.atomic():
        begun = _begin(job, IMPORT, states, ImportJob.State.RUNNING, actor)
        # Asked once nobody else can check or change it any more.
        gates.must_be_open(job)
        started = {"started_at": job.started_at or timezone.now(), "finished_at": None}
        ImportJob.objects.filter(pk=job.pk).update(**started)
        record(
            STARTED,
            actor=actor,
            subject=job,
            context={"format": job.format, "sheets": len(job.chosen), "sha256": job.sha256},
        )
    job.refresh_from_db()
    return begun


def _begin(job: ImportJob, kind: str, states: list[Any], then: str, actor: User) -> Job:
    with transaction.atomic():
        mine = ImportJob.objects.filter(pk=job.pk, state__in=states)
        if not mine.update(state=then, message=""):
            raise StateError(_("This cannot be done now; look at the state of the import."))
        begun = jobs.start(kind, actor=actor, title=job.original_name, params={"import": job.pk})
        ImportJob.objects.filter(pk=job.pk).update(job=begun)
    job.refresh_from_db()
    return begun


def cancel(job: ImportJob, *, actor: User) -> None:
    """Stop a check or an import at its next safe point; rows that are written stay.

    Raises PermissionDenied, StateError.
    """
    must_own(job, actor)
    if job.job is None or job.job.finished:
        raise StateError(_("Nothing runs that could be stopped."))
    jobs.cancel(job.job, actor=actor)
    tidy()


def _rewrite(row: ImportJob, change: sealed.Change) -> dict[str, Any]:
    return {"sealed_key": change(row.sealed_key, row.use)}


def _kept() -> Q:
    return ~Q(file="") & ~Q(sealed_key="")


sealed.register("uploaded sheets", ImportJob, _rewrite, _kept)


@registry.every(seconds=30, name="sheets.tidy", label=gettext_lazy("Tidy up imports"))
def tidy() -> None:
    """End the imports whose job ended without them (stopped while it waited, or lost for good)."""
    busy = [ImportJob.State.CHECKING, ImportJob.State.RUNNING]
    ended = {
        Job.State.CANCELLED: ImportJob.State.CANCELLED,
        Job.State.FAILED: ImportJob.State.FAILED,
    }
    for job in ImportJob.objects.filter(state__in=busy, job__state__in=ended).select_related("job"):
        assert job.job is not None  # noqa: S101 - the filter asks for one
        ImportJob.objects.filter(pk=job.pk, state=job.state).update(
            state=ended[Job.State(job.job.state)],
            message=job.job.message,
            finished_at=timezone.now(),
        )


def let_go(job: ImportJob) -> None:
    """Delete the file of an import, and all that was read of it."""
    if job.file:
        job.file.delete(save=False)
    with transaction.atomic():
        staging.forget(job)
        heads.forget(job)
        ImportJob.objects.filter(pk=job.pk).update(file="")


@registry.every(seconds=3600, name="sheets.forget", label=gettext_lazy("Delete old uploads"))
def forget() -> int:
    """Delete the files that are not needed any more; return how many. The rows stay."""
    now = timezone.now()
    unused = ImportJob.objects.filter(created_at__lt=now - KEEP_UNUSED, started_at=None)
    old = ImportJob.objects.filter(created_at__lt=now - KEEP_STARTED)
    clear = ImportJob.objects.filter(sealed_key="")  # from before files were sealed
    count = 0
    for job in (unused | old | clear).exclude(file=""):
        let_go(job)
        count += 1
    without = ImportJob.objects.filter(file="")
    for job in without.filter(Q(head__isnull=False) | Q(parts__isnull=False)).distinct():
        let_go(job)  # nothing that was read of a file outlasts it, whoever let go of the file
    if count:
        logger.info("forgot the files of %s imports", count)
    return count
