"""Exports of long lists: asked for on the list, made by a job, taken from this page."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.apps import apps
from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.files import links
from backoffice.jobs import services as jobs
from backoffice.jobs.admin import JobView
from backoffice.jobs.models import Job
from backoffice.policy import may
from backoffice.sheets.exporting import export_jobs
from backoffice.sheets.exporting.export_jobs import GoneError, LostRightError, Source, Wanted
from backoffice.sheets.models import ExportJob
from backoffice.site import Badge, SitePage, extracts, navigation, seller_site, staff_site, writers
from backoffice.site.extracts import Asked
from backoffice.site.visitors import signed_in

_SHOWN = 50
_SITES = {site.name: site for site in (staff_site, seller_site)}


def begin(request: HttpRequest, asked: Asked, rows: int) -> HttpResponseBase:
    """Start the job and lead to the page where its file will be."""
    wanted = Wanted(
        site=asked.page.admin_site.name,
        model=asked.page.model,
        kind=asked.kind,
        names=asked.names,
        as_words=asked.as_words,
        query=asked.query,
        told=asked.told,
        rows=rows,
        reason=asked.reason,
    )
    export_jobs.ask(wanted, actor=signed_in(request))
    text = _("%(rows)s rows are written by a job. The file will be here, for a day.")
    messages.success(request, text % {"rows": f"{rows:,}"})
    return redirect(f"{wanted.site}:exports")


def page_of(export: ExportJob) -> Any:
    """Return the page of the list. Raises GoneError."""
    try:
        registered = _SITES[export.site]._registry  # noqa: SLF001 - as Django's own views do
        return registered[apps.get_model(export.model)]
    except LookupError:
        raise GoneError from None


def asking(export: ExportJob, user: User, query: str = "") -> HttpRequest:
    """Return a request as the person would make it to see the list; no session, no cookies."""
    request = HttpRequest()
    request.method, request.user = "GET", user
    request.GET = QueryDict(query)
    # What an exact search found stands in a session: such a list is short, and goes at once.
    request.session = {}  # type: ignore[assignment]
    setattr(request, "_messages", CookieStorage(request))  # noqa: B010 - Django's own name for it
    request.current_app = export.site
    return request


def may_still(export: ExportJob, user: Any) -> bool:
    """Say whether the person may export this list with these columns now."""
    try:
        page, request = page_of(export), asking(export, user)
    except GoneError:
        return False
    names = {one.name for one in extracts.offers(page, request)}
    return bool(
        page.admin_site.admits(user) and page.may_export(request) and names.issuperset(export.names)
    )


@contextmanager
def read(export: ExportJob, query: str) -> Iterator[Source]:
    """Open the list as its owner sees it now. Raises LostRightError and GoneError."""
    owner = User.objects.get(pk=export.owner_id)  # anew: rights are kept with the object
    page, request = page_of(export), asking(export, owner, query)
    if not may_still(export, owner):
        raise LostRightError
    try:
        rows = page.get_changelist_instance(request).get_queryset(request)
    except IncorrectLookupParameters:
        raise GoneError from None
    asked = Asked(page, export.kind, export.names, as_words=export.as_words, query=query)
    extract = asked.extract(request, rows)
    name = str(page.opts.model_name)
    yield Source(name, extract.heads_for(export.kind), extract, rows.count())


class ExportsPage(SitePage):
    """A person's exports, with their files while they last; for some, those of everybody."""

    path, name = "exports/", "exports"
    title = gettext_lazy("Exports")
    subtitle = gettext_lazy("Long lists as files: written by jobs, masked, kept for a day.")
    template_name = "sheets/exports.html"

    def allowed(self, request: HttpRequest) -> bool:
        """Open it to whoever may export any list, or look at everybody's exports."""
        return may_look(request.user)

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the newest exports with where each of them stands."""
        found = ExportJob.objects.select_related("owner", "file", "job").filter(site=self.site.name)
        everybody = self.site is staff_site and bool(
            may(request.user, "sheets.view_exportjob", None)
        )
        if not everybody:
            found = found.filter(owner=signed_in(request))
        shown = list(found.defer("sealed_query")[:_SHOWN])
        lines = [self._line(one, request) for one in shown]
        return {"lines": lines, "everybody": everybody, "at_once": f"{writers.at_once():,}"}

    def _line(self, export: ExportJob, request: HttpRequest) -> dict[str, Any]:
        mine = export.owner_id == request.user.pk
        job = export.job
        runs = job is not None and not job.finished
        return {
            "export": export,
            "what": capfirst(export_jobs.kind_of(export)),
            "columns": len(export.names),
            "badge": badge(export),
            "view": JobView(job) if job is not None else None,
            "runs": runs,
            "status_url": self._status_url(job) if runs and job is not None else "",
            "why": job.message if job is not None and job.state == Job.State.FAILED else "",
            "stop_url": self._url("export_stop", export) if runs and mine else "",
            "file_url": self._url("export_file", export) if mine and is_ready(export) else "",
        }

    def _url(self, name: str, export: ExportJob) -> str:
        return reverse(f"{self.site.name}:{name}", args=[export.public_id])

    def _status_url(self, job: Job) -> str:
        try:
            return reverse(f"{self.site.name}:job_status", args=[job.public_id])
        except NoReverseMatch:
            return ""  # the sellers' site has no page of jobs: there the list is loaded anew


def is_ready(export: ExportJob) -> bool:
    """Say whether there is a file that did not expire."""
    return export.file is not None and export.file.expires_at > timezone.now()


def badge(export: ExportJob) -> Badge:
    """Return where the export stands."""
    if is_ready(export):
        return Badge("done", _("Ready"))
    if export.made_at is not None:
        return Badge("rest", _("Expired"))
    if export.job is None:
        return Badge("rest", _("Gone"))
    return JobView(export.job).badge


class _OwnExport(SitePage):
    """Something about one export of the person's own."""

    def _export(self, request: HttpRequest, **kwargs: Any) -> ExportJob:
        """Return the export. Raises Http404 for those of others too."""
        rows = ExportJob.objects.select_related("file", "job").filter(site=self.site.name)
        export = rows.filter(public_id=kwargs["number"], owner=signed_in(request)).first()
        if export is None:
            raise Http404
        return export


