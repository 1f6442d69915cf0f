"""From the rows of an Online Retail sheet to documents, lines and charges."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _

from backoffice.money import Money
from backoffice.sheets.formats import SheetRow
from backoffice.sheets.problems import Problem, quote

CURRENCY: Final = "GBP"
ZONE: Final = "Europe/London"
# Products have a code of five digits, with or without letters; the rest is postage, fees, samples.
_PRODUCT: Final = re.compile(r"\d{5}[A-Z]*")
_RETURN: Final = re.compile(r"C\d+")
_ADJUSTMENT: Final = re.compile(r"A\d+")
KNOWN_CHARGES: Final = frozenset(
    {"POST", "DOT", "M", "C2", "D", "S", "B", "ADJUST", "ADJUST2", "CRUK", "PADS", "AMAZONFEE",
     "BANK CHARGES"}
)  # fmt: skip
_PENCE: Final = 2
_IDENTITY: Final = ("invoice", "code", "quantity", "price")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a row, taken or left out; None for a cell that cannot be read."""

    invoice: str | None
    code: str | None
    customer: str | None
    amount: Decimal | None

    @classmethod
    def of(cls, row: SheetRow) -> "Facts":
        """Return what can be read of a row."""
        values = row.values
        known = {"quantity", "price"} <= values.keys()
        amount = values["quantity"] * values["price"] if known else None
        return cls(values.get("invoice"), values.get("code"), values.get("customer"), amount)


@dataclass(slots=True)
class Line:
    """One line of a document, ready to be written.

    Half a million of these are held at once, and nothing else of their rows: texts and numbers that
    are equal are one object (`Book`). `bad` is what is wrong with a cell that is no part of what
    identifies the line.
    """

    sheet: str
    number: int
    invoice: str
    code: str
    quantity: int
    price: Decimal
    description: str
    placed_at: datetime | None
    customer: str | None
    country: str
    bad: list[Problem] | None = None
    occurrence: int = 0
    position: int = 0

    @property
    def is_product(self) -> bool:
        """Whether the code is a stock code."""
        return is_product(self.code)

    @property
    def exact(self) -> Decimal:
        """Quantity times price in pounds, with all decimals."""
        return self.quantity * self.price

    @property
    def total_minor(self) -> int:
        """Quantity times price in pence, rounded half up."""
        return Money.rounded(self.exact, CURRENCY).minor

    @property
    def unit_minor(self) -> int:
        """The price in pence, rounded half up."""
        return Money.rounded(self.price, CURRENCY).minor

    def facts(self) -> Facts:
        """Return what the sums of the check count by."""
        return Facts(self.invoice, self.code, self.customer, self.exact)


@dataclass(slots=True)
class Document:
    """An invoice or credit note: what its lines agree on."""

    number: str
    placed_at: datetime
    customer: str | None
    country: str
    batch: str
    times: set[datetime] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)

    @property
    def total_minor(self) -> int:
        """The sum of its lines and charges."""
        return sum(line.total_minor for line in self.lines)


def is_product(code: str) -> bool:
    """Whether a code is a stock code."""
    return _PRODUCT.fullmatch(code) is not None


def is_return(invoice: str) -> bool:
    """Whether a number is that of a credit note."""
    return _RETURN.fullmatch(invoice) is not None


