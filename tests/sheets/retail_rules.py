"""An independent count of Online Retail csv files: the csv module, the rules, no code of ours.

The rules stand in words on top of `orders/sheets/online_retail.py`.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

_PENNY = Decimal("0.01")
_PRODUCT = re.compile(r"\d{5}[A-Z]*")


@dataclass
class Expected:
    """What must be in the system when the files are in; the first ones are of the rows."""

    rows: int = 0
    source_money: Decimal = Decimal(0)
    invoices: set[str] = field(default_factory=set)
    write_offs: int = 0
    adjustments: int = 0
    refused: int = 0
    orders: set[str] = field(default_factory=set)
    returns: set[str] = field(default_factory=set)
    customers: set[str] = field(default_factory=set)
    products: set[str] = field(default_factory=set)
    order_lines: int = 0
    return_lines: int = 0
    charges: int = 0
    order_money: Decimal = Decimal(0)
    return_money: Decimal = Decimal(0)
    units: Counter[str] = field(default_factory=Counter)

    @property
    def left_out(self) -> int:
        """Rows that are no part of an order or a return."""
        return self.write_offs + self.adjustments + self.refused

    def add(self, row: dict[str, str]) -> None:
        """Count one row."""
        invoice, code = row["InvoiceNo"].strip().upper(), " ".join(row["StockCode"].upper().split())
        quantity, price = int(row["Quantity"]), Decimal(row["UnitPrice"])
        self.rows += 1
        self.source_money += quantity * price
        self.invoices.add(invoice)
        if self._is_left_out(invoice, code, quantity, price):
            return
        if customer := row["CustomerID"].removesuffix(".0").strip():
            self.customers.add(customer)
        amount = (quantity * price).quantize(_PENNY, ROUND_HALF_UP)
        is_product = _PRODUCT.fullmatch(code) is not None
        if is_product:
            self.products.add(code)
            self.units[code] += quantity
        else:
            self.charges += 1
        if invoice.startswith("C"):
            self.returns.add(invoice)
            self.return_money += amount
            self.return_lines += is_product
        else:
            self.orders.add(invoice)
            self.order_money += amount
            self.order_lines += is_product

    def _is_left_out(self, invoice: str, code: str, quantity: int, price: Decimal) -> bool:
        credit = invoice.startswith("C")
        if invoice.startswith("A"):
            self.adjustments += 1
        elif price < 0 or quantity == 0 or (credit and quantity > 0 and _PRODUCT.fullmatch(code)):
            self.refused += 1
        elif not credit and quantity < 0:
            self.write_offs += 1
        else:
            return False
        return True


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def expected(paths: Iterable[Path]) -> Expected:
    """Count the rows of all files."""
    result = Expected()
    for path in paths:
        for row in rows(path):
            result.add(row)
    return result
