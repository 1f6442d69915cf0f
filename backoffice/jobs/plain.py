"""What may be kept beside a job or a mail: plain JSON without personal values and secrets."""

import re
from collections.abc import Mapping
from typing import Any

from backoffice.masking.values import MASK_CHAR, Sealed

_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")
_SECRET = re.compile(r"passw|secret|token|authori[sz]ation|api_?key|credential", re.IGNORECASE)


class NotPlainError(ValueError):
    """A personal value, a secret or something that is no JSON was about to be kept."""


def require_plain(value: Any, *, where: str) -> None:
    """Raise NotPlainError unless `value` may be kept; `where` names it in the message.

    Refused are values of masked fields, masks, e-mail addresses, keys that sound like secrets, and
    anything but text, numbers, None, lists and mappings by text. Names and numbers of people cannot
    be told from other text: pass keys of rows instead.
    """
    if isinstance(value, Mapping):
        _require_mapping(value, where)
    elif isinstance(value, list | tuple):
        for part in value:
            require_plain(part, where=where)
    elif isinstance(value, str):
        _require_text(value, where)
    elif value is not None and not isinstance(value, int | float):
        raise NotPlainError(f"{where}: {type(value).__name__} is no plain JSON")


def _require_mapping(value: Mapping[Any, Any], where: str) -> None:
    for key, part in value.items():
        if not isinstance(key, str) or _SECRET.search(key):
            raise NotPlainError(f"{where}: the key {key!r} is not allowed")
        require_plain(part, where=f"{where}.{key}")


def _require_text(value: str, where: str) -> None:
    if isinstance(value, Sealed) or MASK_CHAR in value:
        raise NotPlainError(f"{where}: a masked value has no place here")
    if _ADDRESS.search(value):
        raise NotPlainError(f"{where}: an e-mail address has no place here")


def without_addresses(text: str) -> str:
    """Return a title that people may have named with e-mail addresses taken out."""
    return _ADDRESS.sub("\N{HORIZONTAL ELLIPSIS}", text).replace(MASK_CHAR, "")
