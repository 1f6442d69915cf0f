"""The addresses of the API under /api/v1/, its OpenAPI description, and a page to read that."""

from typing import Any, override

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import include, path
from django.views.generic import TemplateView
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView
from rest_framework import permissions, routers

from backoffice.approvals.api import ApprovalViewSet
from backoffice.site import staff_site
from backoffice.site.api import StaffOnly
from backoffice.site.api_access import GuardedView
from customers.api import CustomerViewSet
from orders.api import OrderViewSet, ReturnViewSet
from payments.api import PaymentViewSet, RefundViewSet
from sellers.api import ProductViewSet, SellerViewSet


class Root(GuardedView, routers.APIRootView):
    """The list of addresses."""

    permission_classes = (permissions.IsAuthenticated,)


class Router(routers.DefaultRouter):
    """Addresses with JSON only, without a second one for each format."""

    APIRootView = Root
    include_format_suffixes = False


class SchemaView(GuardedView, SpectacularAPIView):
    """The OpenAPI description, for staff."""

    renderer_classes = [OpenApiJsonRenderer]  # noqa: RUF012 - as its base has it

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
router.register("payments", PaymentViewSet, basename="payment")
router.register("refunds", RefundViewSet, basename="refund")
router.register("approvals", ApprovalViewSet, basename="approval")

app_name = "api"
urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsPage.as_view(), name="docs"),
    path("", include(router.urls)),
]
