"""The card of a chart: figure, table and links, for whom they are meant."""

import json
import re
from collections.abc import Iterator

import pytest
from django.template import RequestContext, Template
from django.test import RequestFactory

from backoffice.accounts.models import User
from backoffice.charts import figures, kpis, registry
from backoffice.charts.queries import Mark, Panel, brief, exact, percent
from backoffice.charts.registry import Chart, Kind, Row, Scope
from orders.models import Order
from sellers.models import Product
from tests.people import allow

HOSTILE = "</script><a href='https://evil.example'>Lamp</a> %{x}"


def rows(scope: Scope) -> list[Row]:
    return [
        Row("Spain", "GBP", 2271, query={"country__exact": "Spain"}, drill=Product),
        Row(HOSTILE, "GBP", 729),
        Row("Spain", "", 3),
    ]


@pytest.fixture(params=list(Kind))
def key(request: pytest.FixtureRequest) -> Iterator[str]:
    registry.add(Chart("test.card", "A chart", request.param, "orders.view_order", rows, Order))
    yield "test.card"
    registry.remove("test.card")


def card(user: User, key: str) -> str:
    request = RequestFactory().get("/")
    request.user = user
    context = RequestContext(request, {"key": key, "request": request})
    return Template("{% load charts %}{% chart key %}").render(context)


def test_a_card_holds_figure_and_table_of_each_currency(key: str, kim: User) -> None:
    html = card(kim, key)
    assert html.count("application/json") == 2
    link = r'<a href="/admin/sellers/product/\?country__exact=Spain"[^<]*£22.71[^<]*</a>'
    assert re.search(link, html)
    assert "£30.00 in all" in html
    assert "Amounts in GBP." in html


def test_a_card_holds_no_markup_from_rows(key: str, kim: User) -> None:
    html = card(kim, key)
    assert "</script><a" not in html
    assert "<a href='https://evil" not in html
    figure = json.loads(re.findall(r'type="application/json">(.*?)</script>', html)[0])
    assert "<a" not in json.dumps(figure)
    assert "&lt;a href=" in json.dumps(figure)


def test_a_card_is_empty_without_the_permission(key: str, gus: User) -> None:
    assert card(gus, key).strip() == ""


def test_a_mark_has_no_link_to_a_list_that_the_person_may_not_open(key: str, kim: User) -> None:
    kim.groups.clear()
    person = User.objects.get(pk=kim.pk)
    assert card(person, key).strip() == ""
    html = card(allow(person, "orders.view_order"), key)
    assert "£23" in html or "£22.71" in html
    assert "/admin/" not in html


def test_an_inline_script_or_style_is_never_written(key: str, kim: User) -> None:
    html = card(kim, key)
    assert "<style" not in html
    assert " style=" not in html
    assert not re.search(r"<script(?![^>]*application/json)", html)


@pytest.mark.parametrize(
    ("minor", "currency", "full", "short"),
    [
        (123456, "GBP", "£1,234.56", "£1,235"),
        (-50, "GBP", "\N{MINUS SIGN}£0.50", "\N{MINUS SIGN}£1"),
        (12000, "KRW", "₩12,000", "₩12,000"),
        (12345, "BHD", "BHD 12.345", "BHD 12"),
        (1234, "", "1,234", "1,234"),
    ],
)
def test_amounts_as_text(minor: int, currency: str, full: str, short: str) -> None:
    assert (exact(minor, currency), brief(minor, currency)) == (full, short)


def test_a_share_of_nothing_is_not_shown() -> None:
    assert (percent(1, 0), percent(37, 1000)) == ("", "3.7\N{NARROW NO-BREAK SPACE}%")


def test_of_two_series_the_first_is_the_grey_one() -> None:
    item = Chart("x", "X", Kind.COLUMN, "", rows)
    marks = [
        Mark(Row(label, "GBP", 1, series=series), "", colour, "", "", "")
        for series, colour in [("before", "c6"), ("now", "c1")]
        for label in ("Jan", "Feb")
    ]
    panel = Panel(item, "GBP", marks)
    assert [trace["meta"]["colour"] for trace in figures.draw(panel)["data"]] == ["c6", "c1"]
    assert [mark.row.series for mark in panel.legend] == ["before", "now"]
    assert [[cell is not None for cell in line.cells] for line in panel.table] == [[True, True]] * 2


def test_a_card_compares_with_the_year_before() -> None:
    kpi = kpis.compared("Revenue", 12000, 10000, currency="GBP", past=[1, 3, 2])
    assert (kpi.value, kpi.detail, kpi.good) == ("£120", "£100 before", True)
    assert kpi.change == "▲ 20.0\N{NARROW NO-BREAK SPACE}%"
    assert kpi.points == "0.0,22.0 36.0,2.0 72.0,12.0"


def test_less_of_a_share_is_better() -> None:
    kpi = kpis.share_of("Returned", "", (37, 1000), (66, 1000))
    assert (kpi.value, kpi.change, kpi.good) == (
        "3.7\N{NARROW NO-BREAK SPACE}%",
        "▼ 2.9 points",
        True,
    )


def test_a_figure_with_nothing_before_compares_with_nothing() -> None:
    assert kpis.compared("Orders", 5, 0).good is None
    assert kpis.share_of("Returned", "", (1, 10), (1, 0)).change == ""
