"""Numbers that must come out the same in the file and in the system."""

from collections.abc import Callable
from decimal import Decimal

from django.utils.translation import gettext as _

from backoffice.money import Money
from backoffice.sheets.formats import CheckSum, SheetRow
from orders.sheets.rows import CURRENCY, Book, Line, is_product, is_return

Identity = Callable[[SheetRow], str | None]


def sums(book: Book) -> list[CheckSum]:
    """Return the numbers that must agree; rows left out count where their cells can be read."""
    taken = list(book.lines())
    return [
        _count("order_lines", _("Order lines"), book, taken, returned=False, product=True),
        _count("charges", _("Charges"), book, taken, returned=None, product=False),
        _count("return_lines", _("Return lines"), book, taken, returned=True, product=True),
        _distinct("orders", _("Orders"), book, taken, _order_number),
        _distinct("returns", _("Returns"), book, taken, _return_number),
        _distinct("customers", _("Customers"), book, taken, lambda row: row.values.get("customer")),
        _distinct("products", _("Products"), book, taken, _product_code),
        _money("order_money", _("Sum of orders"), book, taken, returned=False),
        _money("return_money", _("Sum of returns"), book, taken, returned=True),
    ]


def _order_number(row: SheetRow) -> str | None:
    number = row.values.get("invoice")
    return None if number is None or is_return(number) else number


def _return_number(row: SheetRow) -> str | None:
    number = row.values.get("invoice")
    return number if number is not None and is_return(number) else None


def _product_code(row: SheetRow) -> str | None:
    code = row.values.get("code")
    return code if code is not None and is_product(code) else None


def _is_of(row: SheetRow, *, returned: bool | None, product: bool | None) -> bool:
    """Whether a row belongs to a sum; a cell that cannot be read counts as a sale of a product."""
    of_return = is_return(row.values.get("invoice", ""))
    of_product = is_product(row.values.get("code", "00000"))
    return returned in {None, of_return} and product in {None, of_product}


def _count(
    key: str, label: str, book: Book, taken: list[Line], *, returned: bool | None, product: bool
) -> CheckSum:
    ready = sum(_is_of(line.row, returned=returned, product=product) for line in taken)
    out = sum(_is_of(row, returned=returned, product=product) for row in book.left_out)
    return CheckSum(key, label, ready + out, out, ready)


def _distinct(key: str, label: str, book: Book, taken: list[Line], of: Identity) -> CheckSum:
    ready = {of(line.row) for line in taken} - {None}
    every = ready | ({of(row) for row in book.left_out} - {None})
    return CheckSum(key, label, len(every), len(every - ready), len(ready))


def _money(key: str, label: str, book: Book, taken: list[Line], *, returned: bool) -> CheckSum:
    """Compare the exact sum of the file with the sum of the rounded lines."""
    mine = [line for line in taken if is_return(line.invoice) == returned]
    out = sum(
        (
            row.values["quantity"] * row.values["price"]
            for row in book.left_out
            if _is_of(row, returned=returned, product=None)
            and {"quantity", "price"} <= row.values.keys()
        ),
        Decimal(0),
    )
    exact = sum((line.exact for line in mine), Decimal(0))
    ready = sum(line.total_minor for line in mine)
    return CheckSum(
        key,
        label,
        file=Money.rounded(exact + out, CURRENCY).minor,
        left_out=Money.rounded(out, CURRENCY).minor,
        ready=ready,
        currency=CURRENCY,
        rounding=_difference(Money(ready, CURRENCY).amount - exact),
    )


def _difference(amount: Decimal) -> str:
    """Return pounds with the decimals that it needs; "" for none."""
    return f"{amount.normalize():f}" if amount else ""
