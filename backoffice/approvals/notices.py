"""Mail about requests: to whoever may decide one, and to the maker when it ended.

A mail names the thing by its summary, which holds no personal value, and leads to its page, which
asks for sign-in. Nothing can be decided from a mail.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals.models import ApprovalRequest, Delegation

if TYPE_CHECKING:
    from backoffice.mail.models import Mail

REQUESTED, ENDED = "approvals.requested", "approvals.ended"
# A permission that everybody holds must not become a flood.
AT_MOST = 50


def register() -> None:
    """Announce the mails, where mail is installed."""
    if not apps.is_installed("backoffice.mail"):
        return
    from backoffice.mail import registry  # noqa: PLC0415 - not in every installation

    registry.register(
        REQUESTED,
        label=gettext_lazy("Approval asked for"),
        subject=gettext_lazy("Waits for your decision: %(what)s"),
        fields=("what", "maker", "until"),
    )
    registry.register(
        ENDED,
        label=gettext_lazy("Approval ended"),
        subject=gettext_lazy("%(state)s: %(what)s"),
        fields=("what", "state", "by"),
    )


def asked(request: ApprovalRequest) -> None:
    """Tell those who may decide, and who stands in for them."""
    queue = _queue()
    if queue is None:
        return
    context = {
        "what": request.summary,
        "maker": request.maker.get_username(),
        "until": request.expires_at.isoformat(timespec="minutes"),
        **_link(request),
    }
    for person in deciders(request):
        reason = _("You may decide this request.")
        queue(REQUESTED, to=person, context=context, reason=reason, actor=request.maker)


def ended(request: ApprovalRequest, *, actor: User | None) -> None:
    """Tell the maker how it ended, unless they ended it themselves."""
    queue = _queue()
    if queue is None or request.maker_id == getattr(actor, "pk", None):
        return
    context = {
        "what": request.summary,
        "state": str(request.get_state_display()),
        "by": "" if request.decided_by is None else request.decided_by.get_username(),
        **_link(request),
    }
    reason = _("You asked for this.")
    queue(ENDED, to=request.maker, context=context, reason=reason, actor=actor)


def deciders(request: ApprovalRequest) -> list[User]:
    """Return who may decide it: staff with the right, and their stand-ins; the maker never."""
    people = get_user_model()._default_manager
    held = people.with_perm(
        request.permission,
        include_superusers=False,
        backend="django.contrib.auth.backends.ModelBackend",
    ).filter(is_staff=True)
    barred = {request.maker_id, *request.excluded.values_list("pk", flat=True)}
    seats = held.exclude(pk__in=barred)
    instead = Delegation.objects.live().filter(giver__in=seats).values("stand_in")
    both = people.filter(is_active=True).filter(pk__in=seats.values("pk").union(instead))
    return _unbarred(both.order_by("pk"), barred)


def _unbarred(people: Iterable[User], barred: set[Any]) -> list[User]:
    return [person for person in people if person.pk not in barred][:AT_MOST]


def _queue() -> "Callable[..., Mail] | None":
    if not apps.is_installed("backoffice.mail"):
        return None
    from backoffice.mail import services  # noqa: PLC0415 - not in every installation

    return services.queue


def _link(request: ApprovalRequest) -> dict[str, str]:
    try:
        return {"link": reverse("admin:approval", args=[request.pk])}
    except NoReverseMatch:  # an installation without the staff site
        return {}
