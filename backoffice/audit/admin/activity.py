"""The page Activity: who did, saw, exported or was refused what, and why.

A search is an address: it can be kept under a name, and exported.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth import get_user_model
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.audit import state, verbs
from backoffice.audit.models import Event, EventQuerySet, Outcome, SavedSearch
from backoffice.policy import may
from backoffice.site import SitePage, navigation, staff_site, writers
from backoffice.site.subjects import Subject, describe
from backoffice.site.values import BadgeKind

PAGE = 50
# The character of every mask; masking stands above the record of activity.
_MASK = "\N{BULLET}"
# Choices of "What" that take in several verbs.
_PERSONAL = {
    "personal": _("Anything with personal data"),
    "personal.revealed": _("Personal data: revealed"),
    "personal.searched": _("Personal data: searched by"),
    "personal.exported": _("Personal data: in files"),
    "personal.granted": _("Personal data: access given"),
}
_READY_MADE = (
    (_("Reveals"), "verb=personal.revealed"),
    (_("Files"), "verb=personal.exported"),
    (_("Refused"), "outcome=refused"),
    (_("Sign-in failures"), f"verb={verbs.SIGN_IN_FAILED}"),
)
_OUTCOMES: dict[str, BadgeKind] = {"done": "quiet", "refused": "fail", "failed": "fail"}
_PERIODS = {
    "": (_("Any time"), None),
    "day": (_("Last 24 hours"), timedelta(days=1)),
    "week": (_("Last 7 days"), timedelta(days=7)),
    "month": (_("Last 30 days"), timedelta(days=30)),
}


class _Day(forms.DateInput):
    """A day, picked in the browser's own way."""

    input_type = "date"


