"""Deciding several requests at once: every line stands there, and each is decided by itself."""

from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals import registry, services
from backoffice.approvals.admin.inbox import PAGE
from backoffice.approvals.admin.lines import Line, concerning, lines
from backoffice.approvals.models import ApprovalRequest
from backoffice.site import ActionForm, SitePage, dialogs
from backoffice.site.pages import Crumb
from backoffice.site.values import Badge, BadgeKind

_State = ApprovalRequest.State


class SeveralForm(ActionForm):
    """Which ones, yes or no, and a comment for all of them."""

    recorded = gettext_lazy("For each line by itself: your name, the time, your comment.")
    keys = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Requests"),
        coerce=int,
        error_messages={"required": gettext_lazy("Tick at least one request.")},
    )
    choice = forms.ChoiceField(
        label=gettext_lazy("Decision"),
        choices=[
            ("approve", gettext_lazy("Approve the ticked ones")),
            ("reject", gettext_lazy("Reject the ticked ones")),
        ],
        widget=forms.RadioSelect,
    )
    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Required to reject. Whoever asked reads it."),
    )

    def clean(self) -> dict[str, Any]:
        """Ask for a comment to reject."""
        data = super().clean() or {}
        if data.get("choice") == "reject" and not data.get("comment", "").strip():
            self.add_error("comment", _("Say why you reject this."))
        return data


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one line."""

    line: Line
    badge: Badge
    text: str


class SeveralPage(SitePage):
    """The list with ticks; a POST answers with what came of each line."""

    path, name = "approvals/several/", "approvals_several"
    title = gettext_lazy("Decide several")
    subtitle = gettext_lazy(
        "Read every line. Each is decided by itself: when one cannot be, the others are."
    )
    template_name = "approvals/several.html"

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[Crumb]:
        """The inbox stands above."""
        return [(_("Approvals"), reverse("admin:approvals"))]

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Show what the person may decide now."""
        return {"form": self._form(request), "lines": waiting(request), "results": None}

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Decide the ticked lines one by one."""
        form = self._form(request, request.POST)
        if not dialogs.is_ready(form, request):
            chosen = set(request.POST.getlist("keys"))
            return self.render(request, status=400, extra={"form": form, "chosen": chosen})
        results = [self._decide(request, line, form) for line in self._chosen(request, form)]
        return self.render(request, extra={"results": results, "form": None})

    def _form(self, request: HttpRequest, data: Any = None) -> SeveralForm:
        form = SeveralForm(data, request=request)
        seen = concerning(request.user).values_list("pk", flat=True)
        posted = [key for key in (data.getlist("keys") if data else []) if key.isdecimal()]
        allowed = seen.filter(pk__in=posted[:PAGE]) if posted else []
        form.fields["keys"].choices = [(key, key) for key in allowed]  # type: ignore[attr-defined]
        wanted = any(rule.step_up for rule in registry.rules())
        dialogs.with_step_up(form, request, wanted=wanted)
        return form

    def _chosen(self, request: HttpRequest, form: SeveralForm) -> list[Line]:
        found = concerning(request.user).filter(pk__in=form.cleaned_data["keys"])
        return lines(request, found)

    def _decide(self, request: HttpRequest, line: Line, form: SeveralForm) -> Result:
        decide = {"approve": services.approve, "reject": services.reject}
        act, comment = decide[form.cleaned_data["choice"]], form.cleaned_data["comment"]
        try:
            found = act(line.request, actor=cast("User", request.user), comment=comment)
        except ValidationError as error:
            return Result(line, Badge("rest", _("Not decided")), " ".join(error.messages))
        except PermissionDenied as error:
            return Result(line, Badge("rest", _("Not decided")), str(error))
        return _result(line, found)


_KINDS: dict[str, BadgeKind] = {
    _State.EXECUTED: "done",
    _State.APPROVED: "move",
    _State.REQUESTED: "wait",
    _State.VOID: "rest",
    _State.FAILED: "fail",
    _State.REJECTED: "done",
}


def _result(line: Line, found: ApprovalRequest) -> Result:
    if found.is_open:
        return Result(line, Badge("wait", _("Voted")), _("Another person has to decide as well."))
    return Result(line, Badge(_KINDS[found.state], found.get_state_display()), found.outcome)


def waiting(request: HttpRequest) -> list[Line]:
    """Return the lines that the person may decide now, oldest first."""
    mine = services.waiting_for(request.user).values("pk")  # type: ignore[arg-type]
    return lines(request, concerning(request.user).filter(pk__in=mine)[:PAGE])
