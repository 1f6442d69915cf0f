"""Files that prove what people say about money: scanned, sealed, handed out on the record.

Evidence stays as long as the books do. Its name is one of ours, since what people call their files
often names somebody; what is inside is for those with the right to see evidence alone.
"""

from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import sealed
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from backoffice.files import content, sealing
from backoffice.files import services as files
from payments.models import Evidence

ADDED = verbs.register("payments.evidence_added", gettext_lazy("Evidence added"))
DOWNLOADED = verbs.register("payments.evidence_downloaded", gettext_lazy("Evidence downloaded"))
DAMAGED = verbs.register("payments.evidence_damaged", gettext_lazy("Evidence found damaged"))
MAX_BYTES: Final = 10 * 1024 * 1024
# By the first bytes: what a bank, a till or a screen gives.
_PICTURES: Final = {b"%PDF-": "pdf", b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}
_TABLES: Final = frozenset({content.TEXT, content.WORKBOOK})


@dataclass(frozen=True, slots=True)
class Inspected:
    """A file that was scanned and may be kept; `kind` is its ending."""

    file: UploadedFile[bytes]
    kind: str
    size: int
    sha256: str


def inspect(file: UploadedFile[bytes], *, actor: User) -> Inspected:
    """Scan a file and look what it is.

    Outside of a transaction that a refusal rolls back: a virus goes on the record. Raises
    ValidationError for a file that is not taken.
    """
    if not file.size:
        raise ValidationError(_("This file is empty."))
    if file.size > MAX_BYTES:
        raise ValidationError(_("This file is larger than %(mb)s MB.") % {"mb": MAX_BYTES >> 20})
    try:
        taken = files.take(file, actor=actor, purpose="payments.evidence")
    except files.RefusedFileError as error:
        raise ValidationError(str(error)) from None
    return Inspected(file, _kind(file, taken.kind), taken.size, taken.sha256)


def keep(seen: Inspected, *, name: str, actor: User) -> Evidence:
    """Keep an inspected file sealed as evidence; `name` is ours, without its ending."""
    made = Evidence(
        name=f"{name}.{seen.kind}",
        kind=seen.kind,
        size=seen.size,
        sha256=seen.sha256,
        added_by=actor,
    )
    made.sealed_key = sealing.new_key(made.use)
    files.store(seen.file.chunks(), made.file, name=made.name, key=made.sealed_key, use=made.use)
    try:
        made.save()
    except BaseException:
        made.file.delete(save=False)
        raise
    facts = {"sha256": made.sha256, "bytes": made.size}
    record(ADDED, actor=actor, subject=made, context=facts)
    return made


def _kind(file: UploadedFile[bytes], told: str) -> str:
    head = file.read(16)
    file.seek(0)
    for start, kind in _PICTURES.items():
        if head.startswith(start):
            return kind
    if told in _TABLES:
        return told
    raise ValidationError(_("Evidence is a PDF, a picture (PNG, JPEG), csv or xlsx."))


def download(found: Evidence, *, actor: User) -> bytes:
    """Return the file, proven unchanged, and put it on the record.

    Raises PermissionDenied without the right, DamagedError.
    """
    if not actor.is_active or not actor.has_perm("payments.view_evidence"):
        record(DOWNLOADED, actor=actor, subject=found, outcome=Outcome.REFUSED)
        raise PermissionDenied
    facts = {"sha256": found.sha256, "bytes": found.size}
    try:
        with found.file.storage.open(str(found.file.name)) as source:
            clear = b"".join(sealing.opened(source, key=found.sealed_key, use=found.use))  # type: ignore[arg-type]
    except (sealing.DamagedError, FileNotFoundError):
        record(DAMAGED, actor=actor, subject=found, outcome=Outcome.FAILED, context=facts)
        raise sealing.DamagedError from None
    record(DOWNLOADED, actor=actor, subject=found, context=facts)
    return clear


def _rewrite(row: Evidence, change: sealed.Change) -> dict[str, Any]:
    return {"sealed_key": change(row.sealed_key, row.use)}


# A rotation seals the small keys of the files anew, not the files.
sealed.register("evidence", Evidence, _rewrite)
