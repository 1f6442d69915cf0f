"""Saying which column of the file is which, what stands for empty cells, and what is changed."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.sheets import answers, formats, mapping, profiles, services, transforms
from backoffice.sheets.admin import drafts
from backoffice.sheets.admin.base import OneImport
from backoffice.sheets.admin.drafts import Draft
from backoffice.sheets.admin.samples import samples
from backoffice.sheets.formats import Column, Format
from backoffice.sheets.models import ImportJob, ImportProfile
from backoffice.sheets.reading import heads
from backoffice.sheets.reading.reader import RawRow
from backoffice.site.visitors import signed_in


class MappingPage(OneImport):
    """Which column of the file goes where; the check starts from here."""

    path = "imports/<uuid:number>/mapping/"
    name = "import_mapping"
    title = gettext_lazy("Mapping")
    subtitle = gettext_lazy("Found by the headers. Change what is wrong; nothing is written yet.")
    template_name = "sheets/mapping.html"
    step = "mapping"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Show the mapping; before it is known how a text is written, that is asked first."""
        job = self.job(kwargs["number"])
        if answers.must_say_dialect(job) and self.frame(request, job)["mine"]:
            return self.go("import_dialect", job)
        return self.render(request, **kwargs)

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return a table for each group of sheets with the same headers."""
        job = self.job(kwargs["number"])
        form = self.form(job)
        frame = self.frame(request, job)
        groups = []
        if form is not None:
            posted = request.method == "POST"
            made = drafts.posted(job, form, request.POST) if posted else drafts.loaded(job)
            first = heads.rows(job) if frame["mine"] else {}
            groups = [_group(one, job, form, first.get(one.names[0], [])) for one in made]
        return {
            **frame,
            "format": form,
            "choices": services.open_formats(signed_in(request), job.tenant),
            "groups": groups,
            "transforms": transforms.TRANSFORMS.values(),
            "twice": bool(request.POST.get("twice")),
            **self._profiles(request, job, mine=frame["mine"]),
        }

    @staticmethod
    def _profiles(request: HttpRequest, job: ImportJob, *, mine: bool) -> dict[str, Any]:
        actor = signed_in(request)
        fitting = answers.fitting_profiles(job, actor) if mine else []
        name, supplier = (job.profile.name, job.profile.supplier) if job.profile else ("", "")
        return {
            "profile": job.profile,
            "keep_name": request.POST.get("profile_name", name),
            "keep_supplier": request.POST.get("supplier", supplier),
            "fitting": fitting,
            "may_keep": mine and actor.has_perm("sheets.add_importprofile"),
            "may_replace": actor.has_perm("sheets.change_importprofile"),
        }

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Keep the mapping and start the check, or do what else a button says."""
        job = self.job(kwargs["number"])
        answers.must_own(job, signed_in(request))
        acts = {
            "preview": self._preview,
            "format": self._use_format,
            "profile": self._use_profile,
            "keep": self._keep,
        }
        act = acts.get(request.POST.get("do", ""), self._check)
        try:
            return act(request, job) or self.render(request, **kwargs)
        except (ValueError, services.StateError) as error:
            return self.render(request, status=422, extra={"error": str(error)}, **kwargs)

    def _check(self, request: HttpRequest, job: ImportJob) -> HttpResponse:
        self._map(request, job)
        services.check(job, actor=signed_in(request))
        return self.go("import_run", job)

    def _map(self, request: HttpRequest, job: ImportJob) -> None:
        form = _chosen_format(request, job)
        maps = drafts.mappings(drafts.posted(job, form, request.POST))
        twice = bool(request.POST.get("twice"))
        services.map_columns(job, form, maps, actor=signed_in(request), twice=twice)

    def _preview(self, request: HttpRequest, job: ImportJob) -> None:
        """Show what was posted; what is wrong with it is said as an error."""
        form = self.form(job)
        if form is not None:
            drafts.mappings(drafts.posted(job, form, request.POST))

    def _use_format(self, request: HttpRequest, job: ImportJob) -> HttpResponse:
        services.use_format(job, _chosen_format(request, job), actor=signed_in(request))
        return self.go("import_mapping", job)

    def _use_profile(self, request: HttpRequest, job: ImportJob) -> HttpResponse:
        number = request.POST.get("profile", "")
        profile = ImportProfile.objects.filter(pk=number).first() if number.isdecimal() else None
        if number and profile is None:
            raise Http404
        services.use_profile(job, profile, actor=signed_in(request))
        return self.go("import_mapping", job)

    def _keep(self, request: HttpRequest, job: ImportJob) -> HttpResponse:
        actor = signed_in(request)
        if not actor.has_perm("sheets.add_importprofile"):
            raise PermissionDenied
        self._map(request, job)
        kept = profiles.keep(
            job,
            request.POST.get("profile_name", ""),
            actor=actor,
            supplier=request.POST.get("supplier", ""),
            replace=bool(request.POST.get("replace")),
        )
        messages.success(request, _("Kept as the profile “%s”.") % kept)
        return self.go("import_mapping", job)


def _chosen_format(request: HttpRequest, job: ImportJob) -> Format:
    try:
        return formats.get(request.POST.get("format", job.format))
    except KeyError:
        raise Http404 from None


def _group(draft: Draft, job: ImportJob, form: Format, first: Sequence[RawRow]) -> dict[str, Any]:
    headers = mapping.shown(draft.headers)
    taken = {key: int(text) for key, text in draft.columns.items() if text.isdecimal()}
    guesses = mapping.guesses(draft.headers, form, taken)
    shown = samples(draft, job, form, first)
    return {
        "index": draft.index,
        "names": draft.names,
        "header_row": draft.sheet["header_row"],
        "headers": [(str(place), text) for place, text in enumerate(headers)],
        "unread": drafts.unread(draft),
        "nameless": drafts.nameless(draft),
        "missing": [
            str(column.label)
            for column in form.columns
            if not column.may_be_empty
            and column.key not in taken
            and not draft.constants.get(column.key)
        ],
        "has_samples": bool(shown),
        "columns": [
            {
                **_row(draft, column),
                "guess": headers[guesses[column.key]] if column.key in guesses else "",
                "samples": shown.get(column.key, []),
            }
            for column in form.columns
        ],
    }


def _row(draft: Draft, column: Column) -> dict[str, Any]:
    key = column.key
    steps = draft.steps.get(key, [])
    blank = [("", "", "")] if len(steps) < transforms.MOST_STEPS else []
    return {
        "column": column,
        "field": draft.name("column", key),
        "place": draft.columns.get(key, ""),
        "constant_field": draft.name("constant", key),
        "constant": draft.constants.get(key, ""),
        "steps": [
            {
                "name": name,
                "first": first,
                "second": second,
                "field": draft.name("step", key, number),
                "first_field": draft.name("a", key, number),
                "second_field": draft.name("b", key, number),
            }
            for number, (name, first, second) in enumerate([*steps, *blank])
        ],
        "changed": len(steps),
    }
