"""Money that came in."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.audit.models import ActedFor
from backoffice.money import Money
from orders.models import Order
from payments.states import SHEET, PaymentState, payment_state

CURRENCY = r"^[A-Z]{3}$"
REFERENCE = 200
"""Characters of a gateway's name of something; a `paymentKey` of Toss Payments may have so many
(https://docs.tosspayments.com/reference)."""


class Payment(models.Model):
    """Money that a gateway captured for an order, or that a sheet says was paid in the past."""

    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="payments", verbose_name=_("order")
    )
    gateway = models.CharField(_("gateway"), max_length=40)
    reference = models.CharField(
        _("reference"), max_length=REFERENCE, help_text=_("The gateway's name of the payment.")
    )
    method = models.CharField(
        _("method"),
        max_length=40,
        blank=True,
        default="",
        db_default="",
        help_text=_("How it was paid, as a sheet says."),
    )
    currency = models.CharField(_("currency"), max_length=3)
    captured_minor = models.BigIntegerField(_("captured in minor units"))
    reserved_minor = models.BigIntegerField(_("reserved in minor units"), default=0)
    refunded_minor = models.BigIntegerField(_("refunded in minor units"), default=0)
    blocked_minor = models.BigIntegerField(
        _("blocked by disputes in minor units"), default=0, db_default=0
    )
    captured_at = models.DateTimeField(_("paid"))
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Payment"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["-captured_at", "-id"]
        permissions = (
            ("export_payment", _("Can export payments")),
            ("import_payment", _("Can import payments of the past from sheets")),
        )
        constraints = [
            models.UniqueConstraint(fields=["gateway", "reference"], name="payment_once"),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0)
                & Q(reserved_minor__gte=F("refunded_minor"))
                & Q(blocked_minor__gte=0)
                & Q(captured_minor__gte=F("reserved_minor") + F("blocked_minor"))
                & Q(captured_minor__gt=0),
                name="payment_captured_reserved_refunded",
            ),
            models.CheckConstraint(condition=Q(currency__regex=CURRENCY), name="payment_currency"),
            # No gateway here took it, so none can give it back, whichever way somebody tries.
            models.CheckConstraint(
                condition=~Q(gateway=SHEET) | Q(reserved_minor=0, refunded_minor=0),
                name="payment_of_sheet_stays",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def captured(self) -> Money:
        """What came in."""
        return Money(self.captured_minor, self.currency)

    @property
    def refunded(self) -> Money:
        """What went back."""
        return Money(self.refunded_minor, self.currency)

    @property
    def under_way(self) -> Money:
        """What open refunds hold."""
        return Money(self.reserved_minor - self.refunded_minor, self.currency)

    @property
    def blocked(self) -> Money:
        """What a dispute keeps from being refunded."""
        return Money(self.blocked_minor, self.currency)

    @property
    def refundable(self) -> Money:
        """What can still be refunded: captured - refunded - under way - blocked."""
        left = self.captured_minor - self.reserved_minor - self.blocked_minor
        return Money(left, self.currency)

    @property
    def state(self) -> PaymentState:
        """How far it has gone back."""
        return payment_state(self.captured_minor, self.refunded_minor, self.blocked_minor)
