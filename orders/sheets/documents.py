"""The format of a list of orders: one row for each order, its lines come in another sheet.

* An order has a number; one that is known already keeps its state and its customer, since orders
  move by services alone.
* The state is what the sheet calls it (`headings.STATES`); without a column of states it follows
  from the days on which the order was sent and delivered.
* What the sheet charges for sending it becomes a charge of the order.
* The total is the sum of charges and of lines, also of lines that come in later.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import installation
from backoffice.money import Money
from backoffice.sheets import cells, formats, problems
from backoffice.sheets.formats import CheckSum, Column, Derivation, Record, SheetRow
from backoffice.sheets.problems import Problem, Text, quote
from backoffice.sheets.reading.reader import Value
from orders.models import Charge, Order
from orders.sheets import headings, resources, system
from orders.sheets import sums as check_sums

POSTAGE = "POST"
_CURRENCY_LETTERS = 3
_BY_WORD = {word: state for state, words in headings.STATES.items() for word in words}
_PRICE_DECIMALS = 5
_LARGEST_PRICE = Decimal(10) ** 8

problems.register(
    {
        "unknown-state": Text(
            gettext_lazy("No state of an order"),
            gettext_lazy("Left out. Write placed, paid, shipped, delivered or cancelled."),
        ),
        "no-currency": Text(
            gettext_lazy("No currency"), gettext_lazy("Left out. Write it as EUR, USD or KRW.")
        ),
        "order-twice": Text(
            gettext_lazy("The number stands in the sheet before"),
            gettext_lazy("Left out. An order has one row."),
        ),
        "negative": Text(
            gettext_lazy("The amount is negative"), gettext_lazy("Left out. Check the amount.")
        ),
    }
)


def amount(value: Value) -> Decimal:
    """Return an amount of at most five decimals and eight digits that is not negative."""
    number = cells.decimal(value)
    if number < 0:
        raise cells.CellProblemError("negative")
    if number > _LARGEST_PRICE or number != round(number, _PRICE_DECIMALS):
        raise cells.CellProblemError("out-of-range")
    return number


def currency(value: Value) -> str:
    """Return the three letters of a currency."""
    code = cells.text(value).upper()
    if len(code) != _CURRENCY_LETTERS or not (code.isascii() and code.isalpha()):
        raise cells.CellProblemError("no-currency")
    return code


def state(value: Value) -> str:
    """Return the state here of what others call it."""
    found = _BY_WORD.get(cells.text(value).casefold())
    if found is None:
        raise cells.CellProblemError("unknown-state")
    return found


CURRENCY = Column(
    "currency", gettext_lazy("Currency"), currency, headings.CURRENCY, may_be_empty=True,
    goes_to=gettext_lazy("Currency"), how=gettext_lazy("That of the company where it says none"),
    longest=3, plain=True,
)  # fmt: skip
FREIGHT = Column(
    "freight", gettext_lazy("Freight"), amount, headings.FREIGHT, may_be_empty=True,
    goes_to=gettext_lazy("Charge for postage"), how=gettext_lazy("Amount"),
)  # fmt: skip


class PlainCharges(resources.OrderChargeSheet):
    """Charges of orders that a list names."""

    columns = {"order": "number", "source_price": "freight"}


class OrderRows(resources.OrderSheet):
    """Orders of a list."""

    columns = {
        "number": "number", "customer": "customer", "placed_at": "placed_at", "status": "status",
        "country": "country", "currency": "currency",
    }  # fmt: skip


@formats.register
class Orders(formats.Format):
    """Orders and what was charged for sending them, one row for each."""

    key = "orders"
    title = gettext_lazy("Orders (one row for each)")
    permissions = ("orders.view_order", "customers.view_customer")
    columns = (
        Column("number", gettext_lazy("Order"), cells.code, (*headings.ORDER, "Number"),
               goes_to=gettext_lazy("Order number"), how=gettext_lazy("Text, kept as it is"),
               longest=40),
        Column("customer", gettext_lazy("Customer ID"), cells.code, headings.CUSTOMER,
               may_be_empty=True, goes_to=gettext_lazy("Customer number"),
               how=gettext_lazy("Text, zeros kept"), longest=40),
        Column("placed_at", gettext_lazy("Order date"), cells.moment(settings.TIME_ZONE),
               headings.PLACED, goes_to=gettext_lazy("Order placed"),
               how=gettext_lazy("In the zone of the company")),
        Column("status", gettext_lazy("Status"), state, headings.STATUS, may_be_empty=True,
               goes_to=gettext_lazy("State"), how=gettext_lazy("By word; else by the days")),
        Column("shipped_at", gettext_lazy("Sent on"), cells.moment(settings.TIME_ZONE),
               headings.SHIPPED, may_be_empty=True, goes_to=gettext_lazy("State"),
               how=gettext_lazy("Where no column says the state")),
        Column("delivered_at", gettext_lazy("Delivered on"), cells.moment(settings.TIME_ZONE),
               headings.DELIVERED, may_be_empty=True, goes_to=gettext_lazy("State"),
               how=gettext_lazy("Where no column says the state")),
        Column("country", gettext_lazy("Country"), cells.text, headings.COUNTRY,
               may_be_empty=True, goes_to=gettext_lazy("Country"), how=gettext_lazy("By name"),
               longest=80, plain=True),
        CURRENCY,
        FREIGHT,
    )  # fmt: skip
    steps = (OrderRows, PlainCharges, resources.OrderTotals)

    def derive(self, rows: Iterable[SheetRow]) -> Derivation:
        """Return the orders and their charges."""
        taken = _Taken()
        for row in rows:
            taken.take(row)
        return Derivation(
            {"orders": taken.orders, "charges": taken.charges},
            taken.problems,
            taken.sums(),
            read=taken.read,
            ready=len(taken.orders),
        )

    def measure(self, derivation: Derivation) -> dict[str, int]:
        """Return what the database holds of the file's orders and charges."""
        data = derivation.datasets
        count, money = system.amounts(Charge, data["charges"], "order", resources.CHARGE_KEY)
        return {
            "orders": system.known(Order, data["orders"]),
            "charges": count,
            "charge_money": money,
        }


