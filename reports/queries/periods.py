"""The year that the dashboard is about: twelve full months and the twelve before them."""

import re
from dataclasses import dataclass

from django.utils.formats import date_format
from django.utils.translation import gettext

from backoffice.charts.periods import Month, months

LENGTH = 12
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Period:
    """Twelve months in a row; `last` is the last of them."""

    last: Month

    @property
    def months(self) -> list[Month]:
        """The months, oldest first."""
        return months(self.last.plus(1 - LENGTH), LENGTH)

    @property
    def before(self) -> "Period":
        """The year before."""
        return Period(self.last.plus(-LENGTH))

    @property
    def title(self) -> str:
        """First and last month in words ("Dec 2010" to "Nov 2011")."""
        first, last = (month_label(month) for month in (self.months[0], self.last))
        return f"{first} \N{EN DASH} {last}"

    @property
    def name(self) -> str:
        """The year or years it lies in ("Year 2010-2011")."""
        first, last = self.months[0].year, self.last.year
        years = str(last) if first == last else f"{first}-{last}"
        return gettext("Year %(years)s") % {"years": years}

    @property
    def key(self) -> str:
        """The last month as an address has it ("2011-11")."""
        return f"{self.last.year:04}-{self.last.number:02}"


def parse(text: str) -> Period | None:
    """Return the period that ends with the month of `text` ("2011-11"); None for anything else."""
    found = _MONTH.fullmatch(text)
    return Period(Month(int(found[1]), int(found[2]))) if found and int(found[1]) > 1 else None


def newest(first: Month, last: Month) -> Period:
    """Return the period of the last full months, where `last` is the month that still runs.

    A business that began in that month has no other: then it is counted.
    """
    return Period(last if first == last else last.plus(-1))


def available(first: Month, last: Month) -> list[Period]:
    """Return the periods, newest first, that hold one of the months from `first` to `last`."""
    found = [newest(first, last)]
    while found[-1].months[0] > first:
        found.append(found[-1].before)
    return found


def month_label(month: Month) -> str:
    """Return the month in short ("Dec 2010")."""
    return date_format(month.first_day(), "M Y")
