"""Disputes (chargebacks): somebody contests a payment, and its money is not ours to refund."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.audit.models import ActedFor
from backoffice.money import Money
from payments.models.payment import REFERENCE, Payment
from payments.states import DisputeStatus


class Dispute(models.Model):
    """One dispute of one payment, as the gateway told it.

    `blocked_minor` is what it keeps from being refunded: its amount, or less where refunds hold the
    rest already.
    """

    Status = DisputeStatus

    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, related_name="disputes", verbose_name=_("payment")
    )
    gateway = models.CharField(_("gateway"), max_length=40)
    reference = models.CharField(_("gateway's reference"), max_length=REFERENCE)
    amount_minor = models.BigIntegerField(_("amount in minor units"))
    currency = models.CharField(_("currency"), max_length=3)
    blocked_minor = models.BigIntegerField(_("blocked in minor units"), default=0)
    status = models.CharField(
        _("state"), max_length=10, choices=DisputeStatus, default=DisputeStatus.OPEN, db_index=True
    )
    reason = models.CharField(_("the gateway's code"), max_length=80, blank=True)
    opened_at = models.DateTimeField(_("opened"))
    answer_by = models.DateTimeField(_("answer by"), null=True, blank=True)
    closed_at = models.DateTimeField(_("decided"), null=True, blank=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Dispute"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        ordering = ["-opened_at", "-id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["gateway", "reference"], name="dispute_once"),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0) & Q(blocked_minor__gte=0), name="dispute_positive"
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def amount(self) -> Money:
        """What is contested."""
        return Money(self.amount_minor, self.currency)
