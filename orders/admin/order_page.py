"""Staff pages of orders: list, order page, moves between states.

Apps above add to the order page with one line each: cards and actions with
`OrderAdmin.contribute(panels=…, actions=…)`, badges and links beside a line with
`OrderAdmin.line_notes`, entries of the timeline with `OrderAdmin.timeline_sources`; to the list,
badges with `OrderAdmin.badge_sources` and what waits for somebody with
`OrderAdmin.waiting_sources` (see `order_list`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.money import Money
from backoffice.policy import may
from backoffice.site import BackofficeAdmin, Badge, action, navigation, register, staff_site
from backoffice.site.cells import date_text, mask_markup
from backoffice.site.list_views import ListView
from backoffice.site.values import choice_badge, icon
from backoffice.site.visitors import signed_in
from orders import queries, services
from orders.admin import order_cards, order_list
from orders.admin.dialogs import CancelForm, ChangeForm, NoteForm, ParcelForm
from orders.admin.order_cards import LineNotes, TimelineSource
from orders.admin.order_list import BadgeSource, WaitingSource
from orders.models import Order
from orders.services.moves import PARTLY_SENT
from orders.states import OrderState

ORDER_STATES: dict[str, Any] = {
    "placed": "wait",
    "paid": "quiet",
    "shipped": "move",
    "delivered": "quiet",
    "cancelled": "rest",
}


def why_not(to: OrderState) -> Any:
    """Return what says in words why an order cannot come into a state now; it names `to`."""

    def refusal(order: Order) -> str:
        return services.why_not(order, to)

    refusal.to = to  # type: ignore[attr-defined]
    return refusal


def why_not_cancel(order: Any) -> str:
    """Return why the whole order cannot be cancelled now; "" where it can."""
    sent = str(PARTLY_SENT) if order.partly_sent else ""
    return services.why_not(order, OrderState.CANCELLED) or sent


def _mine(request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(pk__in=order_list.waiting_keys(request, OrderAdmin.waiting_sources))


def _how_many(request: HttpRequest) -> int:
    return len(order_list.waiting_keys(request, OrderAdmin.waiting_sources))


@register(Order, site=staff_site)
class OrderAdmin(BackofficeAdmin):
    """What customers bought. An order changes by its actions only."""

    line_notes: ClassVar[list[LineNotes]] = order_cards.line_notes
    timeline_sources: ClassVar[list[TimelineSource]] = order_cards.timeline_sources
    badge_sources: ClassVar[list[BadgeSource]] = [
        order_list.change_badges,
        order_list.part_badges,
    ]
    waiting_sources: ClassVar[list[WaitingSource]] = [order_list.to_decide, order_list.to_send]
    list_views: ClassVar[list[ListView]] = [
        ListView("", gettext_lazy("All")),
        ListView(
            "waiting",
            gettext_lazy("Waiting for me"),
            rows=_mine,
            count=_how_many,
            empty=gettext_lazy("Nothing waits for you: nothing to decide, approve or send."),
        ),
    ]
    panels = order_cards.PANELS

    list_subtitle = gettext_lazy("What customers bought, newest first.")
    empty_text = gettext_lazy("Orders come from imported sheets. Nothing was imported yet.")
    list_display = ("number", "placed_at", "buyer", "buyer_name", "country", "total_sum", "status")
    list_filter = (
        "status",
        order_list.AgeFilter,
        order_list.SellerFilter,
        order_list.AmountFilter,
        "placed_at",
        "country",
    )
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
        """Fetch along what list and head tell: the customer, and whether a part was sent."""
        rows: QuerySet[Order] = super().get_queryset(request)
        return queries.with_sent(rows.select_related("customer"))

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

    def list_badges(self, request: HttpRequest, rows: Sequence[Any]) -> Mapping[Any, list[Badge]]:
        """Ask each source once for the whole page."""
        found: dict[Any, list[Badge]] = {}
        for source in self.badge_sources:
            for key, badges in source(request, rows).items():
                found.setdefault(key, []).extend(badges)
        return found

    def record_badges(self, obj: Any) -> list[Badge]:
        """Return the state, and that a part of a paid order was sent."""
        state = choice_badge(obj, "status", ORDER_STATES)
        partly = obj.status == OrderState.PAID and obj.partly_sent
        return [state, Badge("move", _("Partly shipped"))] if partly else [state]

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
        why_not=why_not(OrderState.SHIPPED),
        order=20,
    )
    def ship(self, request: HttpRequest, order: Order, form: Any) -> str:
        """Note that the goods left."""
        services.mark_shipped(order, actor=signed_in(request))
        return _("Order %(number)s is marked as shipped.") % {"number": order.number}

    @action(
        gettext_lazy("Send a parcel"),
        permission="orders.ship_order",
        icon="package_2",
        form=ParcelForm,
        row=False,
        wide=True,
        why_not=why_not(OrderState.SHIPPED),
        order=30,
    )
    def send(self, request: HttpRequest, order: Order, form: Any) -> str:
        """Send some of the pieces."""
        sent = services.send_parcel(
            order, form.pieces(), actor=signed_in(request), carriage=form.carriage()
        )
        return _("Sent: %(parcels)s.") % {"parcels": ", ".join(str(parcel) for parcel in sent)}

    @action(
        gettext_lazy("Change request"),
        permission="orders.add_changerequest",
        icon="assignment_return",
        form=ChangeForm,
        row=False,
        wide=True,
        order=40,
    )
    def ask_change(self, request: HttpRequest, order: Order, form: Any) -> SafeString:
        """Take down what the customer asks for."""
        change = services.ask_change(order, form.asked(), actor=signed_in(request))
        return format_html(
            '{} <a href="{}">{}</a>',
            _("Taken down. Somebody else decides about it."),
            reverse("admin:orders_changerequest_change", args=[change.pk]),
            change,
        )

    @action(
        gettext_lazy("Add note"),
        permission="orders.add_ordernote",
        icon="edit_note",
        form=NoteForm,
        row=False,
        order=10,
    )
    def note(self, request: HttpRequest, order: Order, form: Any) -> str:
        """Write down a few words."""
        services.add_note(order, form.cleaned_data["text"], actor=signed_in(request))
        return _("The note is added.")

    @action(
        gettext_lazy("Mark as delivered"),
        permission="orders.ship_order",
        icon="inventory",
        bulk=True,
        why_not=why_not(OrderState.DELIVERED),
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
        why_not=why_not_cancel,
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
