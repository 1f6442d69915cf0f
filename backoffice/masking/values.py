"""Values of masked fields: text whose characters are the mask, the clear value riding inside."""

import datetime as dt
import json
import logging
import re
from collections.abc import Callable
from typing import Any, NoReturn, Self

from django.core.exceptions import SuspiciousOperation

from backoffice import keyring
from backoffice.masking import purposes
from backoffice.masking.ciphers import Lost, Stored

MASK_CHAR = "\N{BULLET}"

type Clear = str | dt.date

# In long text a bullet may begin a line or stand between words. A mask, also one that somebody
# changed, has bullets side by side, beside a letter or digit, or at the end of a line.
_MASK_IN_TEXT = re.compile(
    rf"{MASK_CHAR}\s*(?:{MASK_CHAR}|$)|\w{MASK_CHAR}|{MASK_CHAR}[^\s{MASK_CHAR}]", re.MULTILINE
)

_log = logging.getLogger(__name__)


def is_mask(text: str, *, long: bool = False) -> bool:
    """Say whether text holds a mask, whole or altered; in long text not every bullet is one."""
    if MASK_CHAR not in text:
        return False
    return not long or _MASK_IN_TEXT.search(text) is not None


class MaskWriteError(ValueError):
    """A mask was about to be written where a clear value belongs."""


class MaskedQueryError(SuspiciousOperation):
    """A query would find, order or copy by a hidden value. Django answers 400."""


class Whole(str):
    """A whole value typed by a person or known to the code, to find rows of a masked field by.

    A plain `str` is refused in a lookup, so that a query string never becomes one.
    """

    __slots__ = ()


def whole(value: Clear) -> Whole:
    """Return `value` marked as a whole value: `filter(email=whole("anna@example.com"))`."""
    return Whole(value.isoformat() if isinstance(value, dt.date) else value)


class Sealed(str):
    """A masked value. As text, JSON, pickle or part of other text it is the mask and no more.

    Only writes of a masked field and `clear()` take the clear value out. Two sealed values are
    equal when mask and clear value are, so that history sees a change that the mask hides; beside
    plain text the mask alone counts, so that a posted mask equals the stored value. A value that
    was typed never equals one from a row: "nothing changed" would tell that a guess was right.
    A copy inside the process stays sealed; a pickle holds the mask alone and cannot be saved.
    """

    # `_more` is set only where there is more to keep: thousands of these are made for a page.
    __slots__ = ("_field", "_more", "_raw")

    _raw: Clear | Lost
    _field: object
    _more: tuple[bool, Stored | None]

    def __new__(
        cls,
        mask: str,
        raw: Clear | Lost,
        *,
        typed: bool = False,
        stored: Stored | None = None,
        field: object = None,
    ) -> Self:
        """Seal `raw` under `mask`; `typed` says that it was assigned here, not read from a row.

        `stored` is the text of an encrypted column that `raw` was read from, `field` is the field
        whose mask this is.
        """
        self = super().__new__(cls, mask)
        _set_raw(self, raw)
        _set_field(self, field)
        if typed or stored is not None:
            _set_more(self, (typed, stored))
        return self

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse: a sealed value never changes."""
        raise AttributeError(name)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Sealed):
            same = str.__eq__(self, other) and self._raw == other._raw
            return same and is_typed(self) == is_typed(other)
        return str.__eq__(self, other) if isinstance(other, str) else NotImplemented

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        return str.__hash__(self)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)

    def __getstate__(self) -> None:
        """Hold no state beside the text (the default would list the slots)."""


# The slots' own setters, past the refusal of `__setattr__`.
_set_raw: Callable[[Sealed, object], None] = Sealed.__dict__["_raw"].__set__
_set_field: Callable[[Sealed, object], None] = Sealed.__dict__["_field"].__set__
_set_more: Callable[[Sealed, object], None] = Sealed.__dict__["_more"].__set__
_NO_MORE: tuple[bool, None] = (False, None)


def loaded(mask: str, raw: Clear, field: object) -> Sealed:
    """Return a value that a row brought, sealed under the mask of `field`; the quick way."""
    self = str.__new__(Sealed, mask)
    _set_raw(self, raw)
    _set_field(self, field)
    return self


def unseal(value: Sealed) -> Clear:
    """Return the clear value. For the fields of this package; others call `clear()`.

    Raises keyring.UnreadableError for an encrypted value that no key opens.
    """
    raw = value._raw  # noqa: SLF001 - the one door
    if isinstance(raw, Lost):
        raise keyring.UnreadableError
    return raw


def is_lost(value: object) -> bool:
    """Say whether this is an encrypted value that no key opens."""
    return isinstance(value, Sealed) and isinstance(value._raw, Lost)  # noqa: SLF001 - the one door


def opened(value: Any) -> Any:
    """Return what a column of a masked field holds, clear, documents too; for whom may see it.

    What no key opens is its mask: there is nothing else to show.
    """
    if isinstance(value, Sealed):
        return str(value) if is_lost(value) else unseal(value)
    if isinstance(value, dict):
        return {key: opened(one) for key, one in value.items()}
    return [opened(one) for one in value] if isinstance(value, list) else value


def opened_text(value: Any) -> str:
    """Return what a column holds as text, clear; a document as JSON, None as a blank."""
    clear = opened(value)
    if isinstance(clear, dict | list):
        return json.dumps(clear, ensure_ascii=False, indent=2)
    return "" if clear is None else str(clear)


def stored_of(value: Sealed) -> Stored | None:
    """Return the text of the encrypted column that the value was read from, if it was."""
    return getattr(value, "_more", _NO_MORE)[1]


def is_typed(value: Sealed) -> bool:
    """Say whether the value was assigned in this process and is not yet known to be valid."""
    return getattr(value, "_more", _NO_MORE)[0]


def clear(value: Sealed | str | None, *, purpose: str) -> Clear:
    """Return the clear value for `purpose`, a name from `purposes.register`; leaves a log line.

    For code that must use the value (to send a mail to it), never to show it: that is a reveal.
    A blank stays blank, None becomes "". Raises UnknownPurposeError, and TypeError for text that
    was not read from a masked field.
    """
    purposes.require(purpose)
    if not value:
        return ""
    if not isinstance(value, Sealed):
        msg = "only a value of a masked field can be cleared"
        raise TypeError(msg)
    purposes.note(purpose)
    _log.info("personal value used: %s", purpose)
    return unseal(value)
