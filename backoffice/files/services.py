"""Taking a stranger's file in, keeping one that was made, and letting go of what expired."""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final

from django.core.files import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Q
from django.db.models.fields.files import FieldFile
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import sealed
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from backoffice.files import content, rights, scanning, sealing
from backoffice.files.models import KeptFile
from backoffice.jobs import registry

logger = logging.getLogger("backoffice.files")
INFECTED = verbs.register("files.infected", gettext_lazy("Infected file refused"))
NOT_SCANNED = verbs.register("files.not_scanned", gettext_lazy("File refused, scanner down"))
DOWNLOADED = verbs.register("files.downloaded", gettext_lazy("File downloaded"))
DAMAGED = verbs.register("files.damaged", gettext_lazy("Kept file found damaged"))
LINK_REFUSED = verbs.register("files.link_refused", gettext_lazy("Link of another person refused"))
RIGHT_LOST = verbs.register("files.right_lost", gettext_lazy("File refused, right lost"))
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


def keep(
    made: bytes | Iterable[bytes],
    *,
    name: str,
    kind: str,
    purpose: str,
    owner: User,
    lasts: timedelta = KEPT,
    proof: bool = False,
) -> KeptFile:
    """Keep a file that was made for a person, encrypted, for `lasts` (at most a day).

    `made` is its content, or its parts: those are sealed as they come, and memory holds two chunks
    of them. `proof` asks whoever downloads it for fresh proof of who they are. That it was made is
    recorded by whoever made it. Raises ValueError for a longer time than KEPT, and for `proof`
    with a purpose that asks for no right (see `rights`).
    """
    kept = lay(
        made, name=name, kind=kind, purpose=purpose, owner=owner, lasts=lasts, proof=proof
    )  # fmt: skip
    try:
        kept.save()
    except BaseException:
        kept.file.delete(save=False)
        raise
    return kept


def lay(
    made: bytes | Iterable[bytes],
    *,
    name: str,
    kind: str,
    purpose: str,
    owner: User,
    lasts: timedelta = KEPT,
    proof: bool = False,
) -> KeptFile:
    """Store a file as `keep` does and return its row, which the caller saves or deletes the file.

    So a long file is written outside of the transaction that links it. A file whose row was never
    saved is deleted with the strays, after a day.
    """
    if not timedelta(0) < lasts <= KEPT:
        msg = "a file is kept for a day at most"
        raise ValueError(msg)
    if proof and not rights.is_registered(purpose):
        msg = f"register the right that files for {purpose} ask for"
        raise ValueError(msg)
    kept = KeptFile(
        owner=owner,
        name=name[:120],
        kind=kind,
        purpose=purpose,
        proof_due=proof,
        expires_at=timezone.now() + lasts,
    )
    kept.sealed_key = sealing.new_key(kept.use)
    parts = _Measured(_blocks(made))
    store(parts, kept.file, name=name, key=kept.sealed_key, use=kept.use)
    kept.size, kept.sha256 = parts.size, parts.digest.hexdigest()
    return kept


def store(parts: Iterable[bytes], into: FieldFile, *, name: str, key: str, use: str) -> None:
    """Seal the parts as the file of a row that is not saved yet; memory holds two chunks."""
    with TemporaryFile() as sealed_file:
        sealing.seal(parts, sealed_file, key=key, use=use)
        sealed_file.seek(0)
        into.save(name, File(sealed_file), save=False)


class _Measured:
    """Passes parts on, and knows their size in bytes and SHA-256 at the end."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts
        self.size, self.digest = 0, hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self.size += len(part)
            self.digest.update(part)
            yield part


def _blocks(made: bytes | Iterable[bytes]) -> Iterable[bytes]:
    """Return the parts; one long text of bytes is cut without a copy of all of it."""
    if not isinstance(made, bytes):
        return made
    starts = range(0, len(made), sealing.CHUNK)
    return (made[start : start + sealing.CHUNK] for start in starts)


def _rewrite(row: KeptFile, change: sealed.Change) -> dict[str, Any]:
    return {"sealed_key": change(row.sealed_key, row.use)}


def _alive() -> Q:
    return Q(expires_at__gt=timezone.now())


# A rotation seals the small keys of the files anew, not the files.
sealed.register("files", KeptFile, _rewrite, _alive)


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
