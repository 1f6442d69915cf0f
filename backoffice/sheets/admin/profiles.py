"""Formats with their columns and templates, and the profiles by which suppliers' files are read."""

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy

from backoffice.sheets import formats, profiles, services
from backoffice.sheets.admin.dialect import LABELS, encoding_words
from backoffice.sheets.admin.drafts import typed
from backoffice.sheets.exporting import exports
from backoffice.sheets.formats import Format
from backoffice.sheets.intake.charsets import ENCODINGS
from backoffice.sheets.models import ImportJob, ImportProfile
from backoffice.sheets.reading import dialects
from backoffice.sheets.transforms import TRANSFORMS
from backoffice.sheets.writing import ways
from backoffice.site import DialogPage, SitePage
from backoffice.site.actions import ActionForm
from backoffice.site.visitors import signed_in


class FormatsPage(SitePage):
    """What can be imported, and the kept answers."""

    path, name = "formats/", "sheet_formats"
    title = gettext_lazy("Formats and profiles")
    subtitle = gettext_lazy("What sheets can hold, and how suppliers' files are read.")
    permission = "sheets.view_importjob"
    template_name = "sheets/formats.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the formats and, for whoever may see them, the profiles."""
        actor = signed_in(request)
        may_see = actor.has_perm("sheets.view_importprofile")
        rows = ImportProfile.objects.select_related("owner") if may_see else ()
        titles = {form.key: str(form.title) for form in formats.everything()}
        return {
            "formats": [
                {
                    "form": form,
                    "url": reverse(f"{self.site.name}:sheet_format", args=[form.key]),
                    "columns": len(form.columns),
                    "open": services.may_import(actor, form),
                }
                for form in formats.everything()
            ],
            "profiles": [
                {
                    "profile": one,
                    "format": titles.get(one.format, one.format),
                    "url": reverse(f"{self.site.name}:sheet_profile", args=[one.public_id]),
                }
                for one in rows
            ],
            "may_see_profiles": may_see,
        }


class _OneFormat(SitePage):
    permission = "sheets.view_importjob"

    def format(self, key: str) -> Format:
        """Return the format, or raise Http404."""
        try:
            return formats.get(key)
        except KeyError:
            raise Http404 from None

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[tuple[str, str]]:
        """Return the list of formats."""
        return [(str(FormatsPage.title), reverse(f"{self.site.name}:sheet_formats"))]


class FormatPage(_OneFormat):
    """The columns of one format, the words by which they are found, and how it is written."""

    path, name = "formats/<slug:key>/", "sheet_format"
    title = gettext_lazy("Format")
    template_name = "sheets/format.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the columns."""
        form = self.format(kwargs["key"])
        return {
            "format": form,
            "title": form.title,
            "crumb": form.title,
            "page_subtitle": "",
            "ways": list(_ways(form)),
            "open": services.may_import(signed_in(request), form),
            "template_url": reverse(f"{self.site.name}:sheet_template", args=[form.key]),
        }


def _ways(form: Format) -> Iterator[dict[str, Any]]:
    """Yield how the records of a plain Resource are written, and why not faster."""
    resource = getattr(form, "resource", None)
    if resource is not None:
        verdict = ways.way_of(resource)
        yield {"label": ways.LABELS[verdict.way], "reasons": verdict.reasons}


class TemplatePage(_OneFormat):
    """An empty workbook with the columns of a format."""

    path, name = "formats/<slug:key>/template/", "sheet_template"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        """Return the file."""
        form = self.format(kwargs["key"])
        return exports.write_xlsx(form.key, [str(one.label) for one in form.columns], [])


class _OneProfile:
    """What the pages of one profile share."""

    def profile(self, number: Any) -> ImportProfile:
        """Return the profile, or raise Http404."""
        found = ImportProfile.objects.select_related("owner").filter(public_id=number).first()
        if found is None:
            raise Http404
        return found


