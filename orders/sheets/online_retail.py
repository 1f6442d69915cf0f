"""The format of UCI Online Retail and Online Retail II: one row for each line of an invoice.

Reading rules, each of them tested:

* Invoice and stock code are text; a customer "12437.0" is 12437. Letters are made capitals.
* A line is identified by invoice, stock code, quantity, price and its position among equal lines
  of its sheet. So a product that stands twice on an invoice stays twice, and an invoice that
  stands in two sheets is imported once, from the first.
* "C" and digits is a credit note: a Return. "A" and digits is an adjustment of the books: skipped.
* A negative quantity on any other invoice is a stock write-off: skipped and reported.
* A code that is not five digits and letters is a charge of its document.
* The source price is kept with all decimals; a line's amount is quantity x price, rounded half up.
* The earliest time of an invoice's lines is the order's time, in Europe/London.
* A product is called what its lines are called most often; its list price is the most frequent
  price of the file that first brought it. Its category follows from the words of its name.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, overload

from django.utils.translation import gettext_lazy

from backoffice.sheets import cells, formats, problems
from backoffice.sheets.formats import Column, Derivation, Record, SheetRow
from backoffice.sheets.problems import Problem, quote
from backoffice.sheets.reading.reader import Value
from customers.sheets import CustomerSheet
from orders.models import Order
from orders.sheets import resources, system, words
from orders.sheets.headings import LINES
from orders.sheets.rows import CURRENCY, ZONE, Book, Document, Line, is_return, warnings
from orders.sheets.sums import sums
from sellers.sheets import SellerSheet, category_of

_PRICE_DECIMALS = 5
_LARGEST_PRICE = Decimal(10) ** 8


def price(value: Value) -> Decimal:
    """Return a price of at most five decimals and eight digits."""
    number = cells.decimal(value)
    if abs(number) > _LARGEST_PRICE or number != round(number, _PRICE_DECIMALS):
        raise cells.CellProblemError("out-of-range")
    return number


problems.register(words.TEXTS)


@formats.register
class OnlineRetail(formats.Format):
    """Customers, products, orders, returns, lines and charges from one sheet of lines."""

    key = "online-retail"
    title = gettext_lazy("Online Retail (orders by line)")
    permissions = ("orders.view_order", "customers.view_customer")
    columns = (
        Column("invoice", gettext_lazy("Invoice"), cells.code, LINES["invoice"],
               goes_to=gettext_lazy("Order or return number"),
               how=gettext_lazy("Text, kept as it is"), longest=40),
        Column("code", gettext_lazy("Stock code"), cells.code, LINES["code"],
               goes_to=gettext_lazy("Product code"), how=gettext_lazy("Text, zeros kept"),
               longest=40),
        Column("description", gettext_lazy("Description"), cells.text, LINES["description"],
               may_be_empty=True,
               goes_to=gettext_lazy("Product name"), how=gettext_lazy("The most frequent wins"),
               longest=200, plain=True),
        Column("quantity", gettext_lazy("Quantity"), cells.whole, LINES["quantity"],
               goes_to=gettext_lazy("Quantity"), how=gettext_lazy("Whole number")),
        Column("placed_at", gettext_lazy("Invoice date"), cells.moment(ZONE),
               LINES["placed_at"], goes_to=gettext_lazy("Order placed"),
               how=gettext_lazy("Europe/London")),
        Column("price", gettext_lazy("Price"), price, LINES["price"],
               goes_to=gettext_lazy("Unit price"), how=gettext_lazy("GBP, all decimals kept")),
        Column("customer", gettext_lazy("Customer ID"), cells.code,
               LINES["customer"], may_be_empty=True,
               goes_to=gettext_lazy("Customer number"),
               how=gettext_lazy("12437.0 is read as 12437"), longest=40),
        Column("country", gettext_lazy("Country"), cells.text, LINES["country"], may_be_empty=True,
               goes_to=gettext_lazy("Country"), how=gettext_lazy("By name"), longest=80,
               plain=True),
    )  # fmt: skip
    steps = (
        SellerSheet,
        CustomerSheet,
        resources.StockCodeSheet,
        resources.OrderSheet,
        resources.LineSheet,
        resources.OrderChargeSheet,
        resources.ReturnSheet,
        resources.ReturnLineSheet,
        resources.ReturnChargeSheet,
        resources.ProductNames,
        resources.OrderTotals,
        resources.ReturnTotals,
    )

    def derive(self, rows: Iterable[SheetRow]) -> Derivation:
        """Return the data sets, problems and sums of the rows."""
        book = Book()
        book.take(rows)
        book.problems.extend(_repeated(book))
        book.problems.extend(warnings(book))
        return Derivation(
            datasets=_datasets(book),
            problems=book.problems,
            sums=sums(book),
            read=book.read,
            repeated=book.repeated,
            ready=sum(1 for _line in book.lines()),
        )

    def measure(self, derivation: Derivation) -> dict[str, int]:
        """Return what the database holds of the file's records."""
        return system.measure(derivation)

    def companions(
        self, rows: Iterable[SheetRow], failed: set[tuple[str, int]]
    ) -> set[tuple[str, int]]:
        """Return the rows of the same invoice and stock code.

        A corrected row may turn out equal to a line that was taken; only beside it does its
        position among equals come out right.
        """
        taken: dict[Any, list[tuple[Any, str, int]]] = {}
        wanted: dict[Any, set[Any]] = {}
        same: dict[Any, Any] = {}
        for row in rows:
            invoice, code = row.values.get("invoice"), row.values.get("code")
            if (row.sheet, row.number) in failed:
                wanted.setdefault(invoice, set()).add(code)
            elif invoice:
                place = (same.setdefault(code, code), row.sheet, row.number)
                taken.setdefault(invoice, []).append(place)
        return {
            (sheet, number)
            for invoice, codes in wanted.items()
            for code, sheet, number in taken.get(invoice, ())
            if code in codes or None in codes
        }


