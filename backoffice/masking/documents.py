"""A masked column of JSON: its shape and its open paths are seen, every other leaf is a mask.

    data = MaskedJSONField(open=["status", "items.sku"], masks={"contact.email": masks.email})

A path names keys with dots between; lists are passed through. What lies below an open path is open.
What is not declared is hidden: a key that nobody thought of is not shown by that. Keys themselves
are seen, so personal data has no place in them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.masking import ciphers, masks
from backoffice.masking.ciphers import Lost, Stored
from backoffice.masking.fields import MaskedMixin
from backoffice.masking.forms import MaskedFormField
from backoffice.masking.masks import hide_of
from backoffice.masking.mixin import MaskRule
from backoffice.masking.values import (
    MASK_CHAR,
    MaskWriteError,
    Sealed,
    is_lost,
    stored_of,
    unseal,
)

if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
else:
    _Field = models.Field

_MISSING: Any = object()


class MaskedJSONField(MaskedMixin, _Field):
    """JSON in a column of text or JSON; in Python the same shape, hidden leaves sealed.

    `open` names the paths that are shown, `masks` the masks of others (a text mask unless named).
    Leaves keep their type where they are written: a sealed number goes back as a number.
    """

    description = _("Masked document")
    empty_strings_allowed = False
    default_error_messages = {
        "masked": _("Type the whole new value, or leave the masked one as it was."),
        "invalid": _("This is no JSON."),
    }
    is_text = False

    def __init__(
        self,
        *args: Any,
        open: Sequence[str] = (),  # noqa: A002 - reads as what it is
        masks: Mapping[str, MaskRule] | None = None,
        **kwargs: Any,
    ) -> None:
        self.open_paths = [tuple(path.split(".")) for path in open]
        self.masks = {tuple(path.split(".")): hide_of(mask) for path, mask in (masks or {}).items()}
        super().__init__(*args, **kwargs)

    def get_internal_type(self) -> str:
        """Return a type of its own, so that nothing looks into it."""
        return "MaskedJSONField"

    def db_type(self, connection: Any) -> str | None:
        """Return the type of a column of JSON, of text where it is encrypted."""
        kind = "TextField" if self.encrypted else "JSONField"
        return cast("str | None", connection.data_types[kind])

    def cast_db_type(self, connection: Any) -> str | None:
        """Return the type of the column."""
        return self.db_type(connection)

    def seal(self, value: object, present: object = None) -> Any:
        """Return a document with its hidden leaves sealed; a mask shown stays what it hid."""
        if value is None or hasattr(value, "resolve_expression") or is_lost(value):
            return value
        if isinstance(value, str) and not isinstance(value, Sealed):
            if is_lost(present) and value == present:
                return present
            try:
                value = json.loads(value)
            except ValueError:
                return value  # full_clean() says what is wrong with it
        return self._sealed_tree(value, present, ())

    def _sealed_tree(self, value: Any, present: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            old = present if isinstance(present, dict) else {}
            return {
                key: self._sealed_tree(one, old.get(key), (*path, str(key)))
                for key, one in value.items()
            }
        if isinstance(value, list | tuple):
            rest = present if self._is_same_list(value, present, path) else [None] * len(value)
            return [self._sealed_tree(one, old, path) for one, old in zip(value, rest, strict=True)]
        return self._sealed_leaf(value, present, path)

    def _sealed_leaf(self, value: Any, present: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, str) and MASK_CHAR in value and not isinstance(value, Sealed):
            return present if isinstance(present, Sealed) and present == value else value
        clear = unseal(value) if isinstance(value, Sealed) else value
        if clear is None or clear == "" or self._is_open(path):
            return clear
        hide = self.masks.get(path, masks.text.hide)
        return Sealed(hide(str(clear)) or masks.text(str(clear)), clear, field=self)

    def _is_same_list(self, value: Sequence[Any], present: Any, path: tuple[str, ...]) -> bool:
        """Say whether a list may take masks over by place: as long, and alike in what is shown.

        In a list that lost, got or moved an item, a mask would stand for another item's value.
        """
        return isinstance(present, list) and self._open_parts(value, path) == self._open_parts(
            present, path
        )

    def _open_parts(self, value: Any, path: tuple[str, ...]) -> Any:
        """Return the shape of lists and the open leaves, nothing of what is hidden."""
        if self._is_open(path):
            return value
        if isinstance(value, dict):
            below = {key: self._open_parts(one, (*path, str(key))) for key, one in value.items()}
            return {key: one for key, one in below.items() if one is not _MISSING}
        if isinstance(value, list | tuple):
            return [self._open_parts(one, path) for one in value]
        return _MISSING

    def _is_open(self, path: tuple[str, ...]) -> bool:
        return any(path[: len(known)] == known for known in self.open_paths)

    def from_db_value(self, value: Any, _expression: object, _connection: object) -> Any:
        """Seal what a query brings; an encrypted document that does not open is a mask."""
        if value is None:
            return None
        stored = None
        if self.encrypted:
            stored = Stored(self.binding, value)
            value = ciphers.read(value, self.binding)
        try:
            return self._sealed_tree(json.loads(value), None, ())
        except (ValueError, TypeError):
            return Sealed(masks.text("x"), Lost(stored or Stored("", str(value))), stored=stored)

    def to_python(self, value: Any) -> Any:
        """Return the document; refuse what is no JSON, and masks."""
        value = self.seal(value)
        if isinstance(value, str) and not isinstance(value, Sealed):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        if any(_is_foreign(leaf) for leaf in _leaves(value)):
            raise ValidationError(self.error_messages["masked"], code="masked")
        return value

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """Validate the document: its blanks, and that no mask stands where a value belongs."""
        value = self.to_python(value)
        self.validate(value, model_instance)
        return value

    def get_prep_value(self, value: Any) -> Any:
        """Return the clear document as text. Raises MaskWriteError for a mask."""
        if value is None:
            return None
        return json.dumps(self._clear_tree(self.seal(value)), ensure_ascii=False)

    def _clear_tree(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._clear_tree(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._clear_tree(one) for one in value]
        if _is_foreign(value) or is_lost(value):
            msg = f"{self} would be overwritten by its mask"
            raise MaskWriteError(msg)
        return unseal(value) if isinstance(value, Sealed) else value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Return what goes into the column."""
        if isinstance(value, Sealed) and is_lost(value):
            stored = stored_of(value)
            if stored is None or stored.binding != self.binding:
                return self.get_prep_value(value)  # which refuses it
            return stored.text
        text = self.get_prep_value(value)
        if text is None:
            return None
        if self.encrypted:
            return ciphers.written(text, self.binding)
        return connection.ops.adapt_json_value(json.loads(text), None)

    def value_to_string(self, obj: models.Model) -> str:
        """Return the document with its masks, also for dumpdata."""
        return _shown(self.value_from_object(obj))

    def formfield(self, *_args: Any, **kwargs: Any) -> forms.Field | None:
        """Return a form field that shows the document with its masks and merges it back."""
        return models.Field.formfield(
            self, **{**kwargs, "form_class": MaskedJSONFormField, "widget": forms.Textarea}
        )


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _leaves(one)
    else:
        yield value


