"""The queue of change requests, and the page of one."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.policy import may
from backoffice.site import (
    BackofficeAdmin,
    Badge,
    Panel,
    ReasonForm,
    action,
    navigation,
    register,
    staff_site,
)
from backoffice.site.cells import date_text
from backoffice.site.list_views import AT_MOST, ListView, counted
from backoffice.site.values import choice_badge
from backoffice.site.visitors import signed_in
from orders import queries, services
from orders.admin.dialogs import CONSEQUENCES, ApproveForm, GoodsForm
from orders.admin.order_cards import CHANGE_STATES
from orders.models import ChangeRequest
from orders.services.changes import DECIDE
from orders.services.receipts import RECEIVE
from orders.states import ChangeKind, ChangeState

_S = ChangeState


def _in(*states: str) -> Any:
    """Return what narrows the queue to these states."""
    return lambda _request, rows: rows.filter(state__in=states)


def _count_in(state: str) -> Any:
    return lambda _request: counted(ChangeRequest.objects.filter(state=state))


def _only(*states: str) -> Any:
    """Return what says in words why a request in another state does not allow something."""

    def why_not(change: ChangeRequest) -> str:
        if change.state in states:
            return ""
        return _("This request is “%(state)s”.") % {"state": change.get_state_display()}

    return why_not


class RejectForm(ReasonForm):
    """Says what rejecting does."""

    recorded = gettext_lazy("Your name, the time and the reason.")

    def intro(self) -> str:
        """Return what will happen."""
        return _("Nothing is changed. Tell the customer why.")


class CloseForm(ReasonForm):
    """Says what closing does."""

    recorded = gettext_lazy("Your name, the time and the reason.")

    def intro(self) -> str:
        """Return what will happen."""
        return _("No more goods are expected. What came in already stays as it is.")


@register(ChangeRequest, site=staff_site)
class ChangeRequestAdmin(BackofficeAdmin):
    """What customers ask to be changed, oldest first. Who took a request down does not decide."""

    list_title = gettext_lazy("Change requests")
    list_subtitle = gettext_lazy("What customers ask to be changed, oldest first.")
    empty_text = gettext_lazy(
        "They are taken down on the page of an order, or brought in by the shop through the API."
    )
    list_display = ("code", "of_order", "kind", "why", "pieces", "taken_by", "created_at", "state")
    list_filter = ("kind", "why", "created_at")
    search_fields = ("order__number",)
    search_help_text = gettext_lazy("Number of the order")
    ordering = ("id",)
    list_views: ClassVar[list[ListView]] = [
        ListView(
            "",
            gettext_lazy("To decide"),
            rows=_in(_S.REQUESTED),
            count=_count_in(_S.REQUESTED),
            empty=gettext_lazy("No request waits for a decision."),
        ),
        ListView(
            "expected",
            gettext_lazy("Goods expected"),
            rows=_in(_S.APPROVED),
            count=_count_in(_S.APPROVED),
            empty=gettext_lazy("No goods are expected."),
        ),
        ListView("all", gettext_lazy("All")),
    ]
    fields = (
        "of_order",
        "kind",
        "why",
        "note",
        "address",
        "reference",
        "taken_by",
        "created_at",
        "decided_by",
        "decided_at",
        "outcome",
    )
    readonly_fields = fields
    badges: ClassVar[dict[str, Any]] = {"state": CHANGE_STATES}
    numeric_columns: ClassVar[tuple[str, ...]] = ("pieces",)
    editable = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Fetch along what list and page name."""
        rows: QuerySet[Any] = super().get_queryset(request)
        found: QuerySet[Any] = rows.select_related("order", "asked_by", "decided_by").annotate(
            piece_count=Sum("lines__quantity")
        )
        return found

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They are taken down on the page of an order."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They change by actions."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They stay."""
        return False

    @admin.display(description=gettext_lazy("request"), ordering="id")
    def code(self, change: ChangeRequest) -> str:
        """The short name for people."""
        return str(change)

    @admin.display(description=gettext_lazy("order"), ordering="order__number")
    def of_order(self, change: ChangeRequest) -> SafeString:
        """The order, with a link."""
        url = reverse("admin:orders_order_change", args=[change.order_id])
        return format_html('<a href="{}">{}</a>', url, change.order)

    @admin.display(description=gettext_lazy("pieces"))
    def pieces(self, change: Any) -> Any:
        """How many pieces it is about."""
        return "" if change.piece_count is None else change.piece_count

    @admin.display(description=gettext_lazy("taken down by"))
    def taken_by(self, change: ChangeRequest) -> str:
        """Who typed it, or which service account brought it in."""
        return str(change.asked_by)

    def record_title(self, obj: Any) -> str:
        """The kind and the number."""
        return f"{obj.get_kind_display()} {obj}"

    def record_subtitle(self, request: HttpRequest, obj: Any) -> Any:
        """Return since when, of which order."""
        asked = _("Asked %(at)s") % {"at": date_text(obj.created_at)}
        return format_html("{} · {} {}", asked, _("Order"), self.of_order(obj))

    @action(
        gettext_lazy("Approve"),
        permission=DECIDE,
        icon="check",
        form=ApproveForm,
        primary=True,
        quick=True,
        bulk=True,
        why_not=_only(_S.REQUESTED),
        order=10,
    )
    def approve(self, request: HttpRequest, change: ChangeRequest, form: Any) -> str:
        """Agree, and do it."""
        comment = form.cleaned_data["reason"]
        outcome = services.approve_change(change, actor=signed_in(request), comment=comment)
        return f"{_('%(change)s is approved.') % {'change': change}} {outcome}".strip()

    @action(
        gettext_lazy("Reject"),
        permission=DECIDE,
        icon="close",
        form=RejectForm,
        harmful=True,
        quick=True,
        bulk=True,
        why_not=_only(_S.REQUESTED),
    )
    def reject(self, request: HttpRequest, change: ChangeRequest, form: Any) -> str:
        """Refuse what was asked."""
        reason = form.cleaned_data["reason"]
        services.reject_change(change, actor=signed_in(request), reason=reason)
        return _("%(change)s is rejected. Nothing was changed.") % {"change": change}

    @action(
        gettext_lazy("Withdraw"),
        permission="orders.add_changerequest",
        icon="undo",
        form=ReasonForm,
        why_not=_only(_S.REQUESTED),
        order=40,
    )
    def withdraw(self, request: HttpRequest, change: ChangeRequest, form: Any) -> str:
        """The customer thought again."""
        reason = form.cleaned_data["reason"]
        services.withdraw_change(change, actor=signed_in(request), reason=reason)
        return _("%(change)s is withdrawn.") % {"change": change}

    @action(
        gettext_lazy("Goods came in"),
        permission=RECEIVE,
        icon="inventory",
        form=GoodsForm,
        primary=True,
        wide=True,
        why_not=_only(_S.APPROVED),
        order=20,
    )
    def goods(self, request: HttpRequest, change: ChangeRequest, form: Any) -> str:
        """Note what came in."""
        return services.receive(change, form.pieces(), actor=signed_in(request))

    @action(
        gettext_lazy("Wait no longer"),
        permission=RECEIVE,
        icon="block",
        form=CloseForm,
        harmful=True,
        why_not=_only(_S.APPROVED),
    )
    def close(self, request: HttpRequest, change: ChangeRequest, form: Any) -> str:
        """Expect no more goods."""
        reason = form.cleaned_data["reason"]
        services.close_change(change, actor=signed_in(request), reason=reason)
        return _("%(change)s is closed.") % {"change": change}


def _lines(request: HttpRequest, change: ChangeRequest) -> dict[str, Any] | None:
    """Return the pieces it is about; None for a whole order."""
    rows = list(change.lines.select_related("order_line__product", "order_line__seller"))
    return {"rows": rows, "goods": change.kind in ("return", "exchange")} if rows else None


def _decision(request: HttpRequest, change: ChangeRequest) -> dict[str, Any] | None:
    """Return what approving does, and why this person may not; None once it was decided."""
    if change.state != _S.REQUESTED:
        return None
    allowed = may(request.user, DECIDE, change)
    own = change.asked_by_id == request.user.pk
    refused = _("You took this request down, so somebody else decides.") if own else ""
    return {
        "consequence": CONSEQUENCES[ChangeKind(change.kind)],
        "whole": change.kind == ChangeKind.CANCEL and not change.lines.exists(),
        "why_not": refused or ("" if allowed else _("You have no right to decide about it.")),
    }


def _related(request: HttpRequest, change: ChangeRequest) -> dict[str, Any] | None:
    """Return the other open requests of the same order; None where there are none."""
    others = queries.open_changes([change.order]).exclude(pk=change.pk)
    rows = [(one, _badge(one)) for one in others]
    return {"rows": rows} if rows else None


def _badge(change: ChangeRequest) -> Badge:
    return choice_badge(change, "state", CHANGE_STATES)


ChangeRequestAdmin.panels = [
    Panel(gettext_lazy("Pieces"), "orders/change_lines.html", _lines, column="main", order=10),
    Panel(gettext_lazy("Decision"), "orders/change_decision.html", _decision, order=10),
    Panel(
        gettext_lazy("Also open for this order"), "orders/change_others.html", _related, order=20
    ),
]


def _to_decide(user: Any) -> int:
    """Return how many requests wait for this person; others are shown no number."""
    if not may(user, DECIDE, None):
        return 0
    return min(counted(queries.waiting_changes().exclude(asked_by=user.pk)), AT_MOST)


navigation.add(
    staff_site,
    group=gettext_lazy("Customers"),
    label=gettext_lazy("Change requests"),
    icon="assignment_return",
    url_name="orders_changerequest_changelist",
    permission="orders.view_changerequest",
    badge=_to_decide,
    tone="wait",
    order=22,
    groups={
        "finance": gettext_lazy("Look up"),
        "ops": gettext_lazy("Business"),
        "owner": gettext_lazy("Business"),
        "auditor": gettext_lazy("Look up"),
        "privacy": gettext_lazy("Look up"),
    },
)
