"""What the import would change: each record with its old and new values, before anything runs."""

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

from backoffice.files.sealing import DamagedError
from backoffice.policy import may
from backoffice.sheets import differences, gates, staging
from backoffice.sheets.admin.base import OneImport, State
from backoffice.sheets.admin.changes import BADGES, ORDER, Lines
from backoffice.sheets.differences import Shape
from backoffice.sheets.models import ImportJob, Status
from backoffice.sheets.writing import closed

_A_PAGE = 25


class _Records(Sequence[staging.Staged]):
    """The staged records of some statuses, a page at a time."""

    def __init__(self, job: ImportJob, dataset: str, statuses: list[Status], count: int) -> None:
        self.job, self.dataset, self.statuses, self.size = job, dataset, statuses, count

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: Any) -> Any:
        size = part.stop - part.start
        return staging.page(self.job, self.dataset, self.statuses, part.start, size)


class DifferencePage(OneImport):
    """New, changed, unchanged, failed and skipped records of each data set."""

    path = "imports/<uuid:number>/difference/"
    name = "import_difference"
    title = gettext_lazy("Difference")
    template_name = "sheets/difference.html"
    step = "difference"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Show it; before there is a check, send to where the import stands."""
        job = self.job(kwargs["number"])
        return self.render(request, **kwargs) if job.summary else self.go("import", job)

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return counts for everybody, and a page of records for who may view them."""
        job = self.job(kwargs["number"])
        shapes = differences.shapes(self.form(job))
        totals = {name: one for name, one in staging.totals(job).items() if name in shapes}
        frame = {
            **self.frame(request, job),
            "kept": bool(totals),
            "ran": bool(job.started_at),
            "ready": job.summary["ready"],
        }
        open_now = job.state == State.CHECKED and not gates.why_not(job)
        frame["may_start"] = frame["mine"] and open_now and not gates.needs_approval(job)
        if not totals:
            return frame
        dataset = request.GET.get("set", "")
        dataset = dataset if dataset in totals else next(iter(totals))
        status = _status(request, totals[dataset])
        return {
            **frame,
            "tabs": _tabs(shapes, totals, dataset),
            "chips": _chips(totals[dataset], status),
            "dataset": dataset,
            "chosen": status,
            "fields": _fields(request, job, shapes[dataset]),
            "brings": _counted(job, shapes[dataset], "brings"),
            "changed": totals[dataset][Status.CHANGED],
            "brought": totals[dataset][Status.BRINGS],
            **self._page(request, job, shapes[dataset], totals[dataset], status),
        }

    def _page(
        self,
        request: HttpRequest,
        job: ImportJob,
        shape: Shape,
        counts: dict[Status, int],
        status: Status | None,
    ) -> dict[str, Any]:
        if not may(request.user, shape.seen_with or "view", shape.model):
            return {"hidden": True}
        if _is_told(job) and closed.fields(request.user, shape.model):
            return {"told": True}
        statuses = list(ORDER) if status is None else [status]
        records = _Records(job, shape.dataset, statuses, sum(counts[one] for one in statuses))
        page = Paginator(records, _A_PAGE).get_page(request.GET.get("p"))
        try:
            staged = list(page.object_list)
        except DamagedError:
            return {"damaged": True}
        return {"page": page, "lines": Lines(self, request, job, shape).of(staged)}


def _status(request: HttpRequest, counts: dict[Status, int]) -> Status | None:
    """Return the status that is asked for; at first what changed, where something did."""
    asked = request.GET.get("status")
    if asked == "all":
        return None
    found = next((one for one in ORDER if one.name.lower() == asked), None)
    if found is None and not asked:
        return next((one for one in (Status.CHANGED, Status.BRINGS) if counts[one]), None)
    return found


def _is_told(job: ImportJob) -> bool:
    """Whether the check told its owner whose masked values the file has."""
    return bool(job.summary.get("compared"))


def _tabs(shapes: dict[str, Shape], totals: dict[str, Any], now: str) -> list[dict[str, Any]]:
    return [
        {
            "key": name,
            "label": shape.label,
            "count": sum(totals[name].values()),
            "now": name == now,
        }
        for name, shape in shapes.items()
        if name in totals
    ]


def _chips(counts: dict[Status, int], chosen: Status | None) -> list[dict[str, Any]]:
    return [
        {
            "key": one.name.lower(),
            "label": BADGES[one].text,
            "count": counts[one],
            "on": one == chosen,
        }
        for one in ORDER
    ]


def _fields(request: HttpRequest, job: ImportJob, shape: Shape) -> list[dict[str, Any]]:
    """Return the fields that change, without those that the person may not reveal."""
    hidden = closed.fields(request.user, shape.model)
    return [one for one in _counted(job, shape, "fields") if one["name"] not in hidden]


def _counted(job: ImportJob, shape: Shape, what: str) -> list[dict[str, Any]]:
    """Return fields with their rows, those of most rows first, as the check counted them."""
    counted = job.summary.get(what, {}).get(shape.dataset, {})
    labels = {one.name: one.label for one in shape.fields}
    found = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return [
        {"name": name, "label": labels.get(name, name), "count": count} for name, count in found
    ]