def _repeated(book: Book) -> Iterable[Problem]:
    if book.repeated:
        params = {"documents": len(book.repeated_invoices), "lines": book.repeated}
        first = min(book.repeated_invoices)
        line = book.documents[first].lines[0] if first in book.documents else None
        sheet, row = (line.sheet, line.number) if line else ("", 0)
        yield Problem("repeated", sheet, row, "invoice", quote(first), params, book.repeated)


class Made[T](Sequence[Record]):
    """Records that are made of their sources when they are asked for, and not held."""

    def __init__(self, sources: Iterable[T], make: Callable[[T], Record]) -> None:
        self._sources = list(sources)
        self._make = make

    def __len__(self) -> int:
        return len(self._sources)

    def __iter__(self) -> Iterator[Record]:
        return map(self._make, self._sources)

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> list[Record]: ...

    def __getitem__(self, place: int | slice) -> Record | list[Record]:
        if isinstance(place, slice):
            return [self._make(one) for one in self._sources[place]]
        return self._make(self._sources[place])


def _datasets(book: Book) -> dict[str, Sequence[Record]]:
    orders = [one for one in book.documents.values() if not is_return(one.number)]
    returns = [one for one in book.documents.values() if is_return(one.number)]
    return {
        "sellers": _sellers(book),
        "customers": _customers(book),
        "products": _products(book),
        "orders": Made(orders, _order),
        "order_lines": Made(_lines(orders, products=True), _order_line),
        "charges": Made(_lines(orders, products=False), partial(_charge, parent="order")),
        "returns": Made(returns, _return),
        "return_lines": Made(_lines(returns, products=True), _return_line),
        "return_charges": Made(_lines(returns, products=False), partial(_charge, parent="parent")),
    }


def _lines(documents: list[Document], *, products: bool) -> Iterable[Line]:
    for document in documents:
        yield from (line for line in document.lines if line.is_product == products)


def _record(line: Line, values: dict[str, Any]) -> Record:
    return Record(values, line.sheet, line.number)


def _sellers(book: Book) -> list[Record]:
    first = next((line for line in book.lines() if line.is_product), None)
    values = {"code": resources.DEFAULT_SELLER, "name": "Online Retail"}
    return [_record(first, values)] if first else []


def _customers(book: Book) -> list[Record]:
    """A customer's country is that of the earliest document."""
    result: dict[str, Record] = {}
    for document in sorted(book.documents.values(), key=lambda one: (one.placed_at, one.number)):
        number = document.customer
        if number is not None and number not in result:
            values = {"number": number, "country": document.country}
            result[number] = _record(document.lines[0], values)
    return list(result.values())


def _products(book: Book) -> list[Record]:
    names: dict[str, Counter[str]] = {}
    prices: dict[str, Counter[int]] = {}
    first: dict[str, Line] = {}
    for line in book.lines():
        if not line.is_product:
            continue
        first.setdefault(line.code, line)
        names.setdefault(line.code, Counter()).update(
            [line.description] if line.description else []
        )
        prices.setdefault(line.code, Counter()).update([line.unit_minor] if line.price > 0 else [])
    return [
        _record(line, _product(code, names[code], prices[code])) for code, line in first.items()
    ]


def _product(code: str, names: Counter[str], prices: Counter[int]) -> dict[str, Any]:
    name = resources.most_frequent(names) if names else code
    listed = min(prices, key=lambda one: (-prices[one], one)) if prices else None
    return {
        "seller": resources.DEFAULT_SELLER,
        "code": code,
        "name": name,
        "category": category_of(name),
        "price_minor": listed,
        "currency": CURRENCY,
    }


def _head(document: Document) -> dict[str, Any]:
    return {
        "number": document.number,
        "customer": document.customer,
        "country": document.country,
        "currency": CURRENCY,
        "total_minor": document.total_minor,
        "batch": document.batch[:80],
    }


def _order(document: Document) -> Record:
    """An order of the past: it was delivered."""
    values = {"placed_at": document.placed_at, "status": Order.Status.DELIVERED.value}
    return _record(document.lines[0], {**_head(document), **values})


def _return(document: Document) -> Record:
    values = {**_head(document), "returned_at": document.placed_at}
    return _record(document.lines[0], values)


def _common(line: Line) -> dict[str, Any]:
    return {
        "description": line.description,
        "quantity": line.quantity,
        "source_price": line.price,
        "occurrence": line.occurrence,
        "total_minor": line.total_minor,
        "currency": CURRENCY,
    }


def _order_line(line: Line) -> Record:
    values = {
        **_common(line),
        "order": line.invoice,
        "product": line.code,
        "position": line.position,
        "unit_price_minor": line.unit_minor,
    }
    return _record(line, values)


def _return_line(line: Line) -> Record:
    values = {"parent": line.invoice, "product": line.code, "position": line.position}
    return _record(line, {**_common(line), **values})


def _charge(line: Line, parent: str) -> Record:
    return _record(line, {**_common(line), parent: line.invoice, "code": line.code})
