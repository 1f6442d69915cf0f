"""Watched folders: files that another system drops come in as those of the pages do.

    BACKOFFICE_SHEET_FOLDERS = {
        "prices": {"path": "/srv/drops/prices", "profile": "Supplier A", "actor": "drops"},
    }

The worker looks every half minute. A file whose size and time stayed the same is read by the
profile, in the name of the actor and with their rights, and checked. It starts by itself unless it
is all or nothing and rows failed, or somebody has to approve it. The same bytes are taken once.
Nothing in the folder is changed; links are not followed.
"""

import hashlib
import logging
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

from django.apps import apps
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.accounts.models import User
from backoffice.jobs import registry
from backoffice.jobs import services as jobs
from backoffice.jobs.run import JobRun
from backoffice.sheets import services, starting
from backoffice.sheets.errors import ReadError
from backoffice.sheets.models import DroppedFile, ImportJob, ImportProfile
from backoffice.sheets.services import StateError

logger = logging.getLogger("backoffice.sheets")
DROP: Final = "sheets.drop"
MAIL: Final = "sheets.dropped"
SETTLED: Final = timedelta(seconds=20)
"""A file has to stay the same for so long: its writer may not be through."""
MOST: Final = 1_000
KEPT: Final = timedelta(days=90)
"""What is known of a dropped file stays so long, and as long as the file lies in its folder."""
_UNFINISHED: Final = (".part", ".partial", ".tmp", ".crdownload", ".filepart", ".swp")
_State = DroppedFile.State


@dataclass(frozen=True, slots=True)
class Folder:
    """A watched folder; `profile` and `actor` are names."""

    name: str
    path: Path
    profile: str
    actor: str

    def person(self) -> User | None:
        """Return in whose name its files come; None where nobody (active) is called so."""
        return User.objects.filter(username=self.actor, is_active=True).first()


@dataclass(frozen=True, slots=True)
class Seen:
    """A file of a folder at one moment."""

    name: str
    size: int
    modified_ns: int


def configured() -> dict[str, Folder]:
    """Return the watched folders by name. Raises ValueError, in words, for what means nothing."""
    return {name: _folder(name, one) for name, one in settings.BACKOFFICE_SHEET_FOLDERS.items()}


def _folder(name: Any, one: Any) -> Folder:
    wanted = {"path", "profile", "actor"}
    if not isinstance(one, Mapping) or set(one) != wanted:
        raise ValueError(f"{name}: has to say path, profile and actor, and nothing else")
    if not all(isinstance(one[key], str | Path) and str(one[key]) for key in wanted):
        raise ValueError(f"{name}: path, profile and actor have to be names")
    path = Path(one["path"])
    if not path.is_absolute() or not path.is_dir():
        raise ValueError(f"{name}: {path} is no folder with an absolute path")
    if not os.access(path, os.R_OK | os.X_OK):
        raise ValueError(f"{name}: {path} cannot be read")
    if not isinstance(name, str) or len(name) > 60:  # noqa: PLR2004 - what the column holds
        raise ValueError(f"{name}: is no name of at most 60 characters")
    return Folder(name, path, str(one["profile"]), str(one["actor"]))


@registry.every(seconds=30, name="sheets.folders", label=gettext_lazy("Look into watched folders"))
def look() -> None:
    """Note what came, take what is finished, and start what was checked."""
    try:
        folders = configured()
    except ValueError as error:
        logger.warning("watched folders: %s", error)
        return
    for folder in folders.values():
        try:
            _note(folder)
        except OSError as error:
            logger.warning("watched folder %s: %s", folder.name, type(error).__name__)
    decide()


@registry.every(
    seconds=24 * 3600, name="sheets.forget_drops", label=gettext_lazy("Forget old dropped files")
)
def forget() -> int:
    """Delete what is known of files that left their folders long ago; return how many.

    Their names may be those of persons. What still lies there would come in again.
    """
    try:
        paths = {one.name: one.path for one in configured().values()}
    except ValueError as error:
        logger.warning("watched folders: %s", error)
        return 0
    old = DroppedFile.objects.filter(seen_at__lt=timezone.now() - KEPT).exclude(state=_State.TAKING)
    gone = [
        key
        for key, folder, name in old.values_list("pk", "folder", "name")
        if folder not in paths or not os.path.lexists(paths[folder] / name)
    ]
    for start in range(0, len(gone), MOST):
        DroppedFile.objects.filter(pk__in=gone[start : start + MOST]).delete()
    return len(gone)


