"""One page across systems: what a source does not give is a gap, never a blank or a 0."""

import time
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.masking import masks
from backoffice.money import Money
from backoffice.sources.columns import UNAVAILABLE, Cell, Column, Count, Last, Sum
from backoffice.sources.fields import SpecError, Text
from backoffice.sources.join import Joined, State, run
from backoffice.sources.runtime import Wanted
from backoffice.sources.spec import LinkHeader, Lookup, Query, SourcePage
from fixtures.backends.rest import read
from orders.workflows import CustomerOrders, Customers, Orders
from tests.backends import Backend

FIRST = "12349"
EURO = "12353"  # the numbers that are multiples of eleven are in euro


def show(user: User, **wanted: Any) -> Joined:
    return run(CustomerOrders, Wanted(**wanted), user=user)


def states(joined: Joined) -> dict[str, State]:
    """Return name -> state; slow counts as up, since a busy test machine makes anything slow."""
    return {
        report.source.name: State.UP if report.state is State.SLOW else report.state
        for report in joined.reports
    }


def known_orders(customer: str) -> list[dict[str, Any]]:
    return [row for row in read("orders.jsonl") if row["customer_id"] == customer]


def test_row_is_joined_with_its_orders(
    eve: User, customer_api: Backend, order_api: Backend
) -> None:
    line = show(eve).lines[0]
    orders = known_orders(FIRST)
    latest = max(orders, key=lambda row: row["placed_at"])
    total = sum(Decimal(str(row["total"])) for row in orders)
    assert [cell.value for cell in line.cells[4:]] == [
        "Silver",
        len(orders),
        datetime.fromisoformat(latest["placed_at"]),
        latest["state"],
        (Money.of(total, "GBP"),),
    ]


def test_totals_of_the_page_keep_currencies_apart(
    eve: User, customer_api: Backend, order_api: Backend
) -> None:
    joined = show(eve, per_page=100)
    shown = {line.key for line in joined.lines}
    sums: Counter[str] = Counter()
    for row in read("orders.jsonl"):
        if row["customer_id"] in shown:
            sums[row["currency"]] += round(row["total"] * 100)
    expected = tuple(Money(minor, currency) for currency, minor in sorted(sums.items()))
    assert len(expected) == 2
    assert joined.totals[-1] == Cell(expected)


def test_page_of_a_hundred_costs_two_calls(
    eve: User, customer_api: Backend, order_api: Backend
) -> None:
    joined = show(eve, per_page=20)
    assert (joined.calls, customer_api.calls("/customers"), order_api.calls("/orders")) == (2, 1, 1)


def test_stopped_lookup_leaves_gaps_and_no_totals(
    eve: User, customer_api: Backend, order_api: Backend
) -> None:
    order_api.stop()
    joined = show(eve)
    assert states(joined) == {"customer-api": State.UP, "order-api": State.DOWN}
    assert len(joined.lines) == 20
    assert {tuple(line.cells[5:]) for line in joined.lines} == {(UNAVAILABLE,) * 4}
    assert joined.totals[5:] == [UNAVAILABLE, None, None, UNAVAILABLE]
    assert str(joined.down[0].reason) == "does not answer"


def test_source_that_comes_back_is_up_again(
    eve: User, customer_api: Backend, order_api: Backend
) -> None:
    order_api.stop()
    assert states(show(eve))["order-api"] == State.DOWN
    order_api.start()
    assert states(show(eve))["order-api"] == State.UP


def test_stopped_first_source_leaves_nothing_to_ask(
    eve: User, customer_api: Backend, order_api: Backend
) -> None:
    customer_api.stop()
    joined = show(eve)
    assert (joined.readable, joined.lines) == (False, [])
    assert states(joined) == {"customer-api": State.DOWN, "order-api": State.NOT_ASKED}
    assert order_api.calls("/orders") == 0


