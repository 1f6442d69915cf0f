"""What the form of a record page asks beyond its fields: that nobody was faster, and a reason.

The form carries the record's version. When it is no longer the present one, nothing is saved, what
was typed stays in the form, and saving again puts it in place knowingly. A masked field is not
changed without a reason.
"""

import types
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.utils.translation import gettext as _

from backoffice.site.masked import masked_names
from backoffice.site.versions import version_of

FIELD = "record_version"
REASON = "change_reason"

if TYPE_CHECKING:
    Base = forms.ModelForm[Any]
else:
    Base = object


class VersionGuard(Base):
    """Mixed into the form of a record page. A form that carries no version is not guarded."""

    def clean(self) -> dict[str, Any] | None:
        """Add an error when the record changed since the form was opened."""
        cleaned = super().clean()
        opened = self.data.get(FIELD)
        if opened is not None and opened != version_of(self.instance):
            text = _(
                "Somebody changed this record since you opened it; its history tells what. What "
                "you typed is kept below. Save again to put it in place."
            )
            self.add_error(None, text)
        if self._is_personal() and not self.data.get(REASON, "").strip():
            self.add_error(None, _("Personal data changes: say why, in the field at the end."))
        return cleaned

    def _is_personal(self) -> bool:
        """Say whether a masked value was typed anew."""
        return bool(set(self.changed_data) & set(masked_names(type(self.instance))))


def guarded(form: type[forms.ModelForm[Any]]) -> type[forms.ModelForm[Any]]:
    """Return the form class with the guard in front."""
    made = types.new_class(f"Guarded{form.__name__}", (VersionGuard, form))
    return cast("type[forms.ModelForm[Any]]", made)
