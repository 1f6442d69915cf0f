"""How each source was when it was last asked."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class SourceState(models.Model):
    """The state of one source by the worker's last check.

    `since` is when it became so; `took_ms` how long its health address took, in milliseconds.
    """

    class State(models.TextChoices):
        """How the check went."""

        UP = "up", _("Up")
        SLOW = "slow", _("Slow")
        DOWN = "down", _("Down")

    name = models.CharField(_("source"), max_length=80, unique=True)
    state = models.CharField(_("state"), max_length=4, choices=State)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    since = models.DateTimeField(_("since"))
    checked_at = models.DateTimeField(_("last asked"))
    answered_at = models.DateTimeField(_("last answer"), null=True, blank=True)
    took_ms = models.PositiveIntegerField(_("milliseconds"), default=0)

    objects: ClassVar[models.Manager["SourceState"]] = models.Manager()

    class Meta:
        """By name; the permission to open joined pages belongs to the app as a whole."""

        verbose_name = _("source")
        verbose_name_plural = _("sources")
        ordering = ["name"]
        default_permissions = ("view",)
        permissions = (("view_pages", _("Can open pages that join other systems")),)

    def __str__(self) -> str:
        return self.name
