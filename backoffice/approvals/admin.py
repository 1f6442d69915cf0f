"""The inbox of approvals: what waits for a second person, with the decision in the row.

A request that somebody made themselves stands there without a button: another person decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.approvals import registry, services
from backoffice.approvals.models import ApprovalRequest
from backoffice.policy import may
from backoffice.site import ActionForm, DialogPage, SitePage, navigation, staff_site
from backoffice.site.subjects import Subject, describe
from backoffice.site.values import Badge, BadgeKind

PAGE = 50
_State = ApprovalRequest.State
_BADGES: dict[str, BadgeKind] = {
    _State.REQUESTED: "wait",
    _State.APPROVED: "quiet",
    _State.REJECTED: "fail",
    _State.WITHDRAWN: "rest",
    _State.EXPIRED: "rest",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A request as the inbox shows it to one person."""

    request: ApprovalRequest
    subject: Subject
    why_not: str
    own: bool

    @property
    def badge(self) -> Badge:
        """The state in a word."""
        return Badge(_BADGES[self.request.state], self.request.get_state_display())

    @property
    def kind(self) -> str:
        """The name of the rule, or the kind when its app is not installed."""
        try:
            return str(registry.rule(self.request.kind).label)
        except LookupError:
            return self.request.kind

    @property
    def approve_url(self) -> str:
        """The dialog that approves."""
        return reverse("admin:approve", args=[self.request.pk])

    @property
    def reject_url(self) -> str:
        """The dialog that rejects."""
        return reverse("admin:reject", args=[self.request.pk])

    @property
    def withdraw_url(self) -> str:
        """The dialog that takes one's own request back."""
        return reverse("admin:withdraw", args=[self.request.pk])


def _why_not(request: ApprovalRequest, user: Any) -> str:
    try:
        return services.why_not(request, user)
    except LookupError:
        return _("The app that asked for this is not installed.")


def concerning(user: Any) -> QuerySet[ApprovalRequest]:
    """Return the requests that `user` may look at: of kinds they decide, and their own.

    Whoever may view approvals sees all of them.
    """
    requests = ApprovalRequest.objects.select_related("maker", "decided_by")
    if may(user, "approvals.view_approvalrequest", None):
        return requests
    kinds = [rule.kind for rule in registry.rules() if user.has_perm(rule.permission)]
    return requests.filter(Q(kind__in=kinds) | Q(maker=user) | Q(decided_by=user))


def lines(request: HttpRequest, requests: Iterable[ApprovalRequest]) -> list[Line]:
    """Return the requests with what they are about and why the person may not decide."""
    rows = list(requests)
    subjects = describe(staff_site, request, {(row.subject_type, row.subject_id) for row in rows})
    return [
        Line(
            row,
            subjects[row.subject_type, row.subject_id],
            _why_not(row, request.user),
            own=row.maker_id == request.user.pk,
        )
        for row in rows
    ]


class InboxPage(SitePage):
    """Waiting, own and decided requests; the oldest waits on top."""

    path, name = "approvals/", "approvals"
    title = gettext_lazy("Approvals")
    subtitle = gettext_lazy("Nobody decides their own request. What you see is what will run.")
    template_name = "approvals/inbox.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Show one tab."""
        requests = concerning(request.user)
        open_ones = requests.filter(state=_State.REQUESTED)
        tabs = {
            "": (_("Waiting"), open_ones),
            "mine": (_("Asked by me"), requests.filter(maker_id=request.user.pk).order_by("-id")),
            "decided": (
                _("Decided"),
                requests.exclude(state=_State.REQUESTED).order_by("-decided_at"),
            ),
        }
        tab = request.GET.get("tab", "")
        tab = tab if tab in tabs else ""
        return {
            "tab": tab,
            "tabs": [(key, label, rows.count()) for key, (label, rows) in tabs.items()],
            "lines": lines(request, tabs[tab][1][:PAGE]),
        }


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


class _Decision(DialogPage):
    """What approving and rejecting share."""

    template_name = "approvals/decision.html"
    form: ClassVar[type[ActionForm]] = CommentForm
    step_up = True

    def subject(self, request: HttpRequest, **kwargs: Any) -> ApprovalRequest:
        """Return the request, or 404 when the person may not even look at it."""
        found = concerning(request.user).filter(pk=kwargs["key"]).first()
        if found is None:
            raise Http404
        return found

    def why_not(self, request: HttpRequest, subject: ApprovalRequest) -> str:
        """Ask the service, which asks again when it acts."""
        return _why_not(subject, request.user)

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Show what is decided on."""
        return {"line": lines(request, [self.subject(request, **kwargs)])[0]}

    def back(self, request: HttpRequest, subject: ApprovalRequest) -> str:
        """The inbox."""
        return reverse("admin:approvals")


class ApprovePage(_Decision):
    """Approve: what was asked for is done at once."""

    path, name = "approvals/<int:key>/approve/", "approve"
    title = gettext_lazy("Approve")
    icon: ClassVar[str] = "check"

    def act(self, request: HttpRequest, subject: ApprovalRequest, form: Any) -> str:
        """Approve and execute."""
        comment = form.cleaned_data["comment"]
        services.approve(subject, actor=request.user, comment=comment)  # type: ignore[arg-type]
        return _("Approved: %s.") % subject.summary


class RejectPage(_Decision):
    """Reject: nothing is done."""

    path, name = "approvals/<int:key>/reject/", "reject"
    title = gettext_lazy("Reject")
    form = RejectForm
    icon, harmful = "close", True

    def act(self, request: HttpRequest, subject: ApprovalRequest, form: Any) -> str:
        """Reject."""
        comment = form.cleaned_data["comment"]
        services.reject(subject, actor=request.user, comment=comment)  # type: ignore[arg-type]
        return _("Rejected: %s. Nothing was done.") % subject.summary


class WithdrawPage(_Decision):
    """Take one's own request back."""

    path, name = "approvals/<int:key>/withdraw/", "withdraw"
    title = gettext_lazy("Withdraw")
    form = ActionForm
    step_up = False
    icon, harmful = "undo", True

    def why_not(self, request: HttpRequest, subject: ApprovalRequest) -> str:
        """Refuse others' requests and decided ones."""
        if subject.maker_id != request.user.pk:
            return _("Only whoever asked can take it back.")
        return "" if subject.state == _State.REQUESTED else _("This was decided already.")

    def act(self, request: HttpRequest, subject: ApprovalRequest, form: Any) -> str:
        """Withdraw."""
        services.withdraw(subject, actor=request.user)  # type: ignore[arg-type]
        return _("Taken back: %s.") % subject.summary


def waiting_count(user: Any) -> int:
    """Return how many requests wait for this person."""
    return services.waiting_for(user).count()


for page in (InboxPage, ApprovePage, RejectPage, WithdrawPage):
    staff_site.add_page(page)
navigation.add(
    staff_site,
    label=gettext_lazy("Approvals"),
    icon="inbox",
    url_name="approvals",
    badge=waiting_count,
    tone="wait",
    order=10,
)
