"""Months of a time zone, grouped by the database."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Count
from hypothesis import given
from hypothesis import strategies as st

from backoffice.charts.periods import Month, bucket, months, within
from orders.models import Order
from tests.factories import make_order

LONDON = ZoneInfo("Europe/London")
SEOUL = ZoneInfo("Asia/Seoul")


def test_a_month_begins_when_the_zone_says() -> None:
    assert Month(2011, 4).start(LONDON) == datetime(2011, 3, 31, 23, 0, tzinfo=UTC)
    assert Month(2011, 12).start(LONDON) == datetime(2011, 12, 1, tzinfo=UTC)
    assert Month(2011, 12).start(SEOUL) == datetime(2011, 11, 30, 15, 0, tzinfo=UTC)


@given(year=st.integers(1900, 2200), number=st.integers(1, 12), step=st.integers(-600, 600))
def test_going_there_and_back_is_the_same_month(year: int, number: int, step: int) -> None:
    month = Month(year, number)
    assert month.plus(step).plus(-step) == month
    assert (month.plus(step) > month) == (step > 0)


@given(st.integers(0, 4_000_000_000))
def test_every_moment_lies_between_the_borders_of_its_month(second: int) -> None:
    moment = datetime.fromtimestamp(second, tz=UTC)
    month = Month.of(moment, LONDON)
    assert month.start(LONDON) <= moment < month.plus(1).start(LONDON)


@pytest.mark.django_db
def test_the_database_puts_moments_into_local_months() -> None:
    run = months(Month(2011, 3), 2)
    for moment in [
        datetime(2011, 2, 28, 23, 59, tzinfo=UTC),
        datetime(2011, 3, 1, tzinfo=UTC),
        datetime(2011, 3, 31, 22, 59, 59, tzinfo=UTC),
        datetime(2011, 3, 31, 23, 0, tzinfo=UTC),
        datetime(2011, 4, 30, 22, 59, 59, tzinfo=UTC),
        datetime(2011, 4, 30, 23, 0, tzinfo=UTC),
    ]:
        Order.objects.filter(pk=make_order(100).pk).update(placed_at=moment)
    found = (
        Order.objects.filter(**within("placed_at", run, LONDON))
        .annotate(slot=bucket("placed_at", run, LONDON))
        .values_list("slot")
        .annotate(number=Count("pk"))
        .order_by("slot")
    )
    assert list(found) == [(0, 2), (1, 2)]
