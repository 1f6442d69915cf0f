"""Alarms: who was stopped at the limit, or looked into more than usual, and what was found."""

from typing import Any

from django.db.models import Model
from django.http import HttpRequest
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
    editable = False
    list_title = gettext_lazy("Alarms about personal data")
    list_subtitle = gettext_lazy(
        "Who was stopped at the limit of reveals, or revealed twice as much as usual for them."
    )
    empty_text = gettext_lazy("Nobody was stopped, and nobody looked into more than usual.")

    @staticmethod
    def what(alarm: Alarm) -> str:
        """Return what was noticed."""
        return str(alarm.get_kind_display())

    @staticmethod
    def figures(alarm: Alarm) -> str:
        """Return the counts in words."""
        if alarm.kind == Alarm.Kind.UNUSUAL:
            text = _("%(seen)s records that day, usually %(usual)s")
        else:
            text = _("%(seen)s records that day, asked for %(asked)s more")
        return str(text % alarm.facts)

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