def _note(folder: Folder) -> None:
    now = timezone.now()
    rows = DroppedFile.objects.filter(folder=folder.name)
    for one in files_in(folder.path):
        rows.filter(name=one.name, state=_State.SEEN).exclude(
            size=one.size, modified_ns=one.modified_ns
        ).delete()
        same = {"name": one.name, "size": one.size, "modified_ns": one.modified_ns}
        row, new = rows.get_or_create(
            folder=folder.name, **same, defaults={"seen_at": now, "state": _State.SEEN}
        )
        if not new and row.state == _State.SEEN and now - row.seen_at >= SETTLED:
            _queue(row, folder)


def files_in(path: Path) -> list[Seen]:
    """Return the files that lie in the folder itself, the oldest first.

    Links, folders, devices, hidden files and those whose name says that they are not finished do
    not count.
    """
    found = []
    with os.scandir(path) as entries:
        for entry in entries:
            if not _counts(entry.name) or not entry.is_file(follow_symlinks=False):
                continue
            facts = entry.stat(follow_symlinks=False)
            found.append(Seen(entry.name, facts.st_size, facts.st_mtime_ns))
    return sorted(found, key=lambda one: (one.modified_ns, one.name))[-MOST:]


def _counts(name: str) -> bool:
    fits = len(name) <= 255 and name.isprintable()  # noqa: PLR2004 - what the column holds
    return fits and not name.startswith((".", "~")) and not name.lower().endswith(_UNFINISHED)


def _queue(row: DroppedFile, folder: Folder) -> None:
    """Let a job take the file; one of two workers wins."""
    actor = folder.person()
    if actor is None:
        text = _("Nobody called %s can sign in.") % folder.actor
        DroppedFile.objects.filter(pk=row.pk).update(message=text[:300])
        return
    with transaction.atomic():
        mine = DroppedFile.objects.filter(pk=row.pk, state=_State.SEEN)
        if mine.update(state=_State.TAKING, message=""):
            title = _("Watched folder %s") % folder.name
            jobs.start(DROP, actor=actor, title=title, params={"drop": row.pk})


@registry.handler(DROP, again=False)
def run_drop(run: JobRun) -> dict[str, Any]:
    """Take one file and begin its check. It may be called again after a crash."""
    row = DroppedFile.objects.filter(pk=run.params["drop"], state=_State.TAKING).first()
    folder = configured().get(row.folder) if row else None
    actor = run.job.owner
    if row is None or folder is None or actor is None:
        return {}
    try:
        _take(row, folder, actor)
    except (ReadError, StateError) as error:
        _end(row, _State.REFUSED, str(error), actor)
    except PermissionDenied:
        _end(row, _State.REFUSED, _("%s may not import this.") % folder.actor, actor)
    except Exception:
        text = _("Something went wrong. Quote %(number)s.") % {"number": run.job.public_id}
        _end(row, _State.REFUSED, text, actor)
        raise
    row.refresh_from_db()
    return {"state": row.state}


def _take(row: DroppedFile, folder: Folder, actor: User) -> None:
    profile = ImportProfile.objects.filter(name=folder.profile).first()
    if profile is None:
        raise ReadError(_("There is no profile %s.") % folder.profile)
    with opened(folder.path, row) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        if not _claim(row, digest):
            return
        job = _left_by_a_crash(actor, digest)
        if job is None:
            file.seek(0)
            sent: Any = UploadedFile(file, name=row.name, size=row.size)
            job = services.take(sent, actor, profile, ImportJob.Origin.FOLDER)
    DroppedFile.objects.filter(pk=row.pk).update(import_job=job, state=_State.TAKEN)
    if job.sha256 != digest:
        raise ReadError(_("It was changed while it was read."))
    try:
        services.check(job, actor=actor)
    except StateError as error:
        _end(row, _State.WAITING, str(error), actor)


