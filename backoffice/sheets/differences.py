"""What an import would change, field by field: the staged values beside the rows as they are now.

Old values are read when somebody looks, or when the check counts them; they are kept nowhere.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import batched
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model, Q
from django.utils.functional import Promise
from django.utils.text import capfirst
from import_export.widgets import ForeignKeyWidget

from backoffice.masking.fields import MaskedMixin
from backoffice.sheets import staging
from backoffice.sheets.formats import Format
from backoffice.sheets.models import ImportJob, Status
from backoffice.sheets.plain import ResourceFormat
from backoffice.sheets.resources import SheetResource
from backoffice.sheets.writing import closed
from backoffice.sheets.writing.closed import is_brought

_ROWS: Final = 500
_COUNTED: Final = (Status.CHANGED.value, Status.BRINGS.value)
_OTHERS: Final = Q(statuses__contains=_COUNTED[0]) | Q(statuses__contains=_COUNTED[1])
Progress = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Part:
    """A field that an import brings; `natural` is the field of the related row that names it."""

    name: str
    stored: Any
    natural: str = ""

    @property
    def path(self) -> str:
        """Return the look-up of what is compared: a value, or the natural key of a related row."""
        return f"{self.name}__{self.natural}" if self.natural else str(self.stored.attname)

    @property
    def label(self) -> str:
        """Return what people call it."""
        return capfirst(str(self.stored.verbose_name))

    @property
    def shown(self) -> Any:
        """Return the field whose mask hides the value: of a related row, that of its key."""
        if not self.natural:
            return self.stored
        field = self.stored
        for step in self.natural.split("__"):
            related = field.related_model._meta
            field = related.pk if step == "pk" else related.get_field(step)
        return field

    @property
    def is_masked(self) -> bool:
        """Whether its values are shown as masks."""
        return isinstance(self.shown, MaskedMixin)

    def sealed(self, value: Any) -> Any:
        """Return a value of the file as pages may have it: under its mask where it has one."""
        return self.shown.seal(value) if self.is_masked else value

    def is_closed(self, closed: Collection[str]) -> bool:
        """Whether it is one of the masked fields that are named; also of a related row."""
        return self.is_masked and (self.name in closed or bool(self.natural))

    def differs(self, old: Any, new: Any) -> bool:
        """Whether the run would write `new`; a mask that comes back changes nothing."""
        field = self.shown
        if self.is_masked and field.is_mask(new):
            return False
        if new in {None, ""} and old in {None, ""}:
            return bool(new != old)
        return bool(field.get_prep_value(old) != field.get_prep_value(new))


@dataclass(frozen=True)
class Shape:
    """One data set of a format: its model, the fields that name a record, and the others.

    With `may_lack`, an empty value of the file is nothing that the file says.
    """

    dataset: str
    label: str | Promise
    model: type[Model]
    keys: tuple[Part, ...]
    fields: tuple[Part, ...]
    seen_with: str = ""
    may_lack: bool = False

    @cached_property
    def has_money(self) -> bool:
        """Whether its rows say the currency of their amounts."""
        return any(one.name == "currency" for one in self.model._meta.concrete_fields)

    def changes(
        self, old: Mapping[str, Any], values: Mapping[str, Any], closed: Collection[str] = ()
    ) -> list[Part]:
        """Return the fields that would be written; `old` is path -> value.

        A closed field with a value is left to the run, and to `brings`.
        """
        hidden = set(self.brings(values, closed))
        return [
            one
            for one in self.fields
            if one.name in values
            and one not in hidden
            and not (self.may_lack and values[one.name] is None)
            and one.differs(old[one.path], values[one.name])
        ]

    def brings(self, values: Mapping[str, Any], closed: Collection[str]) -> list[Part]:
        """Return the closed fields that values are brought for, the same as now or others."""
        return [
            one for one in self.fields if one.is_closed(closed) and is_brought(values.get(one.name))
        ]

    def old_values(self, rows: Any, keys: Iterable[Any]) -> dict[Any, dict[str, Any]]:
        """Return key -> path -> value, of those of the rows; one query."""
        paths = dict.fromkeys(one.path for one in self.fields)
        if self.has_money:
            paths["currency"] = None
        found = rows.filter(pk__in=list(keys)).order_by().values("pk", *paths)
        return {row["pk"]: row for row in found}


def shapes(form: Format | None) -> dict[str, Shape]:
    """Return the data sets that a format makes, in its order."""
    if form is None:
        return {}
    if isinstance(form, ResourceFormat):
        return {form.dataset: _of_resource(form)}
    steps = [step for step in form.steps if issubclass(step, SheetResource)]
    return {step.dataset: _of_step(step) for step in steps}


def _of_resource(form: ResourceFormat) -> Shape:
    made = form.resource()
    keys = [made.fields[name] for name in made.get_import_id_fields() if name in made.fields]
    others = [one for one in made.get_import_fields() if one not in keys and not one.readonly]
    return Shape(
        form.dataset, form.label, form.model, _parts(form.model, keys), _parts(form.model, others)
    )


def _of_step(step: type[SheetResource]) -> Shape:
    made, model = step(), step._meta.model
    by_name = {one.attribute: one for one in made.get_import_fields()}
    keys = [by_name[name] for name in step._meta.import_id_fields if name in by_name]
    others = [one for name, one in by_name.items() if one not in keys]
    return Shape(
        step.dataset, step.label, model, _parts(model, keys), _parts(model, others),
        step.seen_with, may_lack=True,
    )  # fmt: skip


def _parts(model: type[Model], fields: Sequence[Any]) -> tuple[Part, ...]:
    return tuple(part for part in (_part(model, one) for one in fields) if part is not None)


def _part(model: type[Model], field: Any) -> Part | None:
    """Return the field as it is compared; None for what is no field of the model."""
    try:
        stored = model._meta.get_field((field.attribute or "").split("__")[0])
    except FieldDoesNotExist:
        return None
    widget = field.widget
    natural = widget.field if isinstance(widget, ForeignKeyWidget) and stored.is_relation else ""
    if stored.is_relation and not natural:
        natural = stored.target_field.name  # type: ignore[union-attr]
    return Part(stored.name, stored, "" if not stored.is_relation else natural)


def totals(job: ImportJob, form: Format, watch: Progress) -> dict[str, dict[str, dict[str, int]]]:
    """Return data set -> field -> on how many rows, of what would change and of what is brought.

    `watch` may stop it.
    """
    result: dict[str, dict[str, dict[str, int]]] = {"fields": {}, "brings": {}}
    for dataset, shape in shapes(form).items():
        found = _Counted(closed.fields(job.owner, shape.model))
        found.count(job, shape, watch)
        result["fields"] |= {dataset: dict(found.changes)} if found.changes else {}
        result["brings"] |= {dataset: dict(found.brings)} if found.brings else {}
    return result


class _Counted:
    """On how many rows each field changes, or brings a value of which no more is told."""

    def __init__(self, hidden: frozenset[str]) -> None:
        self._closed = hidden
        self.changes: Counter[str] = Counter()
        self.brings: Counter[str] = Counter()

    def count(self, job: ImportJob, shape: Shape, watch: Progress) -> None:
        """Count the staged records of a data set that are not as they were."""
        rows = shape.model._default_manager.all()
        parts = job.parts.filter(_OTHERS, dataset=shape.dataset).order_by("number")
        for number in list(parts.values_list("number", flat=True)):
            part = staging.load(job, shape.dataset, number)
            places = [i for i, letter in enumerate(part.statuses) if letter in _COUNTED]
            for some in batched(places, _ROWS):
                watch()
                old = shape.old_values(rows, [part.pks[index] for index in some])
                for index in some:
                    if (before := old.get(part.pks[index])) is not None:
                        self._one(shape, before, part.record(index).values)

    def _one(self, shape: Shape, before: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        found = shape.changes(before, values, self._closed)
        self.changes.update(one.name for one in found)
        self.brings.update(one.name for one in shape.brings(values, self._closed))


def compared(job: ImportJob, form: Format) -> set[str]:
    """Return the masked fields of which the check told whether the file's values are theirs."""
    columns = {key for values in job.mapping.values() for key in values.get("columns", {})}
    source = form.column_of if isinstance(form, ResourceFormat) else None
    return {
        part.name
        for shape in shapes(form).values()
        for part in shape.fields
        if part.is_masked
        and not part.is_closed(closed.fields(job.owner, shape.model))
        and (source is None or source(part.name) in columns)
    }
