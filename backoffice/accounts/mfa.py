"""How allauth's second factors behave here: sealed keys, names of this site, the last one stays."""

from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice import keyring
from backoffice.accounts import factors, sealed
from backoffice.accounts.models import User

_USE = "mfa_authenticator.data"


class MfaAdapter(DefaultMFAAdapter):
    """Keys of apps and recovery codes lie in the database sealed by the key ring."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": gettext_lazy("This code is not right, or was used before."),
        "cannot_delete_authenticator": gettext_lazy(
            "Your role needs a second factor, and this is your last one. Add another one first."
        ),
    }

    def encrypt(self, text: str) -> str:
        """Seal a key."""
        return keyring.seal(text, use=_USE)

    def decrypt(self, encrypted_text: str) -> str:
        """Open a key. Raises keyring.UnreadableError."""
        return keyring.open_sealed(encrypted_text, use=_USE)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Keep the last factor of whom one is due; two removals at once see each other."""
        if authenticator.type not in factors.KINDS:
            return True
        if connection.in_atomic_block:
            User.objects.select_for_update().get(pk=authenticator.user_id)
        others = factors.of(authenticator.user).exclude(pk=authenticator.pk)
        return others.exists() or not factors.is_due(authenticator.user)

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:  # noqa: A002 - allauth's name
        """Suggest a name for a passkey."""
        count = Authenticator.objects.filter(user=user, type=type).count()
        return _("Passkey %(number)d") % {"number": count + 1}

    def get_totp_label(self, user: User) -> str:
        """Name the account in the app by its user name."""
        return user.get_username()

    def _get_site_name(self) -> str:
        return _("Backoffice")


def _rewrite(row: Authenticator, change: sealed.Change) -> dict[str, Any]:
    """Seal a factor's keys anew: an app's key, recovery codes by seed or one by one."""
    data = dict(row.data)
    for name in {"secret", "seed"} & data.keys():
        data[name] = change(data[name], _USE)
    if "migrated_codes" in data:
        data["migrated_codes"] = [change(code, _USE) for code in data["migrated_codes"]]
    return {"data": data}


_SEALED_KINDS = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)
sealed.register("factors", Authenticator, _rewrite, lambda: Q(type__in=_SEALED_KINDS))
