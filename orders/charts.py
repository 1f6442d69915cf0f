"""Charts about what was sold."""

from collections.abc import Iterator

from django.db.models import Sum
from django.utils.translation import gettext_lazy as _

from backoffice.charts.periods import within
from backoffice.charts.registry import Row, Scope, chart
from orders.models import OrderLine
from orders.queries import COUNTED, sold_lines, year_of_shop

BEST = 5


@chart(
    _("Best products, twelve months"),
    kind="bar",
    permission="orders.view_orderline",
    drill=OrderLine,
    site="seller",
    label=_("Product"),
    note=_("Your lines of orders that are not cancelled, before returns."),
)
def best_products(scope: Scope) -> Iterator[Row]:
    """Return the products that brought most in the twelve months up to the newest sale."""
    run = scope.once(year_of_shop)
    if not run:
        return
    borders = within("order__placed_at", run)
    rows = (
        sold_lines(scope)
        .filter(**borders)
        .values_list("product_id", "product__name", "currency")
        .annotate(minor=Sum("total_minor"))
        .order_by("-minor", "product_id")[:BEST]
    )
    shared = {
        **{name: moment.isoformat() for name, moment in borders.items()},
        "order__status__in": ",".join(COUNTED),
    }
    for product, name, currency, minor in rows:
        query = {"product__exact": str(product), "currency__exact": currency, **shared}
        yield Row(name, currency, minor, query=query)
