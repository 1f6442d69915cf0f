"""The stop switch: who stopped which refunds and why, and letting them go on."""

from typing import Any

from django import forms
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

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
from payments.gateways import gateways
from payments.models import RefundStop
from payments.services import stops


class StopForm(ReasonForm):
    """Which refunds, and why."""

    recorded = gettext_lazy("Your name, the time, the gateway and the reason.")

    gateway = forms.ChoiceField(label=gettext_lazy("Which refunds?"), required=False)

    field_order = ("gateway", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer all, or one gateway."""
        super().__init__(*args, **kwargs)
        aliases = [(alias, str(gateways[alias].label)) for alias in gateways]
        self.fields["gateway"].choices = [("", _("All of them")), *aliases]  # type: ignore[attr-defined]

    def intro(self) -> str:
        """Return what will happen."""
        return _(
            "From this moment nobody can ask for these refunds, and none that is approved is sent. "
            "What was sent already is still looked up, and amounts stay held."
        )

    def rule(self) -> str:
        """Return who lets them go on."""
        return _("Another person has to let them go on. You cannot.")


class ResumeForm(ReasonForm):
    """Why they may go on."""

    recorded = gettext_lazy("Your name, the time and the reason.")

    def intro(self) -> str:
        """Return what will happen."""
        return _("Approved refunds are sent again, and new ones can be asked for.")


@register(RefundStop, site=staff_site)
class RefundStopAdmin(BackofficeAdmin):
    """Stops of refunds, in force and over."""

    list_subtitle = gettext_lazy("One person stops refunds at once; another lets them go on.")
    empty_text = gettext_lazy("Refunds were never stopped.")
    list_display = ("what", "reason", "stopped_by", "stopped_at", "ended_by", "ended_at")
    list_select_related = ("stopped_by", "ended_by")
    list_filter = ("gateway",)
    editable = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefundStop]:
        """Fetch the people along."""
        return super().get_queryset(request).select_related("stopped_by", "ended_by")

    def what(self, stopped: RefundStop) -> str:
        """The gateway, or all."""
        return _label(stopped)

    what.short_description = gettext_lazy("refunds of")  # type: ignore[attr-defined]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refunds are stopped by the action."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A stop changes by its action."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Stops stay."""
        return False

    def record_title(self, obj: Any) -> str:
        """Return "Refunds stopped: Simulator"."""
        return _("Refunds stopped: %(what)s") % {"what": _label(obj)}

    def record_badges(self, obj: Any) -> list[Badge]:
        """Return whether it is in force."""
        return [Badge("rest", _("Over")) if obj.ended_at else Badge("fail", _("In force"))]

    def row_badges(self, obj: Any) -> list[Badge]:
        """Return the same in the list."""
        return self.record_badges(obj)

    @action(
        gettext_lazy("Stop refunds"),
        permission="payments.stop_refunds",
        icon="block",
        form=StopForm,
        listing=True,
        harmful=True,
    )
    def stop(self, request: HttpRequest, obj: None, form: Any) -> str:
        """Stop them at once."""
        data = form.cleaned_data
        made = stops.stop(data["gateway"], actor=signed_in(request), reason=data["reason"])
        return _("Refunds are stopped: %(what)s.") % {"what": _label(made)}

    @action(
        gettext_lazy("Let them go on"),
        permission="payments.resume_refunds",
        icon="play_arrow",
        form=ResumeForm,
        primary=True,
        quick=True,
        step_up=True,
        visible=lambda stopped: stopped.ended_at is None,
    )
    def resume(self, request: HttpRequest, stopped: RefundStop, form: Any) -> str:
        """Let them go on; not who stopped them."""
        stops.resume(stopped, actor=signed_in(request), reason=form.cleaned_data["reason"])
        return _("Refunds go on: %(what)s.") % {"what": _label(stopped)}


def _label(stopped: RefundStop) -> str:
    alias = stopped.gateway
    return str(gateways[alias].label) if alias in gateways else alias or _("all gateways")


navigation.add(
    staff_site,
    group=gettext_lazy("Gateways"),
    label=gettext_lazy("Stops of refunds"),
    icon="block",
    url_name="payments_refundstop_changelist",
    permission="payments.view_refundstop",
    order=70,
)
