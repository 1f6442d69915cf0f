"""The fields of a query: what another system's answer must hold, and how it is read.

A field checks the type of what came, and hides it at once where it has a mask: what leaves the
runtime (table, export, chart, API) is masked already, and the clear value is kept nowhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Self, override

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backoffice.masking.masks import Mask
from backoffice.money import Money

type Value = str | int | datetime | Money | None
type Row = Mapping[str, Value]


class SpecError(TypeError):
    """A declaration that cannot work."""


class WrongValueError(ValueError):
    """A value of another type than declared. The text names the type, never the value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One value of a row.

    `key`: names the row. `filter`: the backend's parameter that finds rows by it ("" for none).
    `batch`: the backend's parameter that takes many values, joined by commas. `sort`: the backend
    can sort by it. `mask`: hides the value before it leaves the runtime; such a field can neither
    filter nor sort, since both would tell what is hidden. `origin`: its name in the answer, where
    that is another.
    """

    label: str | Promise = ""
    key: bool = False
    filter: str = ""
    batch: str = ""
    sort: bool = False
    mask: Mask | None = None
    origin: str = ""
    optional: bool = False
    name: str = field(default="", init=False)

    numeric: ClassVar[bool] = False

    def named(self, name: str) -> Self:
        """Return the field as it stands under `name` in a query."""
        mine = replace(self, label=self.label or name, origin=self.origin or name)
        object.__setattr__(mine, "name", name)
        return mine

    def read(self, row: Mapping[str, Any]) -> Value:
        """Return the value out of an answer's row; WrongValueError when it is missing or wrong."""
        raw = row.get(self.origin)
        if raw is None:
            if self.optional:
                return None
            raise WrongValueError(_("is missing"))
        value = self.parse(raw, row)
        return self.mask(str(value)) if self.mask else value

    def parse(self, raw: Any, row: Mapping[str, Any]) -> Value:
        """Return `raw` in the field's type; WrongValueError for anything else."""
        raise NotImplementedError


class Text(Field):
    """Text; a whole number is taken as text too, since ids come as either."""

    __slots__ = ()

    @override
    def parse(self, raw: Any, row: Mapping[str, Any]) -> Value:
        if isinstance(raw, str) or (isinstance(raw, int) and not isinstance(raw, bool)):
            return str(raw)
        raise WrongValueError(_("should be text"))


class Instant(Field):
    """A time with its zone, by ISO 8601."""

    __slots__ = ()

    @override
    def parse(self, raw: Any, row: Mapping[str, Any]) -> Value:
        try:
            moment = datetime.fromisoformat(raw)
        except (TypeError, ValueError):
            raise WrongValueError(_("should be a time")) from None
        if moment.tzinfo is None:
            raise WrongValueError(_("has no time zone"))
        return moment


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount(Field):
    """An amount in major units, exact; `currency` is the answer's field with its ISO code."""

    currency: str = "currency"

    numeric: ClassVar[bool] = True

    @override
    def parse(self, raw: Any, row: Mapping[str, Any]) -> Value:
        if isinstance(raw, bool) or not isinstance(raw, (str, int, Decimal)):
            raise WrongValueError(_("should be an amount"))
        try:
            return Money.of(raw, str(row.get(self.currency)))
        except ValueError:
            raise WrongValueError(_("is no amount of its currency")) from None
