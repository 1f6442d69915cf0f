"""Order lines and charges as lists: the rows that the marks of charts open.

Shown only. Their filters are those that `reports.charts` puts into the addresses of marks.
"""

from typing import ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from backoffice.money import Money
from backoffice.site import BackofficeAdmin, navigation, register, staff_site
from orders.models import Charge, OrderLine


class ReadOnlyAdmin(BackofficeAdmin):
    """A list that nobody edits."""

    editable = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@register(OrderLine, site=staff_site)
class OrderLineAdmin(ReadOnlyAdmin):
    """Every product sold, line by line."""

    list_subtitle = _("What was sold, line by line. Amounts before returns and refunds.")
    list_display = ("order", "placed", "product", "category", "seller", "quantity", "amount")
    list_filter = ("product__category", "order__status", "order__country", "order__placed_at")
    list_select_related = ("order", "product", "seller")
    search_fields = ("order__number", "product__code")
    numeric_columns: ClassVar[tuple[str, ...]] = ("quantity", "amount")
    ordering = ("-order__placed_at", "-order_id", "position")

    @admin.display(description=_("placed"), ordering="order__placed_at")
    def placed(self, line: OrderLine) -> object:
        """When the order was placed."""
        return line.order.placed_at

    @admin.display(description=_("category"), ordering="product__category")
    def category(self, line: OrderLine) -> str:
        """The category of the product as it is now."""
        return line.product.category

    @admin.display(description=_("amount"), ordering="total_minor")
    def amount(self, line: OrderLine) -> Money:
        """Quantity times price."""
        return line.total


@register(Charge, site=staff_site)
class ChargeAdmin(ReadOnlyAdmin):
    """Postage, fees and manual entries of orders and returns."""

    list_subtitle = _("Money on orders and returns that is for no product.")
    list_display = ("document", "code", "description", "quantity", "amount")
    list_filter = ("code", "order__status", "order__placed_at")
    list_select_related = ("order", "parent")
    search_fields = ("order__number", "parent__number", "code")
    numeric_columns: ClassVar[tuple[str, ...]] = ("quantity", "amount")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Charge]:
        """Newest first."""
        return super().get_queryset(request).order_by("-id")

    @admin.display(description=_("order or return"))
    def document(self, charge: Charge) -> str:
        """What the charge stands on."""
        return str(charge.order or charge.parent)

    @admin.display(description=_("amount"), ordering="total_minor")
    def amount(self, charge: Charge) -> Money:
        """Negative on returns."""
        return charge.total


navigation.add(
    staff_site,
    group=_("Reports"),
    label=_("Order lines"),
    icon="receipt_long",
    url_name="orders_orderline_changelist",
    permission="orders.view_orderline",
    order=410,
)
navigation.add(
    staff_site,
    group=_("Reports"),
    label=_("Charges"),
    icon="local_shipping",
    url_name="orders_charge_changelist",
    permission="orders.view_charge",
    order=420,
)