class _Taken:
    """What was read of a list of orders; made anew for each reading."""

    def __init__(self) -> None:
        self.read = 0
        self.orders: list[Record] = []
        self.charges: list[Record] = []
        self.problems: list[Problem] = []
        self._numbers: set[str] = set()
        self._left_out = 0
        self._charges_out: list[tuple[str, Decimal]] = []
        self._default = installation.currency()

    def take(self, row: SheetRow) -> None:
        """Read one row."""
        self.read += 1
        bad = row.bad or self._twice(row)
        if bad:
            self._left_out += 1
            self.problems.extend(bad)
            if row.values.get("freight"):
                coin = row.values.get("currency") or self._default
                self._charges_out.append((coin, row.values["freight"]))
            return
        values = row.values
        self._numbers.add(values["number"])
        coin = values["currency"] or self._default
        freight = _freight(values, coin)
        self.orders.append(Record(_order(row, coin, freight), row.sheet, row.number))
        if freight is not None:
            self.charges.append(Record(freight, row.sheet, row.number))

    def _twice(self, row: SheetRow) -> list[Problem]:
        number = row.values["number"]
        if number not in self._numbers:
            return []
        return [Problem("order-twice", row.sheet, row.number, "number", quote(number))]

    def sums(self) -> list[CheckSum]:
        """Return what must agree; amounts where all orders have one currency."""
        ready, out = len(self.orders), self._left_out
        return [
            CheckSum("orders", _("Orders"), ready + out, out, ready),
            *charges(self.charges, self._charges_out),
        ]


def charges(ready: list[Record], out: list[tuple[str, Decimal]]) -> list[CheckSum]:
    """Return what must agree of charges; `out` are currency and price of those left out."""
    coming, gone = len(ready), len(out)
    counts = [CheckSum("charges", _("Charges"), coming + gone, gone, coming)]
    prices = [(one.values["source_price"], one.values["total_minor"]) for one in ready]
    coins = {one.values["currency"] for one in ready}
    if len(coins) == 1:
        coin = coins.pop()
        money = check_sums.amounts(
            "charge_money",
            _("Sum of charges"),
            exact=sum((price for price, _minor in prices), Decimal(0)),
            out=sum((price for other, price in out if other == coin), Decimal(0)),
            ready=sum(minor for _price, minor in prices),
            currency=coin,
        )
        counts.append(money)
    return counts


def _order(row: SheetRow, coin: str, freight: dict[str, Any] | None) -> dict[str, Any]:
    values = row.values
    return {
        "number": values["number"],
        "customer": values["customer"],
        "placed_at": values["placed_at"],
        "status": values["status"] or _state_by_days(values),
        "country": values["country"] or "",
        "currency": coin,
        "total_minor": freight["total_minor"] if freight else 0,
        "batch": row.sheet[:80],
    }


def _state_by_days(values: dict[str, Any]) -> str:
    if values["delivered_at"]:
        return Order.Status.DELIVERED.value
    return (Order.Status.SHIPPED if values["shipped_at"] else Order.Status.PLACED).value


def _freight(values: dict[str, Any], coin: str) -> dict[str, Any] | None:
    return values["freight"] and charge(values["number"], values["freight"], coin)


def charge(order: str, price: Decimal, coin: str, occurrence: int = 0) -> dict[str, Any]:
    """Return the record of a charge for postage."""
    return {
        "order": order,
        "code": POSTAGE,
        "quantity": 1,
        "source_price": price,
        "occurrence": occurrence,
        "description": "",
        "total_minor": Money.rounded(price, coin).minor,
        "currency": coin,
    }
