"""Pages of parcels and of delivery addresses; both are opened from their order."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.site import BackofficeAdmin, Panel, ReasonForm, action, register, staff_site
from backoffice.site.visitors import signed_in
from orders import services
from orders.admin.dialogs import CarrierForm
from orders.admin.order_cards import PARCEL_STATES
from orders.models import DeliveryAddress, Parcel
from orders.services.parcels import SHIP
from orders.states import PARCEL, ParcelState, before

_P = ParcelState


def _why_not(to: ParcelState) -> Any:
    """Return what says in words why a parcel cannot come into a state."""

    def why_not(parcel: Parcel) -> str:
        if parcel.state in before(PARCEL, to):
            return ""
        return _("This parcel is “%(state)s”.") % {"state": parcel.get_state_display()}

    return why_not


class _Seen(BackofficeAdmin):
    """Rows that change by actions only."""

    editable = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("order"), ordering="order__number")
    def of_order(self, row: Any) -> SafeString:
        """The order, with a link."""
        url = reverse("admin:orders_order_change", args=[row.order_id])
        return format_html('<a href="{}">{}</a>', url, row.order)


@register(Parcel, site=staff_site)
class ParcelAdmin(_Seen):
    """What left together, and where it is."""

    list_subtitle = gettext_lazy("What left together, newest first.")
    empty_text = gettext_lazy("A parcel is made when something of an order is sent.")
    list_display = ("code", "of_order", "seller", "carrier", "tracking", "sent_at", "state")
    list_filter = ("state", "sent_at")
    search_fields = ("order__number", "tracking")
    search_help_text = gettext_lazy("Number of the order or of the parcel at its carrier")
    list_select_related = ("order", "seller", "replaces")
    ordering = ("-id",)
    fields = (
        "of_order",
        "seller",
        "carrier",
        "tracking",
        "replaces",
        "created_at",
        "sent_at",
        "arrived_at",
    )
    readonly_fields = fields
    badges: ClassVar[dict[str, Any]] = {"state": PARCEL_STATES}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Fetch along what the page names."""
        return super().get_queryset(request).select_related("order", "seller", "replaces")

    @admin.display(description=gettext_lazy("parcel"), ordering="id")
    def code(self, parcel: Parcel) -> str:
        """The short name for people."""
        return str(parcel)

    @action(
        gettext_lazy("Send"),
        permission=SHIP,
        icon="local_shipping",
        form=CarrierForm,
        primary=True,
        why_not=_why_not(_P.SHIPPED),
    )
    def send(self, request: HttpRequest, parcel: Parcel, form: Any) -> str:
        """Send a replacement that was made ready."""
        services.send_prepared(parcel, actor=signed_in(request), carriage=form.carriage())
        return _("%(parcel)s is sent.") % {"parcel": parcel}

    @action(
        gettext_lazy("It arrived"),
        permission=SHIP,
        icon="inventory",
        bulk=True,
        why_not=_why_not(_P.DELIVERED),
    )
    def arrived(self, request: HttpRequest, parcel: Parcel, form: Any) -> str:
        """Note that it arrived."""
        services.parcel_arrived(parcel, actor=signed_in(request))
        return _("%(parcel)s arrived.") % {"parcel": parcel}

    @action(
        gettext_lazy("It is lost"),
        permission=SHIP,
        icon="error",
        form=ReasonForm,
        harmful=True,
        why_not=_why_not(_P.LOST),
    )
    def lost(self, request: HttpRequest, parcel: Parcel, form: Any) -> str:
        """Note that it is lost."""
        reason = form.cleaned_data["reason"]
        services.parcel_lost(parcel, actor=signed_in(request), reason=reason)
        return _("%(parcel)s is lost. A refund is asked for on the page of the order.") % {
            "parcel": parcel
        }

    @action(
        gettext_lazy("Do not send"),
        permission=SHIP,
        icon="block",
        form=ReasonForm,
        harmful=True,
        why_not=_why_not(_P.CANCELLED),
    )
    def drop(self, request: HttpRequest, parcel: Parcel, form: Any) -> str:
        """Do not send a replacement after all."""
        reason = form.cleaned_data["reason"]
        services.drop_parcel(parcel, actor=signed_in(request), reason=reason)
        return _("%(parcel)s is not sent.") % {"parcel": parcel}


@register(DeliveryAddress, site=staff_site)
class DeliveryAddressAdmin(_Seen):
    """Where an order goes; the page on which the address is revealed."""

    list_subtitle = gettext_lazy("Orders that go elsewhere than to their customer.")
    empty_text = gettext_lazy("A change request of a customer sets one.")
    list_display = ("order", "address", "changed_at")
    list_select_related = ("order",)
    sortable_by = ("changed_at",)
    fields = ("of_order", "address", "changed_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Fetch along what the page names."""
        return super().get_queryset(request).select_related("order")


def _lines(request: HttpRequest, parcel: Parcel) -> dict[str, Any]:
    return {"rows": list(parcel.lines.select_related("order_line__product"))}


ParcelAdmin.panels = [
    Panel(gettext_lazy("Pieces"), "orders/parcel_lines.html", _lines, column="main", order=10)
]
