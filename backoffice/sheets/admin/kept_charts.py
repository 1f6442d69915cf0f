"""Charts of kept sheets and joins: choosing columns, the drawing, and the table beside it."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import BadRequest, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.charts import queries, registry
from backoffice.sheets.admin.kept_base import (
    KeptPage,
    address,
    chart_of,
    is_mine,
    join_of,
    sheet_of,
)
from backoffice.sheets.admin.kept_joins import opened
from backoffice.sheets.kept import charting, keeping
from backoffice.sheets.kept.charting import Group
from backoffice.sheets.kept.columns import Column
from backoffice.sheets.kept.frames import Frame, SheetFrame
from backoffice.sheets.models import KeptChart, KeptJoin, KeptSheet
from backoffice.site import DialogPage
from backoffice.site.visitors import signed_in

_LONGEST_LABEL = 40
_LONGEST_VALUE = 200


class ChartForm(forms.Form):
    """What is drawn, and how."""

    group = forms.ChoiceField(label=gettext_lazy("Group by"))
    period = forms.ChoiceField(
        label=gettext_lazy("Dates"), choices=KeptChart.Period, required=False
    )
    measure = forms.ChoiceField(label=gettext_lazy("Measure"), choices=KeptChart.Measure)
    measured = forms.ChoiceField(label=gettext_lazy("Of the column"), required=False)
    kind = forms.ChoiceField(label=gettext_lazy("Drawn as"), choices=KeptChart.Kind)
    name = forms.CharField(label=gettext_lazy("Name of the chart"), max_length=80)

    def __init__(self, *args: Any, frame: Frame, sides: tuple[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group"].choices = [  # type: ignore[attr-defined]
            (one.ref, told(one, sides)) for one in frame.columns if not one.mask
        ]
        self.fields["measured"].choices = [("", "\N{EN DASH}")] + [  # type: ignore[attr-defined]
            (one.ref, told(one, sides)) for one in frame.columns if one.counted
        ]


def told(column: Column, sides: tuple[str, str]) -> str:
    """Return the label of a column, with the side of a join that it comes from."""
    side = {"l": sides[0], "r": sides[1]}.get(column.ref.partition(".")[0], "")
    return f"{side}: {column.label}" if side and "." in column.ref else column.label


class NewChart(KeptPage):
    """Choose the columns of a chart."""

    path, name = "kept/charts/new/", "kept_chart_new"
    title = gettext_lazy("New chart")
    permission = keeping.ADD
    template_name = "sheets/kept_chart_new.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the form for the sheet or join that the address names."""
        of, frame = _of(request)
        return {"of": of, "form": ChartForm(frame=frame, sides=_sides(of)), "back": _list(of)}

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Save the chart."""
        of, frame = _of(request)
        form = ChartForm(request.POST, frame=frame, sides=_sides(of))
        if form.is_valid():
            try:
                chart = charting.save(of, frame, actor=signed_in(request), **form.cleaned_data)
            except ValidationError as error:
                form.add_error(None, error)
            else:
                return redirect("admin:kept_chart", number=chart.public_id)
        return self.render(request, status=422, extra={"form": form})


def _of(request: HttpRequest) -> tuple[KeptSheet | KeptJoin, Frame]:
    """Return the table that an address names. Raises Http404, BadRequest."""
    if join := request.GET.get("join", ""):
        row = join_of(request, join)
        return row, opened(request, row).frame
    kept = sheet_of(request, request.GET.get("sheet", ""))
    if kept.state != KeptSheet.State.READY:
        raise BadRequest
    return kept, SheetFrame(kept)


def _sides(of: KeptSheet | KeptJoin) -> tuple[str, str]:
    if isinstance(of, KeptSheet):
        return "", ""
    return of.left.name, of.right.name if of.right else of.right_model.rpartition(".")[2]


def _list(of: KeptSheet | KeptJoin) -> str:
    return address("kept_sheet" if isinstance(of, KeptSheet) else "kept_join", of)


class ChartPage(KeptPage):
    """One chart with its table; a mark opens its rows."""

    path, name = "kept/charts/<uuid:number>/", "kept_chart"
    template_name = "sheets/kept_chart.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the chart, drawn from the rows that the person sees."""
        row = chart_of(request, kwargs["number"])
        of: KeptSheet | KeptJoin | None = row.sheet or row.join
        assert of is not None  # noqa: S101 - a constraint of the table
        frame = SheetFrame(of) if isinstance(of, KeptSheet) else opened(request, of).frame
        try:
            marks, wrong = charting.groups(row, frame), ""
        except ValidationError as error:
            marks, wrong = [], " ".join(error.messages)
        item = _item(row, frame)
        return {
            "chart": row,
            "title": row.name,
            "crumb": row.name,
            "of": of,
            "of_url": _list(of),
            "wrong": wrong,
            "item": item,
            "panels": panels(item, marks, _list(of)),
            "delete_url": address("kept_chart_delete", row),
            "mine": is_mine(request, row),
        }


