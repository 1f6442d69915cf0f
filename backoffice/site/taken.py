"""Forms answer generically about values that have to be single, and count it."""

import types
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest

from backoffice.masking import existence

if TYPE_CHECKING:
    Base = forms.ModelForm[Any]
else:
    Base = object


class ExistenceGuard(Base):
    """Mixed into the form of a page whose model has single masked values; see `existence`."""

    asked: HttpRequest
    refused = ""

    def full_clean(self) -> None:
        """Validate; then put our words in place of those that tell."""
        super().full_clean()
        if not self.is_bound or not hasattr(self, "cleaned_data"):
            return
        single = existence.single_fields(type(self.instance))
        touched = single & set(self.changed_data)
        if self.refused:  # by a constraint over an index, perhaps: no form looks at those
            self.add_error(None, str(existence.CANNOT_BE_USED) if touched else self.refused)
        if not touched:
            return
        told = self._told(single) | ({NON_FIELD_ERRORS} if self.refused else set())
        over = existence.is_over(self.asked.user)
        if told and not over:
            over = existence.note(self.asked.user, type(self.instance), told)
        if over:
            self._drop(touched | {NON_FIELD_ERRORS} if told else touched)
            self.add_error(None, str(existence.TOO_OFTEN))

    def _told(self, single: set[str]) -> set[str]:
        """Replace the errors that tell a value is taken; return of which fields."""
        found: set[str] = set()
        for name, errors in self.errors.as_data().items():
            if name in single and any(error.code == existence.CODE for error in errors):
                found.add(name)
            if name == NON_FIELD_ERRORS and any(_tells(error, single) for error in errors):
                found.add(name)
        for name in found:
            self._drop({name})
            self.add_error(
                None if name == NON_FIELD_ERRORS else name, str(existence.CANNOT_BE_USED)
            )
        return found

    def _drop(self, names: set[str]) -> None:
        for name in names:
            self.errors.pop(name, None)


def _tells(error: ValidationError, single: set[str]) -> bool:
    """Say whether an error of the whole form is that of a constraint over single values."""
    parts = (error.params or {}).get("unique_check", ())
    return error.code in {"unique_together", existence.CODE} and (
        not parts or bool({part.removesuffix("_index") for part in parts} & single)
    )


def guarded(
    form: type[forms.ModelForm[Any]], request: HttpRequest, refused: str
) -> type[forms.ModelForm[Any]]:
    """Return the form class with the guard; `refused` is what the database said of it, in words."""
    attributes = {"asked": request, "refused": refused}
    made = types.new_class(
        f"Single{form.__name__}", (ExistenceGuard, form), exec_body=lambda ns: ns.update(attributes)
    )
    return cast("type[forms.ModelForm[Any]]", made)
