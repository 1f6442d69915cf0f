"""The ledger: double entry, whole minor units, append-only.

The entries of a transaction add up to zero in its one currency; rows are never changed or deleted
(triggers); what was wrong is reversed by another transaction.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.money import Money
from payments.models.disputes import Dispute
from payments.models.payment import CURRENCY, Payment
from payments.models.refund import Refund


class Account(models.TextChoices):
    """The accounts."""

    CLEARING = "gateway_clearing", _("Money at gateways")
    SALES = "sales", _("Sales")
    RETURNS = "sales_returns", _("Refunds")
    BANK = "bank", _("Bank")
    FEES = "gateway_fees", _("Fees of gateways")
    CHARGEBACKS = "chargebacks", _("Chargebacks")
    DIFFERENCES = "differences", _("Differences found by reconciliation")


class LedgerTransaction(models.Model):
    """One booking. `key` says what it books ("refund:7:succeeded"): each is booked once."""

    class Kind(models.TextChoices):
        """What happened."""

        CAPTURE = "capture", _("Payment captured")
        REFUND = "refund", _("Refund")
        REFUND_REVERSED = "refund_reversed", _("Refund reversed")
        CHARGEBACK = "chargeback", _("Chargeback")
        CHARGEBACK_REVERSED = "chargeback_reversed", _("Chargeback taken back")
        FEE = "fee", _("Fee")
        PAYOUT = "payout", _("Payout")
        ADJUSTMENT = "adjustment", _("Adjustment")

    key = models.CharField(_("what it books"), max_length=120, unique=True)
    kind = models.CharField(_("kind"), max_length=20, choices=Kind, db_index=True)
    gateway = models.CharField(_("gateway"), max_length=40, db_index=True)
    currency = models.CharField(_("currency"), max_length=3)
    day = models.DateField(_("day"), db_index=True)
    at = models.DateTimeField(_("booked"), auto_now_add=True)
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="bookings",
        verbose_name=_("payment"),
    )  # fmt: skip
    refund = models.ForeignKey(
        Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="bookings",
        verbose_name=_("refund"),
    )  # fmt: skip
    dispute = models.ForeignKey(
        Dispute, on_delete=models.PROTECT, null=True, blank=True, related_name="bookings",
        verbose_name=_("dispute"),
    )  # fmt: skip
    reverses = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="reversed_by",
        verbose_name=_("reverses"),
    )  # fmt: skip

    objects: ClassVar[models.Manager["LedgerTransaction"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("booking")
        verbose_name_plural = _("ledger")
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = (("export_ledgertransaction", _("Can export the ledger")),)
        constraints = [
            models.CheckConstraint(condition=~Q(key=""), name="booking_has_key"),
            models.CheckConstraint(condition=Q(currency__regex=CURRENCY), name="booking_currency"),
        ]

    def __str__(self) -> str:
        return self.key


class LedgerEntry(models.Model):
    """One side of a booking: debit is positive, credit negative, in minor units."""

    transaction = models.ForeignKey(
        LedgerTransaction,
        on_delete=models.PROTECT,
        related_name="entries",
        verbose_name=_("booking"),
    )
    account = models.CharField(_("account"), max_length=20, choices=Account, db_index=True)
    minor = models.BigIntegerField(_("amount in minor units"))
    currency = models.CharField(_("currency"), max_length=3)

    objects: ClassVar[models.Manager["LedgerEntry"]] = models.Manager()

    class Meta:
        """In the order in which they were written."""

        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        ordering = ["id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=~Q(minor=0), name="entry_not_zero"),
            models.CheckConstraint(condition=Q(currency__regex=CURRENCY), name="entry_currency"),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.amount}"

    @property
    def amount(self) -> Money:
        """Debit positive, credit negative."""
        return Money(self.minor, self.currency)
