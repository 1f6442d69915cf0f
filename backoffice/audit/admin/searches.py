"""Keeping a search of Activity under a name, dropping it, and taking its events out as a file."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import BadRequest, ValidationError
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.audit import verbs
from backoffice.audit.admin.activity import ActivityFilter, searched
from backoffice.audit.models import Event, SavedSearch
from backoffice.audit.services import record
from backoffice.site import (
    ActionForm,
    DialogPage,
    SitePage,
    dialogs,
    staff_site,
    throttling,
    writers,
)
from backoffice.site.cells import date_text

# Searches that a person may keep.
_MOST = 12


class SearchForm(ActionForm):
    """A name for the search that the page showed."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=40)
    query = forms.CharField(widget=forms.HiddenInput, max_length=500)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the search from the address that opened the dialog."""
        super().__init__(*args, **kwargs)
        self.fields["query"].initial = searched(self.request.GET)

    def clean_query(self) -> str:
        """Return it with the known parameters only; a search that finds nothing ever is refused."""
        parameters = QueryDict(self.cleaned_data["query"])
        if not ActivityFilter(parameters).is_valid():
            raise ValidationError(_("This search cannot be kept."))
        return searched(parameters)


class SaveSearchPage(DialogPage):
    """Keep a search. Only its owner sees it."""

    path, name = "activity/save/", "activity_save"
    title, icon = gettext_lazy("Keep this search"), "bookmark_add"
    permission = "audit.view_event"
    form = SearchForm

    def act(self, request: HttpRequest, subject: Any, form: Any) -> str:
        """Keep it."""
        mine = SavedSearch.objects.filter(owner=request.user.pk)
        if mine.count() >= _MOST:
            raise ValidationError(_("You keep as many searches as fit. Drop one first."))
        name, query = form.cleaned_data["name"], form.cleaned_data["query"]
        try:
            with transaction.atomic():
                row = SavedSearch.objects.create(
                    owner=request.user,
                    name=name,
                    query=query,  # type: ignore[misc]
                )
        except IntegrityError:
            raise ValidationError({"name": _("You keep a search of this name.")}) from None
        record(verbs.SEARCH_SAVED, actor=request.user, subject=row, context={"search": query})
        return _("The search is kept as a tab.")

    def back(self, request: HttpRequest, subject: Any) -> str:
        """Go to the search."""
        query = searched(QueryDict(request.POST.get("query", "")) or request.GET)
        return f"{reverse('admin:activity')}?{query}"


class DropSearchPage(DialogPage):
    """Drop a kept search of one's own."""

    path, name = "activity/<int:key>/drop/", "activity_drop"
    title, icon, harmful = gettext_lazy("Drop this search"), "bookmark_remove", True
    permission = "audit.view_event"

    def subject(self, request: HttpRequest, **kwargs: Any) -> SavedSearch:
        """Return the search, if it is the person's own."""
        found = SavedSearch.objects.filter(owner=request.user.pk, pk=kwargs["key"]).first()
        if found is None:
            raise Http404
        return found

    def act(self, request: HttpRequest, subject: SavedSearch, form: Any) -> str:
        """Drop it."""
        facts = {"search": subject.query}
        record(verbs.SEARCH_DROPPED, actor=request.user, subject=subject, context=facts)
        subject.delete()
        return _("The search is dropped.")

    def back(self, request: HttpRequest, subject: Any) -> str:
        """Go to the page."""
        return reverse("admin:activity")


class ExportPage(SitePage):
    """The events of a search as a file; with the search and the number of rows on the record."""

    path, name = "activity/export/", "activity_export"
    permission = "audit.export_event"
    http_method_names = ("post", "options")

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Return the file."""
        kind = request.POST.get("format", "")
        form = ActivityFilter(QueryDict(request.POST.get("query", "")) or {"period": ""})
        if kind not in writers.kinds() or not form.is_valid():
            raise BadRequest
        back = reverse("admin:activity")
        if asking := dialogs.unproved(request, self.site, title=_("Export"), back=back):
            return asking
        throttling.spend("export", request)
        newest = Event.objects.values_list("pk", flat=True).first() or 0
        events = form.narrow(Event.objects.filter(pk__lte=newest)).select_related(
            "actor", "real_actor"
        )
        rows = events.count()
        facts = {"format": kind, "rows": rows, "filter": form.told(rows)}
        record(verbs.EXPORTED, actor=request.user, subject=Event, context=facts)
        heads = [_("No."), _("When"), _("Who"), _("What"), _("Kind of record"), _("Record"),
                 _("Why"), _("Outcome"), _("Address"), _("Request")]  # fmt: skip
        return writers.file(kind, "activity", heads, _rows(events))

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Answer nothing: `http_method_names` leaves GET out."""
        raise BadRequest


def _rows(events: Any) -> Iterator[list[Any]]:
    for event in events.iterator(chunk_size=500):
        yield [
            event.pk,
            date_text(event.at),
            event.who,
            event.verb_label,
            event.subject_type,
            event.subject_id,
            event.reason,
            event.get_outcome_display(),
            event.address,
            event.request_id,
        ]


for _page in (SaveSearchPage, DropSearchPage, ExportPage):
    staff_site.add_page(_page)
