"""Grants: one person may see the masked values of one record for a short time."""

import datetime as dt
from typing import ClassVar

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
