"""The format of payments of the past: what was paid for orders before they were kept here.

* A payment is identified by its reference; without one by its order and its number there.
* Its gateway is none ("sheet"): it is shown and booked, and never refunded from here.
* Without a day it was paid when the order was placed.
* The state of the order is left as it is: the sheet of orders tells it.
* Nothing paid (a zero) is no payment, and left out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import batched
from typing import Any

from django.conf import settings
from django.db.models import Count, Model, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import installation
from backoffice.money import Money
from backoffice.sheets import cells, formats, problems
from backoffice.sheets.formats import CheckSum, Column, Derivation, Record, SheetRow
from backoffice.sheets.problems import Problem, Severity, Text, quote
from backoffice.sheets.resources import Coming, Field, ForeignKeyWidget, Plan, SheetResource
from orders.models import Order
from orders.sheets import headings
from orders.sheets import sums as check_sums
from orders.sheets.documents import amount, currency
from payments.models import Payment
from payments.services import past
from payments.states import SHEET

_A_QUERY = 300

problems.register(
    {
        "nothing-paid": Text(
            gettext_lazy("Nothing was paid"),
            gettext_lazy("Left out: it is no payment."),
            Severity.SKIPPED,
        ),
        "more-than-minor": Text(
            gettext_lazy("The amount has more decimals than the currency"),
            gettext_lazy("Left out. Write what was paid."),
        ),
        "payment-twice": Text(
            gettext_lazy("The payment stands in the sheet before"),
            gettext_lazy("Left out. A payment has one row."),
        ),
        "other-payment-stored": Text(
            gettext_lazy("A payment of this reference has another order or amount"),
            gettext_lazy("Left out. What was booked does not change."),
        ),
        "captured-here": Text(
            gettext_lazy("A gateway captured this payment: it is here already"),
            gettext_lazy("Left out: it is not paid twice."),
        ),
        "payment-currency": Text(
            gettext_lazy("The order is in another currency"),
            gettext_lazy("Left out. Check the currency."),
        ),
    }
)


class PastPayments(SheetResource):
    """Payments of the past; one that is known is never changed."""

    dataset = "payments"
    label = gettext_lazy("Payments")
    stays = gettext_lazy("It was booked, and the books only grow.")
    columns = {
        "order": "order", "reference": "reference", "captured_minor": "amount",
        "currency": "currency", "captured_at": "paid_at", "method": "method",
    }  # fmt: skip
    order = Field(attribute="order", column_name="order", widget=ForeignKeyWidget(Order, "number"))

    class Meta:
        """By the reference, among those of sheets."""

        model = Payment
        import_id_fields = ("reference", "gateway")
        fields = (
            "order", "gateway", "reference", "method", "currency", "captured_minor", "captured_at",
        )  # fmt: skip

    def enrich(self, records: Sequence[Record], derivation: Derivation) -> None:
        """Read once a chunk the orders; one without a day was paid when its order was placed."""
        numbers = {record.values["order"] for record in records}
        orders = Order.objects.filter(number__in=numbers).order_by()
        self._orders = {one.number: one for one in orders}
        captured = Payment.objects.filter(order__in=self._orders.values()).exclude(gateway=SHEET)
        self._captured = set(captured.order_by().values_list("order__number", "reference"))
        for record in records:
            values = record.values
            if values["captured_at"] is None and values["order"] in self._orders:
                values["captured_at"] = self._orders[values["order"]].placed_at

    def _resolved(
        self, records: Sequence[Record], plan: Plan, coming: Coming | None = None
    ) -> Iterator[tuple[Record, dict[str, Any]]]:
        """Leave out what a gateway captured, and what is in another currency than its order."""
        for record, values in super()._resolved(records, plan, coming):
            if (record.values["order"], record.values["reference"]) in self._captured:
                plan.refuse(record, self.problem("captured-here", record, "reference"))
            elif self._orders[record.values["order"]].currency == record.values["currency"]:
                yield record, values
            else:
                plan.refuse(record, self.problem("payment-currency", record, "currency"))

    def refuse(self, present: Any, record: Record) -> Problem | None:
        """Refuse a payment that stands in the books otherwise."""
        values = record.values
        stored = (present.captured_minor, present.currency, present.order_id)
        order = self._orders[values["order"]]
        if stored == (values["captured_minor"], values["currency"], order.pk):
            return None
        return self.problem("other-payment-stored", record, "captured_minor")

    def written(self, rows: Sequence[Model], *, actor: Any) -> None:
        """Book what came in."""
        past.book_past([row for row in rows if isinstance(row, Payment)], actor=actor)


@formats.register
class Payments(formats.Format):
    """Payments of the past, one row for each."""

    key = "payments"
    title = gettext_lazy("Payments of the past")
    permissions = ("payments.view_payment", "payments.import_payment")
    columns = (
        Column("order", gettext_lazy("Order"), cells.code, headings.ORDER,
               goes_to=gettext_lazy("Order number"), how=gettext_lazy("Text, kept as it is"),
               longest=40),
        Column("sequence", gettext_lazy("Number of the payment"), cells.whole, headings.SEQUENCE,
               may_be_empty=True, goes_to=gettext_lazy("Reference"),
               how=gettext_lazy("Where there is no reference")),
        Column("reference", gettext_lazy("Reference"), cells.code, headings.REFERENCE,
               may_be_empty=True, goes_to=gettext_lazy("Reference"),
               how=gettext_lazy("Else order and number"), longest=150),
        Column("method", gettext_lazy("Method"), cells.text, headings.METHOD, may_be_empty=True,
               goes_to=gettext_lazy("Method"), how=gettext_lazy("Text"), longest=40, plain=True),
        Column("amount", gettext_lazy("Amount"), amount, headings.AMOUNT,
               goes_to=gettext_lazy("Paid"), how=gettext_lazy("Amount")),
        Column("currency", gettext_lazy("Currency"), currency, headings.CURRENCY,
               may_be_empty=True, goes_to=gettext_lazy("Currency"),
               how=gettext_lazy("That of the company where it says none"), longest=3, plain=True),
        Column("paid_at", gettext_lazy("Paid on"), cells.moment(settings.TIME_ZONE),
               headings.PAID, may_be_empty=True, goes_to=gettext_lazy("Paid"),
               how=gettext_lazy("Else when the order was placed")),
    )  # fmt: skip
    steps = (PastPayments,)

    def derive(self, rows: Iterable[SheetRow]) -> Derivation:
        """Return the payments."""
        taken = _Taken()
        for row in rows:
            taken.take(row)
        return Derivation(
            {"payments": taken.payments},
            taken.problems,
            taken.sums(),
            read=taken.read,
            ready=len(taken.payments),
        )

    def measure(self, derivation: Derivation) -> dict[str, int]:
        """Return what the database holds of the file's payments."""
        count = money = 0
        references = (one.values["reference"] for one in derivation.datasets["payments"])
        for part in batched(references, _A_QUERY):
            rows = Payment.objects.filter(gateway=SHEET, reference__in=part)
            found = rows.order_by().aggregate(Count("pk"), Sum("captured_minor"))
            count, money = count + found["pk__count"], money + (found["captured_minor__sum"] or 0)
        return {"payments": count, "money": money}


