"""Orders, returns, their lines and charges in sheets, and what is settled after them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import (
    Case,
    Count,
    Exists,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    Value,
    When,
)
from django.utils.translation import gettext_lazy as _

from backoffice.sheets.formats import Derivation, Record
from backoffice.sheets.problems import Problem, quote
from backoffice.sheets.resources import Field, ForeignKeyWidget, Settlement, SheetResource
from customers import queries
from customers.models import Customer
from orders.models import Charge, Order, OrderLine, Return, ReturnLine
from orders.sheets.links import Links
from sellers.models import Product
from sellers.sheets import ProductSheet, category_of

DEFAULT_SELLER = "online-retail"
LINE_KEY = ("product", "quantity", "source_price", "occurrence")
CHARGE_KEY = ("code", "quantity", "source_price", "occurrence")
_LINE_COLUMNS = {
    "product": "code",
    "code": "code",
    "description": "description",
    "quantity": "quantity",
    "source_price": "price",
    "order": "invoice",
    "parent": "invoice",
    "number": "invoice",
    "customer": "customer",
    "country": "country",
    "placed_at": "placed_at",
    "returned_at": "placed_at",
}


def imported_products() -> QuerySet[Product]:
    """Return the products that a stock code can mean, the default seller's first.

    Those of the default seller, and those that were sold before under the code and handed to
    another shop since. A product that a shop registered and never sold is not meant.
    """
    sold = Exists(OrderLine.objects.filter(product=OuterRef("pk")))
    returned = Exists(ReturnLine.objects.filter(product=OuterRef("pk")))
    own = Q(seller__code=DEFAULT_SELLER)
    rank = Case(When(own, then=Value(0)), default=Value(1), output_field=IntegerField())
    return Product.objects.filter(own | sold | returned).order_by(rank, "pk")


class ImportedProduct(ForeignKeyWidget):  # type: ignore[misc]
    """Refers to a product by its stock code."""

    def get_queryset(self, value: Any, row: Any, *args: Any, **kwargs: Any) -> QuerySet[Product]:
        """Return the products that a code can mean."""
        return imported_products()


class StockCodeSheet(ProductSheet):
    """Products by stock code alone, whichever shop has them now."""

    columns = {"code": "code", "name": "description", "price_minor": "price"}

    class Meta:
        """By code."""

        model = Product
        import_id_fields = ("code",)
        fields = ("seller", "code", "name", "category", "price_minor", "currency")

    def candidates(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Only products that a stock code can mean."""
        return imported_products()


class DocumentSheet(SheetResource):
    """What orders and returns share: a number, and a customer that may not change."""

    columns = _LINE_COLUMNS

    def refuse(self, present: Any, record: Record) -> Problem | None:
        """Refuse a document that stands in the system for another customer."""
        wanted = record.values["customer"]
        if wanted is None or present.customer_id is None:
            return None
        if present.customer_id == self._standing.get(wanted):
            return None
        problem = self.problem("other-customer-stored", record, "customer")
        problem.value = quote(wanted)
        return problem

    def enrich(self, records: Sequence[Record], derivation: Derivation) -> None:
        """Read once a chunk who stands for the customers of these numbers."""
        numbers = {record.values["customer"] for record in records}
        known = Customer.objects.filter(number__in=numbers - {None})
        self._standing = queries.standing_of(dict(known.values_list("number", "pk")))

    @staticmethod
    def _lookup(widget: ForeignKeyWidget, naturals: Iterable[Any]) -> dict[Any, int]:
        """Give what names a customer who was merged to the one who stands for them."""
        found = SheetResource._lookup(widget, naturals)  # noqa: SLF001 - the method it replaces
        return queries.standing_of(found) if widget.model is Customer else found


class OrderSheet(DocumentSheet):
    """Orders by number. One that is known already keeps its state and its customer."""

    dataset = "orders"
    label = _("Orders")
    customer = Field(
        attribute="customer", column_name="customer", widget=ForeignKeyWidget(Customer, "number")
    )

    class Meta:
        """By number."""

        model = Order
        import_id_fields = ("number",)
        fields = (
            "number", "customer", "placed_at", "country", "currency", "status", "total_minor",
            "batch",
        )  # fmt: skip


