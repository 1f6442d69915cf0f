"""Requests that wait for a second person's decision."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class ApprovalRequest(models.Model):
    """One thing that somebody asked for; `kind` names its rule, `payload` what will be done.

    Who decides is never who asked: the CHECK holds where code fails.
    """

    class State(models.TextChoices):
        """Where the request stands."""

        REQUESTED = "requested", _("Requested")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        EXPIRED = "expired", _("Expired")

    kind = models.CharField(_("kind"), max_length=80, db_index=True)
    subject_type = models.CharField(_("kind of record"), max_length=100)
    subject_id = models.CharField(_("record"), max_length=64)
    summary = models.CharField(
        _("summary"), max_length=200, help_text=_("What is asked, without personal values.")
    )
    payload: models.JSONField[Any, Any] = models.JSONField(_("payload"), default=dict)
    payload_hash = models.CharField(_("hash of the payload"), max_length=64)
    reason = models.TextField(_("why"))
    state = models.CharField(
        _("state"), max_length=10, choices=State, default=State.REQUESTED, db_index=True
    )
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    comment = models.TextField(_("comment"), blank=True)
    created_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"))

    objects: ClassVar[models.Manager["ApprovalRequest"]] = models.Manager()

    class Meta:
        """Oldest first: what waits longest stands on top."""

        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        ordering = ["id"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["subject_type", "subject_id"], name="approval_subject")]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("maker")),
                name="approval_maker_is_not_checker",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "rejected"])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="approval_decided_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.summary
