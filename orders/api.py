"""Orders with their lines, returns, and what customers ask to be changed, in the API."""

from typing import Any, ClassVar, override

from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from backoffice.site.api import ReadViewSet, refusals
from customers.models import Customer
from orders.models import (
    ChangeLine,
    ChangeRequest,
    Charge,
    Order,
    OrderLine,
    Return,
    ReturnLine,
)
from orders.services import Asked, ask_change, cancel_order, withdraw_change
from orders.states import REASONS, ChangeKind, LineState

LINE = ("position", "product", "description", "quantity", "source_price", "total_minor", "currency")


class OrderLineSerializer(serializers.ModelSerializer[OrderLine]):
    """A line; amounts are whole minor units of `currency`."""

    product = serializers.CharField(source="product.code")
    seller = serializers.CharField(source="seller.code")
    state = serializers.ChoiceField(
        source="pieces.state", choices=LineState.choices, read_only=True
    )
    shipped = serializers.IntegerField(source="pieces.shipped", read_only=True)
    cancelled = serializers.IntegerField(source="pieces.cancelled", read_only=True)

    class Meta:
        """The product by its code."""

        model = OrderLine
        fields = (*LINE, "seller", "unit_price_minor", "tax_minor", "state", "shipped", "cancelled")


class ChargeSerializer(serializers.ModelSerializer[Charge]):
    """Postage, fees and other money for no product."""

    class Meta:
        """Amounts in minor units."""

        model = Charge
        fields = (
            "code", "description", "quantity", "source_price", "total_minor", "tax_minor",
            "currency",
        )  # fmt: skip


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


class ChangeLineSerializer(serializers.ModelSerializer[ChangeLine]):
    """So many pieces of a line, which is named by its position in the order."""

    line = serializers.IntegerField(source="order_line.position", read_only=True)

    class Meta:
        """`received` of them came in."""

        model = ChangeLine
        fields = ("line", "quantity", "received")


class ChangeRequestSerializer(serializers.ModelSerializer[ChangeRequest]):
    """What a customer asked for, and what came of it; the address is a mask."""

    order = serializers.CharField(source="order.number", read_only=True)
    asked_by = serializers.CharField(source="asked_by.username", read_only=True)
    lines = ChangeLineSerializer(many=True, read_only=True)

    class Meta:
        """Without who decided: that is for the house."""

        model = ChangeRequest
        fields = (
            "number",
            "order",
            "kind",
            "why",
            "note",
            "address",
            "reference",
            "state",
            "outcome",
            "asked_by",
            "lines",
            "created_at",
            "decided_at",
            "ended_at",
        )


class AskedLineSerializer(serializers.Serializer[Any]):
    """A line by its position, and how many pieces of it."""

    line = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    quantity = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Two pieces come back",
            value={
                "order": "536365",
                "kind": "return",
                "why": "damaged",
                "lines": [{"line": 1, "quantity": 2}],
                "reference": "shop-4711",
            },
            request_only=True,
        )
    ]
)
class AskedChangeSerializer(serializers.Serializer[Any]):
    """What is asked. The same `reference` once more gives the same request and makes no second."""

    order = serializers.CharField(max_length=40)
    kind = serializers.ChoiceField(choices=ChangeKind.choices)
    why = serializers.ChoiceField(choices=list(REASONS.items()))
    note = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)
    address = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)
    lines = AskedLineSerializer(many=True, required=False, default=list)
    reference = serializers.CharField(max_length=80)


class ChangeRequestViewSet(ReadViewSet):
    """Change requests, by number. People decide about them; a program may not."""

    model = ChangeRequest
    resource = "change-requests"
    serializer_class = ChangeRequestSerializer
    lookup_field = "number"
    lookup_value_regex = "[0-9a-f-]{36}"
    filters: ClassVar = {
        "order": "order__number",
        "state": "state",
        "kind": "kind",
        "reference": "reference",
    }
    needs: ClassVar = {
        "create": "orders.add_changerequest",
        "withdraw": "orders.add_changerequest",
    }

    @override
    def rows(self) -> QuerySet[ChangeRequest]:
        lines = ChangeLine.objects.select_related("order_line")
        return ChangeRequest.objects.select_related("order", "asked_by").prefetch_related(
            Prefetch("lines", queryset=lines)
        )

    @extend_schema(request=AskedChangeSerializer, responses={201: ChangeRequestSerializer})
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Bring a request in; somebody else decides. 200 where this reference is known."""
        form = AskedChangeSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        order = get_object_or_404(self.scoped(Order.objects.all()), number=asked["order"])
        own = ChangeRequest.objects.filter(asked_by=self.person, reference=asked["reference"])
        code = status.HTTP_200_OK if own.exists() else status.HTTP_201_CREATED
        with refusals():
            change = ask_change(order, _asked(order, asked), actor=self.person)
        return self.answer(self.rows().get(pk=change.pk), code)

    @extend_schema(request=CancelSerializer, responses=ChangeRequestSerializer)
    @action(methods=["post"], detail=True)
    def withdraw(self, request: Request, **kwargs: Any) -> Response:
        """Take back what was not decided about yet."""
        change = self.get_object()
        self.as_seen(change)
        form = CancelSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        with refusals():
            withdraw_change(change, actor=self.person, reason=form.validated_data["reason"])
        return self.answer(self.get_object())


def _asked(order: Order, values: dict[str, Any]) -> Asked:
    """Return what was sent, with lines of the order. Raises ValidationError for one it lacks."""
    wanted = {one["line"]: one["quantity"] for one in values["lines"]}
    lines = {line.position: line for line in order.lines.filter(position__in=wanted)}
    if len(lines) < len(values["lines"]):
        raise serializers.ValidationError(
            {"lines": [_("Each line of the order once, by its position.")]}
        )
    return Asked(
        kind=values["kind"],
        why=values["why"],
        note=values["note"],
        address=values["address"],
        reference=values["reference"],
        pieces={lines[position]: count for position, count in wanted.items()},
    )
