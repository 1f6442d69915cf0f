"""Requests as pages show them to one person."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backoffice.approvals import registry, rights, services, voters
from backoffice.approvals.models import ApprovalRequest, Delegation, Vote
from backoffice.approvals.registry import Effect, Needs
from backoffice.policy import may
from backoffice.site import staff_site
from backoffice.site.subjects import Subject, describe
from backoffice.site.values import Badge, BadgeKind

_State = ApprovalRequest.State
_BADGES: dict[str, BadgeKind] = {
    _State.REQUESTED: "wait",
    _State.APPROVED: "move",
    _State.REJECTED: "fail",
    _State.WITHDRAWN: "rest",
    _State.EXPIRED: "rest",
    _State.VOID: "rest",
    _State.EXECUTED: "done",
    _State.FAILED: "fail",
}


@dataclass
class Line:
    """A request in a list; `may` says whether the person may decide it now."""

    request: ApprovalRequest
    subject: Subject
    own: bool
    may: bool
    rule: registry.Rule | None = field(repr=False)

    @property
    def badge(self) -> Badge:
        """The state in a word, with the votes while more are needed."""
        if self.request.is_open and self.request.approvers > 1:
            return Badge("wait", self.votes_text)
        return Badge(_BADGES[self.request.state], self.request.get_state_display())

    @property
    def votes_text(self) -> str:
        """Return "1 of 2"."""
        words = {"votes": self.votes, "needed": self.request.approvers}
        return _("%(votes)s of %(needed)s") % words

    @property
    def votes(self) -> int:
        """How many approved; the queries of pages count it along (`concerning`)."""
        return int(getattr(self.request, "approvals", 0))

    @property
    def kind(self) -> str:
        """The name of the rule, or the kind when its app is not installed."""
        return str(self.rule.label) if self.rule else self.request.kind

    @property
    def url(self) -> str:
        """The page of the request."""
        return reverse("admin:approval", args=[self.request.pk])

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


@dataclass
class Detail(Line):
    """A request with everything that a decision needs."""

    person: Any = None

    @cached_property
    def ballot(self) -> voters.Ballot:
        """How the person may decide, or why not."""
        return voters.ballot(self.request, self.person)

    @property
    def in_place_of(self) -> Any:
        """Return the person in whose place they would decide, or None."""
        seat = self.ballot.seat
        return None if seat is None or seat.pk == self.person.pk else seat

    @cached_property
    def needs(self) -> Needs:
        """Return what the request needs by the rule in force, and as asked."""
        if self.rule is None:
            return Needs(self.request.approvers, self.request.permission)
        return voters.needs(self.request, self.rule)

    @cached_property
    def all_votes(self) -> list[Vote]:
        """Return the votes in their order."""
        return list(self.request.votes.select_related("voter", "seat"))

    @property
    def steps(self) -> list[bool]:
        """Return for each vote that is needed whether it is there."""
        return [number < self.votes for number in range(self.needs.approvers)]

    @cached_property
    def effects(self) -> list[Effect]:
        """Return what changes: as the rule says it, else the payload beside the facts."""
        if self.rule is None or not self.request.is_open:
            return []
        told = list(self.rule.effects(self.request))
        return told or payload_effects(self.request)

    @property
    def still(self) -> str:
        """Return who has to decide still."""
        left = max(0, self.needs.approvers - self.votes)
        words = {"count": left, "right": rights.label(self.needs.permission)}
        text = ngettext(
            "One more person who has: %(right)s", "%(count)s more who have: %(right)s", left
        )
        return text % words

    @property
    def last_vote(self) -> bool:
        """Whether an approval by this person would be the last that is needed."""
        return self.votes + 1 >= self.needs.approvers


def payload_effects(request: ApprovalRequest) -> list[Effect]:
    """Return the payload as before and after; what the facts do not name has no before."""
    return [
        Effect(name.replace("_", " "), _text(request.snapshot.get(name)), _text(value))
        for name, value in request.payload.items()
    ]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def concerning(user: Any) -> QuerySet[ApprovalRequest]:
    """Return the requests that `user` may look at: which they may decide or did, and their own.

    Whoever may view approvals sees all of them.
    """
    approving = Count("votes", filter=Q(votes__choice=Vote.Choice.APPROVE))
    requests = ApprovalRequest.objects.select_related("maker", "decided_by").annotate(
        approvals=approving
    )
    if may(user, "approvals.view_approvalrequest", None):
        return requests
    voted = Vote.objects.filter(Q(voter=user) | Q(seat=user)).values("request")
    standing_in = Delegation.objects.live().filter(stand_in=user).exists()
    decidable = services.waiting_for(user).values("pk") if standing_in else []
    return requests.filter(
        Q(kind__in=_kinds_of(user)) | Q(maker=user) | Q(pk__in=voted) | Q(pk__in=decidable)
    )


def _kinds_of(user: Any) -> list[str]:
    return [
        rule.kind
        for rule in registry.rules()
        if any(user.has_perm(permission) for permission in rule.permissions())
    ]


def lines(request: HttpRequest, requests: Iterable[ApprovalRequest]) -> list[Line]:
    """Return requests as lines; a constant number of queries and one for each kind of record."""
    rows = list(requests)
    open_ones = [row.pk for row in rows if row.is_open]
    waiting = services.waiting_for(_person(request)).filter(pk__in=open_ones)
    deciding = set(waiting.values_list("pk", flat=True)) if open_ones else set()
    return [
        Line(
            row,
            subject,
            own=row.maker_id == request.user.pk,
            may=row.pk in deciding,
            rule=_rule(row),
        )
        for row, subject in zip(rows, _subjects(request, rows), strict=True)
    ]


def detail(request: HttpRequest, found: ApprovalRequest) -> Detail:
    """Return one request with everything that a decision needs."""
    subject = _subjects(request, [found])[0]
    own = found.maker_id == request.user.pk
    made = Detail(found, subject, own=own, may=False, rule=_rule(found), person=request.user)
    made.may = made.ballot.seat is not None
    return made


def _subjects(request: HttpRequest, rows: list[ApprovalRequest]) -> list[Subject]:
    keys = [(row.subject_type, row.subject_id) for row in rows]
    found = describe(staff_site, request, set(keys))
    return [found[key] for key in keys]


def _rule(request: ApprovalRequest) -> registry.Rule | None:
    try:
        return registry.rule(request.kind)
    except LookupError:
        return None


def _person(request: HttpRequest) -> Any:
    return request.user


def waiting_count(user: Any) -> int:
    """Return how many requests wait for this person."""
    return services.waiting_for(user).count()
