"""What the database holds of the records of a file, read back after an import."""

from collections.abc import Iterable
from itertools import batched
from typing import Any

from django.db.models import Model

from backoffice.sheets.formats import Derivation, Record
from customers.models import Customer
from orders.models import Charge, Order, OrderLine, Return, ReturnLine
from orders.sheets.resources import CHARGE_KEY, LINE_KEY, imported_products

_A_QUERY = 300


def measure(derivation: Derivation) -> dict[str, int]:
    """Return counts and sums (pence) of the file's records by the keys of the check sums."""
    data = derivation.datasets
    lines = _amounts(OrderLine, data["order_lines"], "order", LINE_KEY)
    charges = _amounts(Charge, data["charges"], "order", CHARGE_KEY)
    returned = _amounts(ReturnLine, data["return_lines"], "parent", LINE_KEY)
    taken_back = _amounts(Charge, data["return_charges"], "parent", CHARGE_KEY)
    return {
        "order_lines": len(lines),
        "charges": len(charges) + len(taken_back),
        "return_lines": len(returned),
        "orders": _known(Order, data["orders"]),
        "returns": _known(Return, data["returns"]),
        "customers": _known(Customer, data["customers"]),
        "products": _products(data["products"]),
        "order_money": sum(lines) + sum(charges),
        "return_money": sum(returned) + sum(taken_back),
    }


def _amounts(
    model: type[Model], records: Iterable[Record], parent: str, names: tuple[str, ...]
) -> list[int]:
    """Return the stored amounts of those rows of `model` that a record of the file names."""
    keys = {(one.values[parent], *(one.values[name] for name in names)) for one in records}
    columns = [
        f"{parent}__number",
        *("product__code" if one == "product" else one for one in names),
    ]
    result: list[int] = []
    for numbers in batched(sorted({key[0] for key in keys}), _A_QUERY):
        rows = model._default_manager.filter(**{f"{parent}__number__in": numbers}).order_by()
        found = rows.values_list(*columns, "total_minor")
        result.extend(row[-1] for row in found if row[:-1] in keys)
    return result


def _known(model: Any, records: list[Record]) -> int:
    numbers = [one.values["number"] for one in records]
    return sum(model.objects.filter(number__in=part).count() for part in batched(numbers, _A_QUERY))


def _products(records: list[Record]) -> int:
    codes = [one.values["code"] for one in records]
    return sum(
        imported_products().filter(code__in=part).order_by().values("code").distinct().count()
        for part in batched(codes, _A_QUERY)
    )
