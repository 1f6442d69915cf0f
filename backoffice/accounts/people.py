"""Who works here: inviting, giving roles, blocking, helping somebody back in; all on the record.

Nobody does any of it to themselves, an owner is made and unmade by owners only, and the last owner
stays. A role that opens clear values (`guarded`) is given once another person agreed.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.http import int_to_base36
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import guarded, lockout, post, resets, roles, sessions, tokens
from backoffice.accounts.models import Kind, User
from backoffice.accounts.services import require
from backoffice.audit import verbs
from backoffice.audit.services import record

MANAGE, END_SESSIONS = "accounts.manage_people", "accounts.end_sessions"
OWNER, SELLER = "owner", "seller"
INVITED = verbs.register("accounts.invited", gettext_lazy("Person invited"))
ROLES_SET = verbs.register("accounts.roles_set", gettext_lazy("Roles of a person changed"))
BLOCKED = verbs.register("accounts.blocked", gettext_lazy("Person blocked"))
UNBLOCKED = verbs.register("accounts.unblocked", gettext_lazy("Person unblocked"))
RESET_STARTED = verbs.register(
    "accounts.reset_started", gettext_lazy("New password asked for by somebody else")
)
FACTORS_TAKEN = verbs.register(
    "accounts.factors_taken", gettext_lazy("Lost second factor taken away")
)
INVITATION = post.register(
    "accounts.invited",
    label=gettext_lazy("Invitation"),
    subject=gettext_lazy("You are invited"),
    fields=("username", "days"),
)
LOST = post.register(
    "accounts.factors_taken",
    label=gettext_lazy("Second factor taken away"),
    subject=gettext_lazy("Your second factor was taken away"),
    fields=("who", "why"),
)


def invite(
    *, username: str, name: str, email: str, role_names: Iterable[str], staff: bool, actor: User
) -> User:
    """Make an account without a password and mail its person a link to choose one.

    Guarded roles are asked for: the person has them once somebody else agreed.
    Raises PermissionDenied without the right, ValidationError for what is taken or not valid.
    """
    _require(actor, MANAGE)
    wanted = _known(role_names, staff=staff)
    _only_owners_make_owners(actor, {OWNER} & set(wanted))
    first, _space, last = name.strip().partition(" ")
    person = User(
        username=username.strip(), email=email.strip(), first_name=first, last_name=last,
        is_staff=staff,
    )  # fmt: skip
    person.set_unusable_password()
    person.full_clean()
    if User.objects.filter(email__iexact=person.email).exists():
        raise ValidationError({"email": _("Somebody has this address already.")})
    alone = guarded.is_alone(actor)
    with transaction.atomic():
        person.save()
        now, asked = _split(wanted, set(), actor, alone=alone)
        person.groups.set(Group.objects.filter(name__in=now))
        facts = {"roles": now, "site": "admin" if staff else "seller"}
        record(INVITED, actor=actor, subject=person, context=facts)
        _ask_for(person, asked, actor=actor, reason=_("New account"))
        _tell(person, set(now), actor)
        _send_invitation(person, actor)
    return person


def invite_again(person: User, *, actor: User) -> None:
    """Mail somebody who never came in a new link. Raises ValidationError for anybody else."""
    _require(actor, MANAGE, person)
    if not is_invited(person) or not person.is_active:
        raise ValidationError(_("This person has come in already. Start a reset instead."))
    with transaction.atomic():
        record(INVITED, actor=actor, subject=person, context={"again": True})
        _send_invitation(person, actor)


def is_invited(person: User) -> bool:
    """Say whether the person was invited and has not chosen a password yet."""
    return person.kind == Kind.PERSON and resets.is_invited(person)


def _send_invitation(person: User, actor: User) -> None:
    key = resets.LinkGenerator().make_token(person)
    pair = {"uidb36": int_to_base36(person.pk), "key": key}
    days = resets.INVITATION_DAYS
    post.send(
        INVITATION,
        to=person,
        actor=actor,
        reason=_("You were invited."),
        context={"username": person.username, "days": days},
        secret=reverse("account_reset_password_from_key", kwargs=pair),
        good_until=timezone.now() + timedelta(days=days),
    )


def set_roles(person: User, role_names: Iterable[str], *, actor: User, reason: str) -> None:
    """Give the person these roles and no others; whoever loses or gains one signs in anew.

    What is lost goes at once. A guarded role that is gained waits until somebody else agreed.
    Raises PermissionDenied for one's own account and without the right, ValidationError for the
    last owner, an unknown role or no reason.
    """
    _require(actor, MANAGE, person)
    _say_why(reason)
    wanted = _known(role_names, staff=person.is_staff)
    with transaction.atomic():
        before = _roles_of(person)
        if set(wanted) == set(before):
            raise ValidationError(_("These are the roles that the person has. Nothing was done."))
        _only_owners_make_owners(actor, {OWNER} & (set(wanted) ^ set(before)))
        if OWNER in before and OWNER not in wanted:
            _keep_an_owner(person)
        now, asked = _split(wanted, set(before), actor, alone=guarded.is_alone(actor))
        if set(now) != set(before):
            _set(person, before, now, actor=actor, reason=reason)
        _ask_for(person, asked, actor=actor, reason=reason)


def give_agreed(
    person: User, role_names: Iterable[str], *, actor: User, agreed_by: User, reason: str
) -> None:
    """Add the guarded roles that `actor` asked for and another person agreed to.

    Raises PermissionDenied where either lost the right, or it is the person's own.
    """
    _require(actor, MANAGE, person)
    require(agreed_by, guarded.APPROVE)
    if agreed_by.pk in {actor.pk, person.pk}:
        raise guarded.NeedsAnotherError
    wanted = _known(role_names, staff=person.is_staff)
    with transaction.atomic():
        before = _roles_of(person)
        _only_owners_make_owners(actor, {OWNER} & (set(wanted) - set(before)))
        after = [role for role in roles.ROLES if role in {*before, *wanted}]
        _set(person, before, after, actor=actor, reason=reason, agreed_by=agreed_by)


def _split(
    wanted: Iterable[str], before: set[str], actor: User, *, alone: bool
) -> tuple[list[str], list[str]]:
    """Return the roles that one person gives, and those that another has to agree to."""
    asked = set() if alone else (set(wanted) - before) & guarded.guarded_roles()
    return [role for role in wanted if role not in asked], [
        role for role in wanted if role in asked
    ]


def _ask_for(person: User, role_names: list[str], *, actor: User, reason: str) -> None:
    if role_names:
        guarded.asking().roles(person, role_names, actor, reason)


def _set(
    person: User,
    before: list[str],
    after: list[str],
    *,
    actor: User,
    reason: str,
    agreed_by: User | None = None,
) -> None:
    kept = person.groups.exclude(name__in=roles.ROLES)
    person.groups.set([*kept, *Group.objects.filter(name__in=after)])
    facts: dict[str, Any] = {"before": before, "after": after}
    if agreed_by is not None:
        facts["agreed_by"] = agreed_by.pk
    record(ROLES_SET, actor=actor, subject=person, reason=reason, context=facts)
    _tell(person, set(after) - set(before), actor, agreed_by)
    sessions.end_all(person, actor=actor)


def _tell(person: User, gained: set[str], actor: User, agreed_by: User | None = None) -> None:
    given = sorted(gained & guarded.guarded_roles())
    if given:
        by = agreed_by.pk if agreed_by is not None else None
        guarded.tell(
            actor, {"to": person.get_username(), "given": ", ".join(given), "agreed_by": by}
        )


def block(person: User, *, actor: User, reason: str) -> None:
    """Let the person in no more, at once. Raises as `set_roles` does."""
    _require(actor, MANAGE, person)
    _say_why(reason)
    with transaction.atomic():
        if OWNER in _roles_of(person):
            _only_owners_make_owners(actor, {OWNER})
            _keep_an_owner(person)
        if not User.objects.filter(pk=person.pk, is_active=True).update(is_active=False):
            raise ValidationError(_("This person is blocked already."))
        record(BLOCKED, actor=actor, subject=person, reason=reason)
        sessions.end_all(person, actor=actor)
        tokens.end_all(person, actor=actor, reason=reason)


def unblock(person: User, *, actor: User, reason: str) -> None:
    """Let the person in again; old sessions stay dead. Raises as `set_roles` does."""
    _require(actor, MANAGE, person)
    _say_why(reason)
    with transaction.atomic():
        _only_owners_make_owners(actor, {OWNER} & set(_roles_of(person)))
        if not User.objects.filter(pk=person.pk, is_active=False).update(is_active=True):
            raise ValidationError(_("This person is not blocked."))
        record(UNBLOCKED, actor=actor, subject=person, reason=reason)


def start_reset(person: User, *, actor: User, reason: str) -> None:
    """Mail the person a link to choose a new password; whoever starts it never sees it."""
    _require(actor, MANAGE, person)
    _say_why(reason)
    if not person.is_active or person.kind != Kind.PERSON:
        raise ValidationError(_("This account signs in nowhere."))
    with transaction.atomic():
        record(RESET_STARTED, actor=actor, subject=person, reason=reason)
        said = _("%(who)s started it for you.") % {"who": actor}
        resets.send_link(person, actor=actor, reason=said)
        lockout.lift(person)


def take_factors(person: User, *, actor: User, reason: str) -> None:
    """Take away all second factors of somebody who lost theirs; they hear of it by mail.

    The person sets up a new one at the next sign-in: the time in which one may do without does not
    begin anew. Raises as `set_roles` does.
    """
    _require(actor, MANAGE, person)
    _say_why(reason)
    with transaction.atomic():
        _only_owners_make_owners(actor, {OWNER} & set(_roles_of(person)))
        count = Authenticator.objects.filter(user=person).delete()[0]
        if not count:
            raise ValidationError(_("This person has no second factor."))
        facts = {"factors": count}
        record(FACTORS_TAKEN, actor=actor, subject=person, reason=reason, context=facts)
        sessions.end_all(person, actor=actor)
        told = {"who": str(actor), "why": reason}
        post.send(LOST, to=person, actor=actor, reason=_("It is your account."), context=told)


def end_sessions(person: User, *, actor: User, reason: str) -> None:
    """Sign the person out everywhere, at once. Raises PermissionDenied, ValidationError."""
    _require(actor, END_SESSIONS, person)
    _say_why(reason)
    sessions.end_all(person, actor=actor, reason=reason)


def _require(actor: User, right: str, person: User | None = None) -> None:
    require(actor, right)
    if person is None:
        return
    if person.pk == actor.pk:
        raise PermissionDenied(_("Nobody does this to their own account: ask somebody else."))
    if person.is_superuser and not actor.is_superuser:
        raise PermissionDenied


def _say_why(reason: str) -> None:
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})


def _known(names: Iterable[str], *, staff: bool) -> list[str]:
    """Return the roles in their order; sellers and staff have different ones."""
    wanted = set(names)
    offered = {role for role in roles.ROLES if (role != SELLER) == staff}
    if wanted - offered:
        raise ValidationError({"roles": _("This role is not for this site.")})
    return [role for role in roles.ROLES if role in wanted]


def _roles_of(person: User) -> list[str]:
    names = set(person.groups.values_list("name", flat=True))
    return [role for role in roles.ROLES if role in names]


def _only_owners_make_owners(actor: User, touched: set[str]) -> None:
    if touched and not actor.is_superuser and OWNER not in _roles_of(actor):
        raise PermissionDenied(_("Only an owner decides about owners."))


def _keep_an_owner(person: User) -> None:
    """Refuse to lose the last owner, also to two who unmake each other at once."""
    Group.objects.select_for_update().get(name=OWNER)
    others = User.objects.filter(groups__name=OWNER, is_active=True).exclude(pk=person.pk)
    if not others.exists():
        raise ValidationError(_("This is the last owner. Make somebody else an owner first."))
