"""Who may decide what: own right, right of somebody for whom a person stands in, and why not.

Nobody gains a vote on their own request. A stand-in decides with the right of the person who is
away, in that person's seat; while the delegation lasts, the two count once, whoever decides first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.accounts import machines, people
from backoffice.accounts.models import Kind, User
from backoffice.approvals import registry
from backoffice.approvals.models import ApprovalRequest, Delegation, Vote
from backoffice.approvals.registry import Needs, Rule
from backoffice.audit import context
from backoffice.audit.models import Event

_State = ApprovalRequest.State


@dataclass(frozen=True, slots=True)
class Ballot:
    """A person's way to decide one request: the seat they decide from, or why they may not.

    `decided` says that nobody can any more.
    """

    seat: User | None
    why_not: str = ""
    decided: bool = False


def needs(request: ApprovalRequest, rule: Rule) -> Needs:
    """Return what the request needs: by the rule in force, and never less than when asked."""
    now = rule.needs(request)
    return Needs(max(1, now.approvers, request.approvers), now.permission)


def required(request: ApprovalRequest, rule: Rule) -> set[str]:
    """Return the permissions that an approver has to hold: of the rule in force, and as asked."""
    return {needs(request, rule).permission, request.permission or rule.permission}


def excluded(request: ApprovalRequest, rule: Rule) -> set[Any]:
    """Return the keys of all who must not decide: the maker and whom the rule names, then and now.

    An unsaved request has only what the rule says now.
    """
    now = {getattr(person, "pk", person) for person in rule.excluded(request)}
    then = request.excluded.values_list("pk", flat=True) if request.pk else ()
    return {request.maker_id, *now, *then} - {None}


def may_decide(user: User, permissions: Iterable[str]) -> bool:
    """Say whether the person holds all of the permissions now."""
    return user.is_active and user.has_perms(list(permissions))


def ballot(request: ApprovalRequest, user: User) -> Ballot:
    """Return how `user` may decide `request` now, with the first reason why they may not."""
    if not request.is_open:
        return Ballot(None, ended_text(request), decided=True)
    if request.expires_at <= timezone.now():
        return Ballot(None, _("This request ran out of time."), decided=True)
    if context.current().real_actor_id not in {None, user.pk}:
        return Ballot(None, _("You act in the name of somebody else. Decide as yourself."))
    if request.maker_id == user.pk:
        return Ballot(None, _("This is your own request. Somebody else must decide."))
    try:
        rule = registry.rule(request.kind)
    except LookupError:
        return Ballot(None, _("The app that asked for this is not installed."))
    return _seat(request, rule, user)


def _seat(request: ApprovalRequest, rule: Rule, user: User) -> Ballot:
    barred = excluded(request, rule)
    if user.pk in barred:
        return Ballot(None, _("This is about something of yours. Somebody else must decide."))
    votes = list(request.votes.select_related("voter", "seat"))
    if any(vote.voter_id == user.pk for vote in votes):
        return Ballot(None, _("You voted already. Another person has to decide as well."))
    if said := _voted_as_pair(votes, user):
        return Ballot(None, said)
    permissions = required(request, rule)
    if user.kind == Kind.SERVICE and not machines.is_let(permissions):
        return Ballot(None, _("This is for people to decide, not for a program."))
    if may_decide(user, permissions):
        return Ballot(user)
    return _substitute(votes, barred, permissions, user, delegable=rule.delegable)


def _voted_as_pair(votes: list[Vote], user: User) -> str:
    """Return why the vote of the other half of a pair counts for both; "" when there is none."""
    seats = {vote.seat_id for vote in votes}
    if user.pk in seats:
        return _("Who stands in for you decided already. You count once together.")
    people = {vote.voter_id for vote in votes} | seats
    live = Delegation.objects.live()
    if live.filter(stand_in=user, giver__in=people).exists():
        return _("The person for whom you stand in decided already. You count once together.")
    if live.filter(giver=user, stand_in__in=people).exists():
        return _("Who stands in for you decided already. You count once together.")
    return ""


def _substitute(
    votes: list[Vote], barred: set[Any], permissions: set[str], user: User, *, delegable: bool
) -> Ballot:
    taken = {vote.seat_id for vote in votes} | {vote.voter_id for vote in votes}
    for giver in givers(user) if delegable and user.is_active else []:
        if giver.pk not in barred | taken and may_decide(giver, permissions):
            return Ballot(giver)
    if any(giver.pk in barred for giver in givers(user)):
        return Ballot(None, _("You stand in for somebody who must not decide this."))
    return Ballot(None, _("Your role may not decide this."))


def hosts(request: ApprovalRequest) -> set[Any]:
    """Return who made the maker's account: of clear values they decide nothing that it asks for.

    Whoever may invite could otherwise ask as one person and agree as the other.
    """
    invited = Event.objects.filter(
        verb=people.INVITED, subject_type=User._meta.label_lower, subject_id=str(request.maker_id)
    )
    return set(invited.values_list("actor", flat=True)) - {None}


def ended_text(request: ApprovalRequest) -> str:
    """Return in a sentence how the request ended, by whom."""
    words = {"who": request.decided_by or _("nobody"), "why": request.outcome}
    texts = {
        _State.APPROVED: _("This was approved already, at last by %(who)s. It is being done."),
        _State.EXECUTED: _("This was approved already, at last by %(who)s, and is done."),
        _State.REJECTED: _("This was decided already: %(who)s rejected it."),
        _State.WITHDRAWN: _("Whoever asked for this took it back."),
        _State.EXPIRED: _("This request ran out of time."),
        _State.VOID: _("This request is void. %(why)s"),
        _State.FAILED: _("This was approved, at last by %(who)s, but could not be done. %(why)s"),
    }
    return texts[_State(request.state)] % words


def still_counts(vote: Vote, barred: set[Any], permissions: set[str]) -> bool:
    """Say whether an approving vote counts now: the right may be lost since, or the person gone."""
    if {vote.voter_id, vote.seat_id} & barred or not vote.voter.is_active:
        return False
    return may_decide(vote.seat, permissions)


def counting(request: ApprovalRequest, rule: Rule) -> list[Vote]:
    """Return the approving votes that count now."""
    barred, permissions = excluded(request, rule), required(request, rule)
    votes = request.votes.filter(choice=Vote.Choice.APPROVE).select_related("voter", "seat")
    return [vote for vote in votes if still_counts(vote, barred, permissions)]


def givers(user: User) -> list[User]:
    """Return the people for whom `user` stands in now."""
    given = Delegation.objects.live().filter(stand_in=user).values("giver")
    return list(get_user_model()._default_manager.filter(pk__in=given, is_active=True))


def _pairs(user: User) -> tuple[list[User], set[Any]]:
    """Return for whom the person stands in, and the keys of all with whom they count once.

    One query, and one for a whole request: several counts of a page ask.
    """
    here = context.current().request_id
    known = getattr(user, "_backoffice_pairs", None)
    if here and known and known[0] == here:
        return known[1], known[2]
    rows = Delegation.objects.live().filter(Q(stand_in=user) | Q(giver=user))
    live = list(rows.select_related("giver"))
    away = [row.giver for row in live if row.stand_in_id == user.pk and row.giver.is_active]
    keys = {user.pk, *(row.giver_id for row in live), *(row.stand_in_id for row in live)}
    user._backoffice_pairs = here, away, keys  # type: ignore[attr-defined]  # noqa: SLF001 - ours
    return away, keys


def waiting_for(user: User) -> QuerySet[ApprovalRequest]:
    """Return the requests that `user` may decide now, oldest first.

    The question is put together once for a whole request, and asked anew by whoever evaluates it.
    """
    here = context.current().request_id
    known: tuple[str, QuerySet[ApprovalRequest]] | None = getattr(user, "_backoffice_waiting", None)
    if here and known and known[0] == here:
        return known[1].all()
    user._backoffice_waiting = here, _waiting_for(user)  # type: ignore[attr-defined]  # noqa: SLF001 - ours
    return user._backoffice_waiting[1]  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001


def _waiting_for(user: User) -> QuerySet[ApprovalRequest]:
    rules = registry.rules()
    asked = {permission for rule in rules for permission in rule.permissions()}
    away, pairs = _pairs(user)
    voted = Vote.objects.filter(Q(voter__in=pairs) | Q(seat__in=pairs), request=OuterRef("pk"))
    reach = Q(permission__in=_held(user, asked))
    delegable = [rule.kind for rule in rules if rule.delegable]
    for giver in away:
        mine = Q(permission__in=_held(giver, asked), kind__in=delegable)
        reach |= mine & ~Q(maker=giver) & ~Q(_barred(giver))
    return (
        ApprovalRequest.objects.filter(
            reach,
            kind__in=[rule.kind for rule in rules],
            state=_State.REQUESTED,
            expires_at__gt=timezone.now(),
        )
        .exclude(maker=user)
        .exclude(Exists(voted))
        .exclude(_barred(user))
    )


def _held(user: User, permissions: Iterable[str]) -> list[str]:
    return [permission for permission in permissions if may_decide(user, [permission])]


def _barred(user: User) -> Exists:
    return Exists(
        ApprovalRequest.excluded.through._default_manager.filter(
            approvalrequest_id=OuterRef("pk"), user_id=user.pk
        )
    )
