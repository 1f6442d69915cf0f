"""The form field of masked fields."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from backoffice.masking.values import Sealed, is_mask


class MaskedFormField(forms.CharField):
    """Shows the mask; posted unchanged it means "unchanged", changed it must be a whole value."""

    # Whether a bullet may be a part of what a person writes.
    is_long = False
    default_error_messages = {
        "masked": _("Type the whole new value, or leave the masked one as it was.")
    }

    def _clean_bound_field(self, bf: forms.BoundField) -> Any:
        """Return the stored value for an untouched mask (Django's hook, as FileField uses it)."""
        if isinstance(bf.initial, Sealed) and not self.has_changed(bf.initial, bf.data):
            return bf.initial
        return super()._clean_bound_field(bf)  # type: ignore[misc]

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare with the mask as it was shown."""
        if isinstance(initial, Sealed):
            return not self.disabled and str(initial) != str(data or "").strip()
        return super().has_changed(initial, data)

    def to_python(self, value: Any) -> Any:
        """Refuse what holds a mask."""
        text = super().to_python(value)
        if isinstance(text, str) and is_mask(text, long=self.is_long):
            raise ValidationError(self.error_messages["masked"], code="masked")
        return text

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Keep browsers from offering personal data that was typed before."""
        return {**super().widget_attrs(widget), "autocomplete": "off"}
