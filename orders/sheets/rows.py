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

# (invoice, code, quantity, price, position among equals)
LineKey = tuple[str, str, int, Decimal, int]


@dataclass(slots=True)
class Line:
    """One line of a document, ready to be written."""

    row: SheetRow
    invoice: str
    code: str
    quantity: int
    price: Decimal
    occurrence: int
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

    @property
    def description(self) -> str:
        """What the sheet calls it; "" where it says nothing."""
        return self.row.values["description"] or ""


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
    """Reads rows one after the other into documents and keeps account of every row."""

    def __init__(self) -> None:
        self.documents: dict[str, Document] = {}
        self.problems: list[Problem] = []
        self.read = 0
        self.repeated = 0
        self.repeated_invoices: set[str] = set()
        self.left_out: list[SheetRow] = []
        self._equal: Counter[tuple[Any, ...]] = Counter()
        self._home: dict[LineKey, str] = {}

    def take(self, rows: Iterable[SheetRow]) -> None:
        """Read all rows."""
        for row in rows:
            self.read += 1
            line = self._line(row)
            if line is not None:
                self._file(line)

    def _line(self, row: SheetRow) -> Line | None:
        """Return the line; None when its identity cannot be read or it stood there before."""
        values = row.values
        if any(name not in values for name in _IDENTITY):
            self._leave_out(row, row.bad)
            return None
        values["code"] = values["code"].upper()
        values["invoice"] = values["invoice"].upper()
        equal = (row.sheet, *(values[name] for name in _IDENTITY))
        line = Line(
            row, values["invoice"], values["code"], values["quantity"], values["price"],
            self._equal[equal],
        )  # fmt: skip
        self._equal[equal] += 1
        if self._stood_before(line):
            return None
        if row.bad:
            self._leave_out(row, row.bad)
            return None
        return line

    def _stood_before(self, line: Line) -> bool:
        """Count a line that another sheet has too."""
        key = (line.invoice, line.code, line.quantity, line.price, line.occurrence)
        if self._home.setdefault(key, line.row.sheet) == line.row.sheet:
            return False
        self.repeated += 1
        self.repeated_invoices.add(line.invoice)
        return True

    def _file(self, line: Line) -> None:
        problem = self._wrong(line)
        document = self.documents.get(line.invoice)
        if problem is None and document is not None:
            problem = _other_customer(document, line)
        if problem is not None:
            self._leave_out(line.row, [problem])
            return
        if document is None:
            document = self.documents[line.invoice] = _document(line)
        _agree(document, line)

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

    def _leave_out(self, row: SheetRow, problems: list[Problem]) -> None:
        self.left_out.append(row)
        self.problems.extend(problems)

    def lines(self) -> Iterable[Line]:
        """Yield every line that was taken, in the order of the documents."""
        for document in self.documents.values():
            yield from document.lines


def _document(line: Line) -> Document:
    values = line.row.values
    return Document(
        number=line.invoice,
        placed_at=values["placed_at"],
        customer=values["customer"],
        country=values["country"] or "",
        batch=line.row.sheet,
    )


def _agree(document: Document, line: Line) -> None:
    """Add the line; the earliest time counts, and a customer that any line names."""
    document.lines.append(line)
    line.position = len(document.lines)
    document.placed_at = min(document.placed_at, line.row.values["placed_at"])
    document.times.add(line.row.values["placed_at"])
    document.customer = document.customer or line.row.values["customer"]


def _other_customer(document: Document, line: Line) -> Problem | None:
    customer = line.row.values["customer"]
    if customer is None or document.customer in {None, customer}:
        return None
    return _problem("other-customer", line, "customer", customer)


def _problem(code: str, line: Line, column: str, value: object) -> Problem:
    return Problem(code, line.row.sheet, line.row.number, column, quote(value))


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
        first = late[0].lines[0].row
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
    if line.row.values["customer"] is None:
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
    value = first.code if known else quote(first.row.values[column])
    return Problem(code, first.row.sheet, first.row.number, column, value, params, len(lines))


def _listed(codes: list[str]) -> str:
    """Name the codes that are known; another one may be anything, also a person's name."""
    known = [code for code in codes if code in KNOWN_CHARGES]
    others = len(codes) - len(known)
    return ", ".join(known + ([_("%s others") % others] if others else []))