def _claim(row: DroppedFile, digest: str) -> bool:
    """Say that these bytes are taken by this file; False when another one has them."""
    try:
        with transaction.atomic():
            DroppedFile.objects.filter(pk=row.pk).update(sha256=digest)
    except IntegrityError:
        DroppedFile.objects.filter(pk=row.pk).update(
            sha256=digest, state=_State.REPEATED, message=_("The same file came before.")
        )
        return False
    return True


def _left_by_a_crash(actor: User, digest: str) -> ImportJob | None:
    """Return the import of a worker that was killed before it could note it."""
    return ImportJob.objects.filter(
        owner=actor,
        origin=ImportJob.Origin.FOLDER,
        sha256=digest,
        drops=None,
        state=ImportJob.State.UPLOADED,
    ).first()


@contextmanager
def opened(path: Path, row: DroppedFile) -> Iterator[BinaryIO]:
    """Open the very file that was seen. Raises ReadError when it is not there as it was."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        number = os.open(path / row.name, flags)
    except OSError:
        raise ReadError(_("It cannot be opened, or is gone.")) from None
    with os.fdopen(number, "rb") as file:
        facts = os.fstat(number)
        same = (facts.st_size, facts.st_mtime_ns) == (row.size, row.modified_ns)
        if not stat.S_ISREG(facts.st_mode) or not same:
            raise ReadError(_("It was changed while it was read."))
        yield file


def decide() -> None:
    """Start the imports of dropped files whose check is through, or say why they wait."""
    taken = DroppedFile.objects.filter(state=_State.TAKEN).exclude(import_job=None)
    for row in taken.select_related("import_job__owner", "import_job__job").order_by("pk"):
        job = row.import_job
        assert job is not None  # noqa: S101 - the query asks for one
        if job.state == ImportJob.State.CHECKED:
            _start(row, job)
        elif not job.is_busy:
            text = job.message or _("The check did not end.")
            _end(row, _State.REFUSED, text, job.owner)


def _start(row: DroppedFile, job: ImportJob) -> None:
    failed = job.summary.get("failed", 0)
    words = ngettext("%(count)s row failed.", "%(count)s rows failed.", failed)
    told = words % {"count": failed} if failed else ""
    try:
        with transaction.atomic():
            begun = starting.start_or_ask(job, actor=job.owner, reason=_("Watched folder"))
            state = _State.STARTED if begun else _State.WAITING
            text = told if begun else _("It waits for an approval.")
            DroppedFile.objects.filter(pk=row.pk, state=_State.TAKEN).update(
                state=state, message=text
            )
            if told:
                _tell(row, text, job.owner)
    except StateError as error:
        _end(row, _State.WAITING, str(error), job.owner)
    except (PermissionDenied, ValidationError):
        _end(row, _State.WAITING, _("It has to be started by hand."), job.owner)


def _end(row: DroppedFile, state: str, text: str, actor: User) -> None:
    """Note what became of a file that does not go on by itself, and tell whose name it bears."""
    with transaction.atomic():
        DroppedFile.objects.filter(pk=row.pk).update(state=state, message=text[:300])
        _tell(row, text, actor)


def _tell(row: DroppedFile, text: str, actor: User) -> None:
    """Send a mail; it names the folder alone, since a name of a file may tell of a person."""
    if not apps.is_installed("backoffice.mail"):
        return
    from backoffice.mail.services import queue  # noqa: PLC0415 - not in every installation

    context = {"folder": row.folder, "number": row.pk, "link": reverse("admin:import_drops")}
    reason = _("Files of this folder come in your name.")
    queue(MAIL, to=actor, context=context, reason=reason, actor=None)
    logger.info("dropped file %s: %s", row.pk, len(text))


def register() -> None:
    """Announce the mail, where mail is installed."""
    if apps.is_installed("backoffice.mail"):
        from backoffice.mail import registry as mails  # noqa: PLC0415 - not in every installation

        mails.register(
            MAIL,
            label=gettext_lazy("Dropped file needs somebody"),
            subject=gettext_lazy("A file in the watched folder %(folder)s needs you"),
            fields=("folder", "number"),
        )
