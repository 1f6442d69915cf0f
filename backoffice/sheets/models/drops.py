"""Files that came into a watched folder, and what became of each."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.sheets.models.imports import ImportJob


class DroppedFile(models.Model):
    """One file of a watched folder (the name of `folder` is that of the setting), as it was once.

    A file is taken when its size and time have stayed the same for a while, and once: another one
    with the same bytes is REPEATED, whatever its name. `modified_ns` is its time in nanoseconds.
    The same name with other bytes is another row. Nothing of the folder is ever changed.
    """

    class State(models.TextChoices):
        """What became of it."""

        SEEN = "seen", _("Seen")
        TAKING = "taking", _("Being taken")
        TAKEN = "taken", _("Taken")
        WAITING = "waiting", _("Waits for a decision")
        STARTED = "started", _("Started by itself")
        REPEATED = "repeated", _("Taken before")
        REFUSED = "refused", _("Cannot be read")

    folder = models.CharField(_("folder"), max_length=60)
    name = models.CharField(_("name of the file"), max_length=255)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    modified_ns = models.BigIntegerField()
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.SEEN)
    message = models.CharField(_("message"), max_length=300, blank=True)
    import_job = models.ForeignKey(
        ImportJob,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="drops",
        verbose_name=_("import"),
    )
    seen_at = models.DateTimeField(_("seen"))
    changed_at = models.DateTimeField(_("changed"), auto_now=True)

    objects: ClassVar[models.Manager["DroppedFile"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("dropped file")
        verbose_name_plural = _("dropped files")
        ordering = ["-id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["folder", "name", "size", "modified_ns"], name="dropped_file_once"
            ),
            models.UniqueConstraint(
                fields=["folder", "sha256"],
                # Several wait at once, and nobody knows their bytes yet.
                condition=Q(state__in=["taking", "taken", "waiting", "started"]) & ~Q(sha256=""),
                name="dropped_bytes_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name
