"""The API's field for masked fields: gives the mask, takes it back as "unchanged"."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from backoffice.masking.documents import MaskedJSONField
from backoffice.masking.fields import (
    MaskedDateField,
    MaskedEmailField,
    MaskedMixin,
    MaskedTextField,
)
from backoffice.masking.values import MASK_CHAR, Whole, is_mask


class MaskedSerializerField(serializers.CharField):
    """Text that holds the mask character is refused, unless it is the very mask that was given."""

    is_long = False
    default_error_messages = {
        "masked": _("Type the whole new value, or leave the masked one as it was.")
    }

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Leave an unchanged mask out of what is written, also in a PUT."""
        if isinstance(data, str) and MASK_CHAR in data:
            if data == self._present():
                raise serializers.SkipField
            if is_mask(data, long=self.is_long):
                self.fail("masked")
        return super().run_validation(data)

    def _present(self) -> str | None:
        instance = getattr(self.parent, "instance", None)
        if instance is None or self.source == "*" or not hasattr(instance, "_meta"):
            return None
        value = self.get_attribute(instance)
        return None if value is None else str(value)

    def to_internal_value(self, data: Any) -> Whole:
        """Return a whole value, so that a check for uniqueness may look it up."""
        return Whole(super().to_internal_value(data))

    def to_representation(self, value: Any) -> str:
        """Return the mask."""
        return str(value)


class MaskedTextSerializerField(MaskedSerializerField):
    """A longer text, in which a person may write bullets."""

    is_long = True


class MaskedEmailSerializerField(MaskedSerializerField):
    """An e-mail address; REST framework leaves the check of its form to the field."""

    def to_internal_value(self, data: Any) -> Whole:
        """Return the address; raises ValidationError for what is none."""
        value = super().to_internal_value(data)
        validate_email(value)
        return value


class MaskedDateSerializerField(MaskedSerializerField):
    """A date as year-month-day."""

    default_error_messages = {"date": _("Give a date as year-month-day, for example 2001-12-31.")}

    def to_internal_value(self, data: Any) -> Whole:
        """Return the date as text; raises ValidationError for what is none."""
        value = super().to_internal_value(data)
        try:
            parsed = parse_date(value)
        except ValueError:
            parsed = None
        if parsed is None:
            self.fail("date")
        return value


class MaskedJSONSerializerField(serializers.Field[Any, Any, Any, Any]):
    """A document with its masks; a mask that comes back where it was shown stays what it hid."""

    default_error_messages = {
        "masked": _("Type the whole new value, or leave the masked one as it was.")
    }

    def to_representation(self, value: Any) -> Any:
        """Return the document; its hidden leaves are text that is the mask."""
        return value

    def to_internal_value(self, data: Any) -> Any:
        """Return the document merged into the stored one; raises ValidationError for a mask."""
        serializer: Any = self.parent
        column = serializer.Meta.model._meta.get_field(self.source)
        instance = serializer.instance
        present = getattr(instance, str(self.source)) if hasattr(instance, "_meta") else None
        try:
            return column.to_python(column.seal(data, present))
        except ValidationError:
            self.fail("masked")


def register() -> None:
    """Make every ModelSerializer use these for masked fields."""
    serializers.ModelSerializer.serializer_field_mapping.update(
        {
            MaskedMixin: MaskedSerializerField,
            MaskedJSONField: MaskedJSONSerializerField,
            MaskedTextField: MaskedTextSerializerField,
            MaskedEmailField: MaskedEmailSerializerField,
            MaskedDateField: MaskedDateSerializerField,
        }
    )
