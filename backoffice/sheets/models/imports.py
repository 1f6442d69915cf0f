"""Imports as rows: the file, how it is read, how far it came, and what was wrong with it."""

import io
import uuid
from typing import Any, BinaryIO, ClassVar, Literal, cast

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from backoffice.audit.history import OwnReason
from backoffice.files import sealing
from backoffice.files.storage import own_name
from backoffice.jobs.models import Job
from backoffice.sheets import problems
from backoffice.sheets.problems import Severity


def stored_name(instance: "ImportJob", _original: str) -> str:
    """Return a name of our own: the uploaded one may hold anything."""
    return own_name("imports", instance.kind)


class ImportJob(models.Model):
    """One uploaded file on its way into the system.

    The file lies sealed by a key of its own, which stands here sealed by the key ring.

    `step` counts the committed chunks and fences: a worker whose import was taken over cannot
    write any more. `phase` is the index of the format's step that is being written and `offset`
    how many of its records are done; both, and `counters`, change in the transaction of the rows.
    """

    class State(models.TextChoices):
        """Where the import stands."""

        UPLOADED = "uploaded", _("Uploaded")
        CHECKING = "checking", _("Being checked")
        CHECKED = "checked", _("Checked")
        RUNNING = "running", _("Running")
        DONE = "done", _("Imported")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")
        WAITING = "waiting", _("Waiting for approval")
        UNDOING = "undoing", _("Being undone")
        UNDONE = "undone", _("Undone")

    class Mode(models.TextChoices):
        """Which rows it writes."""

        CREATE = "create", _("New rows only")
        UPDATE = "update", _("Rows that exist only")
        BOTH = "both", _("New rows and changes")

    class Origin(models.TextChoices):
        """How the file came."""

        PAGE = "page", _("Uploaded")
        API = "api", _("By the API")
        FOLDER = "folder", _("From a watched folder")

    public_id = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("uploaded by"),
    )
    file = models.FileField(_("file"), upload_to=stored_name, max_length=200, blank=True)
    sealed_key = models.TextField(editable=False, blank=True)
    original_name = models.CharField(_("name of the file"), max_length=200)
    kind = models.CharField(_("kind"), max_length=8)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    format = models.CharField(_("format"), max_length=60, blank=True)
    sheets: models.JSONField[Any, Any] = models.JSONField(_("sheets"), default=list)
    chosen: models.JSONField[Any, Any] = models.JSONField(_("chosen sheets"), default=list)
    mapping: models.JSONField[Any, Any] = models.JSONField(_("mapping"), default=dict)
    dialect: models.JSONField[Any, Any] = models.JSONField(_("text"), default=dict)
    """How a csv file is read (`dialects.Dialect`), as the person confirmed it."""
    mode = models.CharField(_("what it writes"), max_length=8, choices=Mode, default=Mode.BOTH)
    whole = models.BooleanField(_("all or nothing"), default=False)
    profile = models.ForeignKey(
        "ImportProfile",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("profile"),
    )
    origin = models.CharField(_("came"), max_length=8, choices=Origin, default=Origin.PAGE)
    reference = models.CharField(_("reference"), max_length=80, blank=True)
    """What a program calls the file: the same once more makes no second import."""
    tenant = models.CharField(_("shop"), max_length=60, blank=True)
    """The key of the one shop whose rows it may touch; "" for staff."""
    request_id = models.BigIntegerField(_("approval"), null=True, blank=True)
    ways: models.JSONField[Any, Any] = models.JSONField(default=dict)
    """Data set -> how it is written, and why not faster (`ways.Way`)."""
    notes: models.JSONField[Any, Any] = models.JSONField(_("notes"), default=list)
    state = models.CharField(
        _("state"), max_length=10, choices=State, default=State.UPLOADED, db_index=True
    )
    summary: models.JSONField[Any, Any] = models.JSONField(_("check"), default=dict)
    counters: models.JSONField[Any, Any] = models.JSONField(_("counters"), default=dict)
    sums: models.JSONField[Any, Any] = models.JSONField(_("check sums"), default=list)
    step = models.PositiveIntegerField(_("chunks written"), default=0)
    phase = models.PositiveIntegerField(_("step"), default=0)
    offset = models.PositiveIntegerField(_("records done"), default=0)
    message = models.CharField(_("message"), max_length=300, blank=True)
    job = models.ForeignKey(
        Job,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("job"),
    )
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects: ClassVar[models.Manager["ImportJob"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        default_permissions = ("add", "view")
        permissions = (
            ("undo_importjob", _("Can undo anybody's import")),
            ("approve_importjob", _("Can approve an import")),
        )
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "reference"],
                condition=~models.Q(reference=""),
                name="import_reference_once",
            )
        ]

    def __str__(self) -> str:
        return self.original_name

    def get_absolute_url(self) -> str:
        """Return the page on which it is to be looked at; staff only."""
        return reverse("admin:import", args=[self.public_id])

    @property
    def use(self) -> str:
        """What the key and the chunks of the file are bound to."""
        return f"sheets.import:{self.public_id.hex}"

    def open(self, _mode: Literal["rb"] = "rb", /) -> BinaryIO:
        """Return the uploaded file, clear, to be read from anywhere in it and to be closed.

        Raises FileNotFoundError, and DamagedError for one that is not sealed by its key.
        """
        source = cast("BinaryIO", self.file.storage.open(str(self.file.name)))
        clear = sealing.Clear(source, key=self.sealed_key, use=self.use)
        return io.BufferedReader(clear, sealing.CHUNK)

    @property
    def seen(self) -> dict[str, Any] | None:
        """What is known since the upload of the file as it was measured; None when too little."""
        guessed = self.kind == "csv" and not self.dialect
        if guessed or not self.sheets or any("errors" not in one for one in self.sheets):
            return None
        sheets = {one["name"]: {"errors": one["errors"]} for one in self.sheets}
        return {"kind": self.kind, "sheets": sheets, "guess": {"dialect": {}}}

    @property
    def change_reason(self) -> OwnReason:
        """What the history rows of this import carry."""
        return OwnReason(f"import {self.public_id}")

    @property
    def is_busy(self) -> bool:
        """Whether a worker has it."""
        return self.state in {self.State.CHECKING, self.State.RUNNING}

    @property
    def created(self) -> int:
        """How many records it made."""
        return self.total("created")

    def total(self, what: str) -> int:
        """Return the sum of one counter over all data sets."""
        return sum(counts.get(what, 0) for counts in self.counters.values())


