"""Lists of sellers and of products, each a plain Resource."""

from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.money import Money
from backoffice.sheets import formats
from backoffice.sheets.choices import ChoiceWidget
from backoffice.sheets.resources import (
    Field,
    ForeignKeyWidget,
    ModelResource,
    widgets,
)
from sellers.models import Product, Seller


class Price(widgets.Widget):  # type: ignore[misc]
    """An amount as people write it, in the currency of its row, kept in minor units.

    A price without a currency is refused: nobody knows how many decimals it may have.
    """

    reads: ClassVar[tuple[str, ...]] = ("currency",)
    """The columns of its row that it looks at: the same cells give the same amount."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> int | None:
        """Return minor units, None for an empty cell; ValueError for what is no amount."""
        written = "" if value is None else str(value).strip()
        if not written:
            return None
        currency = str((row or {}).get("currency") or "")
        if not currency:
            raise ValueError(gettext("The currency is missing: choose its column, or type it."))
        try:
            return Money.of(Decimal(written), currency).minor
        except (InvalidOperation, ValueError):
            text = gettext("This is no amount in %(currency)s.")
            raise ValueError(text % {"currency": currency[:3]}) from None

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        """Return the amount with its decimals, without a currency."""
        if value is None or obj is None:
            return ""
        return f"{Money(value, obj.currency).amount:f}"


@formats.register
class Sellers(ModelResource):  # type: ignore[misc]
    """A list of shops."""

    key: ClassVar[str] = "sellers"
    title = _("Sellers")
    # English, German, Korean, Portuguese; Northwind and Olist.
    synonyms: ClassVar[dict[str, tuple[str, ...]]] = {
        "code": (
            "SupplierID", "Seller ID", "Shop ID", "Vendor ID", "Seller", "Shop",
            "Lieferantennummer", "Lieferanten-Nr", "판매자코드", "판매자번호", "Código do vendedor",
        ),
        "name": (
            "CompanyName", "Company", "Shop name", "Seller name", "Supplier", "Firma", "Lieferant",
            "상호", "상점명", "판매자", "Nome da loja", "Vendedor", "seller_city",
        ),
        "status": ("State", "Zustand", "상태", "Situação"),
    }  # fmt: skip
    status = Field(attribute="status", column_name="status", widget=ChoiceWidget(Seller.Status))

    class Meta:
        """By code; validated by the model."""

        model = Seller
        import_id_fields = ("code",)
        fields = ("code", "name", "status")
        clean_model_instances = True
        skip_unchanged = True


@formats.register
class Products(ModelResource):  # type: ignore[misc]
    """A list of what shops sell: a product is named by its shop and its code there."""

    key: ClassVar[str] = "products"
    title = _("Products")
    synonyms: ClassVar[dict[str, tuple[str, ...]]] = {
        "seller": (
            "SupplierID", "Seller ID", "Shop", "Shop ID", "Vendor", "Lieferantennummer",
            "Lieferant", "판매자", "판매자코드", "Vendedor",
        ),
        "code": (
            "ProductID", "Product code", "SKU", "Article", "Artikelnummer", "Artikel-Nr",
            "상품코드", "상품번호", "Código", "Código do produto",
        ),
        "name": (
            "ProductName", "Product", "Description", "Title", "Bezeichnung", "Artikel", "상품명",
            "품명", "Nome do produto", "Produto",
        ),
        "category": (
            "CategoryID", "Category name", "Kategorie", "카테고리", "분류", "Categoria",
            "product_category_name",
        ),
        "price": ("UnitPrice", "List price", "Preis", "Einzelpreis", "가격", "단가", "Preço"),
        "currency": ("Währung", "통화", "Moeda"),
        "status": ("State", "Zustand", "상태", "Situação"),
    }  # fmt: skip
    seller = Field(
        attribute="seller", column_name="seller", widget=ForeignKeyWidget(Seller, "code")
    )
    price = Field(attribute="price_minor", column_name="price", widget=Price())
    status = Field(attribute="status", column_name="status", widget=ChoiceWidget(Product.Status))

    class Meta:
        """By shop and code; validated by the model."""

        model = Product
        import_id_fields = ("seller", "code")
        fields = ("seller", "code", "name", "category", "price", "currency", "status")
        clean_model_instances = True
        skip_unchanged = True
