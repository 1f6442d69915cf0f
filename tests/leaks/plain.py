"""What most teams write, with no masking code: stock admin, history, import and export, REST."""

from typing import Any

from django.contrib import admin
from django.urls import include, path
from guardian.admin import GuardedModelAdmin
from import_export import resources
from import_export.admin import ImportExportModelAdmin
from rest_framework import filters, permissions, renderers, routers, serializers, viewsets
from rest_framework.parsers import JSONParser
from simple_history.admin import SimpleHistoryAdmin

from customers.models import Customer
from orders.models import Order
from tests.leaks.stage import OK, Stage
from tests.walker.walk import Answer


class CustomerResource(resources.ModelResource):  # type: ignore[misc]
    class Meta:
        model = Customer
        import_id_fields = ("number",)
        exclude = ("id", "created_at", "updated_at")


class CustomerAdmin(ImportExportModelAdmin, SimpleHistoryAdmin):  # type: ignore[misc]
    list_display = ["name", "number", "email", "phone"]
    ordering = ["number"]
    search_fields = ["number"]
    history_list_display = ["name", "email", "phone"]
    resource_classes = [CustomerResource]


class OrderAdmin(SimpleHistoryAdmin):  # type: ignore[misc]
    list_display = ["number", "customer"]
    list_filter = ["customer__country"]
    fields = ["number", "customer", "placed_at", "country"]


class AutocompleteAdmin(OrderAdmin):
    autocomplete_fields = ["customer"]


class RawIdAdmin(OrderAdmin):
    raw_id_fields = ["customer"]


class AskingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Searches by what is masked; the check of pages would refuse it."""

    list_display = ["number"]
    search_fields = ["name", "email", "phone"]


class AskingOrders(admin.ModelAdmin):  # type: ignore[type-arg]
    search_fields = ["customer__email", "customer__name"]


class DrillingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    date_hierarchy = "born"


class ListingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_filter = ["email", ("phone", admin.AllValuesFieldListFilter)]


class GuardedAdmin(GuardedModelAdmin):
    list_display = ["name"]


def _site(name: str, **pages: type[admin.ModelAdmin]) -> admin.AdminSite:  # type: ignore[type-arg]
    """Return a stock site that the checks of the project do not look at."""
    site = admin.AdminSite(name=name)
    admin.sites.all_sites.discard(site)
    for model in (Customer, Order):
        site.register(model, pages.get(model.__name__, admin.ModelAdmin))
    return site


SITES = {
    "plain": _site("plain", Customer=CustomerAdmin, Order=OrderAdmin),
    "complete": _site("complete", Customer=CustomerAdmin, Order=AutocompleteAdmin),
    "byhand": _site("byhand", Order=RawIdAdmin),
    "asking": _site("asking", Customer=AskingAdmin, Order=AskingOrders),
    "drilling": _site("drilling", Customer=DrillingAdmin),
    "listing": _site("listing", Customer=ListingAdmin),
    "guarded": _site("guarded", Customer=GuardedAdmin),
}


class CustomerSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    class Meta:
        model = Customer
        fields = "__all__"


class OrderSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    class Meta:
        model = Order
        fields = ["number", "customer", "placed_at"]


class _Views(viewsets.ModelViewSet):  # type: ignore[type-arg]
    permission_classes = [permissions.IsAuthenticated]
    renderer_classes = [renderers.JSONRenderer, renderers.BrowsableAPIRenderer]
    parser_classes = [JSONParser]
    filter_backends = [filters.SearchFilter, filters.OrderingFilter]
    ordering_fields: Any = "__all__"


class CustomerViews(_Views):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer
    search_fields = ["email", "name"]


class OrderViews(_Views):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer
    search_fields = ["customer__email"]
    ordering_fields = ["number", "customer__email"]


router = routers.SimpleRouter()
router.register("rest/customers", CustomerViews)
router.register("rest/orders", OrderViews)
urlpatterns = [
    *(path(f"{name}/", site.urls) for name, site in SITES.items()),
    *router.urls,
    path("", include("backoffice.project.urls")),
]


def ask(stage: Stage, url: str, **more: Any) -> Answer:
    """GET a page with every right and see that it is there and tells nothing."""
    answer = stage.ask(url, stage.root, **more)
    assert answer.status == OK, url
    return answer
