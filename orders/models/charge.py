"""Money on orders and returns that is for no product."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.audit.models import ActedFor
from backoffice.money import Money
from orders.models.order import Order
from orders.models.returns import Return


class Charge(models.Model):
    """Money on an order or a return that is for no product: postage, fees, manual entries.

    `reserved_minor` is the part that refunds hold or have paid out.
    """

    order = models.ForeignKey(
        Order,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="charges",
        verbose_name=_("order"),
    )
    parent = models.ForeignKey(
        Return,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="charges",
        verbose_name=_("return"),
    )
    code = models.CharField(_("code"), max_length=40)
    description = models.CharField(_("description"), max_length=200, blank=True)
    quantity = models.IntegerField(_("quantity"))
    source_price = models.DecimalField(_("source price"), max_digits=14, decimal_places=5)
    occurrence = models.PositiveIntegerField(_("position among equal lines"), default=0)
    total_minor = models.BigIntegerField(_("amount in minor units"))
    tax_minor = models.BigIntegerField(
        _("tax in minor units"), default=0, db_default=0, help_text=_("Contained in the amount.")
    )
    reserved_minor = models.BigIntegerField(_("reserved for refunds"), default=0, db_default=0)
    currency = models.CharField(_("currency"), max_length=3, default="GBP")
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Charge"]] = models.Manager()

    class Meta:
        """Either of an order or of a return."""

        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(order__isnull=False, parent__isnull=True)
                | Q(order__isnull=True, parent__isnull=False),
                name="charge_of_one_document",
            ),
            models.UniqueConstraint(
                fields=["order", "code", "quantity", "source_price", "occurrence"],
                name="order_charge_once",
            ),
            models.UniqueConstraint(
                fields=["parent", "code", "quantity", "source_price", "occurrence"],
                name="return_charge_once",
            ),
            models.CheckConstraint(
                condition=Q(reserved_minor=0)
                | Q(reserved_minor__gt=0, reserved_minor__lte=F("total_minor")),
                name="charge_reserved_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(tax_minor=0) | Q(tax_minor__gt=0, tax_minor__lte=F("total_minor")),
                name="charge_tax_within_amount",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.order_id or self.parent_id}"

    @property
    def total(self) -> Money:
        """The amount; negative on returns."""
        return Money(self.total_minor, self.currency)
