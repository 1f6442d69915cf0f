"""Undoing an import: the dialog that says what will happen, its progress, and what came of it."""

import uuid
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.jobs.admin.views import JobView
from backoffice.policy import may_many, scope
from backoffice.sheets.admin.base import OneImport, State
from backoffice.sheets.answers import form_of
from backoffice.sheets.models import ImportJob, Undo, UndoLeft
from backoffice.sheets.services import StateError
from backoffice.sheets.undoing import undo
from backoffice.site import Badge, DialogPage
from backoffice.site.actions import ReasonForm
from backoffice.site.visitors import signed_in

_A_PAGE = 50
_MOST_COUNTED = 1_000
BADGES = {
    Undo.State.RUNNING: "move",
    Undo.State.DONE: "done",
    Undo.State.FAILED: "fail",
    Undo.State.CANCELLED: "rest",
}


_WHO = gettext_lazy(
    "Whoever uploaded the file, or may undo imports of others, can undo it, with the rights to "
    "import such a file. What somebody else had to approve is undone by somebody else."
)


def links(page: OneImport, job: ImportJob, user: Any) -> dict[str, str]:
    """Return where the undo is asked for, and where it is shown; "" for where it is not."""
    if not page.offers_undo:
        return {"undo_url": "", "undone_url": ""}
    begun = job.state in {State.UNDOING, State.UNDONE}
    may = not begun and undo.is_allowed(job, user) and undo.is_open(job)
    return {
        "undo_url": page.url("import_undo", job) if may else "",
        "undone_url": page.url("import_undone", job) if begun else "",
    }


class UndoForm(ReasonForm):
    """Asks why."""

    recorded = gettext_lazy(
        "You, the time, your reason, and how many rows went back. Each row keeps the version "
        "of the import in its history."
    )


class UndoPage(DialogPage):
    """The dialog that starts the undo, or lets a stopped one go on."""

    path, name = "imports/<uuid:number>/undo/", "import_undo"
    permission = "sheets.view_importjob"
    title = gettext_lazy("Undo this import")
    submit = gettext_lazy("Undo the import")
    icon, harmful = "undo", True
    form = UndoForm

    def subject(self, request: HttpRequest, **kwargs: Any) -> ImportJob:
        """Return the import."""
        return get_object_or_404(ImportJob, public_id=kwargs["number"])

    def why_not(self, request: HttpRequest, subject: ImportJob) -> str:
        """Say who may, and when there is nothing to undo."""
        if not undo.is_allowed(subject, signed_in(request)):
            return str(_WHO)
        if not undo.is_open(subject):
            stays = [f"{label}: {why}" for label, why in undo.staying(form_of(subject))]
            return " ".join(stays) or _(
                "This import wrote nothing, still runs, or was undone already."
            )
        return ""

    def intro(self, request: HttpRequest, subject: ImportJob) -> str:
        """Say how many rows go back, go away, and stay."""
        changed, made = subject.total("updated"), subject.total("created")
        edited = undo.edited_since(subject, _MOST_COUNTED)
        told = {
            "changed": number_format(changed, force_grouping=True),
            "made": number_format(made, force_grouping=True),
            "edited": _("more than %s") % number_format(_MOST_COUNTED, force_grouping=True)
            if edited > _MOST_COUNTED
            else number_format(edited, force_grouping=True),
        }
        stays = [f"{label}: {why}" for label, why in undo.staying(form_of(subject))]
        return " ".join([self._words(told), *stays])

    @staticmethod
    def _words(told: dict[str, str]) -> str:
        return (
            _(
                "Up to %(changed)s changed rows go back to their versions before, and up to "
                "%(made)s new rows are deleted. Rows that somebody edited since (%(edited)s now) "
                "or that others use stay as they are and are listed, with all that belongs to them."
            )
            % told
        )

    def act(self, request: HttpRequest, subject: ImportJob, form: Any) -> str:
        """Start it."""
        try:
            undo.begin(subject, actor=signed_in(request), reason=form.cleaned_data["reason"])
        except StateError as error:
            raise ValidationError(str(error)) from None
        return _("The import is being undone.")

    def back(self, request: HttpRequest, subject: ImportJob) -> str:
        """Return to the undo once there is one, else to the result."""
        begun = Undo.objects.filter(import_job=subject).exists()
        name = "import_undone" if begun else "import_result"
        return reverse(f"{self.site.name}:{name}", kwargs={"number": subject.public_id})


