"""Customers in the API: read, and the few things that may be corrected."""

from functools import cached_property
from typing import Any, ClassVar, override

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from backoffice.site.api import ChangeViewSet
from customers import queries
from customers.models import Customer
from customers.services import edit_customer

_READ = {
    "number": "12417",
    "name": "A••••• A•••••",
    "email": "a•••••@e•••••.com",
    "phone": "••• ••• ••• 11",
    "address": "•••••, Antwerp",
    "born": "••••-••-••",
    "bank_account": "GB•• •••• 5555",
    "country": "Belgium",
    "merged_into": None,
    "erased_at": None,
    "created_at": "2011-11-30T16:47:00Z",
    "updated_at": "2011-12-09T12:50:00Z",
}
_PUT = {
    "name": "A••••• A•••••",
    "email": "a•••••@e•••••.com",
    "phone": "+32 2 555 0199",
    "address": "•••••, Antwerp",
    "born": "••••-••-••",
    "bank_account": "GB•• •••• 5555",
}
_STATE = ("merged_into", "erased_at")
# What may be corrected and is a mask in every answer.
_MASKED = ("name", "email", "phone", "address", "born", "bank_account")


@extend_schema_serializer(
    examples=[
        OpenApiExample("As read", value=_READ, response_only=True),
        OpenApiExample(
            "A new phone number, the rest as read",
            value=_PUT | {"reason": "Called from it"},
            request_only=True,
        ),
    ]
)
class CustomerSerializer(serializers.ModelSerializer[Customer]):
    """What tells of the person is a mask; the same mask sent back leaves the value as it is."""

    merged_into = serializers.SerializerMethodField()
    reason = serializers.CharField(write_only=True, required=False, max_length=500, default="")

    class Meta:
        """The public number names a customer."""

        model = Customer
        fields = (
            "number",
            *_MASKED,
            "country",
            *_STATE,
            "created_at",
            "updated_at",
            "reason",
        )
        read_only_fields = ("number", "country", *_STATE, "created_at", "updated_at")
        # PUT sends the whole record: what is left out by mistake must not count as meant.
        extra_kwargs: ClassVar = {name: {"required": True} for name in _MASKED}

    @cached_property
    def _standing(self) -> dict[int, str]:
        """Who stands for the merged ones of the answer, asked for once."""
        top: Any = self.root  # of a list the list
        shown = top.instance or []
        return queries.standing_numbers([shown] if isinstance(shown, Customer) else shown)

    def get_merged_into(self, obj: Customer) -> str | None:
        """Return the number of the customer who stands for this one after merges."""
        return self._standing.get(obj.pk)


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
        """Correct what tells of the person."""
        reason = values.pop("reason", "")
        return edit_customer(obj, changes=values, actor=self.person, reason=reason)
