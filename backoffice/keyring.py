"""Encryption of what lies in the database but must not be read there: AES-256-GCM, a key ring.

`BACKOFFICE_KEYS` lists keys as (id, secret), the newest first; the first encrypts, any decrypts.
A value reads "v1.<key id>.<base64 of nonce and sealed text>", so a rotation can go row by row.
"""

import base64
import hashlib
import os
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

_FORM = "v1"
_NONCE_BYTES = 12


class UnreadableError(Exception):
    """The value was not sealed by a key of the ring, for this use, or was changed since."""


def seal(text: str, *, use: str) -> str:
    """Encrypt text; `use` (a table and column, say) is bound in, so a value moved elsewhere fails.

    Raises ImproperlyConfigured without a key.
    """
    key_id, key = _newest()
    nonce = os.urandom(_NONCE_BYTES)
    sealed = key.encrypt(nonce, text.encode(), use.encode())
    return f"{_FORM}.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def open_sealed(value: str, *, use: str) -> str:
    """Return the text of a sealed value. Raises UnreadableError."""
    form, _, rest = value.partition(".")
    key_id, _, packed = rest.partition(".")
    key = _key(key_id)
    if form != _FORM or key is None:
        raise UnreadableError
    try:
        raw = base64.urlsafe_b64decode(packed.encode())
        return key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], use.encode()).decode()
    except (InvalidTag, ValueError):
        raise UnreadableError from None


def is_current(value: str) -> bool:
    """Say whether the newest key sealed the value."""
    return value.startswith(f"{_FORM}.{_newest()[0]}.")


def id_of(value: str) -> str:
    """Return the id of the key that sealed the value."""
    return value.split(".", 2)[1]


def newest_id() -> str:
    """Return the id of the key that seals. Raises ImproperlyConfigured without a key."""
    return _newest()[0]


def key_ids() -> list[str]:
    """Return the ids of the ring, the newest first."""
    return [key_id for key_id, _secret in getattr(settings, "BACKOFFICE_KEYS", [])]


def _newest() -> tuple[str, AESGCM]:
    for key_id, secret in settings.BACKOFFICE_KEYS:
        return key_id, _cipher(secret)
    msg = "BACKOFFICE_KEYS holds no key."
    raise ImproperlyConfigured(msg)


def _key(key_id: str) -> AESGCM | None:
    for known, secret in settings.BACKOFFICE_KEYS:
        if known == key_id:
            return _cipher(secret)
    return None


@cache
def _cipher(secret: str) -> AESGCM:
    """Return the cipher of 32 bytes of a secret of any length; the settings see that it is long.

    It is made once for each secret: a page of encrypted fields opens hundreds of values.
    """
    return AESGCM(hashlib.sha256(f"backoffice.keyring:{secret}".encode()).digest())