class _OfUndo(OneImport):
    def undo(self, number: uuid.UUID) -> Undo:
        """Return the undo of an import, or raise Http404."""
        rows = Undo.objects.select_related("import_job__owner", "import_job__job", "job", "owner")
        found = rows.filter(import_job__public_id=number).first()
        if found is None:
            raise Http404
        return found


class UndonePage(_OfUndo):
    """How far the undo is, and in the end what came of it."""

    path, name = "imports/<uuid:number>/undone/", "import_undone"
    title = gettext_lazy("Undo")
    template_name = "sheets/undone.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return counts, and the rows that were left."""
        begun = self.undo(kwargs["number"])
        job, user = begun.import_job, signed_in(request)
        page = Paginator(begun.left.all(), _A_PAGE).get_page(request.GET.get("p"))
        view = JobView(begun.job, user) if begun.job else None
        return {
            **self.frame(request, job),
            "steps": [],
            "undo": begun,
            "undo_badge": Badge(BADGES[Undo.State(begun.state)], begun.get_state_display()),  # type: ignore[arg-type]
            "totals": undo.totals(begun),
            "reasons": undo.reasons(begun),
            "running": begun.state == Undo.State.RUNNING and view and not view.job.finished,
            "view": view,
            "progress_url": self.url("import_undo_progress", job),
            "again_url": self.url("import_undo", job) if _may_go_on(job, begun, user) else "",
            "page": page,
            "rows": list(self._rows(page.object_list, user)),
        }

    def _rows(self, left: Any, user: Any) -> list[dict[str, Any]]:
        """Return the rows that were left; their names and links only for who may see them."""
        rows = list(left)
        seen = {name: self._seen(name, rows, user) for name in {one.model for one in rows}}
        return [
            {
                "kind": str(apps.get_model(one.model)._meta.verbose_name),
                "why": one.get_why_display(),
                **seen[one.model].get(one.object_id, {"text": _hidden(one), "url": ""}),
            }
            for one in rows
        ]

    def _seen(self, label: str, rows: list[UndoLeft], user: Any) -> dict[str, dict[str, str]]:
        """Return key -> name and link, of the rows of one model that the person may view."""
        model: type[Model] = apps.get_model(label)
        keys = [one.object_id for one in rows if one.model == label]
        found: QuerySet[Any] = scope(user, model._default_manager.filter(pk__in=keys))
        records = list(found)
        allowed = may_many(user, "view", records)
        return {
            str(row.pk): {"text": str(row), "url": self._record_url(model, row.pk)}
            for row in records
            if allowed[row.pk]
        }

    def _record_url(self, model: type[Model], pk: Any) -> str:
        name = f"{model._meta.app_label}_{model._meta.model_name}_change"
        try:
            return reverse(f"{self.site.name}:{name}", args=[pk])
        except NoReverseMatch:
            return ""


def _may_go_on(job: ImportJob, begun: Undo, user: Any) -> bool:
    stopped = begun.state in {Undo.State.FAILED, Undo.State.CANCELLED}
    return stopped and job.state == State.UNDOING and undo.is_allowed(job, user)


def _hidden(one: UndoLeft) -> str:
    """Return what is said of a row that is gone, or that the person may not see."""
    gone = one.why == UndoLeft.Why.GONE
    return _("deleted") if gone else _("a record that you may not see")


class UndoProgressPage(_OfUndo):
    """The state of the job for the script of the page."""

    path, name = "imports/<uuid:number>/undone/progress/", "import_undo_progress"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Return it as JSON."""
        begun = self.undo(kwargs["number"])
        over = begun.job is None or begun.job.finished or begun.state != Undo.State.RUNNING
        view = JobView(begun.job) if begun.job else None
        said = {
            "percent": view.percent if view else 100,
            "progress": view.progress if view else "",
            "message": view.job.message if view else "",
            "rate": view.rate if view else "",
            "left": view.left if view else "",
            "finished": over,
        }
        return JsonResponse(said, headers={"Cache-Control": "no-store"})
