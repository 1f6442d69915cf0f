"""The format of a list of order lines: one row for each line, its order came in another sheet.

* A line is identified by order, shop and product, quantity, price and its position among equal
  lines of its sheet: a product that stands twice in an order stays twice.
* Without a quantity a row is one piece.
* A discount is a part of one (0.15); the price of a line is what was paid for a piece.
* What a row says about postage becomes a charge of the order.
* With a column of shops the products are made where they are missing; without one a code means
  the only product that has it.
* The currency is that of the order: a row in another one is refused.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import installation
from backoffice.money import Money
from backoffice.sheets import cells, formats, problems
from backoffice.sheets.formats import CheckSum, Column, Derivation, Record, SheetRow
from backoffice.sheets.problems import Problem, Text
from backoffice.sheets.reading.reader import Value
from backoffice.sheets.resources import (
    UNKNOWN_REFERENCE,
    Coming,
    Field,
    ForeignKeyWidget,
    Plan,
    SheetResource,
)
from orders.models import Charge, Order
from orders.sheets import headings, resources, system
from orders.sheets import sums as check_sums
from orders.sheets.documents import CURRENCY, FREIGHT, PlainCharges, amount, charge, charges
from orders.sheets.resources import most_frequent
from sellers.models import Product
from sellers.sheets import ProductSheet, category_of

_DECIMALS = Decimal("0.00001")
_COLUMNS = {
    "order": "order", "product": "product", "quantity": "quantity", "source_price": "price",
    "description": "description", "position": "position", "seller": "seller", "code": "product",
    "name": "description", "price_minor": "price", "currency": "currency",
}  # fmt: skip

problems.register(
    {
        "no-discount": Text(
            gettext_lazy("No discount"), gettext_lazy("Left out. Write it as 0.15 for 15 %.")
        ),
        "no-pieces": Text(
            gettext_lazy("The quantity is not above zero"),
            gettext_lazy("Left out. Check the quantity."),
        ),
        "no-exact-price": Text(
            gettext_lazy("The price after the discount has more than five decimals"),
            gettext_lazy("Left out. Write the price that was paid, and no discount."),
        ),
        "several-products": Text(
            gettext_lazy("Several shops have a product with this code"),
            gettext_lazy("Left out. Choose the column that says the shop."),
        ),
        "other-currency": Text(
            gettext_lazy("The order is in another currency"),
            gettext_lazy("Left out. Check the currency."),
        ),
    }
)


def pieces(value: Value) -> int:
    """Return a number of pieces above zero."""
    number = cells.whole(value)
    if number <= 0:
        raise cells.CellProblemError("no-pieces")
    return number


def discount(value: Value) -> Decimal:
    """Return a part of one."""
    number = cells.decimal(value)
    if not 0 <= number <= 1:
        raise cells.CellProblemError("no-discount")
    return number


class LineProducts(ProductSheet):
    """Products that the lines name with their shop."""

    columns = _COLUMNS


class OfOrders(SheetResource):
    """What belongs to orders that are there already, in their currency."""

    def enrich(self, records: Sequence[Record], derivation: Derivation) -> None:
        """Read once a chunk in which currency the orders are."""
        numbers = {record.values["order"] for record in records}
        coins = Order.objects.filter(number__in=numbers).order_by()
        self._coins = dict(coins.values_list("number", "currency"))

    def _resolved(
        self, records: Sequence[Record], plan: Plan, coming: Coming | None = None
    ) -> Iterator[tuple[Record, dict[str, Any]]]:
        """Leave out what is not clear."""
        clear = []
        for record in records:
            problem = self._unclear(record, coming)
            if problem is None:
                clear.append(record)
            else:
                plan.refuse(record, problem)
        yield from super()._resolved(clear, plan, coming)

    def _unclear(self, record: Record, coming: Coming | None) -> Problem | None:
        """Return why it cannot be told what is meant; None where it can."""
        coin = record.values["currency"]
        if self._coins.get(record.values["order"], coin) == coin:
            return None
        return self.problem("other-currency", record, "currency")


class LineCharges(OfOrders, PlainCharges):
    """Charges that the lines name."""

    columns = {"order": "order", "source_price": "freight", "currency": "currency"}


class PlainLines(OfOrders, resources.LineSheet):
    """Order lines of a list; a product is named by its code, and by its shop where that is said."""

    columns = _COLUMNS
    product = Field(
        attribute="product", column_name="product", widget=ForeignKeyWidget(Product, "code")
    )

    class Meta(resources.LineSheet.Meta):
        """As the lines of other sheets."""

    def enrich(self, records: Sequence[Record], derivation: Derivation) -> None:
        """Read once a chunk what the codes may mean."""
        super().enrich(records, derivation)
        codes = {record.values["product"] for record in records}
        self._shops: dict[str, dict[str, tuple[int, int]]] = {}
        found = Product.objects.filter(code__in=codes).order_by("pk")
        for pk, code, shop, seller in found.values_list("pk", "code", "seller__code", "seller"):
            self._shops.setdefault(code, {})[shop] = (pk, seller)

    def _resolved(
        self, records: Sequence[Record], plan: Plan, coming: Coming | None = None
    ) -> Iterator[tuple[Record, dict[str, Any]]]:
        """Take the product of the shop that the row names."""
        for record, values in super()._resolved(records, plan, coming):
            values["product_id"], values["seller_id"] = self._meant(record) or (None, None)
            yield record, values

    def _unclear(self, record: Record, coming: Coming | None) -> Problem | None:
        """Refuse a row whose product cannot be told, too."""
        code = record.values["product"]
        if system.shop_of(record) is None and len(self._shops.get(code, ())) > 1:
            return self.problem("several-products", record, "product")
        if self._meant(record) is None and not self._comes(record, coming):
            return self.problem(UNKNOWN_REFERENCE, record, "product")
        return super()._unclear(record, coming)

    def _comes(self, record: Record, coming: Coming | None) -> bool:
        widget = self.fields["product"].widget
        return coming is not None and coming.brings(widget, record.values["product"])

    def _meant(self, record: Record) -> tuple[int, int] | None:
        """Return product and seller; None where there is none yet."""
        shops = self._shops.get(record.values["product"], {})
        shop = system.shop_of(record)
        return next(iter(shops.values()), None) if shop is None else shops.get(shop)


@formats.register
class OrderLines(formats.Format):
    """Lines of orders, with the products of their shops and what was charged for postage."""

    key = "order-lines"
    title = gettext_lazy("Order lines")
    permissions = ("orders.view_order",)
    columns = (
        Column("order", gettext_lazy("Order"), cells.code, headings.ORDER,
               goes_to=gettext_lazy("Order number"), how=gettext_lazy("Text, kept as it is"),
               longest=40),
        Column("position", gettext_lazy("Position"), pieces, headings.POSITION,
               may_be_empty=True, goes_to=gettext_lazy("Position"),
               how=gettext_lazy("Else in the order of the sheet")),
        Column("seller", gettext_lazy("Seller"), cells.code, headings.SELLER, may_be_empty=True,
               goes_to=gettext_lazy("Shop of the product"), how=gettext_lazy("Code of the shop"),
               longest=40),
        Column("product", gettext_lazy("Product code"), cells.code, headings.PRODUCT,
               goes_to=gettext_lazy("Product"), how=gettext_lazy("Text, zeros kept"), longest=40),
        Column("description", gettext_lazy("Description"), cells.text, headings.DESCRIPTION,
               may_be_empty=True, goes_to=gettext_lazy("Description"),
               how=gettext_lazy("Also the name of a new product"), longest=200, plain=True),
        Column("quantity", gettext_lazy("Quantity"), pieces, headings.QUANTITY,
               may_be_empty=True, goes_to=gettext_lazy("Quantity"),
               how=gettext_lazy("One piece where it says none")),
        Column("price", gettext_lazy("Price"), amount, headings.PRICE,
               goes_to=gettext_lazy("Unit price"), how=gettext_lazy("All decimals kept")),
        Column("discount", gettext_lazy("Discount"), discount, headings.DISCOUNT,
               may_be_empty=True, goes_to=gettext_lazy("Unit price"),
               how=gettext_lazy("A part of one, taken off")),
        FREIGHT,
        CURRENCY,
    )  # fmt: skip
    steps = (LineProducts, PlainLines, LineCharges, resources.OrderTotals)

    def derive(self, rows: Iterable[SheetRow]) -> Derivation:
        """Return products, lines, charges, and the orders whose totals change."""
        taken = _Taken(default=installation.currency())
        for row in rows:
            taken.take(row)
        return Derivation(
            {
                "products": taken.products(),
                "order_lines": taken.lines,
                "charges": taken.charges,
                "orders": list(taken.orders.values()),
            },
            taken.problems,
            taken.sums(),
            read=taken.read,
            ready=len(taken.lines),
        )

    def measure(self, derivation: Derivation) -> dict[str, int]:
        """Return what the database holds of the file's lines and charges."""
        data = derivation.datasets
        lines, line_money = system.stored_lines(data["order_lines"])
        charges, money = system.amounts(Charge, data["charges"], "order", resources.CHARGE_KEY)
        return {
            "order_lines": lines,
            "charges": charges,
            "line_money": line_money,
            "charge_money": money,
        }


