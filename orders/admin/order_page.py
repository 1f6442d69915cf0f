"""Staff pages of orders: list, order page, moves between states.

Apps above add to the order page with one line each: cards and actions with
`OrderAdmin.contribute(panels=…, actions=…)`, badges and links beside a line with
`OrderAdmin.line_notes`, entries of the timeline with `OrderAdmin.timeline_sources`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.audit.models import Event, Outcome
from backoffice.money import Money
from backoffice.policy import may
from backoffice.site import (
    BackofficeAdmin,
    Badge,
    Panel,
    ReasonForm,
    action,
    navigation,
    register,
    staff_site,
)
from backoffice.site.cells import date_text, mask_markup
from backoffice.site.timeline import Entry
from backoffice.site.values import icon
from backoffice.site.visitors import signed_in
from orders import services
from orders.models import Order, OrderLine

ORDER_STATES: dict[str, Any] = {
    "placed": "wait",
    "paid": "quiet",
    "shipped": "move",
    "delivered": "quiet",
    "cancelled": "rest",
}
_Status = Order.Status
TIMELINE_LENGTH = 12


@dataclass(frozen=True, slots=True)
class LineNote:
    """What an app above says of one order line: badges, and where a button leads ("": none)."""

    badges: tuple[Badge, ...] = ()
    url: str = ""
    label: str = ""


LineNotes = Callable[[HttpRequest, Order], dict[int, LineNote]]
TimelineSource = Callable[[Order], list[Entry]]


class CancelForm(ReasonForm):
    """Says what cancelling does, and what it does not."""

    recorded = gettext_lazy("Your name, the time and the reason.")

    def intro(self) -> str:
        """Return what will happen."""
        return _("The order will not be sent. Money that came in stays until a refund is approved.")


@register(Order, site=staff_site)
class OrderAdmin(BackofficeAdmin):
    """What customers bought. An order changes by its actions only."""

    line_notes: ClassVar[list[LineNotes]] = []
    timeline_sources: ClassVar[list[TimelineSource]] = []

    list_subtitle = gettext_lazy("What customers bought, newest first.")
    empty_text = gettext_lazy("Orders come from imported sheets. Nothing was imported yet.")
    list_display = ("number", "placed_at", "buyer", "buyer_name", "country", "total_sum", "status")
    list_filter = ("status", "placed_at", "country")
    list_select_related = ("customer",)
    search_fields = ("number", "customer__number")
    search_help_text = gettext_lazy("Number of the order or of the customer")
    export_fields: ClassVar[list[str]] = [
        "number",
        "placed_at",
        "country",
        "currency",
        "total_minor",
        "status",
    ]
    number_field = "number"
    badges: ClassVar[dict[str, Any]] = {"status": ORDER_STATES}
    numeric_columns: ClassVar[tuple[str, ...]] = ("total_sum",)
    editable = False
    timeline = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        """Fetch the customer along: list and head name it."""
        return super().get_queryset(request).select_related("customer")

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Return none: head and cards say all of it."""
        return []

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Orders come from outside."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Orders change by actions."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Orders stay."""
        return False

    @admin.display(description=gettext_lazy("customer"), ordering="customer__number")
    def buyer(self, order: Order) -> str:
        """The customer's public number."""
        return str(order.customer) if order.customer else ""

    @admin.display(description=gettext_lazy("name"))
    def buyer_name(self, order: Order) -> str:
        """The customer's name, as its mask."""
        return mask_markup(order.customer.name) if order.customer else ""

    @admin.display(description=gettext_lazy("total"), ordering="total_minor")
    def total_sum(self, order: Order) -> Money:
        """Lines and charges together."""
        return order.total

    def record_subtitle(self, request: HttpRequest, obj: Order) -> SafeString:
        """Return when and who: "30 Nov 2011 16:47 · Customer 12437, C••••• L•••••, France"."""
        parts = [format_html("{}", date_text(obj.placed_at)), _buyer(request, obj)]
        if obj.country:
            parts[-1] = format_html("{}, {}", parts[-1], obj.country)
        return format_html("{} · {}", *parts)

    @action(
        gettext_lazy("Mark as shipped"),
        permission="orders.ship_order",
        icon="local_shipping",
        bulk=True,
        visible=lambda order: order.status == _Status.PAID,
        order=20,
    )
    def ship(self, request: HttpRequest, order: Order, form: Any) -> str:
        """Note that the goods left."""
        services.mark_shipped(order, actor=signed_in(request))
        return _("Order %(number)s is marked as shipped.") % {"number": order.number}

    @action(
        gettext_lazy("Mark as delivered"),
        permission="orders.ship_order",
        icon="inventory",
        bulk=True,
        visible=lambda order: order.status == _Status.SHIPPED,
        order=20,
    )
    def deliver(self, request: HttpRequest, order: Order, form: Any) -> str:
        """Note that the goods arrived."""
        services.mark_delivered(order, actor=signed_in(request))
        return _("Order %(number)s is marked as delivered.") % {"number": order.number}

    @action(
        gettext_lazy("Cancel order"),
        permission="orders.cancel_order",
        icon="block",
        form=CancelForm,
        harmful=True,
        visible=lambda order: order.status in services.allowed_from(_Status.CANCELLED),
    )
    def cancel(self, request: HttpRequest, order: Order, form: Any) -> str:
        """Cancel before it is sent."""
        services.cancel_order(order, actor=signed_in(request), reason=form.cleaned_data["reason"])
        return _("Order %(number)s is cancelled. No money has moved.") % {"number": order.number}


