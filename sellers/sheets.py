"""Sellers and products in sheets, and the category that a product's name tells."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.money import Money
from backoffice.sheets.resources import (
    Field,
    ForeignKeyWidget,
    ModelResource,
    SheetResource,
    widgets,
)
from sellers.models import Product, Seller

OTHER = "Other"

# Words of a product's name, the first line that has one of them decides. Names of gifts tell the
# material and the use; what a thing is for stands before what it is made of or shows.
KEYWORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Christmas", ("christmas", "xmas", "advent", "santa", "reindeer", "bauble", "snowflake",
                   "snowman", "snow", "noel", "tinsel", "stocking", "wreath")),
    ("Bags", ("bag", "bags", "purse", "wallet", "shopper", "tote", "rucksack", "backpack",
              "suitcase", "luggage", "handbag")),
    ("Kitchen", ("mug", "mugs", "cup", "cups", "teacup", "teapot", "tea", "coffee", "plate",
                 "plates", "bowl", "bowls", "jug", "kitchen", "cake", "cakestand", "cakecases",
                 "baking", "bake", "cutlery", "spoon", "spoons", "fork", "knife", "apron", "oven",
                 "recipe", "egg", "jam", "jar", "jars", "lunch", "snack", "food", "bottle",
                 "bread", "biscuit", "cookie", "cutter", "cutters", "pan", "pans", "tray",
                 "pantry", "popcorn", "napkins", "napkin", "placemat", "coaster", "coasters",
                 "glass", "tumbler", "goblet", "straws", "picnic", "sugar", "bakelike")),
    ("Toys and games", ("toy", "toys", "doll", "dolls", "dolly", "game", "games", "puzzle",
                        "puzzles", "jigsaw", "playing", "ludo", "dominoes", "spinning", "robot",
                        "train", "soldier", "skipping", "kids", "children", "childrens",
                        "childs", "baby", "girl", "boy", "circus", "dinosaur", "spaceboy",
                        "balloon", "balloons", "bingo", "snap", "toadstool", "quoits")),
    ("Stationery", ("card", "cards", "paper", "notebook", "pencil", "pencils", "pen", "crayons",
                    "chalk", "ruler", "eraser", "rubber", "sticker", "stickers", "wrap", "gift",
                    "tape", "tissue", "tissues", "book", "journal", "diary", "calendar", "letter",
                    "envelope", "stationery", "ribbon", "ribbons", "tags", "tag", "stamp",
                    "passport", "folder", "memo", "blackboard")),
    ("Lights and candles", ("light", "lights", "lamp", "lantern", "lanterns", "candle", "candles",
                            "candleholder", "candlestick", "tealight", "t-light", "t-lights",
                            "holder", "night", "torch", "chandelier", "incense", "votive")),
    ("Jewellery and clothes", ("necklace", "bracelet", "earrings", "ring", "rings", "bangle",
                               "brooch", "charm", "hair", "hairband", "scarf", "gloves", "hat",
                               "slippers", "umbrella", "parasol", "sunglasses", "keyring",
                               "key-chains", "bead", "beads", "hairclip", "hairslide")),
    ("Bath and care", ("bath", "bathroom", "soap", "towel", "toothbrush", "toilet", "cosmetic",
                       "washbag", "warmer", "plaster", "plasters", "mirror", "massager")),
    ("Garden", ("garden", "plant", "flower", "flowers", "watering", "seed", "seeds", "herb",
                "planter", "bird", "birdhouse", "pot", "pots", "trowel", "gardeners")),
    ("Textiles", ("cushion", "blanket", "quilt", "throw", "fabric", "rug", "doormat", "mat",
                  "bunting", "curtain", "tablecloth", "sewing", "knitting", "cotton", "felt",
                  "patchwork", "wool")),
    ("Home", ("sign", "frame", "frames", "clock", "hook", "hooks", "hanger", "box", "boxes",
              "tin", "tins", "basket", "drawer", "cabinet", "shelf", "stool", "table", "chair",
              "wall", "door", "heart", "hearts", "decoration", "decorations", "ornament", "vase",
              "home", "wood", "wooden", "metal", "ceramic", "zinc", "storage", "chest", "stand",
              "knob", "rack", "letters", "block", "magnet", "magnets", "retrospot", "garland")),
)  # fmt: skip
_BY_WORD = {word: name for name, words in reversed(KEYWORDS) for word in words}
_RANK = {name: rank for rank, (name, _words) in enumerate(KEYWORDS)}
_WORDS = re.compile(r"[a-z][a-z\-]*")


def category_of(name: str) -> str:
    """Return the category that the words of a product's name tell; `OTHER` when none does."""
    found = {_BY_WORD[word] for word in _WORDS.findall(name.lower()) if word in _BY_WORD}
    return min(found, key=_RANK.__getitem__, default=OTHER)


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


class Price(widgets.Widget):  # type: ignore[misc]
    """An amount as people write it, in the currency of its row, kept in minor units.

    A price without a currency is refused: nobody knows how many decimals it may have.
    """

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

    class Meta:
        """By code; validated by the model."""

        model = Seller
        import_id_fields = ("code",)
        fields = ("code", "name", "status")
        clean_model_instances = True
        skip_unchanged = True


class Products(ModelResource):  # type: ignore[misc]
    """A list of what shops sell: a product is named by its shop and its code there."""

    key: ClassVar[str] = "products"
    title = _("Products")
    tenant_field: ClassVar[str] = "seller"
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

    class Meta:
        """By shop and code; validated by the model."""

        model = Product
        import_id_fields = ("seller", "code")
        fields = ("seller", "code", "name", "category", "price", "currency", "status")
        clean_model_instances = True
        skip_unchanged = True
