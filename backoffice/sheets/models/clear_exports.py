"""Files with clear values that somebody asked for."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.files.models import KeptFile
from backoffice.jobs.models import Job


class ClearExport(models.Model):
    """Somebody asked for a file with clear values of these very rows.

    `keys` are the rows in the order of the file, `ids` the SHA-256 of them, `names` the masked
    fields. Who decides, and how, stands in the request for approval `request_id`. The file lies
    encrypted, for the owner alone, until it expires.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("asked by"),
    )
    model = models.CharField(_("kind of record"), max_length=100)
    names: models.JSONField[Any, Any] = models.JSONField(_("clear values"), default=list)
    filter: models.JSONField[Any, Any] = models.JSONField(_("filter"), default=dict)
    purpose = models.CharField(_("why"), max_length=20)
    keys: models.JSONField[Any, Any] = models.JSONField(default=list)
    ids = models.CharField(_("hash of the rows"), max_length=64)
    rows = models.PositiveIntegerField(_("rows"))
    request_id = models.BigIntegerField(_("approval"), null=True, blank=True)
    asked_at = models.DateTimeField(_("asked"), auto_now_add=True)
    job = models.ForeignKey(
        Job,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("job"),
    )
    made_at = models.DateTimeField(_("made"), null=True, blank=True)
    file = models.ForeignKey(
        KeptFile,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("file"),
    )

    objects: ClassVar[models.Manager["ClearExport"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("clear export")
        verbose_name_plural = _("clear exports")
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = [("approve_clearexport", _("Can approve a file with clear values"))]
        indexes = [models.Index(fields=["owner", "-id"], name="clearexport_owner")]

    def __str__(self) -> str:
        return self.public_id.hex[:8]