class ExportFilePage(_OwnExport):
    """Leads the owner to the link of their file."""

    path, name = "exports/<uuid:number>/file/", "export_file"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Redirect to a fresh link; 404 for anybody else and for a file that expired."""
        export = self._export(request, **kwargs)
        if export.file is None or not is_ready(export):
            raise Http404
        if not export_jobs.may_have(request.user, export):
            raise PermissionDenied
        return redirect(links.address(export.file, self.site.name))


class ExportStopPage(_OwnExport):
    """Stops the job of an export."""

    path, name = "exports/<uuid:number>/stop/", "export_stop"
    http_method_names = ("post", "options")

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Ask the job to stop."""
        export = self._export(request, **kwargs)
        if export.job is not None and not export.job.finished:
            jobs.cancel(export.job, actor=signed_in(request))
            messages.info(request, _("The export stops."))
        return redirect(f"{self.site.name}:exports")

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer nothing: `http_method_names` leaves GET out."""
        return HttpResponse(status=HTTPStatus.METHOD_NOT_ALLOWED)


def may_look(user: Any) -> bool:
    """Say whether the person may export any list, or look at everybody's exports."""
    rights = {one.partition(".")[2] for one in user.get_all_permissions()}
    return any(one.startswith("export_") or one == "view_exportjob" for one in rights)


def ready(user: Any) -> int:
    """Return how many files wait for the person."""
    return ExportJob.objects.filter(owner=user, file__expires_at__gt=timezone.now()).count()


for _page in (ExportsPage, ExportFilePage, ExportStopPage):
    staff_site.add_page(_page)
writers.register_later(begin)
export_jobs.read_with(read, may_still)
navigation.add(
    staff_site,
    group=gettext_lazy("Data in and out"),
    label=gettext_lazy("Exports"),
    icon="download",
    url_name="exports",
    order=310,
    shown=may_look,
    badge=ready,
)
