"""The inbox of what gateways tell by webhook: stored once, answered, worked on later."""

from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments.models.payment import REFERENCE
from payments.models.refund import Refund


class InboxEvent(models.Model):
    """One item of one webhook whose signature was proven, where the gateway signs.

    The body itself is not kept (it may hold personal data): what of it counts stands here, and
    `digest` is the SHA-256 of the whole body.
    """

    class State(models.TextChoices):
        """What became of it."""

        WAITING = "waiting", _("Waiting")
        DONE = "done", _("Done")
        IGNORED = "ignored", _("Nothing to do")
        FAILED = "failed", _("Needs a person")

    gateway = models.CharField(_("gateway"), max_length=40)
    event_id = models.CharField(_("event"), max_length=200)
    digest = models.CharField(_("SHA-256"), max_length=64)
    kind = models.CharField(_("kind"), max_length=10)
    payment_reference = models.CharField(_("payment"), max_length=REFERENCE, blank=True)
    refund_reference = models.CharField(_("gateway's reference"), max_length=REFERENCE, blank=True)
    number = models.CharField(_("our number"), max_length=80, blank=True)
    occurred_at = models.DateTimeField(_("happened"), null=True, blank=True)
    outcome = models.CharField(_("outcome"), max_length=12, blank=True)
    amount_minor = models.BigIntegerField(_("amount in minor units"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    dispute: models.JSONField[Any, Any] = models.JSONField(_("dispute"), default=dict, blank=True)
    trusted = models.BooleanField(_("signed, and nothing to read back"), default=False)
    deliveries = models.PositiveIntegerField(_("deliveries"), default=1)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.WAITING)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    note = models.CharField(_("note"), max_length=200, blank=True)
    refund = models.ForeignKey(
        Refund,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="events",
        verbose_name=_("refund"),
    )
    received_at = models.DateTimeField(_("received"), default=timezone.now)
    next_try_at = models.DateTimeField(_("next try"), default=timezone.now)
    processed_at = models.DateTimeField(_("worked on"), null=True, blank=True)

    objects: ClassVar[models.Manager["InboxEvent"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("event of a gateway")
        verbose_name_plural = _("events of gateways")
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = (("look_again", _("Can have an event looked at again")),)
        indexes = [
            models.Index(fields=["state", "next_try_at"], name="inbox_due"),
            models.Index(fields=["gateway", "payment_reference"], name="inbox_payment"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["gateway", "event_id"], name="inbox_event_once")
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.event_id}"
