"""The charts of the dashboard.

Each asks `reports.queries.sales` with the scope of the person who looks; each mark carries the
filter of the list whose amounts add up to it.
"""

from collections.abc import Iterator

from django.utils.dates import MONTHS_3
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.charts.periods import Month, within
from backoffice.charts.registry import Row, Scope, chart
from orders.models import Charge, Order, OrderLine
from orders.queries import COUNTED
from reports.queries import sales
from reports.queries.periods import Period, month_label
from reports.queries.sales import Sales

PERMISSION = "reports.view_dashboard"
REVENUE = _("Totals of orders that are not cancelled, charges included, before returns.")
PARTS = 5


@chart(
    _("Revenue by month"),
    kind="line",
    permission=PERMISSION,
    drill=Order,
    label=_("Month"),
    note=_(
        "Totals of orders that are not cancelled, charges included, before returns. "
        "The newest month may still run."
    ),
)
def revenue_by_month(scope: Scope) -> Iterator[Row]:
    """Return every month from the first order to the newest, months without sales too."""
    for currency, found in scope.once(sales.monthly).items():
        for month in scope.once(sales.all_months):
            minor = found.get(month, Sales()).minor
            yield Row(month_label(month), currency, minor, query=orders_of([month], currency))


@chart(
    _("Revenue by country"),
    kind="bar",
    permission=PERMISSION,
    drill=Order,
    label=_("Country"),
    note=REVENUE,
)
def revenue_by_country(scope: Scope) -> Iterator[Row]:
    """Return the countries that orders of the period went to, the biggest first."""
    shown = scope.once(sales.period)
    if shown is None:
        return
    for country, currency, minor in sales.by_country(scope, shown):
        query = {"country": country, **orders_of(shown.months, currency)}
        yield Row(country or gettext("Not known"), currency, minor, query=query)


@chart(
    _("Share by category"),
    kind="pie",
    permission=PERMISSION,
    drill=OrderLine,
    label=_("Category"),
    note=_("Lines and charges of orders that are not cancelled, before returns."),
)
def share_by_category(scope: Scope) -> Iterator[Row]:
    """Return the biggest categories, the rest as one part, and charges as one more."""
    shown = scope.once(sales.period)
    if shown is None:
        return
    found = sales.by_category(scope, shown)
    charged = sales.charges(scope, shown)
    for currency in dict.fromkeys([row[1] for row in found] + list(charged)):
        rows = [(category, minor) for category, of, minor in found if of == currency]
        yield from _categories(rows, lines_of(shown, currency), currency)
        if charged.get(currency):
            query = lines_of(shown, currency)
            label = gettext("Postage and charges")
            yield Row(label, currency, charged[currency], query=query, drill=Charge)


def _categories(rows: list[tuple[str, int]], query: dict[str, str], currency: str) -> Iterator[Row]:
    """Yield at most PARTS parts: those beyond become one, which opens the lines of them all."""
    head = rows if len(rows) <= PARTS else rows[: PARTS - 1]
    for category, minor in head:
        label = category or gettext("No category")
        yield Row(label, currency, minor, query={"product__category": category, **query})
    if rest := rows[len(head) :]:
        label = gettext("%(count)d others") % {"count": len(rest)}
        names = [category for category, _minor in rest]
        # A list in an address is parted by commas: a name with one cannot stand in it.
        several = {"product__category__in": ",".join(names), **query}
        opens = {} if any("," in name for name in names) else several
        yield Row(label, currency, sum(minor for _category, minor in rest), query=opens)


@chart(
    _("Two years side by side"),
    kind="column",
    permission=PERMISSION,
    drill=Order,
    label=_("Month"),
    note=REVENUE,
)
def two_years(scope: Scope) -> Iterator[Row]:
    """Return the months of the year before and of the period, pair by pair."""
    shown = scope.once(sales.period)
    if shown is None:
        return
    for currency, found in scope.once(sales.monthly).items():
        for year in (shown.before, shown):
            if any(month in found for month in year.months):
                yield from _year(year, currency, found)


def _year(year: Period, currency: str, found: dict[Month, Sales]) -> Iterator[Row]:
    for month in year.months:
        yield Row(
            label=str(MONTHS_3[month.number]).capitalize(),
            currency=currency,
            minor=found.get(month, Sales()).minor,
            series=year.name,
            query=orders_of([month], currency),
        )


def orders_of(run: list[Month], currency: str) -> dict[str, str]:
    """Return the filter of the Orders list: counted orders of these months in one currency."""
    return _filter("", run, currency)


def lines_of(shown: Period, currency: str) -> dict[str, str]:
    """Return the filter of a list of lines or charges: those of the period's counted orders."""
    return _filter("order__", shown.months, currency)


def _filter(path: str, run: list[Month], currency: str) -> dict[str, str]:
    borders = within(f"{path}placed_at", run)
    return {
        **{name: moment.isoformat() for name, moment in borders.items()},
        f"{path}status__in": ",".join(COUNTED),
        "currency__exact": currency,
    }
