"""Exports of long lists, which jobs write."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.files.models import KeptFile
from backoffice.jobs.models import Job


class ExportJob(models.Model):
    """Somebody takes a long list out: which list, which columns, as which kind of file.

    `sealed_query` is the list's query as its address had it, sealed by the key ring, since somebody
    may have typed a name into it; it is gone once the file is made. `filter` is what of it the
    record tells. `asked` is how many rows there were then, `rows` how many are in the file.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("asked by"),
    )
    site = models.CharField(_("site"), max_length=20)
    model = models.CharField(_("kind of record"), max_length=100)
    kind = models.CharField(_("kind"), max_length=8)
    names: models.JSONField[Any, Any] = models.JSONField(_("columns"), default=list)
    as_words = models.BooleanField(_("states in words"), default=True)
    language = models.CharField(_("language"), max_length=20)
    zone = models.CharField(_("time zone"), max_length=60)
    sealed_query = models.TextField(editable=False)
    filter: models.JSONField[Any, Any] = models.JSONField(_("filter"), default=dict)
    asked = models.PositiveBigIntegerField(_("rows asked for"))
    rows = models.PositiveBigIntegerField(_("rows"), null=True, blank=True)
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

    objects: ClassVar[models.Manager["ExportJob"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["owner", "-id"], name="exportjob_owner")]

    def __str__(self) -> str:
        return self.public_id.hex[:8]

    @property
    def use(self) -> str:
        """What the sealed query is bound to: this export and no other."""
        return f"sheets.export:{self.public_id.hex}"
