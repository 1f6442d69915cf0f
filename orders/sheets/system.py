"""What the database holds of the records of a file, read back after an import."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import batched
from typing import Any

from django.db.models import Model

from backoffice.sheets.formats import Derivation, Record
from customers.models import Customer
from orders.models import Charge, Order, OrderLine, Return, ReturnLine
from orders.sheets.resources import CHARGE_KEY, LINE_KEY, imported_products

_A_QUERY = 300
_A_PART = 5000
_PATHS = {"product": "product__code", "seller": "seller__code"}


@dataclass(slots=True)
class ShopRecord(Record):
    """An order line and the code of the shop that the row names; None where it names none."""

    shop: str | None = None


def shop_of(record: Record) -> str | None:
    """Return the code of the shop that the row names."""
    return record.shop if isinstance(record, ShopRecord) else None


def measure(derivation: Derivation) -> dict[str, int]:
    """Return counts and sums (pence) of the file's records by the keys of the check sums."""
    data = derivation.datasets
    lines, line_money = amounts(OrderLine, data["order_lines"], "order", LINE_KEY)
    charges, charge_money = amounts(Charge, data["charges"], "order", CHARGE_KEY)
    returned, returned_money = amounts(ReturnLine, data["return_lines"], "parent", LINE_KEY)
    taken_back, back_money = amounts(Charge, data["return_charges"], "parent", CHARGE_KEY)
    return {
        "order_lines": lines,
        "charges": charges + taken_back,
        "return_lines": returned,
        "orders": known(Order, data["orders"]),
        "returns": known(Return, data["returns"]),
        "customers": known(Customer, data["customers"]),
        "products": _products(data["products"]),
        "order_money": line_money + charge_money,
        "return_money": returned_money + back_money,
    }


def amounts(
    model: type[Model], records: Iterable[Record], parent: str, names: tuple[str, ...]
) -> tuple[int, int]:
    """Return how many rows of `model` the records name, and the sum of their amounts.

    No two records name the same row. Some thousands at a time: the keys of half a million lines
    are never held together.
    """
    columns = [f"{parent}__number", *(_PATHS.get(one, one) for one in names)]
    count = money = 0
    for part in batched(records, _A_PART):
        keys = {(one.values[parent], *(one.values[name] for name in names)) for one in part}
        for numbers in batched(sorted({key[0] for key in keys}), _A_QUERY):
            rows = model._default_manager.filter(**{f"{parent}__number__in": numbers}).order_by()
            found = rows.values_list(*columns, "total_minor")
            minors = [row[-1] for row in found if row[:-1] in keys]
            count, money = count + len(minors), money + sum(minors)
    return count, money


def stored_lines(records: Iterable[Record]) -> tuple[int, int]:
    """Return how many of the lines are stored, and the sum of their amounts."""
    by_shop: dict[bool, list[Record]] = {True: [], False: []}
    for record in records:
        by_shop[shop_of(record) is not None].append(record)
    count, money = amounts(OrderLine, by_shop[False], "order", LINE_KEY)
    named = (
        Record({**one.values, "seller": shop_of(one)}, one.sheet, one.row) for one in by_shop[True]
    )
    more, minor = amounts(OrderLine, named, "order", ("seller", *LINE_KEY))
    return count + more, money + minor


def known(model: Any, records: Iterable[Record]) -> int:
    """Return how many of the records' numbers the database holds."""
    numbers = (one.values["number"] for one in records)
    return sum(model.objects.filter(number__in=part).count() for part in batched(numbers, _A_QUERY))


def _products(records: Iterable[Record]) -> int:
    codes = [one.values["code"] for one in records]
    return sum(
        imported_products().filter(code__in=part).order_by().values("code").distinct().count()
        for part in batched(codes, _A_QUERY)
    )
