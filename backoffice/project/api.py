"""The addresses of the API under /api/v1/, its OpenAPI description, and a page to read that."""

from importlib import import_module
from typing import Any, override

from django.apps import apps
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import include, path, re_path
from django.views.generic import TemplateView
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView
from rest_framework import exceptions, permissions, routers
from rest_framework.request import Request
from rest_framework.response import Response

from backoffice.approvals.api import ApprovalViewSet
from backoffice.site import staff_site
from backoffice.site.api import StaffOnly
from backoffice.site.api_access import GuardedView
from customers.api import CustomerViewSet
from orders.api import ChangeRequestViewSet, OrderViewSet, ReturnViewSet
from payments.api import PaymentViewSet, RefundViewSet
from sellers.api import ProductViewSet, SellerViewSet


class Root(GuardedView, routers.APIRootView):
    """The list of addresses."""

    permission_classes = (permissions.IsAuthenticated,)


class NothingView(GuardedView):
    """What is no address of the API: 404 in JSON, as everything here."""

    permission_classes = (permissions.IsAuthenticated,)
    schema = None  # so the description leaves it out

    @override
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise exceptions.NotFound

    def get(self, request: Request, **kwargs: Any) -> Response:
        """Answer nothing: `initial` refused."""
        raise exceptions.NotFound


class Router(routers.DefaultRouter):
    """Addresses with JSON only, without a second one for each format."""

    APIRootView = Root
    include_format_suffixes = False


class SchemaView(GuardedView, SpectacularAPIView):
    """The OpenAPI description, for staff."""

    renderer_classes = [OpenApiJsonRenderer]

    permission_classes = (StaffOnly,)


class DocsPage(TemplateView):
    """Swagger UI from our own static files, without a script or style inside the page."""

    template_name = "api/docs.html"

    @override
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return staff_site.admin_view(super().dispatch)(request, *args, **kwargs)  # type: ignore[no-any-return]


router = Router()
router.register("customers", CustomerViewSet, basename="customer")
router.register("sellers", SellerViewSet, basename="seller")
router.register("products", ProductViewSet, basename="product")
router.register("orders", OrderViewSet, basename="order")
router.register("returns", ReturnViewSet, basename="return")
router.register("change-requests", ChangeRequestViewSet, basename="changerequest")
router.register("payments", PaymentViewSet, basename="payment")
router.register("refunds", RefundViewSet, basename="refund")
router.register("approvals", ApprovalViewSet, basename="approval")
if apps.is_installed("backoffice.sheets"):
    imports = import_module("backoffice.sheets.api")
    router.register("imports", imports.ImportViewSet, basename="import")

app_name = "api"
urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsPage.as_view(), name="docs"),
    path("", include(router.urls)),
    re_path(r"^(?P<rest>.*)/$", NothingView.as_view(), name="nothing"),
]
