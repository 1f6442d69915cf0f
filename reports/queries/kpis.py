"""The figures at the top of the dashboard: a period against the year before."""

from decimal import ROUND_HALF_UP, Decimal

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.charts.kpis import Kpi, compared, share_of
from backoffice.charts.queries import brief
from backoffice.charts.registry import Scope
from reports.queries import sales
from reports.queries.periods import Period
from reports.queries.sales import Sales


def cards(scope: Scope, shown: Period, currency: str) -> list[Kpi]:
    """Return the cards for one currency; amounts of other currencies are not in them."""
    now = sales.of(scope, currency, shown)
    then = sales.of(scope, currency, shown.before)
    found = scope.once(sales.monthly).get(currency, {})
    months = [found.get(month, Sales()) for month in shown.months]
    return [
        compared(
            _("Revenue"), now.minor, then.minor,
            currency=currency, past=[month.minor for month in months],
        ),
        compared(_("Orders"), now.orders, then.orders, past=[month.orders for month in months]),
        compared(
            _("Average order"), average(now), average(then),
            currency=currency, in_full=True, past=[average(month) for month in months],
        ),
        _returned(scope, shown, currency, (now.minor, then.minor)),
    ]  # fmt: skip


def average(part: Sales) -> int:
    """Return minor units an order, rounded half up; 0 without orders."""
    if not part.orders:
        return 0
    return int((Decimal(part.minor) / part.orders).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _returned(scope: Scope, shown: Period, currency: str, revenue: tuple[int, int]) -> Kpi:
    """What came back as a share of revenue."""
    back, before = (
        sales.returned(scope, period).get(currency, 0) for period in (shown, shown.before)
    )
    detail = gettext("Goods worth %(amount)s") % {"amount": brief(back, currency)}
    return share_of(_("Returned share"), detail, (back, revenue[0]), (before, revenue[1]))
