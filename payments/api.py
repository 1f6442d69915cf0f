"""Payments and refunds in the API: read, and ask for a refund."""

from typing import Any, ClassVar, override

from django.db.models import F, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from backoffice.money import Money
from backoffice.site.api import MinorUnits, ReadViewSet, refusals
from orders.models import Charge, Order, OrderLine
from payments.models import Payment, Refund, RefundPart
from payments.services import Asked, request_refund


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    """A captured payment, in minor units: captured - reserved - blocked can still be refunded."""

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
            "blocked_minor",
            "state",
            "captured_at",
        )


class PartSerializer(serializers.ModelSerializer[RefundPart]):
    """What of a refund is for one line or charge; both null: for no single thing."""

    line = serializers.IntegerField(
        source="order_line.position", default=None, read_only=True, allow_null=True
    )
    charge = serializers.CharField(
        source="charge.code", default=None, read_only=True, allow_null=True
    )

    class Meta:
        """Amounts in whole minor units; the amount contains the tax."""

        model = RefundPart
        fields = ("line", "charge", "quantity", "amount_minor", "tax_minor")


class RefundSerializer(serializers.ModelSerializer[Refund]):
    """A refund, by its number; its parts add up to its amount."""

    order = serializers.CharField(source="payment.order.number", read_only=True)
    payment = serializers.CharField(source="payment.reference", read_only=True)
    parts = PartSerializer(many=True, read_only=True)
    requested_by = serializers.CharField(
        source="requested_by.username", default=None, read_only=True, allow_null=True
    )
    decided_by = serializers.CharField(
        source="decided_by.username", default=None, read_only=True, allow_null=True
    )

    class Meta:
        """Without the idempotency key: who has it could act as us at the gateway."""

        model = Refund
        fields = (
            "number",
            "order",
            "payment",
            "gateway",
            "amount_minor",
            "currency",
            "parts",
            "state",
            "reason",
            "requested_by",
            "decided_by",
            "created_at",
            "finished_at",
        )


class AskedSerializer(serializers.Serializer[Any]):
    """One line (its position) or one charge (its code): an amount, or pieces, or all of it."""

    line = serializers.IntegerField(required=False, min_value=1)
    charge = serializers.CharField(required=False, max_length=40)
    quantity = serializers.IntegerField(required=False, min_value=1, max_value=10**9)
    amount_minor = MinorUnits(required=False, min_value=1)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for a line or a charge, not both."""
        if ("line" in attrs) == ("charge" in attrs):
            raise serializers.ValidationError(_("Give a line or a charge."))
        if "quantity" in attrs and "amount_minor" in attrs:
            raise serializers.ValidationError(_("Give pieces or an amount, not both."))
        return attrs


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "£22.71 of the first line, and the postage",
            value={
                "order": "536365",
                "parts": [{"line": 1, "amount_minor": 2271}, {"charge": "POST"}],
                "reason": "Arrived broken",
            },
            request_only=True,
        )
    ]
)
class RefundRequestSerializer(serializers.Serializer[Any]):
    """What is asked for: parts, or an amount for no single line, in minor units of the order.

    `newest` is the number of the newest refund of the order that the caller knows of (null: none):
    with it, a request that was decided on an older picture is refused.
    """

    order = serializers.CharField(max_length=40)
    parts = AskedSerializer(many=True, required=False, allow_empty=False)
    amount_minor = MinorUnits(required=False, min_value=1)
    newest = serializers.UUIDField(required=False, allow_null=True)
    reason = serializers.CharField(max_length=500)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for parts or an amount, not both."""
        if ("parts" in attrs) == ("amount_minor" in attrs):
            raise serializers.ValidationError({"amount_minor": _("Give parts or an amount.")})
        return attrs


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
            "payment__order", "requested_by", "decided_by"
        ).prefetch_related("parts__order_line", "parts__charge")

    @extend_schema(request=RefundRequestSerializer, responses={201: RefundSerializer})
    def create(self, request: Request, **kwargs: Any) -> Response:
        """Ask for a refund; another person has to approve it."""
        form = RefundRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        order = get_object_or_404(self.scoped(Order.objects.all()), number=asked["order"])
        with refusals():
            refund = request_refund(
                order,
                self._asked(order, asked),
                actor=self.person,
                reason=asked["reason"],
                newest=self._newest(order, asked),
            )
        return self.answer(refund, status.HTTP_201_CREATED)

    def _asked(self, order: Order, asked: dict[str, Any]) -> list[Asked]:
        if "parts" not in asked:
            return [Asked(amount=Money(asked["amount_minor"], order.currency))]
        return [self._part(order, part) for part in asked["parts"]]

    def _part(self, order: Order, part: dict[str, Any]) -> Asked:
        minor = part.get("amount_minor")
        return Asked(
            line=self._line(order, part["line"]) if "line" in part else None,
            charge=self._charge(order, part["charge"]) if "charge" in part else None,
            amount=None if minor is None else Money(minor, order.currency),
            quantity=part.get("quantity"),
        )

    def _line(self, order: Order, position: int) -> OrderLine:
        return get_object_or_404(self.scoped(order.lines.all()), position=position)

    def _charge(self, order: Order, code: str) -> Charge:
        """Return the charge; of several with this code, the first of which something is left."""
        found = self.scoped(order.charges.filter(code=code, total_minor__gt=0)).order_by("pk")
        left = found.filter(reserved_minor__lt=F("total_minor")).first()
        charge = left or found.first()
        if charge is None:
            raise Http404
        return charge

    def _newest(self, order: Order, asked: dict[str, Any]) -> int | None:
        if "newest" not in asked:
            return None
        if asked["newest"] is None:
            return 0
        refunds = Refund.objects.filter(payment__order=order)
        return get_object_or_404(refunds, number=asked["newest"]).pk
