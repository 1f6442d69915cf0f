"""Figures on cards: one number, what it is compared with, and a small line of its past."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext

from backoffice.charts.queries import NARROW_SPACE, brief, exact, percent

WIDTH, HEIGHT = 72, 24
_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Kpi:
    """One card (`charts/kpis.html` shows a row of them).

    `change` comes with its arrow; `good` says whether it pleases, None where nothing is compared.
    `points` are those of a small line in an SVG of WIDTH x HEIGHT. `url` opens what is counted.
    """

    label: str | Promise
    value: str
    detail: str
    change: str = ""
    good: bool | None = None
    points: str = ""
    url: str = ""


def compared(
    label: str | Promise,
    now: int,
    before: int,
    *,
    currency: str = "",
    in_full: bool = False,
    past: Sequence[int] = (),
) -> Kpi:
    """Return a card for a figure of which more is better, in minor units of `currency` or plain.

    `in_full` shows minor digits. `past` are the values of the small line, oldest first.
    """
    text = exact if in_full else brief
    value, points = text(now, currency), spark(past)
    if not before:
        return Kpi(label, value, gettext("Nothing before to compare with"), points=points)
    detail = gettext("%(amount)s before") % {"amount": text(before, currency)}
    share = (Decimal(100) * (now - before) / before).quantize(_TENTH, ROUND_HALF_UP)
    change = arrow(share, f"{number_format(abs(share), 1)}{NARROW_SPACE}%")
    return Kpi(label, value, detail, change, share >= 0, points)


def share_of(
    label: str | Promise, detail: str, now: tuple[int, int], before: tuple[int, int]
) -> Kpi:
    """Return a card for a share of which less is better; each pair is part and whole."""
    value = percent(*now) or percent(0, 1)
    if now[1] <= 0 or before[1] <= 0:
        return Kpi(label, value, detail)
    shares = [Decimal(100) * part / whole for part, whole in (now, before)]
    points = (shares[0] - shares[1]).quantize(_TENTH, ROUND_HALF_UP)
    text = gettext("%(points)s points") % {"points": number_format(abs(points), 1)}
    return Kpi(label, value, detail, arrow(points, text), points <= 0)


def arrow(change: Decimal, text: str) -> str:
    """Return `text` with the direction of `change` before it."""
    if not change:
        return f"= {text}"
    return f"{'▲' if change > 0 else '▼'} {text}"


def spark(values: Sequence[int]) -> str:
    """Return the points of a small line through `values`; nothing for a flat one."""
    low, high = min(values, default=0), max(values, default=0)
    if high == low:
        return ""
    step, rise = WIDTH / (len(values) - 1), (HEIGHT - 4) / (high - low)
    return " ".join(
        f"{i * step:.1f},{HEIGHT - 2 - (value - low) * rise:.1f}" for i, value in enumerate(values)
    )
