"""Alarms: who was stopped at the limit, or looked into more than usual, and what was found."""

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import display
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localdate
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.masking import alarms
from backoffice.masking.models import Alarm
from backoffice.site import (
    BackofficeAdmin,
    Badge,
    ReasonForm,
    action,
    navigation,
    register,
    staff_site,
)
from backoffice.site.visitors import signed_in


class FindingForm(ReasonForm):
    """What came out of it."""

    recorded = gettext_lazy("You, the time and what you found.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Ask for a finding in place of a reason."""
        super().__init__(*args, **kwargs)
        self.fields["reason"].label = _("What did you find?")


@register(Alarm, site=staff_site)
class AlarmAdmin(BackofficeAdmin):
    """Who looked into much personal data."""

    list_display = ["what", "person", "raised_at", "figures", "status"]
    list_select_related = ["person", "settled_by"]
    list_filter = ["kind"]
    fields = [
        "what",
        "person",
        "raised_at",
        "figures",
        "seen",
        "settled_at",
        "settled_by",
        "finding",
    ]
    editable = False
    list_title = gettext_lazy("Alarms about personal data")
    list_subtitle = gettext_lazy(
        "Who was stopped at the limit of reveals, revealed twice as much as usual for them, or "
        "gave somebody access to clear values."
    )
    empty_text = gettext_lazy(
        "Nobody was stopped, nobody looked into more than usual, and nobody was given access."
    )

    @staticmethod
    def what(alarm: Alarm) -> str:
        """Return what was noticed."""
        return str(alarm.get_kind_display())

    @staticmethod
    def figures(alarm: Alarm) -> str:
        """Return the counts in words."""
        if alarm.kind == Alarm.Kind.RIGHT:
            return str(_("%(given)s to %(to)s") % alarm.facts)
        if alarm.kind == Alarm.Kind.UNUSUAL:
            text = _("%(seen)s records that day, usually %(usual)s")
        else:
            text = _("%(seen)s records that day, asked for %(asked)s more")
        return str(text % alarm.facts)

    @staticmethod
    @display(description=gettext_lazy("what they saw"))
    def seen(alarm: Alarm) -> SafeString:
        """Link to what the person saw that day, and why."""
        day = localdate(alarm.raised_at).isoformat()
        asked = {"person": alarm.person_id, "verb": "personal.revealed", "since": day, "until": day}
        url = f"{reverse('admin:activity')}?{urlencode(asked)}"
        return format_html('<a href="{}">{}</a>', url, _("Look it up in the record of activity"))

    def record_title(self, obj: Any) -> str:
        """Return what was noticed, about whom."""
        return str(obj)

    def record_badges(self, obj: Any) -> list[Badge]:
        """Return whether somebody looked into it."""
        return [self.status(obj)]

    @staticmethod
    def status(alarm: Alarm) -> Badge:
        """Return whether somebody looked into it."""
        if alarm.settled_at is None:
            return Badge("wait", _("Open"))
        return Badge("rest", _("Looked into"))

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Alarms raise themselves."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Keep them: they are part of the record."""
        return False

    @action(
        gettext_lazy("Note what was found"),
        permission=alarms.SETTLE,
        form=FindingForm,
        icon="task_alt",
        primary=True,
        visible=lambda alarm: alarm.settled_at is None,
    )
    def settle(self, request: HttpRequest, alarm: Alarm, form: FindingForm) -> str:
        """Close the alarm."""
        alarms.settle(alarm, actor=signed_in(request), finding=form.cleaned_data["reason"])
        return _("It is on the record.")


navigation.add(
    staff_site,
    group=gettext_lazy("Oversight"),
    label=gettext_lazy("Alarms"),
    icon="notification_important",
    url_name="masking_alarm_changelist",
    permission="masking.view_alarm",
    badge=alarms.waiting,
    tone="wait",
    order=84,
)
