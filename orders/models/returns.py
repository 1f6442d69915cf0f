"""Goods that came back."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.audit.models import ActedFor
from backoffice.money import Money
from customers.models import Customer
from orders.models.order import CURRENCY, Order, OrderLine
from sellers.models import Product


class Return(models.Model):
    """Goods that came back (a credit note). Not a refund: no money moved through us.

    `order` is set only where exactly one sale can be meant.
    """

    number = models.CharField(_("number"), max_length=40, unique=True)
    customer = models.ForeignKey(
        Customer,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="returns",
        verbose_name=_("customer"),
    )
    order = models.ForeignKey(
        Order,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="returns",
        verbose_name=_("order"),
    )
    returned_at = models.DateTimeField(_("returned"), db_index=True)
    country = models.CharField(_("country"), max_length=80, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default="GBP")
    total_minor = models.BigIntegerField(_("total in minor units"), default=0)
    batch = models.CharField(_("sheet"), max_length=80, blank=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Return"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("return")
        verbose_name_plural = _("returns")
        ordering = ["-returned_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(number=""), name="return_has_number"),
            models.CheckConstraint(condition=Q(currency__regex=CURRENCY), name="return_currency"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def total(self) -> Money:
        """What the goods were worth, as a negative amount."""
        return Money(self.total_minor, self.currency)


class ReturnLine(models.Model):
    """A number of pieces that came back: `quantity` and `total_minor` are negative."""

    parent = models.ForeignKey(
        Return, on_delete=models.PROTECT, related_name="lines", verbose_name=_("return")
    )
    order_line = models.ForeignKey(
        OrderLine,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="returns",
        verbose_name=_("order line"),
    )
    position = models.PositiveIntegerField(_("position"))
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="+", verbose_name=_("product")
    )
    description = models.CharField(
        _("description"), max_length=200, blank=True, help_text=_("As the sheet names it.")
    )
    quantity = models.IntegerField(_("quantity"))
    source_price = models.DecimalField(_("source price"), max_digits=14, decimal_places=5)
    occurrence = models.PositiveIntegerField(_("position among equal lines"), default=0)
    total_minor = models.BigIntegerField(_("amount in minor units"))
    currency = models.CharField(_("currency"), max_length=3, default="GBP")
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["ReturnLine"]] = models.Manager()

    class Meta:
        """In the order of the credit note."""

        verbose_name = _("return line")
        verbose_name_plural = _("return lines")
        ordering = ["parent", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["parent", "product", "quantity", "source_price", "occurrence"],
                name="return_line_once",
            ),
            models.CheckConstraint(condition=Q(quantity__lt=0), name="return_line_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.parent_id} / {self.position}"

    @property
    def total(self) -> Money:
        """What came back, as a negative amount."""
        return Money(self.total_minor, self.currency)
