"""Sellers and products in the API."""

from typing import Any, ClassVar, override

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from backoffice.site.api import ChangeViewSet, MinorUnits, ReadViewSet, refusals
from sellers.models import Product, Seller
from sellers.queries import shop_of
from sellers.services import ProductData, edit_product, register_product

EDITABLE = ("code", "name", "category", "price_minor", "currency", "status")


class SellerSerializer(serializers.ModelSerializer[Seller]):
    """A shop."""

    class Meta:
        """The code names a shop."""

        model = Seller
        fields = ("code", "name", "status", "created_at")


_PRODUCT = {
    "seller": "hearth-home",
    "code": "21844",
    "name": "RETRO SPOT MUG",
    "category": "Kitchen",
    "price_minor": 295,
    "currency": "GBP",
    "status": "draft",
}


@extend_schema_serializer(
    examples=[
        OpenApiExample("A mug of £2.95", value=_PRODUCT, request_only=True),
        OpenApiExample(
            "As read",
            value={"id": 7, **_PRODUCT, "created_at": "2011-11-30T16:47:00Z"},
            response_only=True,
        ),
    ]
)
class ProductSerializer(serializers.ModelSerializer[Product]):
    """A product; `price_minor` is the price in whole minor units of `currency`, or null."""

    seller = serializers.CharField(
        source="seller.code",
        required=False,
        help_text=_("The code of the shop; people of a shop may leave it out."),
    )
    price_minor = MinorUnits(required=False, allow_null=True, min_value=0)

    class Meta:
        """All but the history."""

        model = Product
        fields = ("id", "seller", *EDITABLE, "created_at")
        # The service says in words that a code is taken, for the shop that it is meant for.
        validators: ClassVar[list[Any]] = []


class SellerViewSet(ReadViewSet):
    """Shops, by code."""

    model = Seller
    resource = "sellers"
    serializer_class = SellerSerializer
    lookup_field = "code"
    filters: ClassVar = {"status": "status"}


class ProductViewSet(ChangeViewSet):
    """Products; people of a shop see, register and change their own."""

    model = Product
    resource = "products"
    serializer_class = ProductSerializer
    lookup_value_regex = "[0-9]+"
    filters: ClassVar = {
        "seller": "seller__code",
        "code": "code",
        "category": "category",
        "status": "status",
    }

    @override
    def rows(self) -> QuerySet[Product]:
        return Product.objects.select_related("seller")

    def create(self, request: Request, **kwargs: Any) -> Response:
        """Register a product in a shop."""
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        seller = self._seller(form.validated_data.pop("seller", {}).get("code"))
        with refusals():
            data = ProductData(**form.validated_data)
            product = register_product(seller, data=data, actor=self.person)
        return self.answer(product, status.HTTP_201_CREATED)

    @override
    def change(self, obj: Product, values: dict[str, Any]) -> Product:
        """Change a product; it stays with its shop."""
        seller = values.pop("seller", {}).get("code")
        if seller not in {None, obj.seller.code}:
            raise exceptions.ValidationError({"seller": [_("A product stays with its shop.")]})
        values = {name: getattr(obj, name) for name in EDITABLE} | values
        return edit_product(obj, data=ProductData(**values), actor=self.person)

    def _seller(self, code: str | None) -> Seller:
        """Return the shop that is meant; 404 for one outside the person's scope."""
        own = shop_of(self.person)
        if own is not None and code in {None, own.code}:
            return own
        if code is None:
            raise exceptions.ValidationError({"seller": [_("Name the shop.")]})
        return get_object_or_404(self.scoped(Seller.objects.all()), code=code)
