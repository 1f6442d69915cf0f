"""Joins of other systems' data around orders."""

from django.utils.translation import gettext_lazy as _

from backoffice.masking import masks
from backoffice.sources.columns import Column, Count, Last, Sum
from backoffice.sources.fields import Amount, Instant, Text
from backoffice.sources.registry import page
from backoffice.sources.spec import (
    LinkHeader,
    Lookup,
    Query,
    RestSource,
    SettingToken,
    SourcePage,
    setting,
)

# The demo's systems run beside the web server, on its loopback address.
customer_api = RestSource(
    "customer-api",
    _("Customer API"),
    base_url=setting("BACKOFFICE_CUSTOMER_API_URL"),
    auth=SettingToken(name="BACKOFFICE_CUSTOMER_API_TOKEN"),
    icon="group",
    allow_loopback=True,
)
order_api = RestSource(
    "order-api",
    _("Order API"),
    base_url=setting("BACKOFFICE_ORDER_API_URL"),
    auth=SettingToken(name="BACKOFFICE_ORDER_API_TOKEN"),
    icon="shopping_cart",
    allow_loopback=True,
)


class Customers(Query):
    """The customers as the customer system knows them."""

    source = customer_api
    path = "/customers"
    paginate = LinkHeader("page", "limit", total="X-Total-Count")
    sort_param = "sort"
    id = Text(label=_("Customer"), key=True, filter="id", sort=True)
    name = Text(label=_("Name"), mask=masks.name)
    email = Text(label=_("E-mail"), mask=masks.email)
    country = Text(label=_("Country"), filter="country", sort=True)
    level = Text(label=_("Level"))


class Orders(Query):
    """The orders as the order system knows them."""

    source = order_api
    path = "/orders"
    paginate = LinkHeader("page", "limit", total="X-Total-Count")
    number = Text(key=True)
    customer_id = Text(batch="customer_id__in")
    placed_at = Instant()
    state = Text()
    total = Amount(currency="currency")


@page("customer-orders", permission="sources.view_pages")
class CustomerOrders(SourcePage):
    """Every customer with what the order system knows of him."""

    title = _("Customer orders across systems")
    subtitle = _("Customers from the Customer API, joined with their orders from the Order API.")
    label = _("Customer orders")
    noun = _("customers")
    rows = Customers
    lookups = {"orders": Lookup(Orders, on=("id", "customer_id"))}
    columns = [
        Column("id"),
        Column("name"),
        Column("email"),
        Column("country"),
        Column("level"),
        Count("orders", _("Orders")),
        Last("orders.placed_at", _("Last order"), by="placed_at"),
        Last("orders.state", _("Its state"), by="placed_at"),
        Sum("orders.total", _("Ordered in all")),
    ]
