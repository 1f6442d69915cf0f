"""A django-import-export Resource as a format: one record from each row.

    @formats.register
    class Suppliers(ModelResource):
        key, title = "suppliers", "Suppliers"
        synonyms = {"code": ("Supplier number", "Lieferantennummer")}

        class Meta:
            model = Supplier
            import_id_fields = ("code",)
            fields = ("code", "name", "country")

Its columns are its fields. A person needs the rights to add and to change records of its model,
unless the Resource names others in `permissions`.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from django.utils.functional import Promise
from django.utils.text import capfirst
from import_export.fields import Field
from import_export.resources import ModelResource

from backoffice.masking.fields import MaskedMixin
from backoffice.sheets import cells
from backoffice.sheets.formats import Column, Format
from backoffice.sheets.problems import Problem, quote
from backoffice.sheets.reading.reader import Value
from backoffice.sheets.writing import ways
from backoffice.sheets.writing.converting import Bad, Source


class ResourceFormat(Format):
    """A format of one plain Resource."""

    def __init__(self, resource: type[ModelResource]) -> None:
        model = resource._meta.model
        self.resource = resource
        self.key = resource.key
        self.title = getattr(resource, "title", None) or capfirst(model._meta.verbose_name_plural)
        self.permissions = tuple(getattr(resource, "permissions", None) or _rights(model))
        self.columns = tuple(_columns(resource))

    @property
    def model(self) -> Any:
        """Return the model that it writes."""
        return self.resource._meta.model

    @property
    def dataset(self) -> str:
        """Return the key of its one data set."""
        return str(self.model._meta.model_name)

    @property
    def label(self) -> str | Promise:
        """Return what its records are called."""
        label: str = capfirst(self.model._meta.verbose_name_plural)
        return label

    @cached_property
    def verdict(self) -> ways.Verdict:
        """How it is written."""
        return ways.way_of(self.resource)

    def masks(self) -> dict[Column, Any]:
        """Return column -> mask, of the columns that go into masked fields."""
        return {one: self._masked[one.key].mask for one in self.columns if one.key in self._masked}

    def problem(self, bad: Bad, sheet: str, row: int, column: str, value: Value) -> Problem:
        """Return a problem at a cell; its value is shown only where it cannot be a personal one."""
        shown = isinstance(value, str | int | float) and not self._is_masked(column)
        text = quote(value, dates=bad.code == "not-date") if shown else ""
        params = dict(bad.params)
        return Problem(bad.code, sheet, row, column, text, params, dataset=self.dataset)

    def column_of(self, name: str) -> str:
        """Return the column that brings a field of the model; "" where none does."""
        for one in self.resource().get_import_fields():
            if one.attribute and name in {one.attribute, one.attribute.removesuffix("_id")}:
                return str(one.column_name)
        return ""

    def masked_of(self, cells: Mapping[str, Any]) -> list[Any]:
        """Return, of a row's cells by column, those that go into masked fields."""
        return [cells[name] for name in self._masked if name in cells]

    def _is_masked(self, column: str) -> bool:
        return column in self._masked

    @cached_property
    def _masked(self) -> dict[str, MaskedMixin]:
        made = self.resource()
        fields = {one.column_name: one for one in made.get_import_fields() if one.attribute}
        stored = {name: ways.model_field(self.model, one) for name, one in fields.items()}
        return {name: one for name, one in stored.items() if isinstance(one, MaskedMixin)}


def _rights(model: Any) -> tuple[str, str]:
    app, name = model._meta.app_label, model._meta.model_name
    return f"{app}.add_{name}", f"{app}.change_{name}"


def _columns(resource: type[ModelResource]) -> list[Column]:
    made = resource()
    keys = {
        made.fields[name].column_name for name in made.get_import_id_fields() if name in made.fields
    }
    synonyms = getattr(resource, "synonyms", {})
    return [
        _column(resource, one, one.column_name in keys, synonyms)
        for one in made.get_import_fields()
        if not one.readonly
    ]


def _column(resource: type[ModelResource], field: Field, is_key: bool, synonyms: Any) -> Column:  # noqa: FBT001 - one call
    model = resource._meta.model
    stored = ways.model_field(model, field) if field.attribute else None
    label = capfirst(stored.verbose_name) if stored is not None else field.column_name
    known = (field.column_name, field.attribute or "", *_synonyms(synonyms, field))
    return Column(
        field.column_name,
        label,
        _reader(field, stored),
        tuple(dict.fromkeys(one for one in known if one)),
        may_be_empty=not is_key,
        goes_to=label,
        how="",
        plain=False,
    )


def _synonyms(synonyms: Any, field: Field) -> tuple[str, ...]:
    names = (field.column_name, field.attribute, (field.attribute or "").removesuffix("_id"))
    return tuple(word for name in dict.fromkeys(names) for word in synonyms.get(name, ()))


def _reader(field: Field, stored: Any) -> Callable[[Value], Any]:
    """Return a reader of single cells, for the preview."""
    if stored is None:
        return lambda value: value
    source = Source(field, stored)
    if source.reads:  # a cell alone tells too little
        return lambda value: value

    def read(value: Value) -> Any:
        (result,), bad = source.convert([value])
        if bad:
            raise cells.CellProblemError(bad[0].code)
        return result

    return read
