"""An independent count of an Online Retail workbook: another reader and no code of ours.

And a part of it, small enough for the suite, with every quirk of the whole.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from openpyxl import Workbook, load_workbook
from python_calamine import CalamineWorkbook

PENNY = Decimal("0.01")
ONE_OF = 12  # customers; who has none counts by the invoice


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


def part(path: Path, target: Path) -> Path:
    """Write all lines of one customer in twelve, and every invoice that stands in two sheets."""
    book = CalamineWorkbook.from_path(path)
    sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    found = Counter(name for rows in sheets.values() for name in {_text(row[0]) for row in rows})
    made = Workbook(write_only=True)
    for name, (head, *rows) in sheets.items():
        sheet = made.create_sheet(name)
        sheet.append(head)
        for row in rows:
            owner = _text(row[6]) or _text(row[0]).lstrip("AC")
            if int(owner) % ONE_OF == 0 or found[_text(row[0])] > 1:
                sheet.append([None if cell == "" else cell for cell in row])
    made.save(target)
    return target


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
