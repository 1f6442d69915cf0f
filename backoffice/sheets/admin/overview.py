"""The list of imports, and the upload of a file."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import acting
from backoffice.sheets import answers, services
from backoffice.sheets.admin.base import OneImport, badge, home
from backoffice.sheets.errors import ReadError
from backoffice.sheets.models import ImportJob
from backoffice.site import SitePage, throttling
from backoffice.site.visitors import signed_in

_SHOWN = 50


def waiting(user: Any) -> int:
    """Return how many imports of the person are checked and wait to be started."""
    return ImportJob.objects.filter(owner=user, state=ImportJob.State.CHECKED).count()


class UploadForm(forms.Form):
    """One file."""

    file = forms.FileField(
        label=gettext_lazy("Workbook or csv file"),
        help_text=gettext_lazy(
            "Up to 20 MB, .xlsx or .csv. You choose sheets and columns next; "
            "nothing is imported before you say so."
        ),
        widget=forms.FileInput(attrs={"accept": ".xlsx,.csv,.txt"}),
    )


class ImportsPage(SitePage):
    """Imports, newest first, with the upload above for those who may."""

    path = "imports/"
    name = "imports"
    title = gettext_lazy("Imports")
    subtitle = gettext_lazy("Workbooks and csv files on their way into the system.")
    permission = "sheets.view_importjob"
    template_name = "sheets/imports.html"

    def tenant(self, request: HttpRequest) -> str:
        """Return the key of the one shop whose imports these are; "" for all."""
        return ""

    def _may_add(self, request: HttpRequest) -> bool:
        allowed = answers.may_upload(signed_in(request), self.tenant(request))
        return allowed and not acting.is_acting()

    def jobs(self, request: HttpRequest) -> QuerySet[ImportJob]:
        """Return the imports that are listed."""
        return ImportJob.objects.select_related("owner", "job")

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the newest imports and, for those who may, the form."""
        jobs = self.jobs(request)[:_SHOWN]
        may_add = self._may_add(request)
        return {
            "upload_form": UploadForm() if may_add else None,
            "rows": [
                {
                    "job": job,
                    "badge": badge(job),
                    "created": job.created,
                    "read": job.summary.get("read"),
                    "left_out": job.summary.get("failed", 0) + job.summary.get("skipped", 0)
                    if job.summary
                    else None,
                    "url": reverse(f"{self.site.name}:import", args=[job.public_id]),
                }
                for job in jobs
            ],
        }

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Take a file."""
        tenant = self.tenant(request)
        if not self._may_add(request):
            raise PermissionDenied
        form = UploadForm(request.POST, request.FILES)
        if form.is_valid():
            throttling.spend("upload", request)
            try:
                job = services.take(form.cleaned_data["file"], signed_in(request), tenant=tenant)
            except ReadError as error:
                form.add_error("file", str(error))
            else:
                for note in job.notes:
                    messages.warning(request, note)
                return redirect(f"{self.site.name}:{_next(request, job)}", number=job.public_id)
        return self.render(request, status=422, extra={"upload_form": form})


def _next(request: HttpRequest, job: ImportJob) -> str:
    """Return the page that follows; a file that a profile knows goes straight to the check."""
    if answers.must_say_dialect(job):
        return "import_dialect"
    if job.profile is None or not answers.is_ready(job):
        return "import_sheets"
    services.check(job, actor=signed_in(request))
    text = _("Read by the profile “%s”. Under Mapping you can choose another, or none.")
    messages.info(request, text % job.profile)
    return "import_run"


class ImportPage(OneImport):
    """Sends to the page on which the import is to be looked at."""

    path = "imports/<uuid:number>/"
    name = "import"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Send on."""
        job = self.job(kwargs["number"])
        return self.go(home(job), job)
