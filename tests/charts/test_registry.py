"""Registering charts, and the recipe of the docs."""

from collections.abc import Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Sum

from backoffice.accounts.models import User
from backoffice.charts import figures, registry
from backoffice.charts.queries import read
from backoffice.charts.registry import Chart, Kind, Row, Rows, Scope, chart
from orders.models import Order, OrderLine
from tests.factories import make_order, make_seller


def sales_by_seller(scope: Scope) -> Rows:
    return (
        scope(OrderLine)
        .values_list("seller__name", "currency")
        .annotate(amount=Sum("total_minor"))
        .order_by("-amount")
    )


def nothing(scope: Scope) -> list[Row]:
    return []


@pytest.fixture
def by_seller() -> Iterator[Chart]:
    chart("Sales by seller", kind="bar", permission="orders.view_order", key="test.by_seller")(
        sales_by_seller
    )
    yield registry.get("test.by_seller")
    registry.remove("test.by_seller")


def test_the_recipe_draws_rows_of_three(by_seller: Chart, kim: User) -> None:
    make_order(1000, 250, seller=make_seller("first-shop"))
    make_order(500, seller=make_seller("second-shop"))
    [panel] = read(by_seller, Scope(kim))
    assert [(mark.row.label, mark.text, mark.share) for mark in panel.marks] == [
        ("First Shop", "£12.50", "71.4\N{NARROW NO-BREAK SPACE}%"),
        ("Second Shop", "£5.00", "28.6\N{NARROW NO-BREAK SPACE}%"),
    ]
    [figure] = figures.figure(by_seller, kim)
    assert list(figure["data"][0]["x"]) == [12.5, 5.0]
    assert list(figure["data"][0]["y"]) == ["First Shop", "Second Shop"]


def test_scope_gives_a_seller_own_rows_only(by_seller: Chart, sol: User, sam: User) -> None:
    make_order(1000, seller=make_seller("sol-shop"))
    make_order(500, seller=make_seller("sam-shop"))
    [panel] = read(by_seller, Scope(sol, site="seller"))
    assert [(mark.row.label, mark.row.minor) for mark in panel.marks] == [("Sol Shop", 1000)]


def test_a_second_chart_of_one_name_is_refused(by_seller: Chart) -> None:
    with pytest.raises(ImproperlyConfigured):
        registry.add(by_seller)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="radar"):
        chart("Radar", kind="radar", permission="orders.view_order")(nothing)


def test_a_key_is_made_of_app_and_function() -> None:
    keys = [item.key for item in registry.every()]
    assert "reports.revenue_by_country" in keys
    assert "orders.best_products" in keys


def test_a_shared_question_is_asked_once(kim: User) -> None:
    asked: list[Scope] = []

    def question(scope: Scope) -> int:
        asked.append(scope)
        return 7

    scope = Scope(kim)
    assert (scope.once(question), scope.once(question), len(asked)) == (7, 7, 1)
    assert Scope(kim).once(question) == 7
    assert len(asked) == 2


def test_behind_gives_the_rows_of_a_mark(kim: User) -> None:
    order = make_order(700)
    item = Chart("x", "X", Kind.BAR, "orders.view_order", nothing, drill=Order)
    row = Row("France", "GBP", 700, query={"country__exact": "France"})
    assert list(item.behind(Scope(kim), row)) == [order]
    with pytest.raises(LookupError):
        item.behind(Scope(kim), Row("France", "GBP", 700))
