"""Approving, rejecting, taking back: each a dialog, and where the inbox posts to."""

from http import HTTPStatus
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.approvals import registry, services, voters
from backoffice.approvals.admin.lines import concerning, detail
from backoffice.approvals.models import ApprovalRequest
from backoffice.site import ActionForm, DialogPage

_State = ApprovalRequest.State


class CommentForm(ActionForm):
    """A comment that whoever asked will read."""

    recorded = gettext_lazy("Your name, the time, your comment and what was decided.")
    comment = forms.CharField(
        label=gettext_lazy("Comment"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("What did you check? Whoever asked reads it."),
    )


class RejectForm(CommentForm):
    """Rejecting needs a word of explanation."""

    comment = forms.CharField(
        label=gettext_lazy("Why not?"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("Whoever asked reads it."),
    )


def outcome(request: HttpRequest, found: ApprovalRequest) -> Any:
    """Return what came of a decision as a message; say void and failed as what they are."""
    link = format_html(
        '<a href="{}">{}</a>', reverse("admin:approval", args=[found.pk]), _("Look at it")
    )
    words = {"what": found.summary, "why": found.outcome}
    if found.state in {_State.VOID, _State.FAILED}:
        text = {
            _State.VOID: _("%(what)s: void, nothing was done. %(why)s"),
            _State.FAILED: _("%(what)s: approved, but it could not be done. %(why)s"),
        }[_State(found.state)]
        messages.warning(request, format_html("{} {}", text % words, link))
        return ""
    texts = {
        _State.EXECUTED: _("Approved and done: %(what)s."),
        _State.APPROVED: _("Approved: %(what)s. A job does it now."),
        _State.REJECTED: _("Rejected: %(what)s. Nothing was done."),
        _State.REQUESTED: _("Approved by you: %(what)s. Another person has to decide as well."),
    }
    return format_html("{} {}", texts[_State(found.state)] % words, link)


class Decision(DialogPage):
    """What approving and rejecting share."""

    template_name = "approvals/decision.html"
    refused_template = "approvals/refused.html"
    form: ClassVar[type[ActionForm]] = CommentForm

    def subject(self, request: HttpRequest, **kwargs: Any) -> ApprovalRequest:
        """Return the request, or 404 when the person may not even look at it."""
        found = concerning(request.user).filter(pk=kwargs["key"]).first()
        if found is None:
            raise Http404
        return found

    def why_not(self, request: HttpRequest, subject: ApprovalRequest) -> str:
        """Ask the service, which asks again when it acts."""
        return services.why_not(subject, request.user)  # type: ignore[arg-type]

    def refused_status(self, request: HttpRequest, subject: ApprovalRequest) -> int:
        """A decided request is a conflict, not a lack of rights."""
        return HTTPStatus.FORBIDDEN if subject.is_open else HTTPStatus.CONFLICT

    def wants_step_up(self, request: HttpRequest, subject: ApprovalRequest) -> bool:
        """The rule says."""
        return registry.rule(subject.kind).step_up

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Show what is decided on."""
        return {"open": detail(request, self.subject(request, **kwargs))}

    def back(self, request: HttpRequest, subject: ApprovalRequest) -> str:
        """The inbox."""
        return reverse("admin:approvals")


class ApprovePage(Decision):
    """Approve: with the last vote that is needed, what was asked for is done."""

    path, name = "approvals/<int:key>/approve/", "approve"
    title = gettext_lazy("Approve")
    icon: ClassVar[str] = "check"

    def act(self, request: HttpRequest, subject: ApprovalRequest, form: Any) -> Any:
        """Vote for it."""
        comment = form.cleaned_data["comment"]
        found = services.approve(subject, actor=request.user, comment=comment)  # type: ignore[arg-type]
        return outcome(request, found)


class RejectPage(Decision):
    """Reject: nothing is done."""

    path, name = "approvals/<int:key>/reject/", "reject"
    title = gettext_lazy("Reject")
    form = RejectForm
    icon, harmful = "close", True

    def act(self, request: HttpRequest, subject: ApprovalRequest, form: Any) -> Any:
        """Reject."""
        comment = form.cleaned_data["comment"]
        found = services.reject(subject, actor=request.user, comment=comment)  # type: ignore[arg-type]
        return outcome(request, found)


class WithdrawPage(Decision):
    """Take one's own request back."""

    path, name = "approvals/<int:key>/withdraw/", "withdraw"
    title = gettext_lazy("Withdraw")
    form = ActionForm
    icon, harmful = "undo", True

    def why_not(self, request: HttpRequest, subject: ApprovalRequest) -> str:
        """Refuse others' requests and decided ones."""
        if subject.maker_id != request.user.pk:
            return _("Only whoever asked can take it back.")
        return "" if subject.is_open else voters.ended_text(subject)

    def wants_step_up(self, request: HttpRequest, subject: ApprovalRequest) -> bool:
        """Taking back does no harm."""
        return False

    def act(self, request: HttpRequest, subject: ApprovalRequest, form: Any) -> str:
        """Withdraw."""
        services.withdraw(subject, actor=request.user)  # type: ignore[arg-type]
        return _("Taken back: %s.") % subject.summary
