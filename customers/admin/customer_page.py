"""Staff pages of customers: every personal value is a mask until it is revealed."""

from datetime import date
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Max, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.site import BackofficeAdmin, navigation, register, staff_site
from backoffice.site.cells import date_text
from customers import services
from customers.models import Customer


@register(Customer, site=staff_site)
class CustomerAdmin(BackofficeAdmin):
    """Customers by number, found by a whole value, changed through the service."""

    list_subtitle = _("Personal data is masked. You may reveal one field at a time, with a reason.")
    list_display = ("number", "name", "phone", "email", "country", "order_count", "last_order")
    list_filter = ("country",)
    ordering = ("number",)
    fields = ("number", "name", "email", "phone", "address", "born", "country")
    readonly_fields = ("number",)
    exact_search: ClassVar[list[str]] = ["number", "email", "phone", "name"]
    export_fields: ClassVar[list[str]] = [
        "number",
        "name",
        "email",
        "phone",
        "address",
        "born",
        "country",
    ]
    number_field = "number"
    numeric_columns: ClassVar[tuple[str, ...]] = ("order_count",)
    empty_text = _("Customers come with the orders of a sheet: import one on the page Imports.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Count the orders and find the newest in the same query, where orders are installed."""
        rows: QuerySet[Any] = super().get_queryset(request)
        if any(relation.name == "orders" for relation in Customer._meta.related_objects):
            last = Max("orders__placed_at")
            rows = rows.annotate(orders_in_all=Count("orders"), last_order_at=last)
        return rows

    @admin.display(description=_("orders"), ordering="orders_in_all")
    def order_count(self, customer: Any) -> int:
        """How many orders the customer placed."""
        return int(getattr(customer, "orders_in_all", 0))

    @admin.display(description=_("last order"), ordering="last_order_at")
    def last_order(self, customer: Any) -> date | None:
        """The day of the newest order."""
        at = getattr(customer, "last_order_at", None)
        return timezone.localdate(at) if at else None

    def record_subtitle(self, request: HttpRequest, obj: Any) -> str:
        """Where the customer is, and since when."""
        since = _("customer since %s") % date_text(obj.created_at)
        return " · ".join(part for part in (obj.country, str(since)) if part)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Customers come from sheets and from the API."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        """Edit through the service, which locks the row and records the fields."""
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        reason = request.POST.get("change_reason", "")
        services.edit_customer(obj, changes=changes, actor=request.user, reason=reason)  # type: ignore[arg-type]


navigation.add(
    staff_site,
    group=_("Customers"),
    groups={
        "finance": _("Look up"),
        "ops": _("Business"),
        "owner": _("Business"),
        "analyst": _("Business"),
        "auditor": _("Look up"),
        "privacy": _("Look up"),
    },
    label=_("Customers"),
    icon="group",
    url_name="customers_customer_changelist",
    permission="customers.view_customer",
    order=15,
)
