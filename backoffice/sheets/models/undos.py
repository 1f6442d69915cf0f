"""Undoing an import, and the rows that it could not bring back."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.audit.history import OwnReason
from backoffice.jobs.models import Job
from backoffice.sheets.models.imports import ImportJob


class Undo(models.Model):
    """Brings the rows of one import back to their versions before it.

    `step` fences as that of the import does. The newest part of the journal is undone first;
    `span` is the id of the oldest span of the part that is being undone, 0 before the first, and
    `place` the id of the oldest of its history rows that is done, 0 for none.
    """

    class State(models.TextChoices):
        """Where it stands."""

        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    public_id = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    import_job = models.OneToOneField(
        ImportJob, on_delete=models.PROTECT, related_name="undo", verbose_name=_("import")
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("undone by"),
    )
    by_itself = models.BooleanField(_("by itself"), default=False)
    """An import that was all or nothing failed."""
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.RUNNING)
    counters: models.JSONField[Any, Any] = models.JSONField(_("counters"), default=dict)
    step = models.PositiveIntegerField(_("chunks undone"), default=0)
    span = models.BigIntegerField(default=0)
    place = models.BigIntegerField(default=0)
    message = models.CharField(_("message"), max_length=300, blank=True)
    job = models.ForeignKey(
        Job,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("job"),
    )
    created_at = models.DateTimeField(_("asked"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects: ClassVar[models.Manager["Undo"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("undo of an import")
        verbose_name_plural = _("undos of imports")
        ordering = ["-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.import_job)

    @property
    def change_reason(self) -> OwnReason:
        """What the history rows of the undo carry."""
        return OwnReason(f"undo {self.import_job.public_id}")


class UndoLeft(models.Model):
    """A row that stays as it is; `object_id` is its key, `why` says what keeps it."""

    class Why(models.TextChoices):
        """What keeps a row as it is."""

        EDITED = "edited", _("Edited since")
        USED = "used", _("Used by other rows")
        WITH = "with", _("Belongs to a row that stays")
        GONE = "gone", _("Deleted since")
        UNKNOWN = "unknown", _("No version before is known")
        REFUSED = "refused", _("Its version before does not fit any more")

    undo = models.ForeignKey(Undo, on_delete=models.CASCADE, related_name="left")
    dataset = models.CharField(_("kind of record"), max_length=60)
    model = models.CharField(_("model"), max_length=100)
    object_id = models.CharField(_("key"), max_length=64)
    why = models.CharField(_("why"), max_length=10, choices=Why)

    objects: ClassVar[models.Manager["UndoLeft"]] = models.Manager()

    class Meta:
        """In the order of the undoing."""

        verbose_name = _("row left as it is")
        verbose_name_plural = _("rows left as they are")
        ordering = ["id"]
        default_permissions = ()
        indexes = [models.Index(fields=["undo", "model", "object_id"], name="undo_left_row")]

    def __str__(self) -> str:
        return f"{self.model} {self.object_id}"
