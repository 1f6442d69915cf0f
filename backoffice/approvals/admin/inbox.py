"""The inbox: what waits for a second person at the left, one request whole at the right.

A request that somebody made themselves stands there without a button: another person decides.
"""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.approvals import registry
from backoffice.approvals.admin.lines import concerning, detail, lines
from backoffice.approvals.models import ApprovalRequest
from backoffice.site import ActionForm, SitePage, dialogs
from backoffice.site.pages import Crumb

PAGE = 50
_State = ApprovalRequest.State


def tabs(request: HttpRequest) -> dict[str, tuple[str, QuerySet[ApprovalRequest]]]:
    """Return key -> words and rows of each tab."""
    requests = concerning(request.user)
    return {
        "": (_("Waiting"), requests.filter(state=_State.REQUESTED)),
        "mine": (_("Asked by me"), requests.filter(maker_id=request.user.pk).order_by("-id")),
        "decided": (
            _("Decided"),
            requests.exclude(state=_State.REQUESTED).order_by("-decided_at"),
        ),
    }


class InboxPage(SitePage):
    """Waiting, own and decided requests; the oldest waits on top and is open."""

    path, name = "approvals/", "approvals"
    title = gettext_lazy("Approvals")
    subtitle = gettext_lazy(
        "A request that changes after it was made becomes void. What you see is what will run."
    )
    template_name = "approvals/inbox.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Show one tab, and of it the first request that the person may decide."""
        found, tab = tabs(request), request.GET.get("tab", "")
        tab = tab if tab in found else ""
        kind = request.GET.get("kind", "")
        rows = found[tab][1].filter(kind=kind) if kind else found[tab][1]
        listed = lines(request, rows[:PAGE])
        first = next((line for line in listed if line.may), listed[0] if listed else None)
        return {
            "tab": tab,
            "tabs": [(key, label, of.count()) for key, (label, of) in found.items()],
            "kind": kind,
            "kinds": [(rule.kind, rule.label) for rule in registry.rules()],
            "lines": listed,
            "several": sum(line.may for line in listed) > 1,
            **shown(request, first.request if first else None),
        }


class RequestPage(SitePage):
    """One request beside the list; on a phone alone."""

    path, name = "approvals/<int:key>/", "approval"
    title = gettext_lazy("Approval")
    template_name = "approvals/request.html"

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[Crumb]:
        """The inbox stands above."""
        return [(_("Approvals"), reverse("admin:approvals"))]

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Show the request, or 404 when the person may not even look at it."""
        found = concerning(request.user).filter(pk=kwargs["key"]).first()
        if found is None:
            raise Http404
        waiting = tabs(request)[""][1]
        return {
            "title": found.summary,
            "lines": lines(request, waiting[:PAGE]),
            **shown(request, found),
        }


def shown(request: HttpRequest, found: ApprovalRequest | None) -> dict[str, Any]:
    """Return what the card of one request needs; nothing is open on an empty list."""
    if found is None:
        return {"open": None}
    line = detail(request, found)
    form = ActionForm(request=request, auto_id="decide_%s")
    dialogs.with_step_up(form, request, wanted=line.rule is not None and line.rule.step_up)
    return {"open": line, "proof": next(iter(form), None)}
