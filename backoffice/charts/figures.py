"""Draws panels with plotly: the only module that knows it.

Colours are named by token (`meta`): the browser puts in those of the light or the dark theme.
"""

from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from backoffice.charts.queries import Mark, Panel, major, read, unit
from backoffice.charts.registry import Chart, Kind, Scope

if TYPE_CHECKING:
    from backoffice.accounts.models import User

FONT = {"family": "Inter, system-ui, sans-serif", "size": 12}
CLEAR = "rgba(0,0,0,0)"
BAR_HEIGHT = 27
PLOT_HEIGHT = 250


@cache
def _plotly() -> ModuleType:
    """Import plotly at the first chart: it costs 0.4 s, which workers and commands never need."""
    from plotly import graph_objects  # noqa: PLC0415 - slow import

    module: ModuleType = graph_objects
    return module


def figure(chart: Chart, user: "User") -> list[dict[str, Any]]:
    """Return the plotly figures of `chart` as `user` may see it, one a currency, as plain data.

    Raises PermissionDenied when the person may not see the chart.
    """
    return [draw(panel) for panel in read(chart, Scope(user))]


def draw(panel: Panel) -> dict[str, Any]:
    """Return the figure of one panel as plain data for `json_script`."""
    traces, layout = _DRAWN[panel.chart.kind](panel)
    drawn = _plotly().Figure(
        data=traces, layout={**_layout(), **layout, "template": None}, skip_invalid=False
    )
    data: dict[str, Any] = drawn.to_plotly_json()
    data["layout"].pop("template", None)
    return data


def _layout() -> dict[str, Any]:
    return {
        "autosize": True,
        "height": PLOT_HEIGHT,
        "margin": {"l": 8, "r": 8, "t": 12, "b": 8},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": FONT,
        "showlegend": False,
        "dragmode": False,
        "hovermode": "closest",
    }


def _value(mark: Mark, currency: str) -> float:
    """The height of a mark in major units. A float, but for drawing only: the text is exact."""
    number = major(mark.row.minor, currency, mark.row.places)
    return float(number) if currency or mark.row.places else mark.row.minor


def _axes(panel: Panel) -> dict[str, Any]:
    sign = unit(panel.currency)
    return {
        "xaxis": {
            "type": "category",
            "fixedrange": True,
            "automargin": True,
            "tickangle": 0,
            "ticklabelstandoff": 6,
            "showgrid": False,
            "showline": False,
            "zeroline": False,
        },
        "yaxis": {
            "fixedrange": True,
            "automargin": True,
            "ticklabelstandoff": 6,
            "tickprefix": sign,
            "tickformat": "~s",
            "rangemode": "tozero",
            "nticks": 7,
            "showline": False,
            "zeroline": False,
        },
    }


def _shared(panel: Panel, marks: list[Mark]) -> dict[str, Any]:
    series = _safe(marks[0].row.series)
    return {
        "name": series,
        "text": [mark.text for mark in marks],
        "customdata": [mark.url for mark in marks],
        "meta": {"colour": marks[0].colour},
        "hovertemplate": f"%{{{_label_axis(panel)}}}: %{{text}}<extra>{series}</extra>",
    }


def _safe(text: str) -> str:
    """Keep a label from being read as plotly's own markup, which knows links."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _label_axis(panel: Panel) -> str:
    return {Kind.BAR: "y", Kind.PIE: "label"}.get(panel.chart.kind, "x")


def _by_series(panel: Panel) -> list[list[Mark]]:
    return [[mark for mark in panel.marks if mark.row.series == name] for name in panel.series]


def _lines(panel: Panel) -> tuple[list[Any], dict[str, Any]]:
    traces = [_line(panel, marks) for marks in _by_series(panel)]
    axes = _axes(panel)
    # Half a mark of room at both ends, so that the first and the last are drawn whole.
    axes["xaxis"]["range"] = [-0.4, len(panel.labels) - 0.6]
    return traces, {**axes, "hovermode": "x"}


def _line(panel: Panel, marks: list[Mark]) -> Any:
    compared = marks[0].colour == "c6"
    return _plotly().Scatter(
        x=[_safe(mark.row.label) for mark in marks],
        y=[_value(mark, panel.currency) for mark in marks],
        mode="lines" if compared else "lines+markers",
        line={"width": 1.5 if compared else 2, "dash": "dash" if compared else "solid"},
        marker={"size": 7},
        fill=None if compared else "tozeroy",
        **_shared(panel, marks),
    )


def _columns(panel: Panel) -> tuple[list[Any], dict[str, Any]]:
    traces = [
        _plotly().Bar(
            x=[_safe(mark.row.label) for mark in marks],
            y=[_value(mark, panel.currency) for mark in marks],
            textposition="none",
            **_shared(panel, marks),
        )
        for marks in _by_series(panel)
    ]
    return traces, {**_axes(panel), "barmode": "group", "bargap": 0.3, "bargroupgap": 0.08}


def _bars(panel: Panel) -> tuple[list[Any], dict[str, Any]]:
    """Lying bars, a label at the left and the amount behind each: names need the room."""
    traces = [
        _plotly().Bar(
            orientation="h",
            x=[_value(mark, panel.currency) for mark in marks],
            y=[_safe(mark.row.label) for mark in marks],
            texttemplate=[mark.brief for mark in marks],
            textposition="outside",
            cliponaxis=False,
            width=0.5,
            **_shared(panel, marks),
        )
        for marks in _by_series(panel)
    ]
    layout = {
        "height": max(3, len(panel.labels)) * BAR_HEIGHT + 20,
        "xaxis": {"visible": False, "fixedrange": True},
        "yaxis": {
            "type": "category",
            "autorange": "reversed",
            "fixedrange": True,
            "automargin": True,
            "ticklabelstandoff": 8,
            "showgrid": False,
            "showline": False,
            "zeroline": False,
        },
        "margin": {"l": 8, "r": 76, "t": 4, "b": 4},
    }
    return traces, layout


def _ring(panel: Panel) -> tuple[list[Any], dict[str, Any]]:
    """A ring without words: names, amounts and shares stand in the table beside it."""
    marks = panel.marks
    ring = _plotly().Pie(
        labels=[_safe(mark.row.label) for mark in marks],
        values=[_value(mark, panel.currency) for mark in marks],
        hole=0.62,
        sort=False,
        direction="clockwise",
        textinfo="none",
        **{
            **_shared(panel, marks),
            "meta": {"colours": [mark.colour for mark in marks]},
            "hovertemplate": "%{label}: %{text} (%{percent})<extra></extra>",
        },
    )
    return [ring], {"height": 150, "margin": {"l": 2, "r": 2, "t": 2, "b": 2}}


_DRAWN = {Kind.LINE: _lines, Kind.COLUMN: _columns, Kind.BAR: _bars, Kind.PIE: _ring}