def _item(row: KeptChart, frame: Frame) -> registry.Chart:
    """Return the chart as `backoffice.charts` draws it."""
    names = {one.ref: one.label for one in frame.columns}
    measure = KeptChart.Measure(row.measure)
    note = str(measure.label)
    if row.measured:
        note = _("%(measure)s of %(column)s") % {
            "measure": measure.label, "column": names.get(row.measured, row.measured)
        }  # fmt: skip
    return registry.Chart(
        key=f"kept.{row.pk}",
        title=row.name,
        kind=registry.Kind(row.kind),
        permission=keeping.VIEW,
        ask=lambda _scope: (),
        note=_("%(note)s, by %(group)s. Dates as they stand in the sheet.")
        % {"note": note, "group": names.get(row.group, row.group)},
        label=names.get(row.group, ""),
        adds_up=measure != KeptChart.Measure.AVERAGE,
    )


def panels(item: registry.Chart, marks: list[Group], rows_url: str) -> list[queries.Panel]:
    """Return the marks as `backoffice.charts` draws them, one panel a currency."""
    rows, urls = [], {}
    for code in dict.fromkeys(one.currency for one in marks):
        mine = [one for one in marks if one.currency == code]
        for label, one in zip(_short([one.label for one in mine]), mine, strict=True):
            rows.append(registry.Row(label, code, one.number, places=one.scale))
            urls[id(rows[-1])] = _url(rows_url, one)
    made = queries.panels(item, rows)
    for panel in made:
        panel.marks[:] = [queries.with_url(mark, urls[id(mark.row)]) for mark in panel.marks]
    return made


def _short(labels: list[str]) -> list[str]:
    """Return labels cut to what a plot can show, each still different from the others."""
    result: dict[str, None] = {}
    for label in labels:
        short = label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
        free, number = short, 2
        while free in result:
            free, number = f"{short} ({number})", number + 1
        result[free] = None
    return list(result)


def _url(rows_url: str, one: Group) -> str:
    """Return the address of the rows behind a mark; "" where no filter says which they are."""
    longest = max((len(text.split(":", 2)[-1]) for text in one.filters), default=0)
    if not one.filters or longest > _LONGEST_VALUE:
        return ""
    return f"{rows_url}?{urlencode([('f', text) for text in one.filters])}"


class DeleteChart(DialogPage):
    """Delete a chart; its table stays."""

    path, name = "kept/charts/<uuid:number>/delete/", "kept_chart_delete"
    title, icon, harmful = gettext_lazy("Delete"), "delete", True
    permission = keeping.ADD

    def subject(self, request: HttpRequest, **kwargs: Any) -> KeptChart:
        """Return the chart; 404 for one that is not there for the person."""
        return chart_of(request, kwargs["number"])

    def why_not(self, request: HttpRequest, subject: KeptChart) -> str:
        """Refuse all but the owner."""
        mine = is_mine(request, subject)
        return "" if mine else str(_("Only who saved the chart may delete it."))

    def intro(self, request: HttpRequest, subject: KeptChart) -> str:
        """Say what stays."""
        return str(_("The chart goes. Its rows stay."))

    def act(self, request: HttpRequest, subject: KeptChart, form: Any) -> str:
        """Delete it."""
        keeping.drop(subject, actor=signed_in(request))
        return str(_("The chart is deleted."))

    def back(self, request: HttpRequest, subject: KeptChart) -> str:
        """Go to the list."""
        return reverse("admin:kept") if request.method == "POST" else address("kept_chart", subject)


PAGES = (NewChart, ChartPage, DeleteChart)
