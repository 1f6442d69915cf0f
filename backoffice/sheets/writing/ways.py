"""How a Resource's records are written: set-based, in bulk, or row by row, and why not faster.

* FAST: columns are converted and validated at once, the database compares and writes.
* BULK: the model's own `clean()`, masked fields and the like need objects; they are written many
  at a time, with history.
* ROWS: the Resource or the model does things of its own with each row, so import-export's own
  `import_row` runs, inside our transactions and with history.
"""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import UniqueConstraint
from django.db.models.signals import post_init, post_save, pre_init, pre_save
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from import_export import widgets
from import_export.fields import Field
from import_export.instance_loaders import CachedInstanceLoader, ModelInstanceLoader
from import_export.resources import ModelResource

from backoffice.masking.fields import MaskedMixin
from backoffice.sheets.choices import ChoiceWidget


class Way(StrEnum):
    """How records are written, the fastest first."""

    FAST = "fast"
    BULK = "bulk"
    ROWS = "rows"


LABELS: Final = {
    Way.FAST: _("Written by the database, many rows at a time"),
    Way.BULK: _("Written in bulk, each row validated by its model"),
    Way.ROWS: _("Written row by row"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The way, and why not a faster one: sentences for people."""

    way: Way
    reasons: tuple[str | Promise, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"way": str(self.way), "reasons": [str(one) for one in self.reasons]}


# What a Resource may change and still be written column by column: names and exports.
_HARMLESS: Final = frozenset(
    {
        "fields", "_meta", "Meta", "key", "title", "synonyms", "permissions",
        "get_export_queryset", "filter_export", "export", "before_export", "after_export",
        "export_field", "export_resource", "get_export_fields", "get_export_headers",
        "get_export_order", "get_display_name", "get_user_visible_fields",
        "get_user_visible_headers", "iter_queryset", "get_diff_headers", "get_import_order",
    }
)  # fmt: skip
_WIDGETS: Final = frozenset(
    {
        widgets.Widget, widgets.CharWidget, widgets.IntegerWidget, widgets.FloatWidget,
        widgets.DecimalWidget, widgets.BooleanWidget, widgets.DateWidget, widgets.DateTimeWidget,
        widgets.TimeWidget, widgets.DurationWidget, widgets.JSONWidget, widgets.ForeignKeyWidget,
        ChoiceWidget,
    }
)  # fmt: skip
# Receivers of these packages write what the engine writes itself (history), or nothing.
_OUR_RECEIVERS: Final = ("simple_history.", "backoffice.masking.", "backoffice.audit.")


def way_of(resource: type[ModelResource]) -> Verdict:
    """Return how the Resource's records are written."""
    slow = tuple(_row_reasons(resource))
    if slow:
        return Verdict(Way.ROWS, slow)
    bulk = tuple(_bulk_reasons(resource))
    return Verdict(Way.BULK, bulk) if bulk else Verdict(Way.FAST)


def _row_reasons(resource: type[ModelResource]) -> Iterator[str | Promise]:
    model = resource._meta.model
    for name in overridden(resource):
        yield format_lazy(_("The format has its own {name}."), name=name)
    yield from _field_reasons(resource)
    for name in ("save", "save_base"):
        if getattr(model, name) is not getattr(models.Model, name):
            yield format_lazy(_("The model has its own {name}."), name=name)
    if foreign_receivers(model):
        yield _("Other code listens when such a record is saved.")
    if model._meta.parents:
        yield _("The model stands in more than one table.")
    if resource._meta.force_init_instance:
        yield _("The format makes a new record of each row.")
    if resource._meta.instance_loader_class not in {ModelInstanceLoader, CachedInstanceLoader}:
        yield _("The format finds records in its own way.")


def overridden(resource: type[ModelResource]) -> list[str]:
    """Return the names that the Resource, or a base of it, changes of import-export's own."""
    known: dict[str, None] = {}
    for cls in inspect.getmro(resource):
        if cls.__module__.startswith("import_export."):
            continue
        for name in vars(cls):
            if name.startswith("__") or name in _HARMLESS or not hasattr(ModelResource, name):
                continue
            if inspect.getattr_static(resource, name) is not _stock(name):
                known.setdefault(name)
    return list(known)


def ignored(step: type[ModelResource]) -> list[str]:
    """Return what of a step of a format would never run: methods, and widgets of its own."""
    made = step()
    own = [
        f"widget of {one.column_name}"
        for one in made.get_import_fields()
        if not isinstance(one.widget, widgets.ForeignKeyWidget) and type(one.widget) not in _WIDGETS
    ]
    return overridden(step) + own


def _stock(name: str) -> Any:
    return inspect.getattr_static(ModelResource, name)


def imported(resource: ModelResource) -> list[Field]:
    """Return the fields that an import writes or finds rows by."""
    return [one for one in resource.get_import_fields() if one.attribute and not one.readonly]


def model_field(model: type[models.Model], field: Field) -> Any:
    """Return the model's field that a Resource's field writes; None for anything else."""
    try:
        found = model._meta.get_field(field.attribute.removesuffix("_id"))
        if found.concrete and field.attribute in {found.name, found.attname}:
            return found
        return model._meta.get_field(field.attribute)
    except FieldDoesNotExist:
        try:
            return model._meta.get_field(field.attribute)
        except FieldDoesNotExist:
            return None


def _field_reasons(resource: type[ModelResource]) -> Iterator[str | Promise]:
    made = resource()
    for one in imported(made):
        stored = model_field(resource._meta.model, one)
        told = {"name": one.column_name}
        if stored is None or not stored.concrete or stored.many_to_many:
            yield format_lazy(_("The column {name} is no plain field of the model."), **told)
        elif not _is_stock(one):
            yield format_lazy(_("The column {name} is read in the format's own way."), **told)
        elif not one.saves_null_values:
            yield format_lazy(_("Empty cells of {name} leave the stored value."), **told)
        elif stored.is_relation != isinstance(one.widget, widgets.ForeignKeyWidget):
            yield format_lazy(_("The column {name} is no plain field of the model."), **told)


def _is_stock(field: Field) -> bool:
    natural = getattr(field.widget, "use_natural_foreign_keys", False)
    kind = type(field.widget)
    # One that declares which columns it `reads` gives the same for the same cells.
    known = kind in _WIDGETS or "reads" in vars(kind)
    return type(field) is Field and known and not natural


def foreign_receivers(model: type[models.Model]) -> list[Any]:
    """Return who listens to the model's rows being made or saved, but for what is ours."""
    found: list[Any] = []
    for signal in (pre_init, post_init, pre_save, post_save):
        live = signal._live_receivers(model)  # noqa: SLF001 - there is no public way to ask
        found += [one for group in live for one in group if not _is_ours(one)]
    return found


def _is_ours(receiver: Any) -> bool:
    module = getattr(receiver, "__module__", None) or type(receiver).__module__
    owner = type(getattr(receiver, "__self__", None)).__module__
    names = (module, owner)
    # Django's own receivers set up image sizes and generic relations of the object at hand.
    return any(name.startswith((*_OUR_RECEIVERS, "django.")) for name in names)


def _bulk_reasons(resource: type[ModelResource]) -> Iterator[str | Promise]:
    model = resource._meta.model
    for name in ("clean", "clean_fields", "full_clean", "validate_unique", "validate_constraints"):
        if getattr(model, name) is not getattr(models.Model, name):
            yield format_lazy(_("The model has its own {name}."), name=name)
    for one in model._meta.concrete_fields:
        if isinstance(one, MaskedMixin):
            yield format_lazy(_("The field {name} is masked."), name=one.verbose_name)
        elif not type(one).__module__.startswith("django."):
            yield format_lazy(_("The field {name} is of a kind of its own."), name=one.verbose_name)
        elif isinstance(one, models.FileField):
            yield format_lazy(_("The field {name} holds a file."), name=one.verbose_name)
    if not is_single(resource):
        yield _("More than one record may have the same key.")
    if model.objects.__class__ is not models.Manager:
        yield _("The model has a manager of its own.")


def keys_of(resource: type[ModelResource]) -> list[Any]:
    """Return the model's fields that a record is found by; empty where one is no plain field."""
    made = resource()
    found = [
        model_field(resource._meta.model, made.fields[name])
        for name in made.get_import_id_fields()
        if name in made.fields
    ]
    return [] if None in found else found


def is_single(resource: type[ModelResource]) -> bool:
    """Whether the database lets no two rows have one key."""
    model, keys = resource._meta.model, keys_of(resource)
    names = {one.name for one in keys}
    if not names or any(one.null for one in keys):
        return False
    if len(keys) == 1 and keys[0].unique:
        return True
    together = [set(group) for group in model._meta.unique_together]
    together += [set(one.fields) for one in model._meta.constraints if _is_plain(one)]
    return any(group <= names for group in together)


def _is_plain(constraint: Any) -> bool:
    """Whether a constraint holds for all rows and names fields alone."""
    single = isinstance(constraint, UniqueConstraint)
    return single and constraint.condition is None and not constraint.expressions