class ImportProblem(models.Model):
    """One thing wrong with one row, or with `count` rows of which `row` is the first.

    `value` is shown only where it cannot be a personal value (`problems.quote`).
    """

    class Level(models.TextChoices):
        """What it means for the row."""

        FAILED = Severity.FAILED, _("Failed")
        SKIPPED = Severity.SKIPPED, _("Skipped")
        WARNING = Severity.WARNING, _("Warning")

    import_job = models.ForeignKey(
        ImportJob, on_delete=models.CASCADE, related_name="problems", verbose_name=_("import")
    )
    severity = models.CharField(_("outcome"), max_length=10, choices=Level)
    code = models.CharField(_("code"), max_length=60)
    sheet = models.CharField(_("sheet"), max_length=200, blank=True)
    row = models.PositiveIntegerField(_("row"))
    column = models.CharField(_("column"), max_length=60, blank=True)
    value = models.CharField(_("value"), max_length=60, blank=True)
    params: models.JSONField[Any, Any] = models.JSONField(_("parameters"), default=dict)
    count = models.PositiveIntegerField(_("rows"), default=1)
    dataset = models.CharField(_("kind of record"), max_length=60, blank=True)
    from_run = models.BooleanField(_("seen while writing"), default=False)

    objects: ClassVar[models.Manager["ImportProblem"]] = models.Manager()

    class Meta:
        """In the order of the file."""

        verbose_name = _("problem")
        verbose_name_plural = _("problems")
        ordering = ["id"]
        default_permissions = ()
        indexes = [models.Index(fields=["import_job", "severity", "id"], name="problem_severity")]

    def __str__(self) -> str:
        return f"{self.sheet} {self.row} {self.code}".strip()

    @property
    def wrong(self) -> str:
        """What is wrong, in words."""
        return problems.wrong(self.code, self.params)

    @property
    def what_to_do(self) -> str:
        """What happens, or what to do."""
        return problems.what_to_do(self.code, self.params)
