"""Seller pages: the orders of a shop, seen through its own lines, and the start page."""

from typing import Any, ClassVar, cast

from django.contrib import admin
from django.db.models import Count, Model, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from backoffice.accounts.models import User
from backoffice.charts.kpis import Kpi, spark
from backoffice.charts.queries import brief, exact, percent, whole
from backoffice.charts.registry import Scope
from backoffice.money import Money
from backoffice.site import (
    BackofficeAdmin,
    BackofficeInline,
    Badge,
    navigation,
    register,
    seller_site,
)
from backoffice.site.values import choice_badge
from orders import queries
from orders.models import Order, OrderLine, Parcel
from orders.queries import MonthOfShop
from sellers.queries import own, shop_of

STATES: dict[str, Any] = {
    "placed": "wait",
    "paid": "wait",
    "shipped": "move",
    "delivered": "quiet",
    "cancelled": "rest",
}
SHOWN = 5


class SeenOnly(BackofficeAdmin):
    """Rows that a shop sees and does not change here."""

    editable = False
    timeline = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def record_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        """Offer no history, since there is none."""
        return {**super().record_context(request, obj), "history_url": ""}

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """There is none: the history of an order tells of other shops' lines and of its buyer."""
        raise Http404


class OwnLineInline(BackofficeInline):
    """The shop's lines of the order; those of others are not in the scope."""

    model = OrderLine
    fields = ("product", "quantity", "price", "amount", "state")
    readonly_fields = fields
    numeric_columns: ClassVar[tuple[str, ...]] = ("quantity", "price", "amount")
    verbose_name_plural = _("your lines")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderLine]:
        """Fetch the products along, and how many pieces came back."""
        rows: QuerySet[OrderLine] = super().get_queryset(request)
        return rows.select_related("product", "order").annotate(
            back=Coalesce(Sum("returns__quantity"), 0)
        )

    @admin.display(description=_("state"))
    def state(self, line: Any) -> str:
        """What became of the pieces."""
        return str(queries.pieces_of(line, -line.back).state.label)

    @admin.display(description=_("price"))
    def price(self, line: OrderLine) -> Money:
        """The price of one piece."""
        return line.unit_price

    @admin.display(description=_("amount"))
    def amount(self, line: OrderLine) -> Money:
        """Quantity times price."""
        return line.total


class OwnParcelInline(BackofficeInline):
    """The shop's parcels of the order."""

    model = Parcel
    fields = ("code", "carrier", "tracking", "sent_at", "state")
    readonly_fields = fields
    verbose_name_plural = _("your parcels")

    @admin.display(description=_("parcel"))
    def code(self, parcel: Parcel) -> str:
        """The short name for people."""
        return str(parcel)


@register(Order, site=seller_site)
class ShopOrderAdmin(SeenOnly):
    """Orders with at least one line of the shop. Totals are those of its own lines alone."""

    list_title = _("Orders")
    list_subtitle = _("Orders with something of yours in them. Amounts are of your lines alone.")
    empty_text = _("An order appears here as soon as somebody buys one of your products.")
    list_display = ("number", "placed_at", "own_lines", "country", "status", "own_amount")
    list_filter = ("status", "country")
    search_fields = ("number",)
    fields = ("number", "placed_at", "country", "status", "own_amount")
    readonly_fields = fields
    inlines = (OwnLineInline, OwnParcelInline)
    badges: ClassVar[dict[str, Any]] = {"status": STATES}
    numeric_columns: ClassVar[tuple[str, ...]] = ("own_lines", "own_amount")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        """Add up own lines in the same query; what stands on the order itself is for all shops."""
        mine = own(request.user, "lines__seller")
        rows: QuerySet[Order] = super().get_queryset(request)
        return rows.annotate(
            own_minor=Sum("lines__total_minor", filter=mine),
            own_count=Count("lines", filter=mine),
        )

    @admin.display(description=_("your lines"), ordering="own_count")
    def own_lines(self, order: Any) -> int:
        """How many lines of the order are the shop's."""
        return int(order.own_count)

    @admin.display(description=_("your amount"), ordering="own_minor")
    def own_amount(self, order: Any) -> Money:
        """What those lines come to."""
        return Money(order.own_minor or 0, order.currency)

    def record_title(self, obj: Model) -> str:
        """The thing and its number."""
        return gettext("Order %(number)s") % {"number": obj}


