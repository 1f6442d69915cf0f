"""One way to write facts down, so that the same facts have the same hash everywhere.

A personal value has no place in a request: approvers read it, and it is kept for years.
"""

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

from django.db.models import Model

from backoffice.audit.services import PersonalValueError
from backoffice.masking.values import MASK_CHAR, Sealed
from backoffice.money import Money

_PLAIN = (str, int, bool, type(None))
_AS_TEXT = (Decimal, Money, dt.date, dt.time, dt.timedelta, uuid.UUID)


def plain(value: Any) -> Any:
    """Return `value` as JSON without floats: records by their key, amounts and dates as text.

    Raises PersonalValueError for a masked or clear personal value, TypeError for what has no
    canonical form.
    """
    if isinstance(value, Sealed) or (isinstance(value, str) and MASK_CHAR in value):
        msg = "a request for approval must not hold a personal value"
        raise PersonalValueError(msg)
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(part) for part in value), key=str)
    return _single(value)


def _single(value: Any) -> Any:
    if isinstance(value, Enum):
        return _single(value.value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, Model):
        return _single(value.pk)
    if isinstance(value, _AS_TEXT):
        return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)
    msg = f"{type(value).__name__} has no canonical form"
    raise TypeError(msg)


def digest(facts: Any) -> str:
    """Return the SHA-256 of the facts as canonical JSON, in hex."""
    text = json.dumps(plain(facts), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
