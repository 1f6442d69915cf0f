"""Handing one's decisions over while away, and taking them back."""

import datetime as dt
from typing import Any, cast

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals import delegations
from backoffice.approvals.models import Delegation
from backoffice.site import ActionForm, DialogPage, SitePage, dialogs
from backoffice.site.pages import Crumb

SHOWN = 20


class HandOverForm(ActionForm):
    """To whom, and which days; whole days, in the site's zone."""

    recorded = gettext_lazy(
        "Both names, the days and the reason. Each decision in your place names you both."
    )
    stand_in = forms.ModelChoiceField(
        label=gettext_lazy("Who decides in your place"), queryset=User.objects.none()
    )
    first_day = forms.DateField(
        label=gettext_lazy("First day"),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )
    last_day = forms.DateField(
        label=gettext_lazy("Last day"),
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )
    reason = forms.CharField(label=gettext_lazy("Why?"), max_length=200)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer everybody who works here but oneself."""
        super().__init__(*args, **kwargs)
        people = get_user_model()._default_manager.filter(is_active=True, is_staff=True)
        others = people.exclude(username=self.request.user.get_username()).order_by(
            "first_name", "username"
        )
        self.fields["stand_in"].queryset = others  # type: ignore[attr-defined]
        self.fields["first_day"].initial = timezone.localdate()

    def period(self) -> tuple[dt.datetime, dt.datetime]:
        """Return the begin of the first and the end of the last day."""
        zone = timezone.get_current_timezone()
        days = self.cleaned_data["first_day"], self.cleaned_data["last_day"]
        begin = dt.datetime.combine(days[0], dt.time.min, zone)
        return begin, dt.datetime.combine(days[1] + dt.timedelta(days=1), dt.time.min, zone)


class HandOverPage(SitePage):
    """The form, what one handed over, and for whom one stands in."""

    path, name = "approvals/away/", "approvals_away"
    title = gettext_lazy("Hand over while away")
    subtitle = gettext_lazy(
        "Somebody decides in your place, with your right and not more. Never about what either of "
        "you asked for, and the two of you count once."
    )
    template_name = "approvals/away.html"

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[Crumb]:
        """The inbox stands above."""
        return [(_("Approvals"), reverse("admin:approvals"))]

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Show the newest of one's own."""
        mine = Delegation.objects.filter(Q(giver_id=request.user.pk) | Q(stand_in=request.user.pk))
        form = dialogs.with_step_up(HandOverForm(request=request), request, wanted=True)
        rows = list(mine.select_related("giver", "stand_in")[:SHOWN])
        return {"form": form, "rows": [(row, _state(row)) for row in rows]}

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Hand over."""
        form = HandOverForm(request.POST, request=request)
        dialogs.with_step_up(form, request, wanted=True)
        if not dialogs.is_ready(form, request):
            return self.render(request, status=400, extra={"form": form})
        begin, end = form.period()
        stand_in = form.cleaned_data["stand_in"]
        try:
            delegations.hand_over(
                stand_in,
                starts_at=begin,
                until=end,
                reason=form.cleaned_data["reason"],
                actor=cast("User", request.user),
            )
        except ValidationError as error:
            form.add_error(None, ValidationError(error.messages))
            return self.render(request, status=400, extra={"form": form})
        text = _("%(who)s decides in your place.") % {"who": stand_in}
        return dialogs.finish(request, reverse("admin:approvals_away"), text)


def _state(row: Delegation) -> tuple[str, str]:
    now = timezone.now()
    if row.ended_at or row.until <= now:
        return "rest", _("Over")
    return ("move", _("In force")) if row.starts_at <= now else ("wait", _("Begins later"))


class TakeBackPage(DialogPage):
    """End it before its time."""

    path, name = "approvals/away/<int:key>/end/", "approvals_away_end"
    title = gettext_lazy("Take back")
    icon = "undo"

    def subject(self, request: HttpRequest, **kwargs: Any) -> Delegation:
        """Return one's own delegation, or 404."""
        mine = Delegation.objects.filter(pk=kwargs["key"], giver_id=request.user.pk)
        found: Delegation | None = mine.first()
        if found is None:
            raise Http404
        return found

    def intro(self, request: HttpRequest, subject: Delegation) -> str:
        """Return what will happen."""
        return _("%(who)s no longer decides in your place. What was decided stays.") % {
            "who": subject.stand_in
        }

    def act(self, request: HttpRequest, subject: Delegation, form: Any) -> str:
        """End it."""
        delegations.take_back(subject, actor=cast("User", request.user))
        return _("You decide by yourself again.")

    def back(self, request: HttpRequest, subject: Delegation) -> str:
        """The page of delegations."""
        return reverse("admin:approvals_away")
