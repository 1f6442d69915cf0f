"""Numbers that must come out the same in the file and in the system."""

from collections.abc import Callable
from decimal import Decimal

from django.utils.translation import gettext as _

from backoffice.money import Money
from backoffice.sheets.formats import CheckSum
from orders.sheets.rows import CURRENCY, Book, Facts, Line, is_product, is_return

Identity = Callable[[Facts | Line], str | None]


def sums(book: Book) -> list[CheckSum]:
    """Return the numbers that must agree; rows left out count where their cells can be read."""
    taken = list(book.lines())
    return [
        _count("order_lines", _("Order lines"), book, taken, returned=False, product=True),
        _count("charges", _("Charges"), book, taken, returned=None, product=False),
        _count("return_lines", _("Return lines"), book, taken, returned=True, product=True),
        _distinct("orders", _("Orders"), book, taken, _order_number),
        _distinct("returns", _("Returns"), book, taken, _return_number),
        _distinct("customers", _("Customers"), book, taken, lambda one: one.customer),
        _distinct("products", _("Products"), book, taken, _product_code),
        _money("order_money", _("Sum of orders"), book, taken, returned=False),
        _money("return_money", _("Sum of returns"), book, taken, returned=True),
    ]


def _order_number(one: Facts | Line) -> str | None:
    return None if one.invoice is None or is_return(one.invoice) else one.invoice


def _return_number(one: Facts | Line) -> str | None:
    return one.invoice if one.invoice is not None and is_return(one.invoice) else None


def _product_code(one: Facts | Line) -> str | None:
    return one.code if one.code is not None and is_product(one.code) else None


def _is_of(one: Facts | Line, *, returned: bool | None, product: bool | None) -> bool:
    """Whether a row belongs to a sum; a cell that cannot be read counts as a sale of a product."""
    of_return = is_return(one.invoice or "")
    of_product = is_product("00000" if one.code is None else one.code)
    return returned in {None, of_return} and product in {None, of_product}


def _count(
    key: str, label: str, book: Book, taken: list[Line], *, returned: bool | None, product: bool
) -> CheckSum:
    ready = sum(_is_of(line, returned=returned, product=product) for line in taken)
    out = sum(_is_of(one, returned=returned, product=product) for one in book.left_out)
    return CheckSum(key, label, ready + out, out, ready)


def _distinct(key: str, label: str, book: Book, taken: list[Line], of: Identity) -> CheckSum:
    ready = {of(line) for line in taken} - {None}
    every = ready | ({of(one) for one in book.left_out} - {None})
    return CheckSum(key, label, len(every), len(every - ready), len(ready))


def _money(key: str, label: str, book: Book, taken: list[Line], *, returned: bool) -> CheckSum:
    """Compare the exact sum of the file with the sum of the rounded lines."""
    mine = [line for line in taken if is_return(line.invoice) == returned]
    out = sum(
        (
            one.amount
            for one in book.left_out
            if one.amount is not None and _is_of(one, returned=returned, product=None)
        ),
        Decimal(0),
    )
    exact = sum((line.exact for line in mine), Decimal(0))
    ready = sum(line.total_minor for line in mine)
    return amounts(key, label, exact=exact, out=out, ready=ready, currency=CURRENCY)


def amounts(
    key: str, label: str, *, exact: Decimal, out: Decimal, ready: int, currency: str
) -> CheckSum:
    """Return the sum of amounts: of the rows as they stand, those left out, and what comes in.

    `exact` and `out` are in major units with all decimals, `ready` in minor units.
    """
    return CheckSum(
        key,
        label,
        file=Money.rounded(exact + out, currency).minor,
        left_out=Money.rounded(out, currency).minor,
        ready=ready,
        currency=currency,
        rounding=_difference(Money(ready, currency).amount - exact),
    )


def _difference(amount: Decimal) -> str:
    """Return the amount with the decimals that it needs; "" for none."""
    return f"{amount.normalize():f}" if amount else ""
