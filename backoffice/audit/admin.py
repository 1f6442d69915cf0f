"""The page Activity: who did, saw, exported or was refused what, and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.audit import verbs
from backoffice.audit.models import Event, EventQuerySet, Outcome
from backoffice.site import SitePage, navigation, staff_site
from backoffice.site.subjects import Subject, describe
from backoffice.site.values import BadgeKind

PAGE = 50
_OUTCOMES: dict[str, BadgeKind] = {"done": "quiet", "refused": "fail", "failed": "fail"}
_PERIODS = {
    "": (_("Any time"), None),
    "day": (_("Last 24 hours"), timedelta(days=1)),
    "week": (_("Last 7 days"), timedelta(days=7)),
    "month": (_("Last 30 days"), timedelta(days=30)),
}


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
        self.fields["verb"].choices = [("", _("Anything")), *verbs.choices()]  # type: ignore[attr-defined]
        self.fields["kind"].choices = [("", _("Any record")), *_kinds()]  # type: ignore[attr-defined]

    def narrow(self, events: EventQuerySet) -> EventQuerySet:
        """Return the events that match; wrong values of an address narrow to nothing."""
        if not self.is_valid():
            return events.none()
        wanted = self.cleaned_data
        plain = {"actor_id": "person", "verb": "verb", "outcome": "outcome", "subject_type": "kind"}
        chosen = {column: wanted[name] for column, name in plain.items() if wanted[name]}
        events = events.filter(**chosen)
        span = _PERIODS[wanted["period"]][1]
        if span is not None:
            events = events.filter(at__gte=timezone.now() - span)
        if wanted["number"]:
            events = events.filter(subject_id__in=_ids(wanted["kind"], wanted["number"].strip()))
        return events


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
        events = form.narrow(Event.objects.all()).select_related("actor")
        before = request.GET.get("before", "")
        if before.isdecimal():
            events = events.filter(pk__lt=int(before))
        found = list(events[: PAGE + 1])
        return {
            "form": form,
            "lines": lines(request, found[:PAGE]),
            "older": found[PAGE - 1].pk if len(found) > PAGE else None,
            "newer": before.isdecimal(),
        }


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
