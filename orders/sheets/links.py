"""Which sale a returned line came from, where only one can be meant."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import batched
from typing import Self, cast

from django.db.models import Sum

from backoffice.sheets.formats import Derivation, Record
from orders.models import OrderLine, ReturnLine

# (return number, product code, quantity, price, position among equals)
LineKey = tuple[str, str, int, Decimal, int]
# (customer number, product code, price)
SaleKey = tuple[str, str, Decimal]
_A_QUERY = 300


@dataclass(slots=True)
class Sale:
    """A line that was sold, and how many pieces of it have not come back by other returns."""

    line: int
    order: int
    placed_at: datetime
    quantity: int
    left: int


@dataclass
class Links:
    """Return line -> order line, and return -> order.

    A return line belongs to a sale when the same customer bought the same product at the same
    price in at least that quantity before, on exactly one line, and enough of it is left. What
    the returns of this file have linked already is worked out anew, not read: so a run that is
    taken up again finds the same links.
    """

    lines: dict[LineKey, int] = field(default_factory=dict)
    orders: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, derivation: Derivation) -> Self:
        """Return the links of the derivation's returns; worked out once."""
        if cls not in derivation.memo:
            links = cls()
            links._work_out(derivation)
            derivation.memo[cls] = links
        return cast("Self", derivation.memo[cls])

    def _work_out(self, derivation: Derivation) -> None:
        returns = {one.values["number"]: one.values for one in derivation.datasets["returns"]}
        lines = derivation.datasets["return_lines"]
        sales = _sales(_wanted(lines, returns), set(returns))
        seen: dict[str, set[int | None]] = defaultdict(set)
        for record in sorted(lines, key=lambda one: _when(one, returns)):
            values = record.values
            head = returns[values["parent"]]
            sale = _only(
                sales.get(_sale_key(values, head["customer"]), []),
                values["quantity"],
                head["returned_at"],
            )
            if sale is not None:
                sale.left += values["quantity"]
                self.lines[_line_key(values)] = sale.line
            seen[values["parent"]].add(None if sale is None else sale.order)
        for number, orders in seen.items():
            order = orders.pop() if len(orders) == 1 else None
            if order is not None:
                self.orders[number] = order


def _when(record: Record, returns: dict[str, dict[str, object]]) -> tuple[object, str, int]:
    head = returns[record.values["parent"]]
    return head["returned_at"], record.values["parent"], record.values["position"]


def _line_key(values: dict[str, object]) -> LineKey:
    names = ("parent", "product", "quantity", "source_price", "occurrence")
    return tuple(values[name] for name in names)  # type: ignore[return-value]


def _sale_key(values: dict[str, object], customer: object) -> SaleKey:
    return customer, values["product"], values["source_price"]  # type: ignore[return-value]


def _wanted(lines: Iterable[Record], returns: dict[str, dict[str, object]]) -> set[SaleKey]:
    heads = ((one.values, returns[one.values["parent"]]["customer"]) for one in lines)
    return {_sale_key(values, customer) for values, customer in heads if customer is not None}


def _only(sales: list[Sale], quantity: int, returned_at: datetime) -> Sale | None:
    """Return the one sale that can be meant; None when there is none, or more than one."""
    able = [one for one in sales if one.quantity >= -quantity and one.placed_at <= returned_at]
    if len(able) != 1 or able[0].left < -quantity:
        return None
    return able[0]


def _sales(wanted: set[SaleKey], own_returns: set[str]) -> dict[SaleKey, list[Sale]]:
    """Return the stored sales by key; what other returns took is gone from `left`."""
    result: dict[SaleKey, list[Sale]] = defaultdict(list)
    for customers in batched(sorted({key[0] for key in wanted}), _A_QUERY):
        for key, sale in _of_customers(customers, wanted):
            result[key].append(sale)
    every = {sale.line: sale for sales in result.values() for sale in sales}
    for ids in batched(every, _A_QUERY):
        taken = ReturnLine.objects.filter(order_line_id__in=ids).exclude(
            parent__number__in=own_returns
        )
        rows = taken.order_by().values_list("order_line_id").annotate(Sum("quantity"))
        for line, quantity in rows:
            every[line].left += quantity
    return result


def _of_customers(
    customers: tuple[str, ...], wanted: set[SaleKey]
) -> Iterator[tuple[SaleKey, Sale]]:
    rows = OrderLine.objects.filter(order__customer__number__in=customers).order_by("pk")
    for row in rows.values_list(
        "pk", "order_id", "order__placed_at", "quantity",
        "order__customer__number", "product__code", "source_price",
    ).iterator():  # fmt: skip
        key: SaleKey = (row[4], row[5], row[6])
        if key in wanted:
            yield key, Sale(row[0], row[1], row[2], row[3], row[3])
