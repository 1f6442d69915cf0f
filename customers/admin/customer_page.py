"""The list of customers and the page of one: personal values are masks until they are revealed."""

from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localdate
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.site import BackofficeAdmin, Badge, navigation, register, staff_site
from backoffice.site import timeline as timelines
from backoffice.site.cells import date_text, mask_markup
from backoffice.site.tabs import Tab
from backoffice.site.values import icon
from customers import queries, services
from customers.admin import parts
from customers.admin.filters import MergedFilter, WaitingFilter
from customers.models import Customer


@register(Customer, site=staff_site)
class CustomerAdmin(BackofficeAdmin):
    """Customers by number, found by a whole value, changed through the service."""

    list_subtitle = _(
        "Personal data is masked. Clear values are shown one at a time, with a reason."
    )
    list_display = ("number", "name", "phone", "email", "country")
    more_columns: ClassVar[tuple[str, ...]] = (
        "address",
        "born",
        "bank_account",
        "created_at",
        "updated_at",
    )
    list_filter = ("country", "created_at", MergedFilter, WaitingFilter)
    sortable_by = ("number", "country", "created_at", "updated_at")
    ordering = ("number",)
    fields = ("number", "name", "email", "phone", "born", "country", "address", "bank_account")
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
    timeline = False  # a tab of its own
    panels = parts.PANELS
    page_tabs: ClassVar[list[Tab]] = [timelines.TAB, parts.REVEALS]
    empty_text = _("Customers come with the orders of a sheet: import one on the page Imports.")

    def found_keys(self, rows: QuerySet[Any], most: int) -> list[Any]:
        """Lead to who stands for a customer now; one alone who was merged says so on the way."""
        keys = queries.standing_keys(rows, most)
        own = list(rows.values_list("pk", flat=True)[:2])
        return own if len(keys) == len(own) == 1 else keys

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """Show the customer; one who was merged leads to the one who stands for them."""
        customer = self.record_or_none(request, object_id)
        if customer is None or not customer.merged_into_id or not self.has_view_permission(request):
            return super().change_view(request, object_id, form_url, extra_context)
        standing = queries.standing(customer)
        text = gettext("Customer %(gone)s was merged into customer %(kept)s, who is shown here.")
        messages.info(request, text % {"gone": customer.number, "kept": standing.number})
        return HttpResponseRedirect(self.record_url(standing))

    def record_badges(self, obj: Any) -> list[Badge]:
        """Say that another customer stands for this one, and that the person was erased."""
        found = [(obj.merged_into_id, gettext("Merged")), (obj.erased_at, gettext("Erased"))]
        return [Badge("rest", text) for holds, text in found if holds]

    row_badges = record_badges

    def record_subtitle(self, request: HttpRequest, obj: Any) -> SafeString:
        """Return who (masked), where the customer is, and since when."""
        since = gettext("customer since %s") % date_text(localdate(obj.created_at))
        rest = " · ".join(part for part in (obj.country, since) if part)
        if not obj.name:
            return format_html("{}", rest)
        lock = icon("lock", "bo-icon--s")
        return format_html("{} {} · {}", lock, mask_markup(obj.name), rest)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Customers come from sheets alone, as the API says too."""
        return False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Give the address as many lines as an address has."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and db_field.name == "address":
            field.widget.attrs["rows"] = 3
        return field

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