def _is_foreign(leaf: Any) -> bool:
    """Say whether a leaf is text with a mask that was never sealed here."""
    return isinstance(leaf, str) and not isinstance(leaf, Sealed) and MASK_CHAR in leaf


def _shown(value: Any) -> str:
    if value is None or isinstance(value, str):
        return str(value or "")
    return json.dumps(value, ensure_ascii=False, indent=2)


class MaskedJSONFormField(MaskedFormField):
    """A document in a text area; unchanged it means "unchanged", and so does each leaf."""

    def prepare_value(self, value: Any) -> Any:
        """Return the text that is shown."""
        return _shown(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare with the text as it was shown."""
        return not self.disabled and _differ(_shown(initial), str(data or ""))

    def _clean_bound_field(self, bf: forms.BoundField) -> Any:
        """Return the stored document for an untouched one, else the new one."""
        if not self.has_changed(bf.initial, bf.data):
            return bf.initial
        return self.clean(bf.data)

    def to_python(self, value: Any) -> Any:
        """Return the text: the field of the model merges it into what is stored."""
        return None if value in self.empty_values else str(value)


def _differ(shown: str, data: str) -> bool:
    """Compare but for the line ends of browsers and the blanks around."""
    return shown.replace("\r\n", "\n").strip() != data.replace("\r\n", "\n").strip()