@register(OrderLine, site=seller_site)
class ShopLineAdmin(SeenOnly):
    """What the shop sold, line by line: the rows behind its charts."""

    list_title = _("Sold lines")
    list_subtitle = _("What your shop sold, line by line, before returns.")
    list_display = ("order", "placed", "product", "quantity", "amount")
    list_filter = ("order__status", "order__placed_at")
    list_select_related = ("order", "product")
    search_fields = ("order__number", "product__code")
    fields = ("order", "product", "quantity", "amount")
    readonly_fields = fields
    numeric_columns: ClassVar[tuple[str, ...]] = ("quantity", "amount")
    ordering = ("-order__placed_at", "-order_id", "position")

    @admin.display(description=_("placed"), ordering="order__placed_at")
    def placed(self, line: OrderLine) -> object:
        """When the order was placed."""
        return line.order.placed_at

    @admin.display(description=_("amount"), ordering="total_minor")
    def amount(self, line: OrderLine) -> Money:
        """Quantity times price."""
        return line.total


def home(request: HttpRequest) -> dict[str, Any]:
    """Return what the start page of a shop shows: what to ship, what it earns, what sells best."""
    user = cast("User", request.user)
    shop = shop_of(user)
    scope = Scope(user, site=seller_site.name)
    badge = choice_badge(shop, "status", {"active": "quiet", "paused": "wait", "closed": "rest"})
    return {
        "title": gettext("Home"),
        "record_title": str(shop),
        "page_subtitle": gettext("You see your own products, orders and money only."),
        "shop": shop,
        "shop_badge": badge,
        "cards": _cards(scope),
        "chart_scope": scope,
        "orders": _orders(request),
    }


def _orders(request: HttpRequest) -> list[tuple[Any, Badge]]:
    """Return the orders to work on, oldest first, then the newest others, SHOWN in all."""
    page = cast("ShopOrderAdmin", seller_site.get_model_admin(Order))
    rows = page.get_queryset(request)
    urgent = Q(status=Order.Status.PAID)
    first = list(rows.filter(urgent).order_by("placed_at")[:SHOWN])
    rest = list(rows.exclude(urgent).order_by("-placed_at")[: SHOWN - len(first)])
    return [(order, choice_badge(order, "status", STATES)) for order in [*first, *rest]]


def _cards(scope: Scope) -> list[Kpi]:
    cards = [_waiting(queries.to_ship(scope))]
    back = queries.returned(scope)
    for currency, run in queries.months_of_shop(scope).items():
        cards += _earned(scope, currency, run, back.get(currency, 0))
    return cards


def _waiting(found: queries.ToShip) -> Kpi:
    detail = gettext("Nothing waits to be sent")
    if found.oldest is not None:
        day = date_format(localtime(found.oldest), "j M Y")
        detail = gettext("The oldest was placed on %(day)s") % {"day": day}
    url = reverse("seller:orders_order_changelist") + f"?status__exact={Order.Status.PAID}"
    return Kpi(_("To ship"), whole(found.count), detail, url=url)


def _earned(scope: Scope, currency: str, run: list[MonthOfShop], back: int) -> list[Kpi]:
    """What the shop earned in one currency: the newest month, the year, what came back."""
    now, before = run[-1], run[-2]
    month = scope.once(queries.year_of_shop)[-1].first_day()
    label = gettext("Sales in %(month)s") % {"month": date_format(month, "F Y")}
    year = sum(part.minor for part in run)
    lines = sum(part.lines for part in run)
    sold = ngettext("%(count)s line sold", "%(count)s lines sold", lines)
    detail = gettext("Goods worth %(amount)s") % {"amount": brief(back, currency)}
    past = [part.minor for part in run]
    earlier = gettext("%(amount)s the month before") % {"amount": exact(before.minor, currency)}
    return [
        # The newest month still runs, so it is not measured against the one before.
        Kpi(label, exact(now.minor, currency), earlier, points=spark(past)),
        Kpi(_("Sales in twelve months"), brief(year, currency),
            sold % {"count": whole(lines)}),
        Kpi(_("Returned share"), percent(back, year) or percent(0, 1), detail),
    ]  # fmt: skip


seller_site.dashboard = home
navigation.add(seller_site, label=_("Home"), icon="dashboard", url_name="index", order=0)
seller_site.dashboard_template = "orders/portal_home.html"
navigation.add(
    seller_site,
    group=_("Shop"),
    label=_("Orders"),
    icon="shopping_cart",
    url_name="orders_order_changelist",
    permission="orders.view_order",
    order=10,
)
navigation.add(
    seller_site,
    group=_("Shop"),
    label=_("Sold lines"),
    icon="receipt_long",
    url_name="orders_orderline_changelist",
    permission="orders.view_orderline",
    order=30,
)
