"""Customers in the API: read, and the few things that may be corrected."""

from typing import Any, ClassVar, override

from rest_framework import serializers

from backoffice.site.api import ChangeViewSet
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
        # PUT sends the whole record: what is left out by mistake must not count as meant.
        extra_kwargs: ClassVar = {name: {"required": True} for name in ("name", "email", "phone")}


class CustomerViewSet(ChangeViewSet):
    """Customers, by public number."""

    model = Customer
    resource = "customers"
    serializer_class = CustomerSerializer
    lookup_field = "number"
    lookup_value_regex = "[^/]+"
    filters: ClassVar = {"country": "country"}

    @override
    def change(self, obj: Customer, values: dict[str, Any]) -> Customer:
        """Correct name, e-mail or phone."""
        reason = values.pop("reason", "")
        return edit_customer(obj, changes=values, actor=self.person, reason=reason)
