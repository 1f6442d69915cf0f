"""The masked fields: which column, which mask, what a person may write. See `mixin` for how."""

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from backoffice.masking import masks
from backoffice.masking.mixin import MaskedMixin
from backoffice.masking.values import Clear

__all__ = [
    "MaskedCharField",
    "MaskedDateField",
    "MaskedEmailField",
    "MaskedMixin",
    "MaskedPhoneField",
    "MaskedTextField",
    "masked_fields",
    "validate_phone",
]

if TYPE_CHECKING:
    _CharField = models.CharField[str | None, str]
    _EmailField = models.EmailField[str | None, str]
    _TextField = models.TextField[str | None, str]
    _DateField = models.Field[str | dt.date | None, str | None]
else:
    _CharField, _EmailField, _TextField = models.CharField, models.EmailField, models.TextField
    _DateField = models.Field

_MASKED = _("Type the whole new value, or leave the masked one as it was.")

_PHONE_SAID = _("Type a phone number, for example +82 10 1234 5678.")

# ITU-T E.164: a number has at most 15 digits with its country; the shortest in use have five.
_PHONE = re.compile(r"\+?[0-9(][0-9 ()./-]*")
_PHONE_DIGITS = range(5, 16)


def validate_phone(value: str) -> None:
    """Raise ValidationError for text that is no phone number."""
    digits = sum(character.isdigit() for character in value)
    if not _PHONE.fullmatch(value.strip()) or digits not in _PHONE_DIGITS:
        raise ValidationError(_PHONE_SAID, "phone")


class MaskedCharField(MaskedMixin, _CharField):
    """A line of text, shown as its mask."""

    default_error_messages = {"masked": _MASKED}


class MaskedPhoneField(MaskedCharField):
    """A phone number, checked, and compared with its country (BACKOFFICE_PHONE_COUNTRY)."""

    default_mask = masks.phone
    default_validators = [validate_phone]
    default_error_messages = {"phone": _PHONE_SAID}
    description = _("Masked phone number")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 40)
        super().__init__(*args, **kwargs)

    @property
    def kind(self) -> str:
        """Compare with the country, whatever the mask."""
        return "phone_number"


class MaskedTextField(MaskedMixin, _TextField):
    """A longer text, shown as its mask; a person may write a list with bullets in it."""

    is_long = True
    default_error_messages = {"masked": _MASKED}


class MaskedEmailField(MaskedMixin, _EmailField):
    """An e-mail address, shown as its mask; without case where it is searched."""

    default_mask = masks.email
    default_error_messages = {"masked": _MASKED}


class MaskedDateField(MaskedMixin, _DateField):
    """A date in a date column, shown as its mask: in Python it is text like the others.

    Its internal type is its own, so that nothing that knows dates (filters, drill-downs, widgets,
    import widgets) takes it for one.
    """

    default_mask = masks.date
    is_text = False
    default_error_messages = {
        "masked": _MASKED,
        "invalid": _("Type a date as year-month-day, for example 2001-12-31."),
    }
    description = _("Masked date")

    def get_internal_type(self) -> str:
        """Return a type of its own."""
        return "MaskedDateField"

    def db_type(self, connection: Any) -> str | None:
        """Return the type of a date column, of text where it is encrypted."""
        kind = "TextField" if self.encrypted else "DateField"
        return cast("str | None", connection.data_types[kind])

    def cast_db_type(self, connection: Any) -> str | None:
        """Return the type of the column."""
        return self.db_type(connection)

    def to_clear(self, value: object) -> Clear:
        """Return a date; raises ValidationError for what is none."""
        if isinstance(value, dt.datetime):
            return value.date()
        if isinstance(value, dt.date):
            return value
        try:
            parsed = parse_date(str(value).strip())
        except ValueError:
            parsed = None
        if parsed is None:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return parsed

    def get_prep_value(self, value: Any) -> Any:
        """Return a date for the column; "" is None."""
        value = super().get_prep_value(value)
        return None if value in {None, ""} else self.to_clear(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Return the date as the database takes it."""
        value = super().get_db_prep_value(value, connection, prepared)
        return value if self.encrypted else connection.ops.adapt_datefield_value(value)


def masked_fields(model: type[models.Model]) -> list[MaskedMixin]:
    """Return the masked fields of a model, in order."""
    return [field for field in model._meta.concrete_fields if isinstance(field, MaskedMixin)]