def test_failed_batch_leaves_gaps_in_its_own_rows_only(
    eve: User, customer_api: Backend, order_api: Backend
) -> None:
    class Halves(SourcePage):
        rows = Customers
        lookups = {"orders": Lookup(Strict, on=("id", "customer_id"), max_keys=1)}
        columns = [Column("id"), Count("orders")]

    Halves.permission = "sources.view_pages"
    joined = run(Halves, Wanted(per_page=60), user=eve)
    gaps = {line.key for line in joined.lines if not line.cells[1].known}
    euro = {line.key for line in joined.lines if int(line.key) % 11 == 0}
    assert gaps == euro
    assert len(gaps) == 7
    assert joined.totals == [None, UNAVAILABLE]
    assert states(joined)["order-api"] == State.DOWN


class OnlyPounds(Text):
    """Text that takes nothing but GBP, so that a batch with euro in it fails."""

    __slots__ = ()

    def parse(self, raw: Any, row: Any) -> str:
        return str(super().parse(raw if raw == "GBP" else None, row))


class Strict(Query):
    source, path = Orders.source, "/orders"
    paginate = LinkHeader("page", "limit", total="X-Total-Count")
    number = Text(key=True)
    customer_id = Text(batch="customer_id__in")
    currency = OnlyPounds()


def test_hanging_source_is_left_behind_in_time(
    eve: User, customer_api: Backend, order_api: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CustomerOrders, "budget", 3.0)
    order_api.play(delay=20)
    started = time.monotonic()
    joined = show(eve)
    assert time.monotonic() - started < 15
    assert states(joined) == {"customer-api": State.UP, "order-api": State.DOWN}
    assert str(joined.down[0].reason) == "did not answer in time"


def test_slow_source_is_told(eve: User, customer_api: Backend, order_api: Backend) -> None:
    order_api.play(delay=1.1)
    assert show(eve).reports[1].state == State.SLOW


def test_customer_without_orders_has_a_true_zero(
    eve: User, customer_api: Backend, order_api: Backend, settings: Settings
) -> None:
    class Unrelated(SourcePage):
        rows = Customers
        lookups = {"orders": Lookup(Orders, on=("country", "customer_id"))}
        columns = [Count("orders"), Last("orders.state", by="placed_at"), Sum("orders.total")]

    Unrelated.permission = "sources.view_pages"
    joined = run(Unrelated, Wanted(per_page=1), user=eve)
    assert joined.lines[0].cells == [Cell(0), Cell(None), Cell(None)]


def test_person_without_the_right_asks_nobody(gus: User, customer_api: Backend) -> None:
    with pytest.raises(PermissionDenied):
        show(gus)
    assert customer_api.calls("/customers") == 0


@pytest.mark.parametrize(
    "options", [{"key": True}, {"filter": "name"}, {"batch": "name__in"}, {"sort": True}]
)
def test_masked_field_can_neither_find_nor_sort_nor_join(options: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="is masked"):
        type("Leaky", (Query,), {"name": Text(mask=masks.name, **options), "sort_param": "s"})


@pytest.mark.parametrize(
    "column",
    [
        Column("phone"),
        Count("parcels"),
        Sum("orders.state"),
        Sum("orders.weight"),
        Last("orders.state", by="weight"),
        Last("parcels.state", by="placed_at"),
    ],
)
def test_column_without_its_field_is_refused_at_start(column: Column) -> None:
    options = {
        "rows": Customers,
        "lookups": {"orders": Lookup(Orders, on=("id", "customer_id"))},
        "columns": [column],
    }
    with pytest.raises(SpecError):
        type("Wrong", (SourcePage,), options)


@pytest.mark.parametrize(
    "lookup",
    [
        Lookup(Orders, on=("number", "customer_id")),
        Lookup(Orders, on=("id", "number")),
        Lookup(Orders, on=("id", "customer_id"), max_keys=101),
    ],
)
def test_lookup_that_cannot_be_asked_in_batches_is_refused_at_start(lookup: Lookup) -> None:
    with pytest.raises(SpecError):
        type("Wrong", (SourcePage,), {"rows": Customers, "lookups": {"o": lookup}, "columns": []})


def test_sorting_needs_a_parameter() -> None:
    with pytest.raises(SpecError, match="sort_param"):
        type("Unsorted", (Query,), {"name": Text(sort=True)})


def test_query_needs_one_key() -> None:
    with pytest.raises(SpecError, match="key=True"):
        type("Keyless", (Query,), {"name": Text()}).key()  # type: ignore[attr-defined]
