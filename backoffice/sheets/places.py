"""Where personal data lies in imports: the uploaded files, and what was noted of their rows."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy

from backoffice.files.mentions import names
from backoffice.files.sealing import DamagedError
from backoffice.masking import subjects
from backoffice.masking.erasing import Erasure, Step
from backoffice.masking.mentions import Mentions
from backoffice.masking.subjects import CLEAN, Blocker, Group, Place
from backoffice.sheets import staging
from backoffice.sheets.models import ClearExport, ExportJob, ImportJob, KeptSheet, Undo
from backoffice.sheets.reading import heads

_FEW = 5
_BLOCK = 256 * 1024
_BUSY = (ImportJob.State.CHECKING, ImportJob.State.RUNNING)


def forget_uploads(_place: Place, erasure: Erasure, after: Any, _limit: int) -> Step:
    """Delete the uploaded files that hold the people; the rows of the imports stay."""
    rows = ImportJob.objects.exclude(file="").order_by("pk").filter(pk__gt=after or 0)
    found = list(rows[:_FEW])
    named = [job for job in found if _holds(job, erasure.group.elsewhere)]
    for job in named:
        heads.forget(job)
        staging.forget(job)
        job.file.delete(save=False)
        ImportJob.objects.filter(pk=job.pk).update(file="")
    return Step(len(named), found[-1].pk if len(found) == _FEW else None)


def _holds(job: ImportJob, mentions: Mentions) -> bool:
    said = str(job.dialect.get("encoding", "")) if isinstance(job.dialect, dict) else ""
    try:
        with job.open() as file:
            return names(iter(lambda: file.read(_BLOCK), b""), mentions, said)
    except (DamagedError, FileNotFoundError):
        return False  # nobody can read it, or it is not reachable: then its name must not be lost


def busy(_group: Group) -> list[Blocker]:
    """Name what is read or written now: it may bring anybody's data, after it was looked for."""
    return [
        Blocker(str(text) % {"name": row.public_id}, label, str(row.pk))
        for label, text, rows in _working()
        for row in rows
    ]


def _working() -> Iterator[tuple[str, Any, QuerySet[Any]]]:
    """Yield the kinds of work on sheets: label of the model, words, and the rows in work."""
    text = gettext_lazy("An import is being worked on: %(name)s")
    yield "sheets.importjob", text, ImportJob.objects.filter(state__in=_BUSY)
    text = gettext_lazy("An import is being undone: %(name)s")
    yield "sheets.undo", text, Undo.objects.filter(state=Undo.State.RUNNING)
    text = gettext_lazy("A sheet is being kept: %(name)s")
    yield "sheets.keptsheet", text, KeptSheet.objects.filter(state=KeptSheet.State.LOADING)
    text = gettext_lazy("A file is being made: %(name)s")
    unfinished = Q(job__isnull=False, job__finished_at=None)
    yield "sheets.exportjob", text, ExportJob.objects.filter(unfinished)
    yield "sheets.clearexport", text, ClearExport.objects.filter(unfinished)


def register() -> None:
    """Put the places in force."""
    _register_files()
    _register_notes()
    _register_staged()
    _register_undos()
    _register_exports()
    subjects.register_blocker(busy)


def _register_files() -> None:
    """Say what stays of uploads: nothing of their content."""
    subjects.register(
        Place(
            "sheets.files",
            gettext_lazy("Uploaded sheets"),
            "sheets.importjob",
            step=forget_uploads,
            kept={
                "kind": gettext_lazy("Says how the file is read"),
                "dialect": gettext_lazy("Says how the file is read"),
                "sha256": gettext_lazy("A hash of the whole file"),
                "format": gettext_lazy("Says how the file is read"),
                "ways": gettext_lazy("Says how records are written"),
                "tenant": gettext_lazy("The key of a shop"),
                "file": gettext_lazy("Our own random name"),
                "sealed_key": gettext_lazy("A key that opens the file and nothing else"),
            },
        )
    )
    subjects.register(
        Place(
            "sheets.heads",
            gettext_lazy("First rows of uploaded sheets"),
            "sheets.importhead",
            kept={"body": gettext_lazy("Sealed; deleted with the file")},
        )
    )


