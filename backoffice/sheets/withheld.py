"""What a refusal may say: never a masked value of its row.

Validators, `clean()` and methods of a Resource word their own errors, and may quote what they
refuse. Of a masked field only sentences are told that stand with the field; of any other, those
that hold no masked cell of the row. Instead of the rest stands a sentence of ours.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.utils.translation import gettext_lazy as _

from backoffice.masking.fields import MaskedMixin
from backoffice.sheets.problems import Problem

NOT_TOLD: Final = _("the reason is not shown, since it may hold personal data")
_UNMARKED: Final = re.compile(r"[\W_]+")
_WORDS: Final = re.compile(r"[^\W_]+")
_SHORTEST: Final = 3
"""Letters and digits from which on a value is looked for inside of words."""
_WORD: Final = 4
"""Letters of a word of a value that is looked for by itself."""
_DIGITS: Final = 7
"""Digits at the end of a number, which stay however its country is written."""


class OfField(str):
    """Words that stand with a field or its validator: they were made before any value came."""

    __slots__ = ()


def message(error: ValidationError, stored: Any = None) -> str:
    """Return what an error says, without the value; `stored` is the model's field it is about."""
    (error, *_more) = error.error_list
    is_known = stored is not None and _is_of_field(error, stored)
    if isinstance(stored, MaskedMixin) and not is_known:
        return str(NOT_TOLD)
    params = dict(error.params or {})
    if "value" in params:
        params["value"] = "…"
    if "show_value" in params:
        params["show_value"] = "…"
    said = str(error.message % params if params else error.message)
    return OfField(said) if is_known else said


def first_error(error: ValidationError, model: Any) -> tuple[str, str]:
    """Return the field of the model and the message, without the value itself."""
    if hasattr(error, "error_dict"):
        name, errors = next(iter(error.error_dict.items()))
        return name, message(errors[0], field_of(model, name))
    return "", message(error.error_list[0])


def field_of(model: Any, name: str) -> Any:
    """Return the model's field of a name; None where it has none."""
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        return None


def _is_of_field(error: ValidationError, stored: Any) -> bool:
    known = [*stored.error_messages.values()]
    known += [one.message for one in stored.validators if hasattr(one, "message")]
    return any(error.message is one or str(error.message) == str(one) for one in known)


def guard(problem: Problem, masked: Iterable[Any]) -> Problem:
    """Take the message out of a problem where it holds one of the row's masked values."""
    said = problem.params.get("message")
    if said is not None and holds(said, masked):
        problem.params["message"] = str(NOT_TOLD)
    return problem


def holds(said: str, values: Iterable[Any]) -> bool:
    """Whether a sentence holds one of the values, or a word of one, however it is written."""
    words, whole, digits = set(map(_bare, _WORDS.findall(said))), _bare(said), _digits(said)
    for value in (str(one) for one in values if one is not None):
        number = _digits(value)
        if len(number) >= _DIGITS and number[-_DIGITS:] in digits:
            return True
        longer = () if isinstance(said, OfField) else _longer(value)
        for text in filter(None, (_bare(value), *longer)):
            if text in (words if len(text) < _SHORTEST else whole):
                return True
    return False


def _longer(value: str) -> list[str]:
    return [_bare(one) for one in _WORDS.findall(value) if len(one) >= _WORD]


def _bare(text: str) -> str:
    return _UNMARKED.sub("", text).casefold()


def _digits(text: str) -> str:
    return "".join(one for one in text if one.isdecimal())
