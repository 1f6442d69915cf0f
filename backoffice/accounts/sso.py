"""Single sign-on by OpenID Connect: who comes in, in which roles, and what the provider proved.

The setting `BACKOFFICE_SSO` is a list of providers (see docs/signing-in.md). At every sign-in the
groups that the provider names are turned into roles: what is gone there is gone here. Roles that no
group of the provider maps to are left alone.
"""

from dataclasses import dataclass, field
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import factors, guarded, sessions
from backoffice.accounts.models import Kind, User
from backoffice.audit import verbs
from backoffice.audit.services import record

LINKED = verbs.register("accounts.sso_linked", _("Account linked with a provider"))
ROLES_SET = verbs.register("accounts.sso_roles", _("Roles set by a provider"))
MADE = verbs.register("accounts.sso_made", _("Account made for a person of a provider"))
# Words of `amr` (RFC 8176) that stand for more than one factor.
_STRONG = ("mfa",)


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider: whom it lets in, and what is believed of it.

    `roles` maps a group of the provider to a role here; members of a group of `staff` are staff.
    `trusts_factor`: a sign-in whose `amr` holds one of `strong` (or whose `acr` is one) needs no
    second factor here.
    """

    id: str
    groups_claim: str = "groups"
    roles: dict[str, str] = field(default_factory=dict)
    staff: tuple[str, ...] = ()
    makes_accounts: bool = False
    links_by_mail: bool = True
    trusts_factor: bool = False
    strong: tuple[str, ...] = _STRONG


def find(provider_id: str) -> Provider:
    """Return the provider. Raises LookupError for one that the settings do not name."""
    for row in settings.BACKOFFICE_SSO:
        if row["id"] == provider_id:
            return Provider(
                id=row["id"],
                groups_claim=row.get("groups_claim", "groups"),
                roles=dict(row.get("roles", {})),
                staff=tuple(row.get("staff", ())),
                makes_accounts=row.get("makes_accounts", False),
                links_by_mail=row.get("links_by_mail", True),
                trusts_factor=row.get("trusts_factor", False),
                strong=tuple(row.get("strong", _STRONG)),
            )
    raise LookupError(provider_id)


@dataclass(frozen=True, slots=True)
class Claims:
    """What the provider says: `told` of the person, `proof` in the signed ID token alone."""

    told: dict[str, Any]
    proof: dict[str, Any]

    @classmethod
    def of(cls, login: SocialLogin) -> "Claims":
        """Return the claims of a sign-in."""
        data = login.account.extra_data
        proof = data.get("id_token") or {}
        return cls({**proof, **(data.get("userinfo") or {})}, proof)

    @property
    def mail(self) -> str:
        """The address, if the provider says that it belongs to the person; else ""."""
        verified = self.told.get("email_verified") is True
        return str(self.told.get("email") or "") if verified else ""

    def groups(self, claim: str) -> set[str]:
        """Return the groups; none where the claim is missing or no list."""
        found = self.told.get(claim)
        return {str(one) for one in found} if isinstance(found, list) else set()

    def is_strong(self, strong: tuple[str, ...]) -> bool:
        """Say whether the ID token names a sign-in by more than one factor."""
        amr = self.proof.get("amr")
        methods = {str(one) for one in amr} if isinstance(amr, list) else set()
        return bool(({*methods, str(self.proof.get("acr", ""))} - {""}) & set(strong))


class SocialAdapter(DefaultSocialAccountAdapter):
    """What happens when a provider sends somebody."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Find the person and set their roles."""
        provider, claims = find(sociallogin.account.provider), Claims.of(sociallogin)
        if not sociallogin.is_existing and (person := _by_mail(provider, claims)):
            _link(request, sociallogin, person)
        if not sociallogin.is_existing:
            return
        if not sociallogin.user.is_active or sociallogin.user.kind != Kind.PERSON:
            raise ImmediateHttpResponse(redirect("account_inactive"))
        _enter(sociallogin.user, provider, claims)

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Make accounts where the settings say so, but none beside one with the same address."""
        provider, claims = find(sociallogin.account.provider), Claims.of(sociallogin)
        address = str(claims.told.get("email") or "")
        taken = bool(address) and User.objects.filter(email__iexact=address).exists()
        return provider.makes_accounts and not taken

    def is_auto_signup_allowed(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Ask a new person nothing."""
        return True

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Make the account, with the roles of the provider's groups."""
        provider, claims = find(sociallogin.account.provider), Claims.of(sociallogin)
        with transaction.atomic():
            user: User = super().save_user(request, sociallogin, form)
            record(MADE, actor=None, subject=user, context={"provider": provider.id})
            _enter(user, provider, claims)
        return user

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Send nothing past the outbox."""


def note_proof(request: HttpRequest, user: Any, login: SocialLogin | None) -> None:
    """Note for this sign-in whether a trusted provider asked for a second factor itself.

    The note belongs to the person: another one who signs in in the same browser gains nothing.
    """
    request.session.pop(factors.BY_PROVIDER, None)
    if login is None:
        return
    provider = find(login.account.provider)
    if provider.trusts_factor and Claims.of(login).is_strong(provider.strong):
        request.session[factors.BY_PROVIDER] = user.pk


def ways_of(user: User) -> list[dict[str, Any]]:
    """Return the providers of somebody who has no other way to prove who they are."""
    linked = SocialAccount.objects.filter(user=user).values_list("provider", flat=True)
    return [
        {
            "id": f"sso:{row['id']}",
            "url": reverse("openid_connect_login", args=[row["id"]]),
            "description": row["name"],
        }
        for row in settings.BACKOFFICE_SSO
        if row["id"] in set(linked)
    ]


def _by_mail(provider: Provider, claims: Claims) -> User | None:
    """Return the one active person with the verified address, not linked with the provider yet."""
    if not provider.links_by_mail or not claims.mail:
        return None
    people = User.objects.filter(email__iexact=claims.mail, is_active=True, kind=Kind.PERSON)
    taken = SocialAccount.objects.filter(provider=provider.id).values("user_id")
    found = list(people.exclude(pk__in=taken)[:2])
    return found[0] if len(found) == 1 else None


def _link(request: HttpRequest, login: SocialLogin, person: User) -> None:
    with transaction.atomic():
        login.connect(request, person)
        provider = login.account.provider
        record(LINKED, actor=person, subject=person, context={"provider": provider})


def _enter(user: User, provider: Provider, claims: Claims) -> None:
    set_roles(user, provider, claims.groups(provider.groups_claim))
    # Of a changed role the sessions end: this one begins with what is true now.
    user.refresh_from_db()


def set_roles(user: User, provider: Provider, groups: set[str]) -> None:
    """Give and take the roles that the provider's groups decide, and `is_staff`, on the record."""
    decided = set(provider.roles.values())
    wanted = {role for group, role in provider.roles.items() if group in groups}
    has = set(user.groups.values_list("name", flat=True)) & decided
    staff = bool(groups & set(provider.staff)) if provider.staff else user.is_staff
    if wanted == has and staff == user.is_staff:
        return
    with transaction.atomic():
        user.groups.remove(*Group.objects.filter(name__in=has - wanted))
        user.groups.add(*Group.objects.filter(name__in=wanted - has))
        if staff != user.is_staff:
            User.objects.filter(pk=user.pk).update(is_staff=staff)
            if not staff:
                sessions.end_all(user, actor=None)
        facts = {
            "provider": provider.id,
            "given": sorted(wanted - has),
            "taken": sorted(has - wanted),
            "staff": staff,
        }
        record(ROLES_SET, actor=None, subject=user, context=facts)
        if given := sorted((wanted - has) & guarded.guarded_roles()):
            told = {"to": user.get_username(), "given": ", ".join(given), "agreed_by": None}
            guarded.tell(user, told)
