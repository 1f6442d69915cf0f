"""Rows of the record of activity."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.audit import verbs


class Outcome(models.TextChoices):
    """How it ended."""

    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")


class EventQuerySet(models.QuerySet["Event"]):
    """Reads of the record."""

    def about(self, instance: models.Model) -> "EventQuerySet":
        """Return the events whose subject is this row."""
        return self.filter(subject_type=instance._meta.label_lower, subject_id=str(instance.pk))


class Event(models.Model):
    """One thing that somebody did, saw or was refused. Rows are only ever added.

    `context` holds plain facts (counts, field names, amounts) and never a personal value.
    """

    at = models.DateTimeField(_("when"), auto_now_add=True, db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("who"),
    )
    verb = models.CharField(_("what"), max_length=80, db_index=True)
    subject_type = models.CharField(_("kind of record"), max_length=100, blank=True)
    subject_id = models.CharField(_("record"), max_length=64, blank=True)
    reason = models.TextField(_("why"), blank=True)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome, default=Outcome.DONE)
    context: models.JSONField[Any, Any] = models.JSONField(_("details"), default=dict, blank=True)
    address = models.CharField(_("address"), max_length=45, blank=True)
    session = models.CharField(_("session"), max_length=16, blank=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        """Newest first."""

        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["subject_type", "subject_id", "-id"], name="event_subject")]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject_type} {self.subject_id}".strip()

    @property
    def verb_label(self) -> str:
        """The verb in words."""
        return verbs.label(self.verb)
