"""A column of cells as values of a model's field: read by the Resource's widget, a column at once.

Widget and validators run once for each different value. They give what import-export's own
`Field.save` and the model's `clean_fields` would, and refuse what these refuse.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import (
    DecimalValidator,
    MaxLengthValidator,
    MaxValueValidator,
    MinValueValidator,
)
from django.db import models
from django.db.models.fields import NOT_PROVIDED
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from import_export import widgets
from import_export.fields import Field

from backoffice.masking.fields import MaskedMixin
from backoffice.sheets import problems, withheld
from backoffice.sheets.problems import Text
from backoffice.sheets.reading.reader import CellError
from backoffice.sheets.resources import INVALID
from backoffice.sheets.writing import ways

NO_SUCH: Final = "no-such-record"
SEVERAL: Final = "several-records"
UNREADABLE: Final = "unreadable"
_CODES: Final = (
    (widgets.IntegerWidget, "not-whole"),
    (widgets.NumberWidget, "not-number"),
    (widgets.DateWidget, "not-date"),
    (widgets.DateTimeWidget, "not-date"),
)
_EMPTY: Final = (None, "")
_LIMITS: Final = {MinValueValidator, MaxValueValidator}

problems.register(
    {
        NO_SUCH: Text(
            _("There is no such record"), _("Left out. Correct the cell, or make the record first.")
        ),
        SEVERAL: Text(
            _("More than one record is meant"), _("Left out. Write what names only one of them.")
        ),
        UNREADABLE: Text(
            _("The cell does not hold what belongs here"), _("Left out. Correct the cell.")
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Bad:
    """Why a value cannot be taken: a code of `problems` and its parameters."""

    code: str
    params: tuple[tuple[str, str], ...] = ()


class _Fill:
    """Stands for an empty cell whose default is worked out for each row."""


_FILL: Final = _Fill()


@dataclass
class Source:
    """How one column becomes a field of the model."""

    field: Field
    stored: Any
    """The model's field."""
    known: dict[Any, Any] = field(default_factory=dict)
    """References that were found: natural key -> what stands in the column of the model."""

    @property
    def name(self) -> str:
        """Return the name of the model's field."""
        return str(self.stored.name)

    @property
    def is_reference(self) -> bool:
        """Whether the cells name other records."""
        return isinstance(self.field.widget, widgets.ForeignKeyWidget)

    def convert(self, values: Sequence[Any]) -> tuple[list[Any], dict[int, Bad]]:
        """Return the values, and what is wrong by index; a reference stays a natural key."""
        kinds = set(map(type, values))
        if self._is_ready(values, kinds):
            return list(values), {}
        quick = self._numbers(values, kinds) or self._moments(values, kinds)
        if quick is not None:
            return quick, {}
        # 1, 1.0 and True are one key of a dict, but not one text.
        apart = bool in kinds and len(kinds) > 1
        keys: Sequence[Any] = list(zip(map(type, values), values, strict=True)) if apart else values
        table = {key: self._one(key[1] if apart else key) for key in set(keys)}
        result = [table[key] for key in keys]
        if any(isinstance(one, Bad | _Fill) for one in table.values()):
            return self._with_bad(result)
        return result, {}

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the other columns of its row that the widget reads, as it declares."""
        return tuple(getattr(type(self.field.widget), "reads", ()))

    def convert_with(
        self, values: Sequence[Any], others: Mapping[str, Sequence[Any]]
    ) -> tuple[list[Any], dict[int, Bad]]:
        """Return the same where the widget `reads` other columns: once for each different pair."""
        columns = [others.get(name) or [None] * len(values) for name in self.reads]
        keys = list(zip(map(type, values), values, *columns, strict=True))
        table = {
            key: self._one(key[1], dict(zip(self.reads, key[2:], strict=True))) for key in set(keys)
        }
        return self._with_bad([table[key] for key in keys])

    def _with_bad(self, result: list[Any]) -> tuple[list[Any], dict[int, Bad]]:
        bad = {index: one for index, one in enumerate(result) if isinstance(one, Bad)}
        made = [
            None if isinstance(one, Bad) else self._default() if one is _FILL else one
            for one in result
        ]
        return made, bad

    def _is_ready(self, values: Sequence[Any], kinds: set[type]) -> bool:
        """Whether the values are what widget and validators would return, seen at one look."""
        stored, widget = self.stored, type(self.field.widget)
        if stored.choices or not values or self.is_reference:
            return False
        if kinds == {str} and widget is widgets.CharWidget:
            limit = stored.max_length
            return (
                isinstance(stored, models.CharField | models.TextField)
                and "" not in values
                and {type(one) for one in stored.validators} <= {MaxLengthValidator}
                and (limit is None or max(map(len, values)) <= limit)
                and not any("\0" in one for one in values)
            )
        if kinds == {int} and widget is widgets.IntegerWidget:
            return isinstance(stored, models.IntegerField) and self._within(values)
        return False

    def _numbers(self, values: Sequence[Any], kinds: set[type]) -> list[Any] | None:
        """Return decimals of plain numbers that all fit; None where each has to be looked at."""
        stored = self.stored
        validators = {type(one) for one in stored.validators}
        if (
            not kinds
            or not kinds <= {int, float}
            or type(self.field.widget) is not widgets.DecimalWidget
            or type(stored) is not models.DecimalField
            or stored.choices
            or not validators <= {DecimalValidator}
        ):
            return None
        texts = list(map(str, values))
        most = 10 ** (stored.max_digits - stored.decimal_places)
        longest = max(len(one.partition(".")[2]) for one in texts)
        # "1e-07" and "nan" have letters; what is not smaller than itself is no number.
        plain = not any("e" in one or "n" in one for one in texts)
        if plain and longest <= stored.decimal_places and -most < min(values) <= max(values) < most:
            return list(map(Decimal, texts))
        return None

    def _moments(self, values: Sequence[Any], kinds: set[type]) -> list[Any] | None:
        """Return local moments in UTC; None where each has to be looked at."""
        stored = self.stored
        if (
            kinds != {datetime}
            or not settings.USE_TZ
            or type(self.field.widget) is not widgets.DateTimeWidget
            or type(stored) is not models.DateTimeField
            or stored.choices
            or stored.validators
            or any(one.tzinfo is not None for one in values)
        ):
            return None
        zone = timezone.get_current_timezone()
        if str(zone) == "UTC":
            return [one.replace(tzinfo=UTC) for one in values]
        return [one.replace(tzinfo=zone).astimezone(UTC) for one in values]

    def _within(self, values: Sequence[int]) -> bool:
        validators = self.stored.validators
        if not {type(one) for one in validators} <= _LIMITS:
            return False
        try:
            for validate in validators:
                validate(min(values))
                validate(max(values))
        except ValidationError:
            return False
        return True

    def _default(self) -> Any:
        default = self.field.default
        return default() if callable(default) else default

    def _one(self, value: Any, row: Mapping[str, Any] | None = None) -> Any:
        """Return what the model's field would hold, or why not."""
        if isinstance(value, CellError):
            return Bad(value.code)
        if self.is_reference:
            return self._reference(value)
        if isinstance(self.stored, MaskedMixin) and self.stored.is_mask(value):
            return value  # the record that it comes back to decides
        try:
            return self._cleaned(value, row)
        except ValidationError as error:
            return Bad(INVALID, (("message", withheld.message(error, self.stored)),))
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            return self._unreadable(error)

    def _unreadable(self, error: Exception) -> Bad:
        """Return what is wrong; a widget that declares what it reads says it, without the value."""
        if self.reads and isinstance(error, ValueError):
            said = ValidationError(str(error))
            return Bad(INVALID, (("message", withheld.message(said, self.stored)),))
        return Bad(self._code())

    def _cleaned(self, value: Any, row: Mapping[str, Any] | None) -> Any:
        cleaned = self.field.widget.clean(value, row=row)
        default = self.field.default
        if cleaned in _EMPTY and default is not NOT_PROVIDED:
            if callable(default):
                return _FILL
            cleaned = default
        return self._validated(cleaned)

    def _validated(self, cleaned: Any) -> Any:
        stored = self.stored
        result = stored.to_python(cleaned)
        if not (stored.blank and result in stored.empty_values):
            result = stored.clean(result, None)
        elif result is None and not stored.null and not stored.primary_key:
            raise ValidationError(stored.error_messages["null"], code="null")
        if isinstance(result, datetime) and result.tzinfo is not None:
            return result.astimezone(UTC)
        return result

    def _code(self) -> str:
        widget = self.field.widget
        return next((code for kind, code in _CODES if isinstance(widget, kind)), UNREADABLE)

    def _reference(self, value: Any) -> Any:
        """Return the natural key as the other model's column has it."""
        if not value:
            missing = not (self.stored.null and self.stored.blank)
            message = str(self.stored.error_messages["null"])
            return Bad(INVALID, (("message", message),)) if missing else None
        try:
            return _natural(self.field.widget).to_python(value)
        except (AttributeError, ValidationError):
            return value if isinstance(value, str | int) else Bad(UNREADABLE)

    def resolve(self, naturals: Iterable[Any]) -> dict[Any, Any]:
        """Return natural key -> what the model's column holds, or why none; reads once a key."""
        wanted = {one for one in naturals if one is not None}
        unknown = wanted - self.known.keys()
        if unknown:
            self._look_up(unknown)
        return {None: None, **{one: self.known[one] for one in wanted}}

    def _look_up(self, unknown: set[Any]) -> None:
        widget = self.field.widget
        rows = widget.get_queryset(None, None).order_by()
        target = self.stored.target_field.attname
        found: dict[Any, Any] = {}
        several: set[Any] = set()
        for natural, key in rows.filter(**{f"{widget.field}__in": unknown}).values_list(
            widget.field, target
        ):
            if natural in found:
                several.add(natural)
            found[natural] = key
        for one in unknown:
            self.known[one] = Bad(SEVERAL) if one in several else found.get(one, Bad(NO_SUCH))


def _natural(widget: widgets.ForeignKeyWidget) -> Any:
    meta = widget.model._meta
    return meta.pk if widget.field == "pk" else meta.get_field(widget.field)


def sources(resource: Any) -> dict[str, Source]:
    """Return column name -> how it is read, in the Resource's order of importing."""
    model = resource._meta.model
    found = {
        one.column_name: (one, ways.model_field(model, one)) for one in ways.imported(resource)
    }
    return {
        name: Source(one, stored)
        for name, (one, stored) in found.items()
        if stored is not None and stored.concrete and not stored.many_to_many
    }