class LineSheet(SheetResource):
    """Order lines by order, product, quantity, price and their position among equals."""

    dataset = "order_lines"
    label = _("Order lines")
    seen_with = "orders.view_order"
    columns = _LINE_COLUMNS
    order = Field(attribute="order", column_name="order", widget=ForeignKeyWidget(Order, "number"))
    product = Field(
        attribute="product", column_name="product", widget=ImportedProduct(Product, "code")
    )

    class Meta:
        """By the order and what makes a line the same line."""

        model = OrderLine
        import_id_fields = ("order", *LINE_KEY)
        fields = (
            *import_id_fields, "position", "description", "unit_price_minor", "total_minor",
            "currency",
        )  # fmt: skip

    def enrich(self, records: Sequence[Record], derivation: Derivation) -> None:
        """A line belongs to the shop that has the product."""
        codes = {record.values["product"] for record in records}
        found = imported_products().filter(code__in=codes).values_list("code", "seller_id")
        shops = dict(reversed(list(found)))
        for record in records:
            record.values["seller_id"] = shops.get(record.values["product"])


class OrderChargeSheet(SheetResource):
    """Charges of orders."""

    dataset = "charges"
    label = _("Charges")
    seen_with = "orders.view_order"
    columns = _LINE_COLUMNS
    order = Field(attribute="order", column_name="order", widget=ForeignKeyWidget(Order, "number"))

    class Meta:
        """By the order and what makes a charge the same charge."""

        model = Charge
        import_id_fields = ("order", *CHARGE_KEY)
        fields = (*import_id_fields, "description", "total_minor", "currency")


class ReturnSheet(DocumentSheet):
    """Returns by number, with the order where exactly one can be meant."""

    dataset = "returns"
    label = _("Returns")
    customer = Field(
        attribute="customer", column_name="customer", widget=ForeignKeyWidget(Customer, "number")
    )

    class Meta:
        """By number."""

        model = Return
        import_id_fields = ("number",)
        fields = (
            "number", "customer", "returned_at", "country", "currency", "total_minor", "batch",
        )  # fmt: skip

    def enrich(self, records: Sequence[Record], derivation: Derivation) -> None:
        """Add the order that all lines of a return came from."""
        super().enrich(records, derivation)
        orders = Links.of(derivation).orders
        for record in records:
            record.values["order_id"] = orders.get(record.values["number"])


class ReturnLineSheet(SheetResource):
    """Lines of returns by return, product, quantity, price and their position among equals."""

    dataset = "return_lines"
    label = _("Return lines")
    seen_with = "orders.view_return"
    columns = _LINE_COLUMNS
    parent = Field(
        attribute="parent", column_name="parent", widget=ForeignKeyWidget(Return, "number")
    )
    product = Field(
        attribute="product", column_name="product", widget=ImportedProduct(Product, "code")
    )

    class Meta:
        """By the return and what makes a line the same line."""

        model = ReturnLine
        import_id_fields = ("parent", *LINE_KEY)
        fields = (*import_id_fields, "position", "description", "total_minor", "currency")

    def enrich(self, records: Sequence[Record], derivation: Derivation) -> None:
        """Add the sale that a line came from."""
        lines = Links.of(derivation).lines
        for record in records:
            values = record.values
            key = (values["parent"], *(values[name] for name in LINE_KEY))
            values["order_line_id"] = lines.get(key)


class ReturnChargeSheet(SheetResource):
    """Charges of returns."""

    dataset = "return_charges"
    label = _("Charges of returns")
    seen_with = "orders.view_return"
    columns = _LINE_COLUMNS
    parent = Field(
        attribute="parent", column_name="parent", widget=ForeignKeyWidget(Return, "number")
    )

    class Meta:
        """By the return and what makes a charge the same charge."""

        model = Charge
        import_id_fields = ("parent", *CHARGE_KEY)
        fields = (*import_id_fields, "description", "total_minor", "currency")