def _buyer(request: HttpRequest, order: Order) -> SafeString:
    customer = order.customer
    if customer is None:
        return format_html("{}", _("No customer"))
    number = format_html("{}", customer.number)
    if may(request.user, "customers.view_customer", customer):
        url = reverse("admin:customers_customer_change", args=[customer.pk])
        number = format_html('<a href="{}">{}</a>', url, customer.number)
    lock = icon("lock", "bo-icon--s")
    name = format_html(", {} {}", lock, mask_markup(customer.name)) if customer.name else ""
    return format_html("{} {}{}", _("Customer"), number, name)


@dataclass(slots=True)
class LineRow:
    """One row of the card of lines."""

    line: OrderLine
    badges: list[Badge]
    links: list[LineNote]


def _lines(request: HttpRequest, order: Order) -> dict[str, Any]:
    lines = list(order.lines.select_related("product", "seller").order_by("position"))
    notes = [source(request, order) for source in OrderAdmin.line_notes]
    rows = [_row(line, [found[line.pk] for found in notes if line.pk in found]) for line in lines]
    sellers = len({line.seller_id for line in lines})
    return {
        "rows": rows,
        "charges": list(order.charges.all()),
        "goods": Money(sum(line.total_minor for line in lines), order.currency),
        "goods_label": _goods(lines),
        "total": order.total,
        "panel_note": ngettext("%(count)s seller", "%(count)s sellers", sellers)
        % {"count": sellers},
    }


def _row(line: OrderLine, notes: list[LineNote]) -> LineRow:
    badges = [badge for note in notes for badge in note.badges]
    return LineRow(line, badges, [note for note in notes if note.url])


def _goods(lines: list[OrderLine]) -> str:
    pieces = sum(line.quantity for line in lines)
    count = ngettext("%(count)s line", "%(count)s lines", len(lines)) % {"count": len(lines)}
    amount = {"count": number_format(pieces, force_grouping=True)}
    return _("Goods, %(lines)s, %(pieces)s") % {
        "lines": count,
        "pieces": ngettext("%(count)s piece", "%(count)s pieces", pieces) % amount,
    }


def _timeline(request: HttpRequest, order: Order) -> dict[str, Any]:
    events = Event.objects.about(order).select_related("actor")[:TIMELINE_LENGTH]
    entries = [_entry(event) for event in events]
    entries += [entry for source in OrderAdmin.timeline_sources for entry in source(order)]
    entries.append(Entry(order.placed_at, _("Placed"), _("Customer"), "", "done"))
    entries.sort(key=lambda entry: entry.at, reverse=True)
    return {
        "entries": entries[:TIMELINE_LENGTH],
        "panel_note": timezone.get_current_timezone_name(),
    }


def _entry(event: Event) -> Entry:
    tone = "" if event.outcome == Outcome.DONE else "fail"
    return Entry(event.at, event.verb_label, str(event.actor or _("System")), event.reason, tone)


OrderAdmin.panels = [
    Panel(gettext_lazy("Lines"), "orders/lines.html", _lines, column="main", order=10),
    Panel(gettext_lazy("Timeline"), "backoffice/timeline.html", _timeline, order=90),
]
navigation.add(
    staff_site,
    group=gettext_lazy("Customers"),
    label=gettext_lazy("Orders"),
    icon="shopping_cart",
    url_name="orders_order_changelist",
    permission="orders.view_order",
    order=20,
    groups={
        "finance": gettext_lazy("Look up"),
        "ops": gettext_lazy("Business"),
        "owner": gettext_lazy("Business"),
        "analyst": gettext_lazy("Business"),
        "auditor": gettext_lazy("Look up"),
        "privacy": gettext_lazy("Look up"),
    },
)
