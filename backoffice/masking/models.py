"""What is kept of seeing clear values: who was let in, alarms, and uses by code."""

import datetime as dt
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class GrantQuerySet(models.QuerySet["Grant"]):
    """Reads of grants."""

    def live(self, now: dt.datetime | None = None) -> "GrantQuerySet":
        """Return the grants that count now: begun, not expired, not ended."""
        now = now or timezone.now()
        return self.filter(starts_at__lte=now, expires_at__gt=now, ended_at=None)

    def over(self, now: dt.datetime | None = None) -> "GrantQuerySet":
        """Return the grants that ran out and whose object permission still stands."""
        return self.filter(expires_at__lte=now or timezone.now(), ended_at=None)

    def about(self, instance: models.Model) -> "GrantQuerySet":
        """Return the grants for one record."""
        kind = ContentType.objects.get_for_model(instance)
        return self.filter(content_type=kind, object_id=str(instance.pk))


class GrantManager(models.Manager.from_queryset(GrantQuerySet)):  # type: ignore[misc]
    """Manager of grants."""


class Grant(models.Model):
    """An object permission (of guardian) with a giver, a reason and an end.

    The policy asks for both, the object permission and a grant that is live: an expired grant
    counts for nothing at once, and an object permission without a grant never does.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("for whom"),
    )
    content_type = models.ForeignKey(
        ContentType, on_delete=models.PROTECT, related_name="+", verbose_name=_("kind of record")
    )
    object_id = models.CharField(_("record"), max_length=64)
    record = GenericForeignKey("content_type", "object_id")
    permission = models.CharField(
        _("right"), max_length=200, help_text=_("Full name, as customers.reveal_customer.")
    )
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("given by"),
    )
    request_id = models.BigIntegerField(_("approval"), null=True, blank=True)
    reason = models.TextField(_("why"))
    starts_at = models.DateTimeField(_("from"), default=timezone.now)
    expires_at = models.DateTimeField(_("until"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("ended by"),
        help_text=_("Empty when it ran out by itself."),
    )

    objects: ClassVar[GrantManager] = GrantManager()

    class Meta:
        """Newest first; nobody gives to themselves, in the database too."""

        verbose_name = _("access to personal data")
        verbose_name_plural = _("access to personal data")
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = [("give_grant", _("Can give access to personal data"))]
        indexes = [
            models.Index(fields=["user", "content_type", "object_id"], name="grant_record"),
            models.Index(
                fields=["expires_at"], condition=Q(ended_at=None), name="grant_to_be_ended"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(given_by=F("user")), name="grant_giver_is_not_receiver"
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("starts_at")), name="grant_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.permission} {self.object_id}"

    @property
    def is_live(self) -> bool:
        """Say whether it counts now."""
        return self.ended_at is None and self.starts_at <= timezone.now() < self.expires_at


class AlarmQuerySet(models.QuerySet["Alarm"]):
    """Reads of alarms."""

    def open(self) -> "AlarmQuerySet":
        """Return those that nobody looked into yet."""
        return self.filter(settled_at=None)


class AlarmManager(models.Manager.from_queryset(AlarmQuerySet)):  # type: ignore[misc]
    """Manager of alarms."""


class Alarm(models.Model):
    """Somebody looked into more personal data than allowed, or than usual, or gave access to it.

    `facts` are counts (records seen, the cap or what is usual), or what was given to whom. Whoever
    it is about does not settle it, in the database neither.
    """

    class Kind(models.TextChoices):
        """What was noticed."""

        LIMIT = "limit", _("Stopped at the limit")
        UNUSUAL = "unusual", _("Twice as many as usual")
        RIGHT = "right", _("Access to clear values given")

    kind = models.CharField(_("what"), max_length=10, choices=Kind)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("who"),
    )
    raised_at = models.DateTimeField(_("when"), default=timezone.now)
    facts: models.JSONField[Any, Any] = models.JSONField(_("figures"), default=dict)
    settled_at = models.DateTimeField(_("looked into"), null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    finding = models.TextField(_("what was found"), blank=True)

    objects: ClassVar[AlarmManager] = AlarmManager()

    class Meta:
        """Newest first."""

        verbose_name = _("alarm about personal data")
        verbose_name_plural = _("alarms about personal data")
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = [("settle_alarm", _("Hears of alarms about personal data, looks into them"))]
        indexes = [
            models.Index(fields=["person", "kind", "-raised_at"], name="alarm_last"),
            models.Index(fields=["-id"], condition=Q(settled_at=None), name="alarm_open"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(settled_by=None) | ~Q(settled_by=F("person")),
                name="alarm_settled_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.person}"


class PurposeUse(models.Model):
    """How often code used clear values for one purpose on one day (UTC)."""

    purpose = models.CharField(_("purpose"), max_length=80)
    day = models.DateField(_("day"))
    count = models.PositiveBigIntegerField(_("how often"), default=0)

    objects: ClassVar[models.Manager["PurposeUse"]] = models.Manager()

    class Meta:
        """A row a purpose and day."""

        verbose_name = _("use of clear values")
        verbose_name_plural = _("uses of clear values")
        ordering = ["-day", "purpose"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["purpose", "day"], name="purposeuse_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.day}"
