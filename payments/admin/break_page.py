"""Differences: the list with decisions in the row, and a page with both sides beside each other."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.money import Money
from backoffice.policy import may
from backoffice.site import BackofficeAdmin, Badge, Panel, action, navigation, register, staff_site
from backoffice.site.list_views import ListView
from backoffice.site.visitors import signed_in
from payments.admin.break_forms import AgreeForm, DisagreeForm, ProposeForm
from payments.models import Break
from payments.services import alarms, breaks, evidence
from payments.services.breaks import SOLVE_RULE, Solution

_S = Break.State
STATES: dict[str, Any] = {
    _S.OPEN: "fail",
    _S.PROPOSED: "wait",
    _S.SOLVED: "done",
    _S.HEALED: "quiet",
}
"""State -> kind of badge."""


def _is_open(found: Break) -> bool:
    return found.state == _S.OPEN


def _is_proposed(found: Break) -> bool:
    return found.state == _S.PROPOSED


def _open_rows(request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(state__in=(_S.OPEN, _S.PROPOSED))


def _waiting(request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
    mine = approvals.waiting_for(signed_in(request)).filter(kind=SOLVE_RULE.kind).order_by()
    keys = [int(key) for key in mine.values_list("subject_id", flat=True)[:501]]
    return rows.filter(pk__in=keys)


@register(Break, site=staff_site)
class BreakAdmin(BackofficeAdmin):
    """What does not agree between a gateway and our books. Two people solve it."""

    list_subtitle = gettext_lazy(
        "One person proposes how a difference is solved, another agrees. Nothing corrects itself."
    )
    empty_text = gettext_lazy("No gateway said anything that our books do not say.")
    list_display = (
        "what",
        "gateway",
        "day",
        "ours",
        "theirs",
        "state",
        "about",
        "solution_label",
        "found_at",
    )
    list_filter = ("state", "kind", "gateway", "day", "currency")
    list_views: ClassVar[list[ListView]] = [
        ListView("", gettext_lazy("Open"), rows=_open_rows),
        ListView("mine", gettext_lazy("Waiting for me"), rows=_waiting),
        ListView("all", gettext_lazy("All")),
    ]
    badges: ClassVar[dict[str, Any]] = {"state": STATES}
    numeric_columns: ClassVar[tuple[str, ...]] = ("ours", "theirs")
    editable = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Break]:
        """Fetch along what list and page name."""
        related = ("entry", "payment__order", "refund__payment", "dispute", "evidence", "approval")
        return super().get_queryset(request).select_related(*related)

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        """Return none: the cards say all of it."""
        return []

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Matching finds them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """They are solved by two people."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """They stay."""
        return False

    @admin.display(description=gettext_lazy("difference"), ordering="kind")
    def what(self, found: Break) -> str:
        """Return how they differ."""
        return str(found.get_kind_display())

    @admin.display(description=gettext_lazy("ours"))
    def ours(self, found: Break) -> Money | str:
        """Return what our books say."""
        return ours_of(found) or _("nothing")

    @admin.display(description=gettext_lazy("gateway's"))
    def theirs(self, found: Break) -> Money | str:
        """Return what the gateway says."""
        return theirs_of(found) or _("nothing")

    @admin.display(description=gettext_lazy("about"))
    def about(self, found: Break) -> str:
        """Return what it is about, by its public name."""
        if found.refund is not None:
            return found.refund.code
        if found.payment is not None:
            return found.payment.reference
        return found.entry.reference if found.entry else ""

    @admin.display(description=gettext_lazy("solution"))
    def solution_label(self, found: Break) -> str:
        """Return how it is or is to be solved."""
        return str(Solution(found.solution).label) if found.solution else ""

    def record_title(self, obj: Any) -> str:
        """Return "Amount differs, Simulator, 4 March"."""
        return f"{obj.get_kind_display()}: {self.about(obj)}".rstrip(": ")

    def record_badges(self, obj: Any) -> list[Badge]:
        """Return whether it is solved."""
        return [Badge(STATES[obj.state], obj.get_state_display())]

    def line_title(self, obj: Any) -> str:
        """Return what an approver of many needs."""
        words = {
            "what": obj.get_kind_display(),
            "about": self.about(obj),
            "ours": self.ours(obj),
            "theirs": self.theirs(obj),
            "solution": self.solution_label(obj),
            "note": obj.note,
        }
        text = _("%(what)s, %(about)s: ours %(ours)s, gateway's %(theirs)s. %(solution)s %(note)s")
        return text % words

    @action(
        gettext_lazy("Propose a solution"),
        permission="payments.propose_break",
        icon="edit_note",
        form=ProposeForm,
        primary=True,
        quick=True,
        bulk=True,
        visible=_is_open,
        order=10,
    )
    def propose(self, request: HttpRequest, found: Break, form: Any) -> str:
        """Propose; another person agrees."""
        data, actor, kept = form.cleaned_data, signed_in(request), None
        if data["file"]:
            data["file"].file.seek(0)
            kept = evidence.keep(data["file"], name=f"difference-{found.pk}", actor=actor)
        breaks.propose(
            found, Solution(data["solution"]), note=data["note"], evidence=kept, actor=actor
        )
        return _("Another person has to agree before anything changes.")

    @action(
        gettext_lazy("Agree"),
        permission="payments.solve_break",
        icon="check",
        form=AgreeForm,
        primary=True,
        quick=True,
        bulk=True,
        step_up=True,
        visible=_is_proposed,
        order=20,
    )
    def agree(self, request: HttpRequest, found: Break, form: Any) -> str:
        """Agree; it takes effect."""
        asked = _asked(found)
        comment = form.cleaned_data["comment"]
        approvals.approve(asked, actor=signed_in(request), comment=comment)
        asked.refresh_from_db()
        if asked.state == ApprovalRequest.State.EXECUTED:
            return _("The difference is solved.")
        return asked.outcome or _("Your vote counts. One more person has to agree.")

    @action(
        gettext_lazy("Disagree"),
        permission="payments.solve_break",
        icon="close",
        form=DisagreeForm,
        harmful=True,
        quick=True,
        bulk=True,
        visible=_is_proposed,
        order=30,
    )
    def disagree(self, request: HttpRequest, found: Break, form: Any) -> str:
        """Disagree; the difference is open again."""
        comment = form.cleaned_data["comment"]
        approvals.reject(_asked(found), actor=signed_in(request), comment=comment)
        return _("The difference is open again.")


def _asked(found: Break) -> ApprovalRequest:
    assert found.approval is not None  # noqa: S101 - a proposed one has its request
    return found.approval


def ours_of(found: Break) -> Money | None:
    """Return what our books say; None for nothing."""
    return None if found.ours_minor is None else Money(found.ours_minor, found.currency)


def theirs_of(found: Break) -> Money | None:
    """Return what the gateway says; None for nothing."""
    if found.theirs_minor is None:
        return None
    return Money(found.theirs_minor, found.their_currency or found.currency)


def _sides(request: HttpRequest, found: Break) -> dict[str, Any]:
    ours, theirs = ours_of(found), theirs_of(found)
    same = ours and theirs and ours.currency == theirs.currency
    return {
        "ours": ours,
        "theirs": theirs,
        "why": alarms.why(found),
        "difference": theirs - ours if same and ours and theirs else None,
        "links": links(request, found),
    }


def links(request: HttpRequest, found: Any) -> dict[str, str]:
    """Return what -> address of the pages about a break or booking that the person may open."""
    made = {}
    for name in ("payment", "refund"):
        row = getattr(found, name)
        if row is not None and may(request.user, f"payments.view_{name}", row):
            made[name] = reverse(f"admin:payments_{name}_change", args=[row.pk])
    return made


def _solution(request: HttpRequest, found: Break) -> dict[str, Any] | None:
    if not found.solution and found.state != _S.HEALED:
        return None
    sees = may(request.user, "payments.view_evidence", None).allowed
    kept = found.evidence
    return {
        "solution": Solution(found.solution).label if found.solution else "",
        "booked": breaks.adjustments(found) if found.solution == Solution.BOOK else [],
        "file": kept.name if kept else "",
        "file_url": reverse("admin:payments_evidence", args=[kept.public_id])
        if kept and sees
        else "",
        "votes": found.approval.votes.select_related("voter") if found.approval else [],
    }


def waiting_for(user: User) -> int:
    """Return how many proposals this person may decide now."""
    return approvals.waiting_for(user).filter(kind=SOLVE_RULE.kind).count()


BreakAdmin.panels = [
    Panel(gettext_lazy("Both sides"), "payments/sides.html", _sides, column="main", order=10),
    Panel(gettext_lazy("Solution"), "payments/solution.html", _solution, column="main", order=20),
]
navigation.add(
    staff_site,
    group=gettext_lazy("Money"),
    label=gettext_lazy("Differences"),
    icon="difference",
    url_name="payments_break_changelist",
    permission="payments.view_break",
    badge=waiting_for,
    tone="wait",
    order=46,
)
