"""The workbook of failed rows: made while the person waits, or by a job where there are many.

    made = ask(job, actor=oli)      # the file, or None while a job makes it: ask again

A job makes it once for the problems as they are; it is the person's for a day, like every such
file, and to ask for it again meanwhile gives the same one.
"""

from typing import Any, Final

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backoffice.accounts.models import User
from backoffice.audit.services import record
from backoffice.files import content
from backoffice.files import services as files
from backoffice.files.models import KeptFile
from backoffice.jobs import registry
from backoffice.jobs import services as jobs
from backoffice.jobs.models import Job
from backoffice.jobs.run import JobError, JobRun
from backoffice.sheets import services, workbooks
from backoffice.sheets.errors import ReadError
from backoffice.sheets.models import ImportJob
from backoffice.sheets.problems import Severity
from backoffice.sheets.reading import patience

KIND: Final = services.FAILED_ROWS
AT_ONCE: Final = 2_000
"""Failed rows for which nobody has to ask twice."""


def ask(job: ImportJob, *, actor: User) -> KeptFile | None:
    """Return the workbook of the person's own import; None while a job makes it.

    Raises PermissionDenied for the import of another person, and ReadError.
    """
    services.must_own(job, actor)
    problems = job.problems.filter(severity=Severity.FAILED).count()
    if problems <= AT_ONCE:
        # The file is read again while the person waits: it takes the place of a look.
        with patience.look():
            return _kept(job, actor, workbooks.failed_rows(job), problems)
    params = {
        "import": job.pk,
        "problems": problems,
        "language": translation.get_language() or "",
    }
    asked = Job.objects.filter(kind=KIND, owner=actor, params=params).order_by("-pk").first()
    if asked is not None and asked.state == Job.State.DONE:
        alive = KeptFile.objects.filter(owner=actor, expires_at__gt=timezone.now())
        found = alive.filter(pk=asked.result["file"]).first()
        if found is not None:
            return found
    if asked is None or asked.finished:
        jobs.start(KIND, actor=actor, title=_("Failed rows: %s") % job.original_name, params=params)
    return None


def _kept(job: ImportJob, owner: User, made: bytes, problems: int) -> KeptFile:
    record(KIND, actor=owner, subject=job, context={"problems": problems})
    return files.keep(
        made,
        name=f"failed-rows-{job.public_id.hex[:8]}.xlsx",
        kind=content.WORKBOOK,
        purpose=KIND,
        owner=owner,
    )


@registry.handler(KIND)
def make(run: JobRun) -> dict[str, Any]:
    """Make the workbook; a second call finds it made."""
    if "file" in run.checkpoint:
        return {"file": run.checkpoint["file"]}
    job = ImportJob.objects.select_related("owner").get(pk=run.params["import"])
    run.progress(0, run.params["problems"])
    with translation.override(run.params["language"] or None):
        try:
            made = workbooks.failed_rows(job)
        except ReadError as error:
            raise JobError(str(error)) from None
    with run.effect() as checkpoint:
        kept = _kept(job, job.owner, made, run.params["problems"])
        checkpoint["file"] = kept.pk
    return {"file": kept.pk}