class ActivityFilter(forms.Form):
    """What the list is narrowed by. Nothing personal: people by id, records by public number."""

    person = forms.ChoiceField(label=_("Person"), required=False)
    verb = forms.ChoiceField(label=_("What"), required=False)
    outcome = forms.ChoiceField(
        label=_("Outcome"), required=False, choices=[("", _("Any outcome")), *Outcome.choices]
    )
    period = forms.ChoiceField(
        label=_("When"),
        required=False,
        choices=[(k, text) for k, (text, _span) in _PERIODS.items()],
    )
    since = forms.DateField(label=_("From"), required=False, widget=_Day())
    until = forms.DateField(label=_("Until"), required=False, widget=_Day())
    kind = forms.ChoiceField(label=_("Kind of record"), required=False)
    number = forms.CharField(label=_("Its number"), required=False, max_length=64)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the people, verbs and kinds of record that there are."""
        super().__init__(*args, **kwargs)
        people = get_user_model()._default_manager.order_by("first_name", "username")
        self.fields["person"].choices = [  # type: ignore[attr-defined]
            ("", _("Anybody")),
            *((str(person.pk), str(person)) for person in people),
        ]
        what = [("", _("Anything")), *_PERSONAL.items(), *verbs.choices()]
        self.fields["verb"].choices = what  # type: ignore[attr-defined]
        self.fields["kind"].choices = [("", _("Any record")), *_kinds()]  # type: ignore[attr-defined]

    def clean_number(self) -> str:
        """Refuse a mask: it names no record, and has no place in the record of activity."""
        number: str = self.cleaned_data["number"].strip()
        if _MASK in number:
            raise forms.ValidationError(_("A mask finds nothing. Type the public number."))
        return number

    def narrow(self, events: EventQuerySet) -> EventQuerySet:
        """Return the events that match; wrong values of an address narrow to nothing."""
        if not self.is_valid():
            return events.none()
        wanted = self.cleaned_data
        plain = {"actor_id": "person", "outcome": "outcome"}
        chosen = {column: wanted[name] for column, name in plain.items() if wanted[name]}
        events = events.filter(**chosen, **_times(wanted))
        if wanted["verb"] in _PERSONAL:
            kinds = wanted["verb"].split(".")[1:]
            events = events.filter(verb__in=verbs.personal(*kinds))
        elif wanted["verb"]:
            events = events.filter(verb=wanted["verb"])
        if wanted["number"]:
            return events.concerning(wanted["kind"], _ids(wanted["kind"], wanted["number"]))
        return events.filter(subject_type=wanted["kind"]) if wanted["kind"] else events

    def told(self, rows: int) -> dict[str, str]:
        """Return what it is narrowed by, for the record of activity: never a personal value.

        A number that led to none of the `rows` is what somebody typed, and told as "*".
        """
        if not self.is_valid():
            return {}
        facts = {name: str(value) for name, value in self.cleaned_data.items() if value}
        return facts if rows or "number" not in facts else {**facts, "number": "*"}


def _times(wanted: Mapping[str, Any]) -> dict[str, datetime]:
    """Return the conditions on when: days are taken whole, in the zone in force."""
    times = {}
    span = _PERIODS[wanted["period"]][1]
    if span is not None:
        times["at__gte"] = timezone.now() - span
    if wanted["since"]:
        begin = timezone.make_aware(datetime.combine(wanted["since"], time()))
        times["at__gte"] = max(begin, times.get("at__gte", begin))
    if wanted["until"]:
        after = wanted["until"] + timedelta(days=1)
        times["at__lt"] = timezone.make_aware(datetime.combine(after, time()))
    return times


def _kinds() -> list[tuple[str, str]]:
    """Return (label, name) of the models that have a page or stand in the record."""
    pages = staff_site._registry  # noqa: SLF001 - our own site
    return sorted(
        ((model._meta.label_lower, str(model._meta.verbose_name)) for model in pages),
        key=lambda pair: pair[1],
    )


def _ids(kind: str, number: str) -> list[str]:
    """Return the keys of the records with this public number, and the number itself as a key."""
    ids = [number]
    for model, page in staff_site._registry.items():  # noqa: SLF001 - our own site
        if kind == model._meta.label_lower and page.number_field:
            rows = model._default_manager.filter(**{page.number_field: number})
            ids = [str(key) for key in rows.values_list("pk", flat=True)]
    return ids


@dataclass(frozen=True, slots=True)
class Line:
    """An event as the table shows it."""

    event: Event
    subject: Subject
    badge: BadgeKind


def lines(request: HttpRequest, events: Iterable[Event]) -> list[Line]:
    """Return the events with the names of what they are about."""
    rows = list(events)
    subjects = describe(staff_site, request, {(row.subject_type, row.subject_id) for row in rows})
    return [
        Line(row, subjects[row.subject_type, row.subject_id], _OUTCOMES.get(row.outcome, "tag"))
        for row in rows
    ]


class ActivityPage(SitePage):
    """The record, newest first. Reading it changes nothing, and nobody can change it."""

    path, name = "activity/", "activity"
    title = _("Activity")
    subtitle = _("Who did, saw, exported and approved what, and why. Times in the system's zone.")
    permission = "audit.view_event"
    template_name = "audit/activity.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Narrow, take one page, look the subjects up; a constant number of queries."""
        form = ActivityFilter(request.GET or {"period": ""})
        events = form.narrow(Event.objects.all()).select_related("actor", "real_actor")
        before = request.GET.get("before", "")
        if before.isdecimal():
            events = events.filter(pk__lt=int(before))
        found = list(events[: PAGE + 1])
        query = searched(request.GET)
        kept = SavedSearch.objects.filter(owner=request.user.pk)
        return {
            "form": form,
            "lines": lines(request, found[:PAGE]),
            "older": found[PAGE - 1].pk if len(found) > PAGE else None,
            "newer": before.isdecimal(),
            "chain": state.now(),
            "query": query,
            "ready_made": [(text, address, address == query) for text, address in _READY_MADE],
            "kept": [(row, row.query == query) for row in kept],
            "kinds": writers.kinds() if may(request.user, "audit.export_event", None) else [],
            "may_review": may(request.user, "audit.view_accessreview", None).allowed,
        }


def searched(parameters: QueryDict) -> str:
    """Return the search of an address as its shortest query string, without the place in it."""
    names = ActivityFilter.base_fields
    return urlencode([(name, parameters[name]) for name in names if parameters.get(name)])


staff_site.add_page(ActivityPage)
navigation.add(
    staff_site,
    group=_("Oversight"),
    groups={"ops": _("System")},
    label=_("Activity"),
    icon="manage_history",
    url_name="activity",
    permission="audit.view_event",
    order=800,
)
