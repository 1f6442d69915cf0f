"""Sellers and products as parts of sheets that hold more."""

from django.utils.translation import gettext_lazy as _

from backoffice.sheets.resources import Field, ForeignKeyWidget, SheetResource
from sellers.models import Product, Seller


class SellerSheet(SheetResource):
    """Sellers by code; one that is known already is left alone."""

    dataset = "sellers"
    label = _("Sellers")

    class Meta:
        """By code."""

        model = Seller
        import_id_fields = ("code",)
        fields = ("code", "name")


class ProductSheet(SheetResource):
    """Products of a seller by code; one that is known already is left alone."""

    dataset = "products"
    label = _("Products")
    columns = {"code": "code", "name": "description", "price_minor": "price"}
    seller = Field(
        attribute="seller", column_name="seller", widget=ForeignKeyWidget(Seller, "code")
    )

    class Meta:
        """By seller and code."""

        model = Product
        import_id_fields = ("seller", "code")
        fields = ("seller", "code", "name", "category", "price_minor", "currency")