def _register_notes() -> None:
    """Say what is cleaned of what was noted: texts of files and of people."""
    texts = ("original_name", "sheets", "chosen", "mapping", "notes", "summary", "counters", "sums",
             "message", "reference")  # fmt: skip
    subjects.register(
        Place(
            "sheets.imports",
            gettext_lazy("What was noted of imports"),
            "sheets.importjob",
            fields=dict.fromkeys(texts, CLEAN),
            everywhere=True,
        )
    )
    subjects.register(
        Place(
            "sheets.problems",
            gettext_lazy("Problems of imported rows"),
            "sheets.importproblem",
            fields=dict.fromkeys(("sheet", "column", "value", "params"), CLEAN),
            kept={
                "code": gettext_lazy("A word of ours"),
                "dataset": gettext_lazy("A word of ours"),
            },
            everywhere=True,
        )
    )
    subjects.register(
        Place(
            "sheets.profiles",
            gettext_lazy("How suppliers' sheets are read"),
            "sheets.importprofile",
            fields=dict.fromkeys(("name", "supplier", "mapping"), CLEAN),
            kept=dict.fromkeys(("format", "dialect", "mode"), gettext_lazy("Words of ours")),
            everywhere=True,
        )
    )


def _register_staged() -> None:
    """Say what stays of staged records and of the journal: no value of a row in clear."""
    subjects.register(
        Place(
            "sheets.staged",
            gettext_lazy("Records of uploaded sheets"),
            "sheets.stagedpart",
            kept={
                "dataset": gettext_lazy("A word of ours"),
                "statuses": gettext_lazy("What becomes of each record, a letter each"),
                "body": gettext_lazy("Sealed; deleted with the file"),
            },
        )
    )
    for model, words in {
        "sheets.importspan": ("dataset", "model"),
        "sheets.importlane": ("key",),
    }.items():
        subjects.register(
            Place(
                model,
                gettext_lazy("Journal of imports"),
                model,
                kept=dict.fromkeys(words, gettext_lazy("Names of formats and models")),
            )
        )


def _register_undos() -> None:
    """Say what stays of undos and of watched folders; words that people typed are searched."""
    subjects.register(
        Place(
            "sheets.undos",
            gettext_lazy("Undos of imports"),
            "sheets.undo",
            fields=dict.fromkeys(("reason", "message"), CLEAN),
            kept={"counters": gettext_lazy("Counts of rows")},
            everywhere=True,
        )
    )
    subjects.register(
        Place(
            "sheets.undo_left",
            gettext_lazy("Rows that an undo left as they are"),
            "sheets.undoleft",
            kept=dict.fromkeys(
                ("dataset", "model", "object_id"), gettext_lazy("Names of models, and keys")
            ),
        )
    )
    subjects.register(
        Place(
            "sheets.dropped",
            gettext_lazy("Files of watched folders"),
            "sheets.droppedfile",
            fields=dict.fromkeys(("name", "message"), CLEAN),
            kept={
                "folder": gettext_lazy("A name of the settings"),
                "sha256": gettext_lazy("A hash of the whole file"),
            },
            everywhere=True,
        )
    )


def _register_exports() -> None:
    """Say what stays of a clear export: whose rows and which columns; the file goes by content."""
    words = ("model", "names", "purpose", "keys", "ids")
    subjects.register(
        Place(
            "sheets.clear_exports",
            gettext_lazy("Files with clear values that were asked for"),
            "sheets.clearexport",
            fields={"filter": CLEAN},
            kept=dict.fromkeys(words, gettext_lazy("Names of columns, keys and a hash")),
            everywhere=True,
        )
    )
    subjects.register(
        Place(
            "sheets.exports",
            gettext_lazy("Exports of long lists"),
            "sheets.exportjob",
            fields={"filter": CLEAN},
            kept={
                **dict.fromkeys(
                    ("site", "model", "kind", "names", "language", "zone"),
                    gettext_lazy("Names of lists and columns, and words of ours"),
                ),
                "sealed_query": gettext_lazy("The filter, sealed; gone when the file is made"),
            },
            everywhere=True,
        )
    )
