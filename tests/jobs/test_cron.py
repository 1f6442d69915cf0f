"""Five fields of cron, on a clock that is put forward and back."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from backoffice.jobs.cron import CronError, parse

LONDON, KOLKATA = ZoneInfo("Europe/London"), ZoneInfo("Asia/Kolkata")


def times(spec: str, start: datetime, count: int = 3, zone: ZoneInfo = LONDON) -> list[str]:
    """Return the next times by the clock on the wall, with the offset."""
    found = []
    for _ in range(count):
        start = parse(spec).next_after(start, zone)
        found.append(start.astimezone(zone).strftime("%m-%d %H:%M %z"))
    return found


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("* * * * *", ["01-31 22:08 +0000", "01-31 22:09 +0000", "01-31 22:10 +0000"]),
        ("*/20 * * * *", ["01-31 22:20 +0000", "01-31 22:40 +0000", "01-31 23:00 +0000"]),
        ("0 3 * * *", ["02-01 03:00 +0000", "02-02 03:00 +0000", "02-03 03:00 +0000"]),
        ("5,50 9-10 * * *", ["02-01 09:05 +0000", "02-01 09:50 +0000", "02-01 10:05 +0000"]),
        ("0 0 31 * *", ["03-31 00:00 +0100", "05-31 00:00 +0100", "07-31 00:00 +0100"]),
        ("0 12 * * 1-5", ["02-02 12:00 +0000", "02-03 12:00 +0000", "02-04 12:00 +0000"]),
        ("0 12 * * 7", ["02-01 12:00 +0000", "02-08 12:00 +0000", "02-15 12:00 +0000"]),
        ("0 12 13 * 5", ["02-06 12:00 +0000", "02-13 12:00 +0000", "02-20 12:00 +0000"]),
        ("0 0 29 2 *", ["02-29 00:00 +0000"] * 3),
    ],
)
def test_next_times(spec: str, expected: list[str]) -> None:
    assert times(spec, datetime(2026, 1, 31, 22, 7, 30, tzinfo=UTC)) == expected


def test_hour_that_is_left_out_comes_at_the_change() -> None:
    """On 29 March 2026 London goes from 1:00 to 2:00."""
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    expected = ["03-29 02:00 +0100", "03-30 01:30 +0100"]
    assert times("30 1 * * *", start, 2) == expected


def test_hour_that_comes_twice_counts_once_unless_every_hour_is_meant() -> None:
    """On 25 October 2026 London goes from 2:00 back to 1:00."""
    start = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert times("30 1 * * *", start, 2) == ["10-25 01:30 +0100", "10-26 01:30 +0000"]
    hourly = times("30 * * * *", datetime(2026, 10, 24, 23, 31, tzinfo=UTC), 3)
    assert hourly == ["10-25 01:30 +0100", "10-25 01:30 +0000", "10-25 02:30 +0000"]


def test_zone_of_half_an_hour() -> None:
    start = datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert times("10 0 * * *", start, 2, KOLKATA) == ["02-01 00:10 +0530", "02-02 00:10 +0530"]


def test_every_minute_of_a_year_comes_once_and_in_order() -> None:
    """Whatever is due by the field, minute by minute, is what next_after finds."""
    cron, at = parse("7 */6 * * *"), datetime(2026, 3, 1, tzinfo=UTC)
    found = [at]
    while found[-1] < datetime(2026, 11, 30, tzinfo=UTC):
        found.append(cron.next_after(found[-1], LONDON))
    assert all(one < other for one, other in pairwise(found))
    assert len({one.astimezone(LONDON).strftime("%m-%d %H:%M") for one in found[1:]}) == 275 * 4 - 3


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "* * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 31 2 *",
        "* * 31 4,6 *",
        "*/0 * * * *",
        "5-1 * * * *",
        "a * * * *",
        "1,,2 * * * *",
        "-1 * * * *",
        "* * * * mon",
        "@daily",
    ],
)
def test_what_cannot_be_read_is_refused(spec: str) -> None:
    with pytest.raises(CronError):
        parse(spec)