class ProfilePage(_OneProfile, SitePage):
    """What a profile says: columns, fixed values, changes, and how a csv file is written."""

    path, name = "formats/profile/<uuid:number>/", "sheet_profile"
    title = gettext_lazy("Profile")
    permission = "sheets.view_importprofile"
    template_name = "sheets/profile.html"

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[tuple[str, str]]:
        """Return the list of profiles."""
        return [(str(FormatsPage.title), reverse(f"{self.site.name}:sheet_formats"))]

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the answers in words."""
        profile = self.profile(kwargs["number"])
        form = profiles.form_of(profile)
        actor = signed_in(request)
        here = [profile.public_id]
        return {
            "profile": profile,
            "title": profile.name,
            "crumb": profile.name,
            "page_subtitle": profile.supplier,
            "format": form,
            "layouts": [_layout(one, form) for one in profile.mapping.get("layouts", ())],
            "dialect": _dialect(profile.dialect),
            "mode": ImportJob.Mode(profile.mode).label,
            "rename_url": reverse(f"{self.site.name}:sheet_profile_rename", args=here)
            if actor.has_perm("sheets.change_importprofile")
            else "",
            "delete_url": reverse(f"{self.site.name}:sheet_profile_delete", args=here)
            if actor.has_perm("sheets.delete_importprofile")
            else "",
        }


def _layout(kept: Mapping[str, Any], form: Format | None) -> dict[str, Any]:
    labels = {one.key: str(one.goes_to or one.label) for one in form.columns} if form else {}
    keys = dict.fromkeys([*kept["columns"], *kept["constants"], *kept["transforms"]])
    return {
        "header_rows": kept["header_rows"],
        "rows": [
            {
                "goes_to": labels.get(key, key),
                "header": kept["columns"].get(key, ""),
                "constant": kept["constants"].get(key, ""),
                "steps": [_step(step) for step in kept["transforms"].get(key, ())],
            }
            for key in keys
        ],
    }


def _step(step: list[Any]) -> str:
    """Return a change in words; a profile names the other column of a join by its header."""
    label = str(TRANSFORMS[step[0]].label)
    if step[0] == "join":
        return f"{label}: {step[1]}"
    _name, first, second = typed(step)
    values = " · ".join(part for part in (first, second) if part)
    return f"{label}: {values}" if values else label


def _dialect(kept: Mapping[str, str]) -> list[tuple[str, str]]:
    words: dict[str, Mapping[str, Any]] = {
        "encoding": {name: encoding_words(name) for name in ENCODINGS},
        "delimiter": dialects.DELIMITERS,
        "quote": dialects.QUOTES,
        "decimal": dialects.DECIMALS,
        "thousands": dialects.THOUSANDS,
        "dates": dialects.DATES,
    }
    return [
        (str(label), str(words.get(name, {}).get(kept[name], kept[name])))
        for name, label in LABELS.items()
        if name in kept
    ]


class NameForm(ActionForm):
    """A name and a supplier."""

    recorded = gettext_lazy("You, the time and which profile.")
    profile_name = forms.CharField(label=gettext_lazy("Name"), max_length=profiles.LONGEST_NAME)
    supplier = forms.CharField(
        label=gettext_lazy("Supplier"), max_length=profiles.LONGEST_NAME, required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        profile = kwargs.get("instance")
        if profile is not None:
            self.fields["profile_name"].initial = profile.name
            self.fields["supplier"].initial = profile.supplier


class RenameProfile(_OneProfile, DialogPage):
    """Give a profile another name."""

    path, name = "formats/profile/<uuid:number>/rename/", "sheet_profile_rename"
    title, icon = gettext_lazy("Rename the profile"), "edit"
    permission = "sheets.change_importprofile"
    form = NameForm

    def subject(self, request: HttpRequest, **kwargs: Any) -> ImportProfile:
        """Return the profile."""
        return self.profile(kwargs["number"])

    def act(self, request: HttpRequest, subject: ImportProfile, form: Any) -> Any:
        """Rename it."""
        data = form.cleaned_data
        try:
            profiles.rename(
                subject,
                data["profile_name"],
                actor=signed_in(request),
                supplier=data["supplier"],
            )
        except profiles.ProfileError as error:
            raise ValidationError({"profile_name": str(error)}) from None
        return gettext_lazy("The profile has its new name.")

    def back(self, request: HttpRequest, subject: ImportProfile) -> str:
        """Go to the profile."""
        return reverse(f"{self.site.name}:sheet_profile", args=[subject.public_id])


class DeleteProfile(_OneProfile, DialogPage):
    """Delete a profile."""

    path, name = "formats/profile/<uuid:number>/delete/", "sheet_profile_delete"
    title, icon, harmful = gettext_lazy("Delete the profile"), "delete", True
    permission = "sheets.delete_importprofile"

    def subject(self, request: HttpRequest, **kwargs: Any) -> ImportProfile:
        """Return the profile."""
        return self.profile(kwargs["number"])

    def intro(self, request: HttpRequest, subject: ImportProfile) -> Any:
        """Say what stays."""
        return gettext_lazy(
            "Files that were read by it stay as they are; the next one is asked about."
        )

    def act(self, request: HttpRequest, subject: ImportProfile, form: Any) -> Any:
        """Delete it."""
        profiles.delete(subject, actor=signed_in(request))
        return gettext_lazy("The profile is deleted.")

    def back(self, request: HttpRequest, subject: ImportProfile) -> str:
        """Go to the list."""
        return reverse(f"{self.site.name}:sheet_formats")
