"""Forms and dialogs answer generically about values that have to be single, and count it."""

import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import Model
from django.http import HttpRequest

from backoffice import refusals
from backoffice.masking import existence

# Set on a request whose values the database refused; in words.
REFUSED = "backoffice.refused"

if TYPE_CHECKING:
    Base = forms.ModelForm[Any]
else:
    Base = object


class ExistenceGuard(Base):
    """Mixed into the form of a page whose model has single masked values; see `existence`."""

    asked: HttpRequest
    refused = ""
    below = False
    """It is a row of a table below another form, which says what the database refused."""

    def full_clean(self) -> None:
        """Validate; then put our words in place of those that tell."""
        super().full_clean()
        if not self.is_bound or not hasattr(self, "cleaned_data"):
            return
        single = existence.single_fields(type(self.instance))
        touched = single & set(self.changed_data)
        if self.refused and (touched or not self.below):
            # By a constraint over an index, perhaps: no form looks at those.
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
            if name == NON_FIELD_ERRORS and any(
                existence.tells(error, type(self.instance)) for error in errors
            ):
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


def guarded(
    form: type[forms.ModelForm[Any]], request: HttpRequest, refused: str, *, below: bool = False
) -> type[forms.ModelForm[Any]]:
    """Return the form class with the guard; `refused` is what the database said of it, in words.

    `below`: it is the form of a row in a table below another form.
    """
    attributes = {"asked": request, "refused": refused, "below": below}
    made = types.new_class(
        f"Single{form.__name__}", (ExistenceGuard, form), exec_body=lambda ns: ns.update(attributes)
    )
    return cast("type[forms.ModelForm[Any]]", made)


@contextmanager
def answering(request: HttpRequest, model: type[Model] | None, form: Any) -> Iterator[None]:
    """Guard what a dialog does with what was typed into `form`, on rows of `model`.

    Put it around the transaction: that somebody was told stays on the record. Raises
    ValidationError in our words, and before anything is done over the cap.
    """
    touched = _touched(model, form)
    if touched and existence.is_over(request.user):
        raise ValidationError(existence.TOO_OFTEN)
    try:
        yield
    except ValidationError as error:
        kept, told = _sorted(error, model, touched)
        if not told:
            raise
        over = existence.note(request.user, model, told)
        words = existence.TOO_OFTEN if over else existence.CANNOT_BE_USED
        place = NON_FIELD_ERRORS if over or len(told) > 1 else next(iter(told))
        raise ValidationError({**kept, place: [*kept.get(place, []), str(words)]}) from None


def _touched(model: type[Model] | None, form: Any) -> set[str]:
    """Return the fields of a dialog that hold a value which has to be single."""
    named = {*form.single_values, *(existence.single_fields(model) if model else ())}
    return {name for name in named if form.cleaned_data.get(name) not in forms.Field.empty_values}


def _sorted(
    error: ValidationError, model: type[Model] | None, touched: set[str]
) -> tuple[dict[str, list[ValidationError]], set[str]]:
    """Return the errors that tell nothing, and of which fields the others tell."""
    named = (
        error.error_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.error_list}
    )
    kept: dict[str, list[ValidationError]] = {}
    told: set[str] = set()
    for name, errors in named.items():
        telling = [one for one in errors if _is_telling(one, model, touched)]
        told |= {name} if telling else set()
        if rest := [one for one in errors if one not in telling]:
            kept[name] = rest
    return kept, told


def _is_telling(error: ValidationError, model: type[Model] | None, touched: set[str]) -> bool:
    """Say whether an error tells of a single value; what the database refused counts as one."""
    return existence.tells(error, model) or (bool(touched) and error.code == refusals.CODE)
