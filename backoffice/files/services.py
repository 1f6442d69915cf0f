"""Taking a stranger's file in, keeping one that was made, and letting go of what expired."""

import hashlib
import logging
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from backoffice.files import content, scanning
from backoffice.files.models import KeptFile
from backoffice.jobs import registry

logger = logging.getLogger("backoffice.files")
INFECTED = verbs.register("files.infected", gettext_lazy("Infected file refused"))
NOT_SCANNED = verbs.register("files.not_scanned", gettext_lazy("File refused, scanner down"))
DOWNLOADED = verbs.register("files.downloaded", gettext_lazy("File downloaded"))
LINK_REFUSED = verbs.register("files.link_refused", gettext_lazy("Link of another person refused"))
KEPT: Final = timedelta(hours=24)
_LONGEST_NAME: Final = 200


class RefusedFileError(Exception):
    """The file is not taken in; `str()` of it is a sentence for the person."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What is known of a file that was scanned: its own name, cut to size, is for people only."""

    name: str
    size: int
    sha256: str
    kind: str


def take(file: UploadedFile[bytes], *, actor: User, purpose: str) -> Taken:
    """Scan a stranger's file before anybody reads it, and say what it is; it stands at its start.

    Call it outside of a transaction that a refusal rolls back: the refusal is on the record.
    Raises RefusedFileError.
    """
    digest = hashlib.sha256()
    for block in file.chunks():
        digest.update(block)
    facts = {"bytes": file.size or 0, "sha256": digest.hexdigest(), "purpose": purpose}
    try:
        found = scanning.scan(file)  # type: ignore[arg-type]
    except scanning.ScannerError:
        logger.exception("the scanner did not answer; a file of %s is refused", purpose)
        record(NOT_SCANNED, actor=actor, outcome=Outcome.REFUSED, context=facts)
        raise RefusedFileError(
            _("Files cannot be checked for viruses at the moment, so none is taken. Try later.")
        ) from None
    if found:
        facts["found"] = found
        record(INFECTED, actor=actor, outcome=Outcome.REFUSED, context=facts)
        raise RefusedFileError(_("The virus scanner found something in this file: %s.") % found)
    return Taken(
        name=Path(file.name or "").name[-_LONGEST_NAME:] or "file",
        size=file.size or 0,
        sha256=digest.hexdigest(),
        kind=content.kind_of(file),  # type: ignore[arg-type]
    )


def keep(made: bytes, *, name: str, kind: str, purpose: str, owner: User) -> KeptFile:
    """Keep a file that was made for a person; it expires after a day.

    That it was made is recorded by whoever made it.
    """
    kept = KeptFile(
        owner=owner,
        name=name[:120],
        kind=kind,
        purpose=purpose,
        size=len(made),
        sha256=hashlib.sha256(made).hexdigest(),
        expires_at=timezone.now() + KEPT,
    )
    kept.file.save(name, ContentFile(made), save=False)
    try:
        kept.save()
    except BaseException:
        kept.file.delete(save=False)
        raise
    return kept


@registry.every(seconds=3600, name="files.forget", label=gettext_lazy("Delete expired files"))
def forget() -> int:
    """Delete expired files, and those without a row; return how many."""
    now = timezone.now()
    count = 0
    for kept in KeptFile.objects.filter(expires_at__lte=now):
        kept.file.delete(save=False)
        kept.delete()
        count += 1
    return count + _forget_strays()


def _forget_strays() -> int:
    """Delete files whose row was rolled back, once they are as old as any can be."""
    if not default_storage.exists("made"):
        return 0
    known = set(KeptFile.objects.values_list("file", flat=True))
    before = timezone.now() - KEPT
    strays = [
        name
        for name in (f"made/{file}" for file in default_storage.listdir("made")[1])
        if name not in known and default_storage.get_modified_time(name) < before
    ]
    for name in strays:
        default_storage.delete(name)
    return len(strays)
