"""The start page of the staff site: numbers for whom they are meant, and what waits for each."""

from typing import Any, cast

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from backoffice import policy
from backoffice.accounts.models import User
from backoffice.approvals.services import waiting_for
from backoffice.charts.registry import Scope
from reports.queries import health, kpis, periods, sales
from reports.queries.periods import Period

WAITING_SHOWN = 5
NOON, EVENING = 12, 18
CHARTS = {
    "main": "reports.revenue_by_month",
    "years": "reports.two_years",
    "countries": "reports.revenue_by_country",
    "categories": "reports.share_by_category",
}


def context(request: HttpRequest) -> dict[str, Any]:
    """Return what the start page shows to the person of `request`."""
    user = cast("User", request.user)
    waiting = policy.scope(user, waiting_for(user).select_related("maker"))
    count = waiting.count()
    values: dict[str, Any] = {
        "title": gettext("Dashboard"),
        "greeting": greeting(user),
        "page_subtitle": _subtitle(count),
        "waiting": list(waiting[:WAITING_SHOWN]),
        "waiting_count": count,
        "waiting_url": health.address("approvals"),
        "health": health.lines(user),
        "sees_numbers": policy.may(user, "reports.view_dashboard", None).allowed,
    }
    return {**values, **numbers(request, user)} if values["sees_numbers"] else values


def numbers(request: HttpRequest, user: User) -> dict[str, Any]:
    """Return the scope of the charts, the cards and the choices of the page."""
    scope = Scope(user, options=request.GET.dict())
    shown = scope.once(sales.period)
    currencies = list(scope.once(sales.monthly))
    if shown is None or not currencies:
        return {"chart_scope": scope, "charts": CHARTS}
    wanted = scope.options.get("currency", "")
    currency = wanted if wanted in currencies else currencies[0]
    reach = scope.once(sales.span)
    return {
        "chart_scope": scope,
        "charts": CHARTS,
        "kpis": kpis.cards(scope, shown, currency),
        "shown": shown,
        "periods": _choices(scope, shown),
        "currency": currency,
        "currencies": currencies,
        "as_of": reach.last if reach else None,
    }


def _choices(scope: Scope, shown: Period) -> list[tuple[Period, bool]]:
    """Return the periods to choose from, newest first, with whether each is the one shown."""
    run = scope.once(sales.all_months)
    return [(one, one == shown) for one in periods.available(run[0], run[-1])]


def greeting(user: User) -> str:
    """Return a greeting by the hour of the person's day."""
    hour = timezone.localtime().hour
    name = user.first_name or user.get_username()
    if hour < NOON:
        return gettext("Good morning, %(name)s") % {"name": name}
    if hour < EVENING:
        return gettext("Good afternoon, %(name)s") % {"name": name}
    return gettext("Good evening, %(name)s") % {"name": name}


def _subtitle(count: int) -> str:
    if not count:
        return gettext("Nothing waits for your decision.")
    text = ngettext(
        "%(count)s thing waits for your decision.",
        "%(count)s things wait for your decision.",
        count,
    )
    return text % {"count": count}
