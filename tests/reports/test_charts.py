"""A chart must never disagree with the list behind it."""

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from backoffice.accounts.models import User
from backoffice.charts import figures, registry
from backoffice.charts.queries import read
from backoffice.charts.registry import Row, Scope
from tests.reports.trade import sell, two_years

CHARTS = [
    "reports.revenue_by_month",
    "reports.revenue_by_country",
    "reports.share_by_category",
    "reports.two_years",
]


def rows(key: str, user: User, **options: str) -> list[Row]:
    """Return the rows of a chart as `user` gets them."""
    return list(registry.get(key).ask(Scope(user, options=options)))  # type: ignore[arg-type]


def amounts(key: str, user: User, currency: str = "GBP", **options: str) -> dict[str, int]:
    """Return label -> minor units of one currency, without months in which nothing was sold."""
    return {
        f"{row.series} {row.label}".strip(): row.minor
        for row in rows(key, user, **options)
        if row.currency == currency and row.minor
    }


def test_revenue_by_month_counts_local_months(kim: User) -> None:
    two_years()
    assert amounts("reports.revenue_by_month", kim) == {
        "Dec 2009": 1000,
        "Nov 2010": 3600,
        "Dec 2010": 700,
        "Apr 2011": 1150,
        "Oct 2011": 3020,
        "Dec 2011": 77,
    }


def test_revenue_by_month_shows_months_without_sales(kim: User) -> None:
    two_years()
    labels = [row.label for row in rows("reports.revenue_by_month", kim) if row.currency == "GBP"]
    assert (len(labels), labels[:2], labels[-1]) == (25, ["Dec 2009", "Jan 2010"], "Dec 2011")


def test_revenue_by_country_is_of_the_last_twelve_full_months(kim: User) -> None:
    two_years()
    assert amounts("reports.revenue_by_country", kim) == {
        "France": 3450,
        "Not known": 1150,
        "Spain": 270,
    }


def test_revenue_by_country_follows_the_chosen_period(kim: User) -> None:
    two_years()
    assert amounts("reports.revenue_by_country", kim, until="2010-11") == {"Spain": 4600}


@pytest.mark.parametrize("until", ["", "2011-13", "0000-01", "x' OR 1=1", "2011-11-30"])
def test_a_period_that_is_none_falls_back_to_the_newest(kim: User, until: str) -> None:
    two_years()
    found = amounts("reports.revenue_by_country", kim, until=until)
    assert sum(found.values()) == 3450 + 1150 + 270


def test_share_by_category_adds_up_to_revenue(kim: User) -> None:
    two_years()
    found = amounts("reports.share_by_category", kim)
    assert found == {
        "Kitchen": 2000,
        "Lights": 1800,
        "Bags": 300,
        "Garden": 200,
        "4 others": 320,
        "Postage and charges": 250,
    }
    assert sum(found.values()) == sum(amounts("reports.revenue_by_country", kim).values())


def test_two_years_stand_side_by_side(kim: User) -> None:
    two_years()
    assert amounts("reports.two_years", kim) == {
        "Year 2009-2010 Dec": 1000,
        "Year 2009-2010 Nov": 3600,
        "Year 2010-2011 Dec": 700,
        "Year 2010-2011 Apr": 1150,
        "Year 2010-2011 Oct": 3020,
    }


@pytest.mark.parametrize("key", CHARTS)
def test_currencies_are_never_added(kim: User, key: str) -> None:
    two_years()
    panels = read(registry.get(key), Scope(kim))
    assert [panel.currency for panel in panels] == ["GBP", "KRW"]
    assert {mark.row.currency for mark in panels[1].marks} == {"KRW"}
    assert panels[1].total == "₩4,000"


@pytest.mark.parametrize("key", CHARTS)
def test_every_mark_equals_the_sum_of_the_list_that_it_opens(
    kim: User, client: Client, key: str
) -> None:
    two_years()
    client.force_login(kim)
    marks = [mark for panel in read(registry.get(key), Scope(kim)) for mark in panel.marks]
    opened = [mark for mark in marks if mark.url]
    assert len(opened) > 3
    for mark in opened:
        response = client.get(mark.url)
        assert response.status_code == 200, mark.url
        listed = response.context["cl"].get_queryset(response.wsgi_request)
        assert sum(row.total_minor for row in listed) == mark.row.minor, mark.url


def test_others_with_a_comma_in_a_name_open_no_list(kim: User) -> None:
    two_years()
    found = {row.label: row for row in rows("reports.share_by_category", kim)}
    assert found["4 others"].query == {}


def test_others_open_the_lines_of_them_all(kim: User, client: Client) -> None:
    for number in range(8):
        sell("2011-06-01T12:00", (f"Category {number}", 100 + number))
    sell("2011-07-01T12:00", ("Category 7", 1))
    client.force_login(kim)
    [panel] = read(registry.get("reports.share_by_category"), Scope(kim))
    others = panel.marks[-1]
    assert (others.row.label, others.row.minor) == ("4 others", 100 + 101 + 102 + 103)
    listed = client.get(others.url).context["cl"].queryset
    assert sum(line.total_minor for line in listed) == others.row.minor


@pytest.mark.parametrize("key", CHARTS)
def test_a_chart_is_refused_without_the_permission(ann: User, key: str) -> None:
    two_years()
    with pytest.raises(PermissionDenied):
        figures.figure(registry.get(key), ann)


@pytest.mark.parametrize("key", CHARTS)
def test_query_count_does_not_grow(
    kim: User, django_assert_num_queries: DjangoAssertNumQueries, key: str
) -> None:
    sell("2011-10-02T12:00", ("Kitchen", 2000), postage=5)
    kim.get_all_permissions()
    expected = {"reports.revenue_by_country": 2, "reports.share_by_category": 3}.get(key, 2)
    with django_assert_num_queries(expected):
        figures.figure(registry.get(key), kim)
    two_years()
    with django_assert_num_queries(expected):
        figures.figure(registry.get(key), kim)


@pytest.mark.parametrize("key", CHARTS)
def test_without_orders_there_is_nothing_to_draw(kim: User, key: str) -> None:
    assert figures.figure(registry.get(key), kim) == []


@pytest.mark.parametrize("key", CHARTS)
def test_figures_are_plain_data(kim: User, key: str) -> None:
    two_years()
    for figure in figures.figure(registry.get(key), kim):
        assert json.loads(json.dumps(figure)) == figure
        assert "template" not in figure["layout"]
