"""Imports under approval: more changed rows than a number, or formats that are named.

    BACKOFFICE_IMPORT_APPROVAL = {"changed": 50_000, "formats": ["payments"]}

What is approved are these very rows: the hash of what the check staged. A new check, another mode
or another file voids the request. The run begins by itself, as a job of whoever uploaded the file.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals import registry as rules
from backoffice.approvals import services as approvals
from backoffice.approvals import voters
from backoffice.approvals.models import ApprovalRequest
from backoffice.sheets import formats, gates, services, staging, starting
from backoffice.sheets.answers import StateError, must_own
from backoffice.sheets.models import ImportJob, Status
from backoffice.sheets.undoing import pointers

KIND: Final = "sheets.import"
_OPEN: Final = {ApprovalRequest.State.REQUESTED, ApprovalRequest.State.APPROVED}
_GRANTED: Final = {ApprovalRequest.State.APPROVED, ApprovalRequest.State.EXECUTED}


def limit() -> int | None:
    """Return from how many changed rows on somebody else decides; None: their number is free."""
    value = _setting().get("changed")
    return int(value) if value is not None else None


def _setting() -> dict[str, Any]:
    return dict(getattr(settings, "BACKOFFICE_IMPORT_APPROVAL", {}))


def counts(job: ImportJob) -> dict[str, int]:
    """Return how many records are new and how many are changed."""
    found = staging.totals(job).values()
    return {
        "new": sum(one[Status.NEW] for one in found),
        # Nobody is told which of those with masked values differ: all of them may.
        "changed": sum(one[Status.CHANGED] + one[Status.BRINGS] for one in found),
    }


def is_wanted(job: ImportJob) -> bool:
    """Whether the rule asks for an approval of this import at all."""
    if job.format in _setting().get("formats", ()):
        return True
    most = limit()
    return most is not None and counts(job)["changed"] > most


def was_wanted(job: ImportJob) -> bool:
    """Whether what an import wrote was, or would be, for others to decide.

    By what it wrote: what the check staged is forgotten with the file.
    """
    if job.request_id or job.format in _setting().get("formats", ()):
        return True
    most = limit()
    return most is not None and job.total("updated") > most


def is_asked(job: ImportJob) -> bool:
    """Whether the rule asks for an approval that these staged rows do not have."""
    if not is_wanted(job):
        return False
    request = ApprovalRequest.objects.filter(pk=job.request_id or 0, kind=KIND).first()
    if request is None or request.state not in _GRANTED:
        return True
    return bool(request.snapshot != facts(job))


def staged_hash(job: ImportJob) -> str:
    """Return the SHA-256 of what the check staged, as it lies there; a new check has another."""
    digest = hashlib.sha256()
    parts = job.parts.order_by("pk").values_list("dataset", "number", "statuses", "body")
    for dataset, number, statuses, body in parts.iterator(chunk_size=20):
        digest.update(f"{dataset}:{number}:{statuses}:".encode() + bytes(body))
    return digest.hexdigest()


def facts(job: ImportJob) -> dict[str, Any]:
    """Return what the approval rests on."""
    return {
        "staged": staged_hash(job),
        "file": job.sha256,
        "format": job.format,
        "mode": job.mode,
        "whole": job.whole,
    }


def ask(job: ImportJob, *, actor: User, reason: str) -> None:
    """Ask for the approval; the import waits. Raises StateError, ValidationError."""
    must_own(job, actor)
    with transaction.atomic():
        mine = ImportJob.objects.filter(pk=job.pk, state=ImportJob.State.CHECKED, started_at=None)
        if not mine.update(state=ImportJob.State.WAITING, message=""):
            raise StateError(_("This cannot be done now; look at the state of the import."))
        job.refresh_from_db()
        request = approvals.ask(
            KIND,
            subject=job,
            payload={**counts(job), "format": job.format},
            summary=_summary(job),
            reason=reason,
            actor=actor,
        )
        ImportJob.objects.filter(pk=job.pk).update(request_id=request.pk)


def _summary(job: ImportJob) -> str:
    told = {**counts(job), "format": formats.get(job.format).title}
    return _("Import “%(format)s”: %(new)s new and %(changed)s changed records") % told


def _snapshot(request: ApprovalRequest) -> dict[str, Any]:
    job = request.record()
    return facts(job) if isinstance(job, ImportJob) else {"staged": ""}


def _effects(request: ApprovalRequest) -> list[rules.Effect]:
    job = request.record()
    if not isinstance(job, ImportJob):
        return []
    how = _("all or nothing") if job.whole else _("good rows only")
    return [
        rules.Effect(_("New records"), "", f"{request.payload['new']:,}"),
        rules.Effect(_("Changed records"), "", f"{request.payload['changed']:,}"),
        rules.Effect(_("What it writes"), "", f"{job.get_mode_display()}, {how}"),
        rules.Effect(_("Rows of the check (SHA-256)"), "", str(request.snapshot.get("staged"))),
    ]


def _start(request: ApprovalRequest) -> None:
    """Start the run in the transaction that ends the request."""
    job = request.record()
    if not isinstance(job, ImportJob) or job.request_id != request.pk:
        raise approvals.VoidError(_("This import is not waiting any more."))
    try:
        services.start(job, actor=request.maker)
    except PermissionDenied:
        raise approvals.VoidError(_("Who asked for it may not import this any more.")) from None
    except StateError as error:
        raise approvals.VoidError(str(error)) from None


def _let_go(request: ApprovalRequest) -> None:
    """Let the import be changed, checked or started by other means again."""
    waiting = ImportJob.objects.filter(
        pk=request.subject_id, request_id=request.pk, state=ImportJob.State.WAITING
    )
    told = _("Not approved: %(state)s.") % {"state": request.get_state_display()}
    waiting.update(state=ImportJob.State.CHECKED, message=told)


rules.register(
    rules.Rule(
        kind=KIND,
        label=gettext_lazy("Import of a sheet"),
        permission="sheets.approve_importjob",
        snapshot=_snapshot,
        effects=_effects,
        execute=_start,
        on_reject=_let_go,
        excluded=voters.hosts,
        excluded_label=gettext_lazy("Who invited whoever asks"),
    )
)
starting.register(ask, is_asked)
gates.decide_undo(was_wanted)


@pointers.register
def _to_be_decided(model: type[Model], keys: Sequence[Any]) -> set[Any]:
    """Say which records others still have to decide about."""
    rows = ApprovalRequest.objects.filter(subject_type=model._meta.label_lower, state__in=_OPEN)
    return pointers.named(rows, "subject_id", keys)
