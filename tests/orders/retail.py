"""An independent count of an Online Retail workbook: another reader and no code of ours."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from openpyxl import load_workbook

PENNY = Decimal("0.01")


@dataclass
class Count:
    """What must be in the system when the sheets are in."""

    rows: int = 0
    orders: set[str] = field(default_factory=set)
    returns: set[str] = field(default_factory=set)
    customers: set[str] = field(default_factory=set)
    products: set[str] = field(default_factory=set)
    order_lines: int = 0
    return_lines: int = 0
    charges: int = 0
    order_money: Decimal = Decimal(0)
    return_money: Decimal = Decimal(0)
    repeated: int = 0
    repeated_invoices: set[str] = field(default_factory=set)
    names: dict[str, Counter[str]] = field(default_factory=dict)


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, int | float) else str(value or "").strip()


def count(path: Path) -> Count:
    """Count all sheets of the workbook."""
    result = Count()
    seen: set[tuple[object, ...]] = set()
    for sheet in load_workbook(path, data_only=True).worksheets:
        equal: Counter[tuple[object, ...]] = Counter()
        here: set[tuple[object, ...]] = set()
        for row in sheet.iter_rows(min_row=2, values_only=True):
            invoice, code, quantity = _text(row[0]), _text(row[1]), row[3]
            price = Decimal(str(row[5]))
            key = (invoice, code, quantity, price)
            equal[key] += 1
            here.add((*key, equal[key]))
            result.rows += 1
            if (*key, equal[key]) in seen:
                result.repeated += 1
                result.repeated_invoices.add(invoice)
                continue
            amount = (Decimal(str(quantity)) * price).quantize(PENNY, ROUND_HALF_UP)
            _add(result, invoice, code, amount, _text(row[6]), " ".join(str(row[2]).split()))
        seen |= here
    return result


def _add(result: Count, invoice: str, code: str, amount: Decimal, customer: str, name: str) -> None:
    returned = invoice[0] == "C"
    (result.returns if returned else result.orders).add(invoice)
    if returned:
        result.return_money += amount
    else:
        result.order_money += amount
    if customer:
        result.customers.add(customer)
    if not code[:5].isdigit():
        result.charges += 1
        return
    result.products.add(code)
    result.names.setdefault(code, Counter())[name] += 1
    if returned:
        result.return_lines += 1
    else:
        result.order_lines += 1
