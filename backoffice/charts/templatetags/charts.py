"""`{% chart "reports.revenue_by_month" %}` puts a chart with its table on a page."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.template import Context
from django.utils.timezone import get_current_timezone_name

from backoffice.charts import figures, queries, registry

register = template.Library()


@dataclass(frozen=True, slots=True)
class Plot:
    """A panel, its figure, and the id under which the page carries the figure."""

    id: str
    panel: queries.Panel
    figure: dict[str, Any]


@register.inclusion_tag("charts/card.html", takes_context=True)
def chart(context: Context, key: str) -> dict[str, Any]:
    """Render the card of the chart called `key`; nothing for a person who may not see it.

    Charts on one page share the scope that the page passes as `chart_scope`.
    """
    item = registry.get(key)
    scope = context.get("chart_scope") or registry.Scope(context["request"].user, site=item.site)
    if not item.allowed(scope.user):
        return {}
    return {**_card(item, queries.read(item, scope)), "zone": get_current_timezone_name()}


@register.inclusion_tag("charts/card.html")
def chart_card(item: registry.Chart, panels: list[queries.Panel]) -> dict[str, Any]:
    """Render the card of a chart that is not registered, whose marks are at hand."""
    return _card(item, panels)


def _card(item: registry.Chart, panels: list[queries.Panel]) -> dict[str, Any]:
    slug = "chart-" + item.key.replace(".", "-").replace("_", "-")
    return {
        "chart": item,
        "slug": slug,
        "plots": [
            Plot(f"{slug}-{number}", panel, figures.draw(panel))
            for number, panel in enumerate(panels, start=1)
        ],
        "ring": item.kind is registry.Kind.PIE,
        "currencies": ", ".join(panel.currency for panel in panels if panel.currency),
        "opens": item.drill or any(mark.url for panel in panels for mark in panel.marks),
    }


@register.inclusion_tag("charts/assets.html", takes_context=True)
def chart_assets(context: Context) -> dict[str, Any]:
    """Load plotly, our script and our styles: once, in the head of a page with charts."""
    return {"csp_nonce": context.get("csp_nonce")}
