"""The inbox of gateways' events: what came, what became of it, and looking at one again."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.money import Money
from backoffice.site import (
    ActionForm,
    BackofficeAdmin,
    Badge,
    action,
    navigation,
    register,
    staff_site,
)
from backoffice.site.list_views import ListView
from backoffice.site.visitors import signed_in
from payments.models import InboxEvent
from payments.services import events

_S = InboxEvent.State
STATES: dict[str, Any] = {
    _S.WAITING: "wait",
    _S.DONE: "done",
    _S.IGNORED: "rest",
    _S.FAILED: "fail",
}
"""State -> kind of badge."""
KINDS = {
    "refund": gettext_lazy("Refund"),
    "dispute": gettext_lazy("Dispute"),
    "payment": gettext_lazy("Payment"),
    "other": gettext_lazy("Something else"),
}


def _needs_person(event: InboxEvent) -> bool:
    return event.state == _S.FAILED


def _for_people(request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
    return rows.filter(state=_S.FAILED)


class AgainForm(ActionForm):
    """Nothing to fill in."""

    recorded = gettext_lazy("Your name and the time.")

    def intro(self) -> str:
        """Return what will happen."""
        return _(
            "It is worked on as if it had just come. Where the gateway lists payments, the payment "
            "is read once more. What is in the books already does not change."
        )


@register(InboxEvent, site=staff_site)
class InboxEventAdmin(BackofficeAdmin):
    """What gateways told. Nobody writes here."""

    list_title = gettext_lazy("Events of gateways")
    list_subtitle = gettext_lazy(
        "What gateways told by webhook. What needs a person is a difference as well."
    )
    empty_text = gettext_lazy("No event needs a person.")
    list_display = (
        "event_id",
        "gateway",
        "what",
        "payment_reference",
        "state",
        "note",
        "tries",
        "received_at",
    )
    list_filter = ("state", "gateway", "kind")
    list_views: ClassVar[list[ListView]] = [
        ListView("", gettext_lazy("Needs a person"), rows=_for_people),
        ListView("all", gettext_lazy("All")),
    ]
    search_fields = ("=event_id", "=payment_reference", "=refund_reference")
    search_help_text = gettext_lazy("A gateway's reference")
    badges: ClassVar[dict[str, Any]] = {"state": STATES}
    numeric_columns: ClassVar[tuple[str, ...]] = ("tries",)
    fields = (
        "gateway",
        "event_id",
        "what",
        "payment_reference",
        "refund_reference",
        "number",
        "outcome",
        "amount",
        "note",
        "tries",
        "deliveries",
        "occurred_at",
        "received_at",
        "processed_at",
    )
    readonly_fields = ("what", "amount")
    editable = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Gateways send them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nobody changes what a gateway told."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """They stay; a job forgets the old ones that brought nothing."""
        return False

    @admin.display(description=gettext_lazy("about"), ordering="kind")
    def what(self, event: InboxEvent) -> str:
        """Return what it is about."""
        return str(KINDS.get(event.kind, event.kind))

    @admin.display(description=gettext_lazy("amount"))
    def amount(self, event: InboxEvent) -> Money | str:
        """Return the amount that it names."""
        if event.amount_minor is None:
            return "-"
        return Money(event.amount_minor, event.currency)

    def record_title(self, obj: Any) -> str:
        """Return "Refund: evt_1"."""
        return f"{self.what(obj)}: {obj.event_id}"

    def record_badges(self, obj: Any) -> list[Badge]:
        """Return what became of it."""
        return [Badge(STATES[obj.state], obj.get_state_display())]

    @action(
        gettext_lazy("Look again"),
        permission="payments.look_again",
        icon="refresh",
        form=AgainForm,
        primary=True,
        quick=True,
        visible=_needs_person,
    )
    def look_again(self, request: HttpRequest, event: InboxEvent, form: Any) -> str:
        """Let it be worked on once more."""
        events.look_again(event, actor=signed_in(request))
        return _("It is looked at again.")


def for_people(user: User) -> int:
    """Return how many events need a person."""
    return InboxEvent.objects.filter(state=_S.FAILED).count()


navigation.add(
    staff_site,
    group=gettext_lazy("Gateways"),
    label=gettext_lazy("Events of gateways"),
    icon="inbox",
    url_name="payments_inboxevent_changelist",
    permission="payments.view_inboxevent",
    badge=for_people,
    tone="wait",
    order=75,
)
