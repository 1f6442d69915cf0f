"""Times of a schedule in the five fields of cron: minute, hour, day, month, day of the week.

A field is `*`, a number, a range `1-5`, a step `*/15` or `10-40/10`, or a list of these. Days of
the week count from Sunday, 0 or 7. When day and day of the week are both given, either will do,
as in cron.

The times are those of a clock on the wall. When it is put forward, what falls into the hour that
is left out comes at the moment of the change; when it is put back, what names its hours comes in
the first of the two equal hours only, and what runs every hour runs in both.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MINUTE = timedelta(minutes=1)
# Offsets of time zones are whole quarters of an hour.
_QUARTER = timedelta(minutes=15)
# A 29 February comes at least every eight years.
_HORIZON = timedelta(days=8 * 366)
_LONGEST_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


class CronError(ValueError):
    """A schedule that cannot be read; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    first: int
    last: int


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12),
    _Field("day of the week", 0, 7),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """The parsed fields; `any_hour`, `any_day` and `any_weekday` say that a field is `*`."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_hour: bool
    any_day: bool
    any_weekday: bool

    def next_after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """Return the first time after `moment` (aware), in UTC, to the minute."""
        at = moment.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
        end = at + _HORIZON
        while at < end:
            if self._due(at, zone):
                return at
            at = self._skip(at, zone)
        raise CronError("it never comes")

    def _due(self, at: datetime, zone: ZoneInfo) -> bool:
        local = at.astimezone(zone)
        if self._matches(local) and (self.any_hour or not local.fold):
            return True
        return any(self._matches(missing) for missing in _left_out(at, local, zone))

    def _matches(self, local: datetime) -> bool:
        in_time = local.minute in self.minutes and local.hour in self.hours
        return in_time and self._day_matches(local.date())

    def _day_matches(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_day = day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday

    def _skip(self, at: datetime, zone: ZoneInfo) -> datetime:
        """Return the next time to look at: a minute on, the next quarter, or midnight."""
        local = at.astimezone(zone)
        if not self._day_matches(local.date()):
            midnight = datetime.combine(local.date() + timedelta(days=1), time(), tzinfo=zone)
            return midnight.astimezone(UTC)
        if local.hour in self.hours:
            return at + _MINUTE
        return at - timedelta(minutes=at.minute % 15) + _QUARTER


def _left_out(at: datetime, local: datetime, zone: ZoneInfo) -> list[datetime]:
    """Return the minutes on the wall that the clock left out right before `at`."""
    before = (at - _MINUTE).astimezone(zone).replace(tzinfo=None)
    now = local.replace(tzinfo=None)
    gap = int((now - before) / _MINUTE) - 1
    return [before + _MINUTE * (step + 1) for step in range(max(gap, 0))]


def parse(text: str) -> Cron:
    """Return the schedule. Raises CronError, also for a day that no month has."""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise CronError(f"five fields are needed, {text!r} has {len(parts)}")
    values = [_values(part, field) for part, field in zip(parts, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = values
    made = Cron(
        minutes,
        hours,
        days,
        months,
        frozenset(day % 7 for day in weekdays),
        any_hour=parts[1] == "*",
        any_day=parts[2] == "*",
        any_weekday=parts[4] == "*",
    )
    if made.any_weekday and not _some_month_has(days, months):
        raise CronError(f"{text!r} never comes: no such day")
    return made


def _some_month_has(days: frozenset[int], months: frozenset[int]) -> bool:
    return any(min(days) <= _LONGEST_MONTHS.get(month, 31) for month in months)


def _values(part: str, field: _Field) -> frozenset[int]:
    return frozenset(value for item in part.split(",") for value in _item(item, field))


def _item(item: str, field: _Field) -> range:
    span, slash, step = item.partition("/")
    first, dash, last = span.partition("-")
    if span == "*":
        low, high = field.first, field.last
    else:
        low = _number(first, field)
        high = _number(last, field) if dash else (field.last if slash else low)
    every = _number(step, _Field(f"step of the {field.name}", 1, field.last)) if slash else 1
    if low > high:
        raise CronError(f"{field.name}: {span} runs backwards")
    return range(low, high + 1, every)


def _number(text: str, field: _Field) -> int:
    if not (text.isascii() and text.isdecimal()) or not field.first <= int(text) <= field.last:
        raise CronError(f"{field.name}: {text!r} is not within {field.first} to {field.last}")
    return int(text)
