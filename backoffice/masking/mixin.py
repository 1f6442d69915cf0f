"""What makes a model field a masked one: its loaded value is the mask.

`from_db_value` seals; assigning seals too, so that an object in memory never shows more than the
row will. Only writes of the column see the clear value.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast

from django import forms
from django.core import checks
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from backoffice.masking import ciphers, loading, masks
from backoffice.masking.ciphers import Lost, Stored
from backoffice.masking.forms import MaskedFormField
from backoffice.masking.indexes import BlindIndexField
from backoffice.masking.lookups import AnyLookup, allowed
from backoffice.masking.values import (
    MASK_CHAR,
    Clear,
    MaskedQueryError,
    MaskWriteError,
    Sealed,
    Whole,
    is_lost,
    is_mask,
    is_typed,
    loaded,
    stored_of,
    unseal,
)

if TYPE_CHECKING:
    _Field = models.Field[Any, Any]
else:
    _Field = object

type MaskRule = Callable[[str], str]

# Rights of every model with masked fields, and what they let somebody do.
CLEAR_RIGHTS = {
    "reveal": "Can see masked values of %(name)s",
    "unmask_page": "Can see masked values of a whole page of %(name)s at once",
    "export_clear": "Can ask for a file with the clear values of %(name)s",
}


class MaskedAttribute(DeferredAttribute):
    """Seals what is assigned; text equal to the present mask leaves the value as it is."""

    field: "MaskedMixin"
    loads = loading.SEALED

    def __set__(self, instance: models.Model, value: object) -> None:
        field = self.field
        # What was read from a row is sealed by this field already; each value of it comes by here.
        if type(value) is not Sealed or value._field is not field:  # noqa: SLF001 - a call less
            value = field.seal(value, instance.__dict__.get(field.attname))
        instance.__dict__[field.attname] = value


class MaskedMixin(_Field):
    """What makes a field a masked one; `mask` says what may be seen, `search` how it is found.

    `search="exact"` adds the column `<name>_index` (see `indexes`); without it the field cannot
    be searched at all. Neither `mask` nor `search` is part of migrations: they change no column.

    `encrypted=True` keeps the value sealed by the key ring in a column of text, bound to
    `binding` ("customers.customer.iban" unless given): give it the old name to rename a field.
    """

    descriptor_class = MaskedAttribute
    default_mask: masks.Mask = masks.text
    # Whether the column brings the clear value as it is.
    is_text = True
    # Whether a bullet may be a part of what a person writes.
    is_long = False

    def __init__(
        self,
        *args: Any,
        mask: MaskRule | None = None,
        search: Literal["exact"] | None = None,
        encrypted: bool = False,
        binding: str = "",
        **kwargs: Any,
    ) -> None:
        self.mask: MaskRule = mask or self.default_mask
        self._hide = masks.hide_of(self.mask)
        self.search = search
        self.encrypted = encrypted
        self._binding = binding
        super().__init__(*args, **kwargs)

    @property
    def kind(self) -> str:
        """The way whole values are compared, one of `masks.NORMAL_FORMS`."""
        rule = self.mask if isinstance(self.mask, masks.Mask) else self.default_mask
        return rule.kind

    @property
    def binding(self) -> str:
        """What encrypted values are bound to; a history shares that of its model."""
        return self._binding or _binding_of(self.model, self.name)

    def contribute_to_class(
        self,
        cls: type[models.Model],
        name: str,
        private_only: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        """Join the model, with the index column and the right to reveal."""
        super().contribute_to_class(cls, name, private_only)
        # The state of a migration names each column itself.
        if self.search and cls.__module__ != "__fake__":
            index = BlindIndexField(source=name, kind=self.kind, unique=self.unique)
            cls.add_to_class(f"{name}_index", index)
        _add_permissions(cls)
        loading.install(cls)

    def seal(self, value: object, present: object = None) -> object:
        """Return `value` sealed; blanks, expressions and foreign masks are returned as they are."""
        if value is None or value == "" or hasattr(value, "resolve_expression"):
            return value
        if isinstance(value, Sealed):
            return self._adopted(value)
        if isinstance(value, str) and MASK_CHAR in value and present == value:
            return present
        if self.is_mask(value):
            return value
        try:
            return self._sealed(self.to_clear(value), typed=True)
        except ValidationError:
            return value  # full_clean() says what is wrong with it

    def _adopted(self, value: Sealed) -> Sealed:
        """Return a sealed value, of this field or another, under this field's mask."""
        if is_lost(value):
            return value
        return self._sealed(unseal(value), typed=is_typed(value), stored=stored_of(value))

    def _sealed(self, clear: Clear, *, typed: bool, stored: Stored | None = None) -> Sealed:
        text = str(clear)
        mask = (self._hide(text) or masks.text(text)) if text else ""
        return Sealed(mask, clear, typed=typed, stored=stored, field=self)

    def to_clear(self, value: object) -> Clear:
        """Return the clear value in the column's type; raises ValidationError."""
        return str(value)

    def is_mask(self, value: object) -> bool:
        """Say whether a plain value holds a mask, whole or altered."""
        return isinstance(value, str) and is_mask(value, long=self.is_long)

    def from_db_value(self, value: Any, _expression: object, _connection: object) -> Any:
        """Seal what a query brings."""
        if not value:
            return value
        if self.encrypted:
            return self._opened(value)
        # Each value of each row comes by here: no more calls than there have to be.
        clear: Any = value if self.is_text else self.to_clear(value)
        text: str = clear if self.is_text else str(clear)
        return loaded(self._hide(text) or masks.text(text), clear, self)

    def _read(self, value: Any, stored: Stored | None = None) -> Sealed:
        return self._sealed(self.to_clear(value), typed=False, stored=stored)

    def _opened(self, text: str) -> Sealed:
        """Return what lies in an encrypted column; what does not open is a mask with its bytes."""
        binding = self.binding
        stored = Stored(binding, text)
        clear = ciphers.read(text, binding)
        try:
            if clear is not None:
                return self._read(clear, stored)
        except ValidationError:  # it opened, but is no value of this field
            pass
        return Sealed(masks.text(text), Lost(stored), stored=stored)

    def to_python(self, value: Any) -> Any:
        """Leave a sealed value as it is; refuse a mask."""
        if value is None or isinstance(value, Sealed):
            return value
        if self.is_mask(value):
            raise ValidationError(self.error_messages["masked"], code="masked")
        return self.to_clear(value)

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """Validate a value assigned here by its clear form; one read from a row stands."""
        if not isinstance(value, Sealed):
            return super().clean(value, model_instance)
        if is_typed(value):
            self._clean_typed(unseal(value), model_instance)
        return value

    def _clean_typed(self, clear: Clear, model_instance: models.Model | None) -> None:
        try:
            super().clean(clear, model_instance)
        except ValidationError as error:
            raise ValidationError([_without_value(part) for part in error.error_list]) from None

    def get_prep_value(self, value: Any) -> Any:
        """Return the clear value for the column. Raises MaskWriteError for a mask."""
        if isinstance(value, Sealed):
            return _to_write(value, self)
        if self.is_mask(value):
            msg = f"{self} would be overwritten by its mask"
            raise MaskWriteError(msg)
        return super().get_prep_value(str(value) if isinstance(value, Whole) else value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Return what goes into the column, sealed by the newest key where it is encrypted."""
        if self.encrypted:
            return self._encrypted(value)
        return super().get_db_prep_value(value, connection, prepared)

    def _encrypted(self, value: Any) -> str | None:
        """Return the column's text, as it was read where it can. Raises MaskWriteError."""
        binding = self.binding
        if isinstance(value, Sealed):
            stored = stored_of(value)
            if stored and (ciphers.kept(stored, binding) or is_lost(value)):
                return _same_field(stored, binding)
        prepared = self.get_prep_value(value)
        return None if prepared is None else ciphers.written(str(prepared), binding)

    def get_internal_type(self) -> str:
        """Return text for an encrypted column."""
        return "TextField" if self.encrypted else super().get_internal_type()

    def db_type(self, connection: Any) -> str | None:
        """Return text for an encrypted column."""
        if self.encrypted:
            return cast("str | None", connection.data_types["TextField"])
        return super().db_type(connection)

    def cast_db_type(self, connection: Any) -> str | None:
        """Return text for an encrypted column."""
        return self.db_type(connection) if self.encrypted else super().cast_db_type(connection)

    def get_lookup(self, lookup: str) -> AnyLookup | None:
        """Return one of the three lookups. Raises MaskedQueryError for any other."""
        return allowed(self, lookup)

    def get_transform(self, name: str) -> type[models.Transform] | None:
        """Refuse: a part or a form of a hidden value is not to be found by."""
        msg = f"{self} is masked: it cannot be found by {name}"
        raise MaskedQueryError(msg)

    def value_to_string(self, obj: models.Model) -> str:
        """Return the mask, also for dumpdata."""
        return str(self.value_from_object(obj) or "")

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        """Leave `mask` and `search` out: they change no column. Encryption does."""
        name, path, args, kwargs = super().deconstruct()
        if self.encrypted:
            kwargs["encrypted"] = True
            if self._binding or hasattr(self, "model"):
                kwargs["binding"] = self.binding
        return name, path, list(args), kwargs

    def formfield(self, *_args: Any, **kwargs: Any) -> forms.Field | None:
        """Return a form field that shows the mask and takes it back as "unchanged"."""
        kwargs["form_class"] = MaskedFormField
        kwargs.pop("choices_form_class", None)
        field = super().formfield(**kwargs)
        if isinstance(field, MaskedFormField):
            field.is_long = self.is_long
        if field is not None and hasattr(field.widget, "input_type"):
            # A browser would refuse a mask in an e-mail or date box.
            field.widget.input_type = "text"
        return field

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Add the rules of masked fields to Django's own."""
        return [*super().check(**kwargs), *self._check_masked()]

    def _check_masked(self) -> list[checks.CheckMessage]:
        found: list[checks.CheckMessage] = []
        if self.choices:
            text = "A masked field has no choices."
            hint = "They stand in every page that offers them: leave them out, or the mask."
            found.append(checks.Error(text, hint=hint, obj=self, id="masking.E001"))
        if self.unique and not self.search:
            text = "A unique masked field is compared by its index, and has none."
            hint = "Add search='exact'."
            found.append(checks.Error(text, hint=hint, obj=self, id="masking.E002"))
        if (
            self.encrypted
            and getattr(self, "db_index", False)
            and not self.unique
            and not _is_history(self.model)
        ):
            text = "An index over an encrypted column finds nothing."
            hint = "Take db_index out; search='exact' has an index of its own."
            found.append(checks.Error(text, hint=hint, obj=self, id="masking.E010"))
        return found


def _to_write(value: Sealed, field: MaskedMixin) -> Clear:
    if is_lost(value):
        msg = f"{field} cannot take a value that no key opens"
        raise MaskWriteError(msg)
    return unseal(value)


def _same_field(stored: Stored, binding: str) -> str:
    """Return the text of a value that goes back to its field; raises MaskWriteError elsewhere."""
    if stored.binding != binding:
        msg = f"{binding} cannot take a value that no key opens"
        raise MaskWriteError(msg)
    return stored.text


@cache
def _binding_of(model: Any, name: str) -> str:
    owner = model.instance_type._meta.get_field(name).model if _is_history(model) else model
    return f"{owner._meta.label_lower}.{name}"


def _is_history(model: type[models.Model]) -> bool:
    return any(base.__name__ == "HistoricalChanges" for base in model.__mro__)


def _without_value(error: ValidationError) -> ValidationError:
    """Return the error with the clear value taken out of what its text may hold."""
    params = {**(error.params or {}), "value": MASK_CHAR * 3} if error.params else None
    return ValidationError(error.message, code=error.code, params=params)


def _add_permissions(cls: type[models.Model]) -> None:
    """Give the model the rights to clear values; rows of history have none of their own."""
    if cls._meta.abstract or _is_history(cls):
        return
    known, name = dict(cls._meta.permissions), cls._meta.verbose_name_raw
    new = [
        (f"{right}_{cls._meta.model_name}", text % {"name": name})
        for right, text in CLEAR_RIGHTS.items()
    ]
    added = [(codename, text) for codename, text in new if codename not in known]
    cls._meta.permissions = [*cls._meta.permissions, *added]
