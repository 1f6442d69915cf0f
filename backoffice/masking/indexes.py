"""Blind indexes: a keyed digest of a whole value in a column beside the masked field.

The digest is HMAC-SHA256 over kind and normal form, keyed by BACKOFFICE_MASKING_INDEX_KEY, which
lives outside the database: who holds a dump cannot try values out. While a key is changed,
BACKOFFICE_MASKING_INDEX_KEYS lists the new one and the old one as (id, secret), the newest first:
the first makes digests, rows are found by the digests of all.
"""

import hmac
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from backoffice.masking import loading
from backoffice.masking.masks import NORMAL_FORMS
from backoffice.masking.values import (
    MASK_CHAR,
    Clear,
    MaskedQueryError,
    MaskWriteError,
    Sealed,
    is_lost,
    loaded,
    unseal,
    whole,
)

# Aliases are read lazily: at run time Django's fields take no parameters.
type AnyField = models.Field[Any, Any]

_HEX_LENGTH = 64
_MISSING = object()
_SHOWN = MASK_CHAR * 8
# No digest reads so: what no key opens is found by nothing.
_NOWHERE = "-"

if TYPE_CHECKING:
    _CharField = models.CharField[str | None, str | None]
else:
    _CharField = models.CharField


def digest(kind: str, value: Clear) -> str:
    """Return the digest of a whole value as 64 hexadecimal characters; of a blank, a blank.

    Raises ImproperlyConfigured without a key.
    """
    message = _message(kind, value)
    return _keyed(ring()[0][1], message) if message else ""


def digests(kind: str, value: Clear) -> list[str]:
    """Return the digests of a whole value by every key of the ring, the newest first."""
    message = _message(kind, value)
    return [_keyed(secret, message) if message else "" for _id, secret in ring()]


def ring() -> list[tuple[str, str]]:
    """Return the keys of the indexes as (id, secret), the newest first.

    Raises ImproperlyConfigured without a key.
    """
    keys = getattr(settings, "BACKOFFICE_MASKING_INDEX_KEYS", None)
    if keys:
        return list(keys)
    key = getattr(settings, "BACKOFFICE_MASKING_INDEX_KEY", "")
    if not key:
        msg = "BACKOFFICE_MASKING_INDEX_KEY is not set: masked fields with search= need it."
        raise ImproperlyConfigured(msg)
    return [("", str(key))]


def key_ids() -> list[str]:
    """Return the ids of the keys of the indexes, the newest first; none where no key is set."""
    try:
        return [key_id for key_id, _secret in ring()]
    except ImproperlyConfigured:
        return []


def _message(kind: str, value: Clear) -> bytes:
    clear = unseal(value) if isinstance(value, Sealed) else value
    normal = NORMAL_FORMS[kind](whole(clear))
    return f"{kind}\0{normal}".encode() if normal else b""


def _keyed(secret: str, message: bytes) -> str:
    return hmac.digest(secret.encode(), message, "sha256").hex()


class _IndexAttribute(DeferredAttribute):
    """Computes the digest from the masked value at hand, so that it can never be stale.

    It is sealed: an export of all columns must not show who shares a value with whom.
    """

    field: "BlindIndexField"
    loads = loading.PLAIN

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        if instance is None:
            return self
        source = instance.__dict__.get(self.field.source, _MISSING)
        if source is _MISSING or hasattr(source, "resolve_expression") or is_lost(source):
            return _sealed(super().__get__(instance, cls))
        return _sealed(self.field.digest_of(source))

    def __set__(self, instance: models.Model, value: object) -> None:
        instance.__dict__[self.field.attname] = value


def _sealed(value: Any) -> Any:
    plain = isinstance(value, str) and not isinstance(value, Sealed)
    return Sealed(_SHOWN, value) if plain and value else value


class BlindIndexField(_CharField):
    """The column `<name>_index` of a masked field with search=; made by that field, never by hand.

    It stands in migrations, so that data migrations keep it right too.
    """

    descriptor_class = _IndexAttribute

    def __init__(self, *args: Any, source: str, kind: str, **kwargs: Any) -> None:
        self.source = source
        self.kind = kind
        kwargs.update(dict.fromkeys(("null", "blank", "db_index"), True))
        kwargs.update(max_length=_HEX_LENGTH, editable=False, serialize=False)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        """Keep what the digest depends on; the rest is fixed."""
        name, path, args, kwargs = super().deconstruct()
        for fixed in ("max_length", "editable", "serialize", "null", "blank", "db_index"):
            kwargs.pop(fixed, None)
        kwargs.update(source=self.source, kind=self.kind)
        return name, path, list(args), kwargs

    def contribute_to_class(
        self,
        cls: type[models.Model],
        name: str,
        private_only: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Join the model once: migrations, history and abstract parents bring a copy along."""
        if name not in {field.name for field in cls._meta.local_fields}:
            super().contribute_to_class(cls, name, private_only)

    def from_db_value(self, value: Any, _expression: object, _connection: object) -> Any:
        """Seal what a query brings; `compiling` leaves it out where an attribute seals it."""
        return loaded(_SHOWN, value, self) if value else value

    def get_prep_value(self, value: Any) -> Any:
        """Return the digest for the column; a text with the mask is never one."""
        if isinstance(value, Sealed):
            value = unseal(value)
        elif isinstance(value, str) and MASK_CHAR in value:
            msg = f"{self} would be overwritten by its mask"
            raise MaskWriteError(msg)
        return super().get_prep_value(value)

    def get_lookup(self, lookup: str) -> Any:
        """Return a lookup of the whole digest; parts of one are refused, as of what it stands for.

        Raises MaskedQueryError.
        """
        if lookup not in {"exact", "in", "isnull"}:
            msg = f"{self} is found by its whole value only"
            raise MaskedQueryError(msg)
        return super().get_lookup(lookup)

    def digest_of(self, value: Clear | None) -> str | None:
        """Return the digest of a value of the masked field (None of None)."""
        if is_lost(value):
            return _NOWHERE
        return None if value is None else digest(self.kind, value)

    def digests_of(self, value: Clear | None) -> list[str | None]:
        """Return the digests by every key, the newest first."""
        if value is None or is_lost(value):
            return [self.digest_of(value)]
        return list(digests(self.kind, value))


def index_of(field: AnyField) -> BlindIndexField | None:
    """Return the index that belongs to a masked field of a model, if it has one."""
    for other in field.model._meta.concrete_fields:
        if isinstance(other, BlindIndexField) and other.source == field.name:
            return other
    return None
