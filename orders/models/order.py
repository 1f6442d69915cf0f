"""Orders and their lines. What may follow which state stands in `orders.states`."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.audit.models import ActedFor
from backoffice.money import Money
from customers.models import Customer
from orders.states import BY_ORDER, OrderState, Pieces
from sellers.models import Product, Seller

CURRENCY = r"^[A-Z]{3}$"


class Order(models.Model):
    """What one buyer bought at one time; without customer where the sheet names none."""

    Status = OrderState

    number = models.CharField(_("number"), max_length=40, unique=True)
    customer = models.ForeignKey(
        Customer,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="orders",
        verbose_name=_("customer"),
    )
    placed_at = models.DateTimeField(_("placed"), db_index=True)
    country = models.CharField(_("country"), max_length=80, blank=True, db_index=True)
    currency = models.CharField(_("currency"), max_length=3, default="GBP")
    status = models.CharField(
        _("state"), max_length=10, choices=OrderState, default=OrderState.PLACED, db_index=True
    )
    total_minor = models.BigIntegerField(
        _("total in minor units"), default=0, help_text=_("Lines and charges together.")
    )
    batch = models.CharField(
        _("sheet"), max_length=80, blank=True, help_text=_("The sheet that brought the order.")
    )
    state_since = models.DateTimeField(
        _("in this state since"),
        null=True,
        blank=True,
        help_text=_("Empty where it came in this state from a sheet: since it was placed."),
    )
    created_at = models.DateTimeField(_("added"), auto_now_add=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Order"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-placed_at", "-id"]
        permissions = (
            ("cancel_order", _("Can cancel an order")),
            ("ship_order", _("Can mark an order as shipped or delivered")),
            ("export_order", _("Can export orders")),
        )
        indexes = [
            models.Index(fields=["-placed_at", "-id"], name="order_newest"),
            # What to ship, oldest first, and orders of a state by age.
            models.Index(fields=["status", "placed_at"], name="order_state_age"),
            models.Index(fields=["currency", "total_minor"], name="order_amount"),
        ]
        constraints = [
            models.CheckConstraint(condition=~Q(number=""), name="order_has_number"),
            models.CheckConstraint(condition=Q(currency__regex=CURRENCY), name="order_currency"),
            models.CheckConstraint(
                condition=Q(status__in=["placed", "paid", "shipped", "delivered", "cancelled"]),
                name="order_known_state",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def total(self) -> Money:
        """Lines and charges together."""
        return Money(self.total_minor, self.currency)


class OrderLine(models.Model):
    """A number of pieces of one product at one price.

    `source_price` is the price as the source gave it, in major units with all its decimals;
    The `…_quantity` columns count pieces; read
    them by `pieces`, which knows what the state of the order says about them.
    `total_minor` is quantity x source price, rounded half up. `occurrence` counts equal lines of
    one order from 0, so that a product may stand twice. `seller` repeats the product's seller as
    it was, since the shop's right to see the line hangs on it. `reserved_minor` is the part that
    refunds hold or have paid out.
    """

    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="lines", verbose_name=_("order")
    )
    position = models.PositiveIntegerField(_("position"))
    product = models.ForeignKey(
        Product, on_delete=models.PROTECT, related_name="lines", verbose_name=_("product")
    )
    description = models.CharField(
        _("description"), max_length=200, blank=True, help_text=_("As the sheet names it.")
    )
    seller = models.ForeignKey(
        Seller, on_delete=models.PROTECT, related_name="lines", verbose_name=_("seller")
    )
    quantity = models.IntegerField(_("quantity"))
    source_price = models.DecimalField(_("source price"), max_digits=14, decimal_places=5)
    occurrence = models.PositiveIntegerField(_("position among equal lines"), default=0)
    unit_price_minor = models.BigIntegerField(_("price in minor units"))
    total_minor = models.BigIntegerField(_("amount in minor units"))
    tax_minor = models.BigIntegerField(
        _("tax in minor units"), default=0, db_default=0, help_text=_("Contained in the amount.")
    )
    reserved_minor = models.BigIntegerField(_("reserved for refunds"), default=0)
    shipped_quantity = models.PositiveIntegerField(_("shipped"), default=0, db_default=0)
    delivered_quantity = models.PositiveIntegerField(_("delivered"), default=0, db_default=0)
    cancelled_quantity = models.PositiveIntegerField(_("cancelled"), default=0, db_default=0)
    returned_quantity = models.PositiveIntegerField(_("returned"), default=0, db_default=0)
    currency = models.CharField(_("currency"), max_length=3, default="GBP")
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["OrderLine"]] = models.Manager()

    class Meta:
        """In the order of the order."""

        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        ordering = ["order", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["order", "product", "quantity", "source_price", "occurrence"],
                name="order_line_once",
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="order_line_quantity"),
            models.CheckConstraint(condition=Q(currency__regex=CURRENCY), name="line_currency"),
            models.CheckConstraint(
                condition=Q(reserved_minor__gte=0)
                & (Q(reserved_minor=0) | Q(reserved_minor__lte=F("total_minor"))),
                name="order_line_reserved_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(tax_minor=0) | Q(tax_minor__gt=0, tax_minor__lte=F("total_minor")),
                name="order_line_tax_within_amount",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=F("shipped_quantity") + F("cancelled_quantity"))
                & Q(shipped_quantity__gte=F("delivered_quantity"))
                & Q(shipped_quantity__gte=F("returned_quantity")),
                name="order_line_pieces",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} / {self.position}"

    @property
    def total(self) -> Money:
        """Quantity times source price, rounded half up."""
        return Money(self.total_minor, self.currency)

    @property
    def unit_price(self) -> Money:
        """The price of one piece, rounded half up."""
        return Money(self.unit_price_minor, self.currency)

    @property
    def pieces(self) -> Pieces:
        """What became of the pieces, as counted here and by the state of the order."""
        counted = Pieces(
            self.quantity,
            self.cancelled_quantity,
            self.shipped_quantity,
            self.delivered_quantity,
            self.returned_quantity,
        )
        return BY_ORDER[self.order.status](counted)

    def worth(self, pieces: int, before: int = 0) -> Money:
        """Return what `pieces` pieces cost, `before` others having gone before.

        The parts of a line add up to its amount to the minor unit: each is the difference of two
        shares of the whole, rounded down, so that the last takes what is left.
        """
        first = self.total_minor * before // self.quantity
        last = self.total_minor * (before + pieces) // self.quantity
        return Money(last - first, self.currency)
