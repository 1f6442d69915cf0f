"""The field of a dialog in which somebody proves anew who they are, and the passkey's challenge.

It stands among the other fields, so that nothing typed is lost: a password for whom no second
factor is enrolled, else a code, with a button beside it where there is a passkey (proof.js).
"""

from typing import Any

from django.forms import CharField, PasswordInput
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backoffice.accounts import acting, factors, stepup

FIELD = "step_up_proof"
_SECONDS_A_MINUTE = 60


class _CodeInput(PasswordInput):
    """Shows what is typed, and never comes back with it: a code is good once."""

    input_type = "text"


class ProofField(CharField):
    """A proof; `passkey` is the address of the challenge where the person has a passkey.

    With `factor` it is about clear values (see `stepup.is_fresh`); who has no second factor then
    gets a field that takes nothing, and is told where to set one up.
    """

    def __init__(self, ways: tuple[str, ...], passkey: str, *, factor: bool = False) -> None:
        """Ask for what this person has."""
        code = stepup.PASSWORD not in ways
        words: dict[str, Any] = {"autocomplete": "one-time-code" if code else "current-password"}
        if code:
            words |= {"inputmode": "numeric", "autocapitalize": "none"}
        missing = factor and not ways
        if missing:
            words |= {"disabled": True}
        self.passkey, self.factor = passkey, factor
        self.proves = True  # an empty one is refused with words of its own
        super().__init__(
            label=_label(ways),
            strip=code,
            required=False,
            widget=(_CodeInput if code else PasswordInput)(attrs=words),
            help_text=enrolling()
            if missing
            else _("Asked again, because this cannot be taken back lightly."),
        )


def _label(ways: tuple[str, ...]) -> str:
    if stepup.PASSWORD in ways:
        return _("Your password")
    return _("Code from your app, or a recovery code")


def enrolling() -> SafeString:
    """Return where to set up a second factor, for whom clear values stay masked without one."""
    return format_html(
        _("Clear values are shown after a second factor only, and you have none. {}"),
        format_html('<a href="{}">{}</a>', reverse("mfa_index"), _("Set one up, then come back.")),
    )


def field_for(request: HttpRequest, *, factor: bool = False) -> ProofField:
    """Return the field for the person who is signed in; `factor`: it is about clear values."""
    ways = stepup.methods(request.user, factor=factor)  # type: ignore[arg-type]  # nobody else
    site = getattr(request, "current_app", None) or _site_of(request)
    passkey = reverse(f"{site}:step_up_challenge") if stepup.PASSKEY in ways else ""
    return ProofField(ways, passkey, factor=factor and stepup.wants_factor())


def _site_of(request: HttpRequest) -> str:
    match = request.resolver_match
    return match.namespaces[0] if match and match.namespaces else "admin"


def refusal(request: HttpRequest, proof: str, *, factor: bool = False) -> str:
    """Check the proof; return why it does not do, "" when it does."""
    if acting.is_acting():
        return _("Not while you act for somebody: only they can prove who they are.")
    ways = stepup.methods(request.user, factor=factor)  # type: ignore[arg-type]  # nobody else
    if not ways and factor and not factors.by_provider(request, request.user):  # type: ignore[arg-type]
        return enrolling()
    if not ways:
        return _("You signed in through another system. Sign out, sign in again, then do this.")
    if not proof.strip():
        return _("Prove who you are. Nothing was done.")
    try:
        right = stepup.confirm(request, proof, factor=factor)
    except stepup.TooManyTriesError as error:
        return _too_many(error.wait)
    return "" if right else _wrong(ways)


def _too_many(wait: int) -> str:
    minutes = -(-wait // _SECONDS_A_MINUTE)
    text = ngettext(
        "Too many wrong tries. Wait %(count)s minute. Nothing was done.",
        "Too many wrong tries. Wait %(count)s minutes. Nothing was done.",
        minutes,
    )
    return text % {"count": minutes}


def _wrong(ways: tuple[str, ...]) -> str:
    if stepup.PASSWORD in ways:
        return _("This is not your password. Nothing was done.")
    return _("This proof is wrong, or was used before. Nothing was done.")


def challenge(request: HttpRequest) -> HttpResponse:
    """Return what the browser needs to ask for the person's passkey (POST)."""
    user: Any = request.user
    if acting.is_acting() or stepup.PASSKEY not in stepup.methods(user):
        return JsonResponse({}, status=404)
    return JsonResponse(stepup.begin_passkey(request))
