"""How a supplier's sheets are read, kept under a name."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class ImportProfile(models.Model):
    """The answers that somebody gave once for sheets of this kind.

    `mapping` names columns by their headers, not by their places: the next file may have them
    elsewhere. `dialect` says how a csv file is read. Both are those of `mapping.SheetMapping` and
    `dialects.Dialect`.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=80, unique=True)
    supplier = models.CharField(_("supplier"), max_length=80, blank=True)
    format = models.CharField(_("format"), max_length=60)
    mapping: models.JSONField[Any, Any] = models.JSONField(_("mapping"), default=dict)
    dialect: models.JSONField[Any, Any] = models.JSONField(_("text"), default=dict)
    mode = models.CharField(_("what it writes"), max_length=8, default="both")
    whole = models.BooleanField(_("all or nothing"), default=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("kept by"),
    )
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)
    used_at = models.DateTimeField(_("used last"), null=True, blank=True)

    objects: ClassVar[models.Manager["ImportProfile"]] = models.Manager()

    class Meta:
        """By name."""

        verbose_name = _("profile")
        verbose_name_plural = _("profiles")
        ordering = ["name"]
        default_permissions = ("add", "change", "delete", "view")

    def __str__(self) -> str:
        return self.name
