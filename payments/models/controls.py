"""What holds refunds back: stops by people, the circuit breaker, limits a day, missing proof."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.audit.models import ActedFor


class RefundStop(models.Model):
    """Somebody stopped refunds: of one gateway, or all of them (`gateway` empty), until it ends."""

    gateway = models.CharField(_("gateway"), max_length=40, blank=True)
    reason = models.TextField(_("why"))
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("stopped by"),
    )
    stopped_at = models.DateTimeField(_("stopped"), auto_now_add=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("ended by"),
    )
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["RefundStop"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("stop of refunds")
        verbose_name_plural = _("stops of refunds")
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = (
            ("stop_refunds", _("Can stop refunds")),
            ("resume_refunds", _("Can let refunds go on")),
        )
        constraints = [
            models.UniqueConstraint(
                fields=["gateway"], condition=Q(ended_at__isnull=True), name="refund_stop_once"
            ),
            models.CheckConstraint(
                condition=Q(ended_by__isnull=True) | ~Q(ended_by=F("stopped_by")),
                name="refund_stop_ended_by_another",
            ),
        ]

    def __str__(self) -> str:
        return self.gateway or "all"


class GatewayState(models.Model):
    """How a gateway did lately: its circuit breaker, and the last look at its health.

    The breaker opens after `failures` answers in a row that were none; until `open_until` nothing
    new is sent. Then one request at a time tries (`probe_until` is its lease).
    """

    gateway = models.CharField(_("gateway"), max_length=40, unique=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    opened_at = models.DateTimeField(_("opened"), null=True, blank=True)
    open_until = models.DateTimeField(_("open until"), null=True, blank=True)
    probe_until = models.DateTimeField(_("trying until"), null=True, blank=True)
    healthy = models.BooleanField(_("healthy"), null=True)
    message = models.CharField(_("message"), max_length=200, blank=True)
    checked_at = models.DateTimeField(_("last looked at"), null=True, blank=True)

    objects: ClassVar[models.Manager["GatewayState"]] = models.Manager()

    class Meta:
        """By name."""

        verbose_name = _("state of a gateway")
        verbose_name_plural = _("states of gateways")
        ordering = ["gateway"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.gateway


class DailyTotal(models.Model):
    """What one person asked for, or one customer was asked for, on one day in one currency.

    Raised by a conditional UPDATE against the limit, so that two requests at once cannot both pass.
    `day` is that of the site's zone.
    """

    class Of(models.TextChoices):
        """Whose total."""

        MAKER = "maker", _("Person who asks")
        CUSTOMER = "customer", _("Customer")

    day = models.DateField(_("day"))
    of = models.CharField(_("whose"), max_length=8, choices=Of)
    who = models.BigIntegerField(_("key"))
    currency = models.CharField(_("currency"), max_length=3)
    requested_minor = models.BigIntegerField(_("asked for in minor units"), default=0)

    objects: ClassVar[models.Manager["DailyTotal"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("total of a day")
        verbose_name_plural = _("totals of a day")
        ordering = ["-day", "of", "who"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["day", "of", "who", "currency"], name="daily_total_once"
            ),
            models.CheckConstraint(
                condition=Q(requested_minor__gte=0), name="daily_total_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.of} {self.who}"


class GatewayVerification(models.Model):
    """What `manage.py gateway verify` found with a vendor's own test mode; append-only."""

    gateway = models.CharField(_("gateway"), max_length=40)
    backend = models.CharField(_("adapter"), max_length=200)
    vendor = models.CharField(_("vendor"), max_length=80)
    mode = models.CharField(_("mode"), max_length=20)
    ok = models.BooleanField(_("proven"))
    details: models.JSONField[Any, Any] = models.JSONField(_("steps"), default=list)
    version = models.CharField(_("our version"), max_length=40)
    at = models.DateTimeField(_("when"), auto_now_add=True)
    by = models.CharField(_("by"), max_length=80, blank=True)

    objects: ClassVar[models.Manager["GatewayVerification"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("verification of a gateway")
        verbose_name_plural = _("verifications of gateways")
        ordering = ["-id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.gateway} {self.mode}"
