"""Payments and refunds in the API: read, and ask for a refund."""

from typing import Any, ClassVar, override

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from backoffice.money import Money
from backoffice.site.api import MinorUnits, ReadViewSet, refusals
from orders.models import Order, OrderLine
from payments.models import Payment, Refund
from payments.services import request_refund


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    """A captured payment; captured - reserved can still be refunded, in whole minor units."""

    order = serializers.CharField(source="order.number")

    class Meta:
        """The gateway and its reference name a payment."""

        model = Payment
        fields = (
            "id",
            "order",
            "gateway",
            "reference",
            "currency",
            "captured_minor",
            "reserved_minor",
            "refunded_minor",
            "captured_at",
        )


class RefundSerializer(serializers.ModelSerializer[Refund]):
    """A refund, by its number; `line` is the position in the order, null for no single line."""

    order = serializers.CharField(source="payment.order.number", read_only=True)
    line = serializers.IntegerField(source="order_line.position", default=None, read_only=True)
    requested_by = serializers.CharField(source="requested_by.username", read_only=True)
    decided_by = serializers.CharField(
        source="decided_by.username", default=None, read_only=True, allow_null=True
    )

    class Meta:
        """Without the idempotency key: who has it could act as us at the gateway."""

        model = Refund
        fields = (
            "number",
            "order",
            "line",
            "amount_minor",
            "currency",
            "state",
            "reason",
            "requested_by",
            "decided_by",
            "created_at",
            "finished_at",
        )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "£22.71 of the first line",
            value={"order": "536365", "line": 1, "amount_minor": 2271, "reason": "Arrived broken"},
            request_only=True,
        )
    ]
)
class RefundRequestSerializer(serializers.Serializer[Any]):
    """What is asked for; the amount in whole minor units of the order's currency."""

    order = serializers.CharField(max_length=40)
    line = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    amount_minor = MinorUnits(min_value=1)
    reason = serializers.CharField(max_length=500)


class PaymentViewSet(ReadViewSet):
    """Payments."""

    model = Payment
    resource = "payments"
    serializer_class = PaymentSerializer
    lookup_value_regex = "[0-9]+"
    filters: ClassVar = {
        "order": "order__number",
        "gateway": "gateway",
        "reference": "reference",
    }

    @override
    def rows(self) -> QuerySet[Payment]:
        return Payment.objects.select_related("order")


class RefundViewSet(ReadViewSet):
    """Refunds, by number."""

    model = Refund
    resource = "refunds"
    serializer_class = RefundSerializer
    lookup_field = "number"
    lookup_value_regex = "[0-9a-f-]{36}"
    filters: ClassVar = {"order": "payment__order__number", "state": "state"}
    needs: ClassVar = {"create": "payments.request_refund"}
    scopes: ClassVar = {"create": "refunds:request"}

    @override
    def rows(self) -> QuerySet[Refund]:
        return Refund.objects.select_related(
            "payment__order", "order_line", "requested_by", "decided_by"
        )

    @extend_schema(request=RefundRequestSerializer, responses={201: RefundSerializer})
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Ask for a refund; another person has to approve it."""
        form = RefundRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        orders = self.scoped(Order.objects.all())
        order = get_object_or_404(orders, number=asked["order"])
        with refusals():
            refund = request_refund(
                order,
                Money(asked["amount_minor"], order.currency),
                actor=self.person,
                reason=asked["reason"],
                line=self._line(order, asked.get("line")),
            )
        return self.answer(refund, status.HTTP_201_CREATED)

    def _line(self, order: Order, position: int | None) -> OrderLine | None:
        if position is None:
            return None
        lines = self.scoped(order.lines.all())
        return get_object_or_404(lines, position=position)