class ProductNames(Settlement):
    """Products are called what their lines in the system are called most often.

    Counting what is stored, not what one file holds, makes any order of files and any part of a
    file end with the same names. A name that a person gave stays.
    """

    dataset = "products"
    label = _("Names of products")
    model = Product
    fields = ("name", "category")

    def settle(self, records: Sequence[Record]) -> Iterator[Product]:
        """Yield the products whose most frequent description is another."""
        codes = {record.values["code"] for record in records}
        products = list(imported_products().filter(code__in=codes))
        names = _names_sold([product.pk for product in products])
        changed = [p for p in products if names.get(p.pk, p.name) != p.name]
        named = _named_by_people([product.pk for product in changed])
        for product in changed:
            if product.pk not in named:
                if product.category == category_of(product.name):
                    product.category = category_of(names[product.pk])
                product.name = names[product.pk]
                yield product


def _names_sold(ids: list[int]) -> dict[int, str]:
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for model in (OrderLine, ReturnLine):
        lines = model._default_manager.filter(product_id__in=ids).exclude(description="")
        rows = lines.order_by().values_list("product_id", "description").annotate(Count("pk"))
        for product, description, count in rows:
            counts[product][description] += count
    return {product: most_frequent(counter) for product, counter in counts.items()}


def most_frequent(counter: Counter[str]) -> str:
    """Return the text that occurs most often; of several the first of the alphabet."""
    return min(counter, key=lambda one: (-counter[one], one))


def _named_by_people(ids: list[int]) -> set[int]:
    """Return the products whose name was changed by anything but an import."""
    rows = Product.history.filter(id__in=ids).order_by("history_id")
    last: dict[int, str] = {}
    result: set[int] = set()
    for pk, name, reason in rows.values_list("id", "name", "history_change_reason"):
        if pk in last and last[pk] != name and not (reason or "").startswith("import "):
            result.add(pk)
        last[pk] = name
    return result


class OrderTotals(Settlement):
    """The total of an order is the sum of its lines and charges, also when lines came later."""

    dataset = "orders"
    label = _("Totals of orders")
    model = Order
    fields = ("total_minor",)
    parts = ((OrderLine, "order"), (Charge, "order"))

    def settle(self, records: Sequence[Record]) -> Iterator[Order]:
        """Yield the orders whose total is another."""
        numbers = [record.values["number"] for record in records]
        orders = list(Order.objects.filter(number__in=numbers))
        ids = [order.pk for order in orders]
        lines = _sums(OrderLine.objects.filter(order_id__in=ids), "order_id")
        charges = _sums(Charge.objects.filter(order_id__in=ids), "order_id")
        for order in orders:
            total = lines.get(order.pk, 0) + charges.get(order.pk, 0)
            if total != order.total_minor:
                order.total_minor = total
                yield order


class ReturnTotals(Settlement):
    """The total of a return is the sum of its lines and charges."""

    dataset = "returns"
    label = _("Totals of returns")
    model = Return
    fields = ("total_minor",)
    parts = ((ReturnLine, "parent"), (Charge, "parent"))

    def settle(self, records: Sequence[Record]) -> Iterator[Return]:
        """Yield the returns whose total is another."""
        numbers = [record.values["number"] for record in records]
        returns = list(Return.objects.filter(number__in=numbers))
        ids = [one.pk for one in returns]
        lines = _sums(ReturnLine.objects.filter(parent_id__in=ids), "parent_id")
        charges = _sums(Charge.objects.filter(parent_id__in=ids), "parent_id")
        for one in returns:
            total = lines.get(one.pk, 0) + charges.get(one.pk, 0)
            if total != one.total_minor:
                one.total_minor = total
                yield one


def _sums(rows: QuerySet[Any], by: str) -> dict[int, int]:
    return dict(rows.order_by().values_list(by).annotate(Sum("total_minor")))
