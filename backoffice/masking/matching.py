"""Matching a list of whole values with the rows of a masked field, by its blind index.

What comes out are keys that are equal where the values are; no value leaves. Whoever calls this
asks for the right to reveal first: who may bring any list learns from it who has which value.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from backoffice.masking import indexes
from backoffice.masking.fields import MaskedMixin
from backoffice.masking.values import MaskedQueryError, Sealed, unseal


def keys(
    rows: QuerySet[Any], field: MaskedMixin, texts: Iterable[str]
) -> tuple[dict[str, str], list[str]]:
    """Return text -> key of the texts, and the key of each row in order ("" of an empty value).

    Raises MaskedQueryError for a field without an index.
    """
    index = indexes.index_of(field)
    if index is None:
        msg = f"{field} is not found by its value"
        raise MaskedQueryError(msg)
    by_text: dict[str, str] = {}
    newest: dict[str, str] = {}
    for text in texts:
        # Rows that an older key wrote keep its digest until the index is made anew.
        made = indexes.digests(index.kind, text)
        by_text[text] = made[0]
        newest.update(dict.fromkeys(made, made[0]))
    stored = (_digest(value) for value in rows.values_list(index.name, flat=True))
    return by_text, [newest.get(value, value) for value in stored]


def of_texts(kind: str, texts: Iterable[str]) -> dict[str, str]:
    """Return text -> key of texts that are kept masked as values of `kind`."""
    return {text: indexes.digest(kind, text) for text in texts}


def _digest(value: Any) -> str:
    return str(unseal(value)) if isinstance(value, Sealed) else str(value or "")
