"""Orders with their lines, and returns, in the API."""

from typing import Any, ClassVar, override

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from backoffice.site.api import ReadViewSet, refusals
from customers.models import Customer
from orders.models import Charge, Order, OrderLine, Return, ReturnLine
from orders.services import cancel_order

LINE = ("position", "product", "description", "quantity", "source_price", "total_minor", "currency")


class OrderLineSerializer(serializers.ModelSerializer[OrderLine]):
    """A line; amounts are whole minor units of `currency`."""

    product = serializers.CharField(source="product.code")
    seller = serializers.CharField(source="seller.code")

    class Meta:
        """The product by its code."""

        model = OrderLine
        fields = (*LINE, "seller", "unit_price_minor")


class ChargeSerializer(serializers.ModelSerializer[Charge]):
    """Postage, fees and other money for no product."""

    class Meta:
        """Amounts in minor units."""

        model = Charge
        fields = ("code", "description", "quantity", "source_price", "total_minor", "currency")


class ReturnLineSerializer(serializers.ModelSerializer[ReturnLine]):
    """A line of a return; quantity and amount are negative."""

    product = serializers.CharField(source="product.code")

    class Meta:
        """The product by its code."""

        model = ReturnLine
        fields = LINE


class OrderSerializer(serializers.ModelSerializer[Order]):
    """An order. People of a shop get their own lines and nothing that tells of other shops'."""

    customer = serializers.CharField(source="customer.number", allow_null=True, default=None)
    lines = OrderLineSerializer(many=True)
    charges = ChargeSerializer(many=True)

    class Meta:
        """The public number names an order."""

        model = Order
        fields = (
            "number",
            "customer",
            "placed_at",
            "country",
            "status",
            "currency",
            "total_minor",
            "lines",
            "charges",
        )


class ShopOrderSerializer(OrderSerializer):
    """What a shop may know of an order: its own lines, not the buyer and not the whole."""

    class Meta(OrderSerializer.Meta):
        """Without buyer, total and charges, which belong to all shops of the order."""

        fields = ("number", "placed_at", "country", "status", "currency", "lines")  # type: ignore[assignment]  # fewer

    customer = None  # type: ignore[assignment]
    charges = None  # type: ignore[assignment]


class ReturnSerializer(serializers.ModelSerializer[Return]):
    """Goods that came back; amounts are negative, and no money moved through us."""

    customer = serializers.CharField(source="customer.number", allow_null=True, default=None)
    order = serializers.CharField(source="order.number", allow_null=True, default=None)
    lines = ReturnLineSerializer(many=True)
    charges = ChargeSerializer(many=True)

    class Meta:
        """The number of the credit note names a return."""

        model = Return
        fields = (
            "number",
            "order",
            "customer",
            "returned_at",
            "country",
            "currency",
            "total_minor",
            "lines",
            "charges",
        )


@extend_schema_serializer(
    examples=[
        OpenApiExample("Why", value={"reason": "Ordered twice by mistake"}, request_only=True)
    ]
)
class CancelSerializer(serializers.Serializer[Any]):
    """Why an order is cancelled."""

    reason = serializers.CharField(max_length=500)


class OrderViewSet(ReadViewSet):
    """Orders, by public number."""

    model = Order
    resource = "orders"
    serializer_class = OrderSerializer
    lookup_field = "number"
    lookup_value_regex = "[^/]+"
    filters: ClassVar = {"status": "status", "country": "country", "customer": "customer__number"}
    needs: ClassVar = {"cancel": "orders.cancel_order"}
    scopes: ClassVar = {"cancel": "orders:cancel"}

    @override
    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        if getattr(self, "swagger_fake_view", False) or self._whole():
            return OrderSerializer
        return ShopOrderSerializer

    @override
    def rows(self) -> QuerySet[Order]:
        lines = self.scoped(OrderLine.objects.select_related("product", "seller"))
        orders = Order.objects.prefetch_related(Prefetch("lines", queryset=lines))
        if self._whole():
            return orders.select_related("customer").prefetch_related("charges")
        return orders

    @override
    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if "customer" in self.request.query_params and not self._whole():
            self.permission_denied(self.request)
        return super().filter_queryset(queryset)

    @extend_schema(request=CancelSerializer, responses=OrderSerializer)
    @action(methods=["post"], detail=True)
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Cancel an order that was not shipped."""
        order = self.get_object()
        self.as_seen(order)
        form = CancelSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        with refusals():
            cancel_order(order, actor=self.person, reason=form.validated_data["reason"])
        return self.answer(self.get_object())

    def _whole(self) -> bool:
        """Tell whether the person may know the buyer and the other shops' part of an order."""
        return self.is_staff_side() and self.allows("view", Customer).allowed


class ReturnViewSet(ReadViewSet):
    """Returns, by the number of the credit note."""

    model = Return
    resource = "returns"
    serializer_class = ReturnSerializer
    lookup_field = "number"
    lookup_value_regex = "[^/]+"
    filters: ClassVar = {"order": "order__number", "customer": "customer__number"}

    @override
    def rows(self) -> QuerySet[Return]:
        lines = ReturnLine.objects.select_related("product")
        return Return.objects.select_related("customer", "order").prefetch_related(
            Prefetch("lines", queryset=lines), "charges"
        )
