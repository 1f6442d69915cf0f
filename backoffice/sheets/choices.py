"""Cells that hold one of a few choices: as stored, or in the words that people read."""

from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import Choices
from django.utils import translation
from import_export import widgets


class ChoiceWidget(widgets.CharWidget):
    """Reads a choice by its value or by its label in any language of the system.

    So a list that left with words comes in again. What is neither stays as it is, for the model to
    refuse. It looks at the cell alone, so a column of it is read at once.
    """

    def __init__(self, choices: type[Choices]) -> None:
        """Take the choices of the model's field."""
        super().__init__(coerce_to_string=True, allow_blank=True)
        self._choices = choices

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        """Return the value that is meant."""
        written = super().clean(value, row, **kwargs)
        if not isinstance(written, str):
            return written
        return self._by_word.get(" ".join(written.split()).casefold(), written)

    @cached_property
    def _by_word(self) -> dict[str, str]:
        """Word -> value; a word that means two of them means none."""
        found: dict[str, set[str]] = {}
        for language, _name in settings.LANGUAGES:
            with translation.override(language):
                for value, label in self._choices.choices:
                    found.setdefault(str(label).casefold(), set()).add(value)
        words = {word: values.pop() for word, values in found.items() if len(values) == 1}
        return words | {str(value).casefold(): value for value in self._choices.values}