class Book:
    """Reads rows one after the other into documents and keeps account of every row.

    Lines wait by their invoice until all are read, since an invoice may stand in several places;
    what tells equal lines apart is then worked out for one invoice at a time.
    """

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.problems: list[Problem] = []
        self.read = 0
        self.repeated = 0
        self.repeated_invoices: set[str] = set()
        self.left_out: list[Facts] = []
        self._waiting: dict[str, list[Line]] = {}
        self._sheets: dict[str, int] = {}
        self._known: dict[Any, Any] = {}

    def take(self, rows: Iterable[SheetRow]) -> None:
        """Read all rows."""
        for row in rows:
            self.read += 1
            self._sheets.setdefault(row.sheet, len(self._sheets))
            if all(name in row.values for name in _IDENTITY):
                line = self._line(row)
                self._waiting.setdefault(line.invoice, []).append(line)
            else:
                self._leave_out(Facts.of(row), row.bad)
        self._known.clear()
        while self._waiting:
            # The oldest first; what is worked out is not held twice.
            invoice = next(iter(self._waiting))
            self._file_all(self._waiting.pop(invoice))
        self.problems.sort(key=lambda one: (self._sheets.get(one.sheet, 0), one.row))

    def _line(self, row: SheetRow) -> Line:
        values, same = row.values, self._known.setdefault
        texts = {name: values.get(name) or "" for name in ("description", "country")}
        customer, placed_at = values.get("customer"), values.get("placed_at")
        invoice, code = values["invoice"].upper(), values["code"].upper()
        return Line(
            sheet=row.sheet,
            number=row.number,
            invoice=same(invoice, invoice),
            code=same(code, code),
            quantity=same(values["quantity"], values["quantity"]),
            price=same(("price", values["price"]), values["price"]),
            description=same(texts["description"], texts["description"]),
            placed_at=same(placed_at, placed_at),
            customer=same(customer, customer),
            country=same(texts["country"], texts["country"]),
            bad=row.bad or None,
        )

    def _file_all(self, lines: list[Line]) -> None:
        """File the lines of one invoice."""
        equal: Counter[tuple[Any, ...]] = Counter()
        home: dict[tuple[Any, ...], str] = {}
        for line in lines:
            key = (line.code, line.quantity, line.price)
            line.occurrence = equal[line.sheet, *key]
            equal[line.sheet, *key] += 1
            if home.setdefault((*key, line.occurrence), line.sheet) != line.sheet:
                self.repeated += 1
                self.repeated_invoices.add(line.invoice)
            elif line.bad is not None:
                self._leave_out(line.facts(), line.bad)
            else:
                self._file(line)

    def _wrong(self, line: Line) -> Problem | None:
        """Return what keeps a well-formed line out."""
        if _ADJUSTMENT.fullmatch(line.invoice):
            return _problem("adjustment", line, "invoice", line.invoice)
        if line.price < 0:
            return _problem("negative-price", line, "price", line.price)
        if line.quantity == 0:
            return _problem("no-quantity", line, "quantity", line.quantity)
        if is_return(line.invoice):
            wrong_way = line.quantity > 0 and line.is_product
            return (
                _problem("positive-return", line, "quantity", line.quantity) if wrong_way else None
            )
        if line.quantity < 0:
            problem = _problem("write-off", line, "quantity", line.quantity)
            problem.params = {"invoice": quote(line.invoice)}
            return problem
        return None

    def _file(self, line: Line) -> None:
        problem = self._wrong(line)
        document = self.documents.get(line.invoice)
        if problem is None and document is not None:
            problem = _other_customer(document, line)
        if problem is not None:
            self._leave_out(line.facts(), [problem])
            return
        if document is None:
            document = self.documents[line.invoice] = _document(line)
        _agree(document, line)

    def _leave_out(self, facts: Facts, problems: list[Problem]) -> None:
        self.left_out.append(facts)
        self.problems.extend(problems)

    def lines(self) -> Iterable[Line]:
        """Yield every line that was taken, in the order of the documents."""
        for document in self.documents.values():
            yield from document.lines


def _document(line: Line) -> Document:
    return Document(
        number=line.invoice,
        placed_at=_placed(line),
        customer=line.customer,
        country=line.country,
        batch=line.sheet,
    )


def _placed(line: Line) -> datetime:
    """Return when it was placed: known of every line that is taken."""
    assert line.placed_at is not None  # noqa: S101 - a line without one is left out
    return line.placed_at


def _agree(document: Document, line: Line) -> None:
    """Add the line; the earliest time counts, and a customer that any line names."""
    document.lines.append(line)
    line.position = len(document.lines)
    document.placed_at = min(document.placed_at, _placed(line))
    document.times.add(_placed(line))
    document.customer = document.customer or line.customer


def _other_customer(document: Document, line: Line) -> Problem | None:
    customer = line.customer
    if customer is None or document.customer in {None, customer}:
        return None
    return _problem("other-customer", line, "customer", customer)


def _problem(code: str, line: Line, column: str, value: object) -> Problem:
    return Problem(code, line.sheet, line.number, column, quote(value))


def warnings(book: Book) -> Iterable[Problem]:
    """Yield what was taken in a way that people should know, one problem for each kind."""
    grouped: dict[str, list[Line]] = defaultdict(list)
    for line in book.lines():
        for code in _odd(line):
            grouped[code].append(line)
    for code in ("no-customer", "no-product", "no-price", "more-decimals"):
        if lines := grouped[code]:
            yield _about(code, lines)
    late = [one for one in book.documents.values() if len(one.times) > 1]
    if late:
        first = late[0].lines[0]
        yield Problem(
            "two-times",
            first.sheet,
            first.number,
            "placed_at",
            quote(late[0].number),
            {"documents": len(late)},
            count=len(late),
        )


def _odd(line: Line) -> Iterable[str]:
    if line.customer is None:
        yield "no-customer"
    if not line.is_product:
        yield "no-product"
    if line.price == 0:
        yield "no-price"
    if -int(line.price.as_tuple().exponent) > _PENCE and line.price != round(line.price, _PENCE):
        yield "more-decimals"


_WARNED_COLUMN = {
    "no-customer": "customer", "no-product": "code", "no-price": "price", "more-decimals": "price",
}  # fmt: skip


def _about(code: str, lines: list[Line]) -> Problem:
    first = lines[0]
    column = _WARNED_COLUMN[code]
    codes = sorted({line.code for line in lines})
    params = {
        "lines": len(lines),
        "documents": len({line.invoice for line in lines}),
        "codes": _listed(codes),
    }
    known = column == "code" and first.code in KNOWN_CHARGES
    value = first.code if known else quote(getattr(first, column))
    return Problem(code, first.sheet, first.number, column, value, params, len(lines))


def _listed(codes: list[str]) -> str:
    """Name the codes that are known; another one may be anything, also a person's name."""
    known = [code for code in codes if code in KNOWN_CHARGES]
    others = len(codes) - len(known)
    return ", ".join(known + ([_("%s others") % others] if others else []))
