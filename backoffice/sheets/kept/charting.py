"""Charts of kept sheets and joins: rows grouped by a column, counted or added up exactly."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.money import exponent
from backoffice.sheets.kept.columns import DAY, Column, Kind, moment
from backoffice.sheets.kept.frames import Frame
from backoffice.sheets.kept.keeping import ADD, VIEW, must
from backoffice.sheets.kept.vault import Cells
from backoffice.sheets.models import KeptChart, KeptJoin, KeptSheet

CHARTED = verbs.register("sheets.charted", gettext_lazy("Chart of a sheet saved"))
MOST_MARKS: Final = 60
RING_PARTS: Final = 6
AVERAGE_PLACES: Final = 2
Measure, Period = KeptChart.Measure, KeptChart.Period
_THURSDAY: Final = 4  # 1 January 1970 was one


@dataclass(slots=True)
class Sums:
    """Rows of one mark: how many, how many with a number, and the sum of these."""

    number: int = 0
    rows: int = 0
    filled: int = 0

    def add(self, more: "Sums") -> None:
        """Put other rows beside them."""
        self.number += more.number
        self.rows += more.rows
        self.filled += more.filled


@dataclass(frozen=True, slots=True)
class Group:
    """One mark: its rows are those that `filters` (as of `asking.Filter`) let through.

    `number` is exact, of `scale` decimals and in `currency` ("" for plain numbers).
    """

    label: str
    number: int
    scale: int
    currency: str
    sums: Sums
    filters: tuple[str, ...] = ()


def save(  # noqa: PLR0913 - the choices of a form
    of: KeptSheet | KeptJoin,
    frame: Frame,
    *,
    actor: User,
    name: str,
    kind: str,
    group: str,
    measure: str,
    measured: str = "",
    period: str = "",
) -> KeptChart:
    """Save a chart of a table that the person sees. Raises PermissionDenied, ValidationError."""
    must(actor, ADD, VIEW)
    if not name.strip():
        raise ValidationError({"name": _("Give the chart a name.")})
    chart = KeptChart(
        owner=actor, name=name.strip(), kind=kind, group=group, period=period, measure=measure,
        measured="" if measure == Measure.COUNT else measured,
        sheet=of if isinstance(of, KeptSheet) else None,
        join=of if isinstance(of, KeptJoin) else None,
    )  # fmt: skip
    groups(chart, frame)
    with transaction.atomic():
        chart.save()
        record(CHARTED, actor=actor, subject=chart, context={"kind": kind, "measure": measure})
    return chart


def groups(chart: KeptChart, frame: Frame) -> list[Group]:
    """Return the marks in the order in which they are drawn.

    Dates and lines go by the column, other marks from the largest on; what is too much for one
    picture is put together as the last mark. Raises ValidationError for columns that do not fit.
    """
    by, measured = _columns(chart, frame)
    sums = _summed(chart, frame, by, measured)
    by_date = by.kind is Kind.DATE
    keys = sorted(sums, key=_by_key)
    found = [_group(chart, by, measured, *key, sums[key]) for key in keys]
    if not by_date and chart.kind != KeptChart.Kind.LINE:
        found.sort(key=lambda one: (-one.number, one.label))
    result: list[Group] = []
    for code in dict.fromkeys(one.currency for one in found):
        mine = [one for one in found if one.currency == code]
        result += _cut(chart, measured, mine, from_end=by_date)
    return result


def _by_key(pair: tuple[Any, str]) -> tuple[bool, Any, str]:
    return (pair[0] is None, 0 if pair[0] is None else pair[0], pair[1])


def _columns(chart: KeptChart, frame: Frame) -> tuple[Column, Column | None]:
    try:
        by = frame.column(chart.group)
        measured = frame.column(chart.measured) if chart.measured else None
    except LookupError:
        raise ValidationError(_("Choose columns of this table.")) from None
    if by.mask:
        raise ValidationError(_("A masked column does not group rows: it would tell who is alike."))
    if chart.measure != Measure.COUNT and (measured is None or not measured.counted):
        raise ValidationError(_("Choose a column of numbers to add up."))
    if (by.kind is Kind.DATE) != bool(chart.period):
        raise ValidationError(
            _("Choose day, week or month for dates.")
            if by.kind is Kind.DATE
            else _("Only dates go by day, week or month.")
        )
    return by, measured


def _summed(
    chart: KeptChart, frame: Frame, by: Column, measured: Column | None
) -> dict[tuple[Any, str], Sums]:
    keys = _keys(chart, by, frame.cells(by.ref))
    result: dict[tuple[Any, str], Sums] = defaultdict(Sums)
    if measured is None:
        for key in keys:
            result[key, ""].rows += 1
        return result
    cells = frame.cells(measured.ref)
    codes: Sequence[str] = cells.currency or [measured.currency] * len(cells)
    for key, number, gap, code in zip(keys, cells.data, cells.empty, codes, strict=True):
        if gap and cells.currency is not None:
            continue  # no amount, so no currency to draw it in
        one = result[key, code]
        one.rows += 1
        if not gap:
            one.number += int(number)
            one.filled += 1
    return result


def _keys(chart: KeptChart, by: Column, cells: Cells) -> Iterator[Any]:
    """Yield what each row is grouped by; None for an empty cell."""
    if by.kind is not Kind.DATE:
        return (None if gap else cell for cell, gap in zip(cells.data, cells.empty, strict=True))
    first = {cell: _first(int(cell), chart.period) for cell in set(cells.data)}
    return (None if gap else first[cell] for cell, gap in zip(cells.data, cells.empty, strict=True))


def _first(seconds: int, period: str) -> int:
    """Return the first day of the period as seconds since 1970; weeks begin on Monday."""
    day = seconds // DAY
    if period == Period.WEEK:
        day -= (day + _THURSDAY - 1) % 7
    if period == Period.MONTH:
        day -= moment(seconds).day - 1
    return day * DAY


def _group(
    chart: KeptChart, by: Column, measured: Column | None, key: Any, code: str, one: Sums
) -> Group:
    label = _("(empty)") if key is None else _label(chart, by, key)
    filters = _filters(chart, by, measured, key, code)
    return Group(label, *_value(chart, measured, one, code), code, one, filters)


def _value(chart: KeptChart, measured: Column | None, one: Sums, code: str) -> tuple[int, int]:
    """Return the exact number of a mark and its decimals; an average is rounded half up."""
    if measured is None or chart.measure == Measure.COUNT:
        return one.rows, 0
    if chart.measure == Measure.SUM:
        return one.number, measured.scale
    scale = exponent(code) if code else max(measured.scale, AVERAGE_PLACES)
    more = scale - measured.scale
    above = abs(one.number) * 10 ** max(more, 0)
    below = max(one.filled, 1) * 10 ** max(-more, 0)
    half_up = (2 * above + below) // (2 * below)
    return (-half_up if one.number < 0 else half_up), scale


def _label(chart: KeptChart, by: Column, key: Any) -> str:
    if by.kind is not Kind.DATE:
        return by.shown(key)
    when = moment(key)
    return f"{when:%Y-%m}" if chart.period == Period.MONTH else f"{when:%Y-%m-%d}"


def _filters(
    chart: KeptChart, by: Column, measured: Column | None, key: Any, code: str
) -> tuple[str, ...]:
    found = []
    if key is None:
        found.append(f"{by.ref}:empty")
    elif by.kind is Kind.DATE:
        found += [f"{by.ref}:from:{_iso(key)}", f"{by.ref}:to:{_iso(_last(key, chart.period))}"]
    else:
        found.append(f"{by.ref}:is:{_typed(by, key)}")
    if measured is not None and code and not measured.currency:
        found.append(f"{measured.ref}:in:{code}")
    return tuple(found)


def _typed(by: Column, key: Any) -> str:
    return key if isinstance(key, str) else format(Decimal(key).scaleb(-by.scale), "f")


def _iso(seconds: int) -> str:
    return moment(seconds).date().isoformat()


def _last(first: int, period: str) -> int:
    """Return the last day of the period that begins on a day."""
    if period == Period.DAY:
        return first
    if period == Period.WEEK:
        return first + 6 * DAY
    day = moment(first)
    following = (day + timedelta(days=31)).replace(day=1)
    return first + ((following - day).days - 1) * DAY


def _cut(
    chart: KeptChart, measured: Column | None, found: list[Group], *, from_end: bool
) -> list[Group]:
    """Keep what fits into one picture; the rest is put together as one mark, counted anew."""
    most = RING_PARTS if chart.kind == KeptChart.Kind.PIE else MOST_MARKS
    if len(found) <= most:
        return found
    kept, rest = found[: most - 1], found[most - 1 :]
    if from_end:
        kept, rest = found[-(most - 1) :], found[: -(most - 1)]
    sums = Sums()
    for one in rest:
        sums.add(one.sums)
    words = _("%(count)s others") % {"count": f"{len(rest):,}"}
    code = rest[0].currency
    other = Group(words, *_value(chart, measured, sums, code), code, sums)
    return [other, *kept] if from_end else [*kept, other]
