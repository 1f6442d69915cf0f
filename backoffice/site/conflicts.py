"""Noticing that somebody else saved a record while a form on it was open.

The form carries the record's version. When it is no longer the present one, nothing is saved, what
was typed stays in the form, and saving again puts it in place knowingly.
"""

import types
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.utils.translation import gettext as _

from backoffice.site.versions import version_of

FIELD = "record_version"

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
        return cleaned


def guarded(form: type[forms.ModelForm[Any]]) -> type[forms.ModelForm[Any]]:
    """Return the form class with the guard in front."""
    made = types.new_class(f"Guarded{form.__name__}", (VersionGuard, form))
    return cast("type[forms.ModelForm[Any]]", made)
