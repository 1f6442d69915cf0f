"""Customers in the API: read, and the few things that may be corrected."""

from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from backoffice.site.api import ReadViewSet, refusals
from customers.models import Customer
from customers.services import edit_customer


class CustomerSerializer(serializers.ModelSerializer[Customer]):
    """Name, e-mail and phone are masks; the same mask sent back leaves the value as it is."""

    reason = serializers.CharField(write_only=True, required=False, max_length=500, default="")

    class Meta:
        """The public number names a customer."""

        model = Customer
        fields = (
            "number",
            "name",
            "email",
            "phone",
            "country",
            "created_at",
            "updated_at",
            "reason",
        )
        read_only_fields = ("number", "country", "created_at", "updated_at")


class CustomerViewSet(ReadViewSet):
    """Customers, by public number."""

    model = Customer
    serializer_class = CustomerSerializer
    lookup_field = "number"
    lookup_value_regex = "[^/]+"
    filters: ClassVar = {"country": "country"}

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Correct name, e-mail or phone."""
        customer = self.get_object()
        form = self.get_serializer(customer, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        changes = dict(form.validated_data)
        reason = changes.pop("reason", "")
        with refusals():
            kept = edit_customer(customer, changes=changes, actor=self.person, reason=reason)
        return Response(self.get_serializer(kept).data)