@dataclass(slots=True)
class _Offer:
    """A product as the lines of a file know it."""

    record: Record
    prices: Counter[int] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)


@dataclass
class _Taken:
    """What was read of a list of lines; made anew for each reading."""

    default: str
    read: int = 0
    lines: list[Record] = field(default_factory=list)
    charges: list[Record] = field(default_factory=list)
    orders: dict[str, Record] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    offers: dict[tuple[str, str], _Offer] = field(default_factory=dict)
    equal: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    left_out: int = 0
    lines_out: list[tuple[str, Decimal]] = field(default_factory=list)
    charges_out: list[tuple[str, Decimal]] = field(default_factory=list)

    def take(self, row: SheetRow) -> None:
        """Read one row."""
        self.read += 1
        bad = row.bad
        price = None if bad else _paid(row.values)
        if price is None:
            self._leave_out(row)
            self.problems.extend(bad or [_at(row, "no-exact-price", "discount")])
            return
        values = row.values
        values["currency"] = values["currency"] or self.default
        self.orders.setdefault(
            values["order"], Record({"number": values["order"]}, row.sheet, row.number)
        )
        self.lines.append(self._line(row, price))
        self._offer(row)
        self._charge(row)

    def _leave_out(self, row: SheetRow) -> None:
        """Count a row that does not come in, and its amounts where they can be read."""
        self.left_out += 1
        values, coin = row.values, row.values.get("currency") or self.default
        unread = {problem.column for problem in row.bad}
        if values.get("price") is not None and not unread & {"quantity", "discount"}:
            exact = values["price"] * (1 - (values.get("discount") or 0))
            self.lines_out.append((coin, (values.get("quantity") or 1) * exact))
        if values.get("freight"):
            self.charges_out.append((coin, values["freight"]))

    def _line(self, row: SheetRow, price: Decimal) -> Record:
        values = row.values
        quantity = values["quantity"] or 1
        known = (values["order"], values["seller"], values["product"], quantity, price)
        line = {
            "order": values["order"],
            "product": values["product"],
            "description": values["description"] or "",
            "quantity": quantity,
            "source_price": price,
            "occurrence": self._count(row, known),
            "position": values["position"] or self._count(row, (values["order"],)) + 1,
            "unit_price_minor": Money.rounded(price, values["currency"]).minor,
            "total_minor": Money.rounded(quantity * price, values["currency"]).minor,
            "currency": values["currency"],
        }
        return system.ShopRecord(line, row.sheet, row.number, values["seller"])

    def _count(self, row: SheetRow, what: tuple[Any, ...]) -> int:
        """Return how often that stood in the sheet before."""
        key = (row.sheet, *what)
        self.equal[key] += 1
        return self.equal[key] - 1

    def _charge(self, row: SheetRow) -> None:
        values = row.values
        if not values["freight"]:
            return
        occurrence = self._count(row, (values["order"], "", values["freight"]))
        made = charge(values["order"], values["freight"], values["currency"], occurrence)
        self.charges.append(Record(made, row.sheet, row.number))

    def _offer(self, row: SheetRow) -> None:
        values = row.values
        if values["seller"] is None:
            return
        key = (values["seller"], values["product"])
        offer = self.offers.get(key)
        if offer is None:
            offer = self.offers[key] = _Offer(Record(dict(values), row.sheet, row.number))
        offer.prices[Money.rounded(values["price"], values["currency"]).minor] += 1
        if values["description"]:
            offer.names[values["description"]] += 1

    def products(self) -> list[Record]:
        """Return the products that the lines name with their shop."""
        return [
            Record(_product(key, offer), offer.record.sheet, offer.record.row)
            for key, offer in self.offers.items()
        ]

    def sums(self) -> list[CheckSum]:
        """Return what must agree; amounts where all rows have one currency."""
        ready, out = len(self.lines), self.left_out
        counted = CheckSum("order_lines", _("Order lines"), ready + out, out, ready)
        result = [counted, *charges(self.charges, self.charges_out)]
        coins = {one.values["currency"] for one in self.lines}
        if len(coins) == 1:
            result.append(self._money(coins.pop()))
        return result

    def _money(self, coin: str) -> CheckSum:
        lines = [one.values for one in self.lines]
        return check_sums.amounts(
            "line_money",
            _("Sum of lines"),
            exact=sum((one["quantity"] * one["source_price"] for one in lines), Decimal(0)),
            out=sum((price for other, price in self.lines_out if other == coin), Decimal(0)),
            ready=sum(one["total_minor"] for one in lines),
            currency=coin,
        )


def _paid(values: dict[str, Any]) -> Decimal | None:
    """Return what was paid for a piece; None where five decimals do not hold it."""
    price: Decimal = values["price"] * (1 - (values["discount"] or 0))
    rounded = price.quantize(_DECIMALS)
    return rounded if rounded == price else None


def _product(key: tuple[str, str], offer: _Offer) -> dict[str, Any]:
    seller, code = key
    name = most_frequent(offer.names) if offer.names else code
    return {
        "seller": seller,
        "code": code,
        "name": name,
        "category": category_of(name) if offer.names else "",
        "price_minor": min(offer.prices, key=lambda one: (-offer.prices[one], one)),
        "currency": offer.record.values["currency"],
    }


def _at(row: SheetRow, code: str, column: str) -> Problem:
    return Problem(code, row.sheet, row.number, column)