class _Taken:
    """What was read of a list of payments; made anew for each reading."""

    def __init__(self) -> None:
        self.read = 0
        self.payments: list[Record] = []
        self.problems: list[Problem] = []
        self._of_order: Counter[str] = Counter()
        self._references: set[str] = set()
        self._left_out = 0
        self._amount_out: dict[str, Decimal] = {}
        self._default = installation.currency()

    def take(self, row: SheetRow) -> None:
        """Read one row."""
        self.read += 1
        bad = row.bad or self._wrong(row)
        if bad:
            self._leave_out(row)
            self.problems.extend(bad)
            return
        self.payments.append(Record(self._payment(row.values), row.sheet, row.number))

    def _leave_out(self, row: SheetRow) -> None:
        """Count a row that does not come in, and its amount where that can be read."""
        self._left_out += 1
        coin = row.values.get("currency") or self._default
        amount = row.values.get("amount") or Decimal(0)
        self._amount_out[coin] = self._amount_out.get(coin, Decimal(0)) + amount

    def _wrong(self, row: SheetRow) -> list[Problem]:
        """Return what keeps a well-formed row out."""
        values = row.values
        values["currency"] = values["currency"] or self._default
        self._of_order[values["order"]] += 1
        values["reference"] = values["reference"] or self._name(values)
        if not values["amount"]:
            return [_at(row, "nothing-paid", "amount")]
        if Money.rounded(values["amount"], values["currency"]).amount != values["amount"]:
            return [_at(row, "more-than-minor", "amount")]
        if values["reference"] in self._references:
            return [_at(row, "payment-twice", "order")]
        self._references.add(values["reference"])
        return []

    def _name(self, values: dict[str, Any]) -> str:
        number = values["sequence"]
        return f"{values['order']}-{self._of_order[values['order']] if number is None else number}"

    @staticmethod
    def _payment(values: dict[str, Any]) -> dict[str, Any]:
        return {
            "order": values["order"],
            "gateway": SHEET,
            "reference": values["reference"],
            "method": values["method"] or "",
            "currency": values["currency"],
            "captured_minor": Money.of(values["amount"], values["currency"]).minor,
            "captured_at": values["paid_at"],
        }

    def sums(self) -> list[CheckSum]:
        """Return what must agree; the amount where all have one currency."""
        ready, out = len(self.payments), self._left_out
        result = [CheckSum("payments", _("Payments"), ready + out, out, ready)]
        coins = {one.values["currency"] for one in self.payments}
        if len(coins) == 1:
            coin = coins.pop()
            minor = sum(one.values["captured_minor"] for one in self.payments)
            paid = check_sums.amounts(
                "money",
                _("Paid"),
                exact=Money(minor, coin).amount,
                out=self._amount_out.get(coin, Decimal(0)),
                ready=minor,
                currency=coin,
            )
            result.append(paid)
        return result


def _at(row: SheetRow, code: str, column: str) -> Problem:
    return Problem(code, row.sheet, row.number, column, quote(row.values[column]))
