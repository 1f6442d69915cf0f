"""Steps of a format: bulk Resources on django-import-export, and settlements after them.

A `SheetResource` declares its model, keys and fields as every Resource does; what differs is how
rows are written. import-export looks each row up, saves it and, in its bulk mode, writes no
history at all. Here a chunk of records is looked up at once, compared, validated and planned;
`engine` writes the plan with one history row per changed row.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.utils.functional import Promise
from import_export import widgets
from import_export.fields import Field
from import_export.resources import ModelResource
from import_export.widgets import ForeignKeyWidget

from backoffice.masking.fields import MaskedMixin, masked_fields
from backoffice.sheets import withheld
from backoffice.sheets.formats import Derivation, Record
from backoffice.sheets.models import Status
from backoffice.sheets.problems import Problem
from backoffice.sheets.writing import closed

# What import-export has is passed on: formats import from here only.
__all__ = [
    "Field",
    "ForeignKeyWidget",
    "ModelResource",
    "Plan",
    "Settlement",
    "SheetResource",
    "Step",
    "widgets",
]

Key = tuple[Any, ...]
REFUSED = "refused"
INVALID = "invalid"
UNKNOWN_REFERENCE = "unknown-reference"


@dataclass(slots=True)
class Outcome:
    """What becomes of one record, and of which row."""

    record: Record
    status: Status
    pk: Any = None


@dataclass(slots=True)
class Coming:
    """Natural keys of rows that earlier steps of the same file will make.

    `wanted` names the model and field of every reference between the steps.
    """

    wanted: set[tuple[type[Model], str]]
    keys: dict[tuple[type[Model], str], set[Any]] = field(default_factory=dict)

    @classmethod
    def between(cls, steps: Iterable["SheetResource"]) -> "Coming":
        """Return what the steps refer to; nothing is coming yet."""
        widgets = [widget for step in steps for widget in step._references.values()]  # noqa: SLF001 - same module
        return cls({(widget.model, widget.field) for widget in widgets})

    def add(self, model: type[Model], outcomes: Iterable[Outcome]) -> None:
        """Note the rows that will be made."""
        made = [one.record.values for one in outcomes if one.status == Status.NEW]
        for wanted, name in self.wanted:
            if wanted is model:
                keys = self.keys.setdefault((wanted, name), set())
                keys.update(values[name] for values in made if name in values)

    def brings(self, widget: ForeignKeyWidget, natural: Any) -> bool:
        """Whether an earlier step makes the row that is referred to."""
        return natural in self.keys.get((widget.model, widget.field), ())


@dataclass(slots=True)
class Plan:
    """What a chunk of one step will do; nothing is written yet."""

    model: type[Model]
    create: list[tuple[Model, Record]] = field(default_factory=list)
    update: list[tuple[Model, Record | None]] = field(default_factory=list)
    fields: Sequence[str] = ()
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)
    settles: bool = False
    failed: int = 0
    """Records that the check left out already, with their problems."""
    skipped: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    """What becomes of each record, in no particular order."""
    before: dict[Any, dict[str, Any]] = field(default_factory=dict)
    """Key of a row that will change -> its columns as they were read (`sees`)."""

    def note(self, record: Record, status: Status, pk: Any = None) -> None:
        """Note what becomes of a record."""
        self.outcomes.append(Outcome(record, status, pk))

    def sees(self, row: Model) -> None:
        """Note what a row holds, before its values are set.

        A row that is another one when it is to be written makes the chunk be planned again.
        """
        self.before[row.pk] = dict(row.__dict__)

    def refuse(self, record: Record, problem: Problem) -> None:
        """Leave the record out, with its problem."""
        self.problems.append(problem)
        self.note(record, Status.FAILED)


class Step:
    """What the engine runs in chunks, in the order of the format's `steps`."""

    dataset: str
    label: str | Promise
    columns: ClassVar[dict[str, str]] = {}
    stays: ClassVar[str | Promise] = ""
    """Why an undo cannot take back what it writes, in words; "" where it can."""

    def records(self, derivation: Derivation) -> Sequence[Record]:
        """Return the records of the data set, in an order that depends on the rows alone."""
        return derivation.datasets.get(self.dataset, [])

    def problem(self, code: str, record: Record, name: str = "") -> Problem:
        """Return a problem at the record's row, in the column that the field came from."""
        column = self.columns.get(name, "")
        return Problem(code, record.sheet, record.row, column, dataset=self.dataset)

    def plan(self, records: Sequence[Record], derivation: Derivation) -> Plan:
        """Compare the records with the database; only reads."""
        raise NotImplementedError

    def written(self, rows: Sequence[Model], *, actor: Any) -> None:
        """Do what belongs to new rows, such as booking money, in the transaction that made them."""

    def changed(self, rows: Sequence[Model], *, actor: Any) -> None:
        """Do what belongs to changed rows, in the transaction that changed them."""

    def tenants_of(self, rows: Sequence[Any]) -> set[str]:
        """Return the keys of the tenants whose rows these are, as the database has it now.

        Called in the transaction that writes them: lock those that exist. A step that says nothing
        here is none for tenants.
        """
        return {""}


class SheetResource(Step, ModelResource):
    """A bulk Resource over one data set.

    `Meta.import_id_fields` is the natural key; the first of them narrows the look-up. A field with
    a ForeignKeyWidget takes the referred row's own key (an order number) and is resolved a chunk
    at a time. `overwrite` names the fields that an import may change on a row that exists; with
    none, rows that exist are left alone. `columns` says which column of the format a field came
    from, for messages.
    """

    overwrite: ClassVar[tuple[str, ...]] = ()
    columns: ClassVar[dict[str, str]] = {}
    seen_with: ClassVar[str] = ""
    """The permission that shows the rows, where the model has no page of its own."""
    closed: frozenset[str] = frozenset()
    """Masked fields of which the plan of a check tells nothing but that a value is brought."""

    def enrich(self, records: Sequence[Record], derivation: Derivation) -> None:
        """Fill in values that depend on the database; called before the look-up."""

    def refuse(self, present: Model, record: Record) -> Problem | None:
        """Return a problem where the record contradicts the row that exists."""
        return None

    def candidates(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow the rows that a record may be the same as."""
        return queryset

    def plan(
        self, records: Sequence[Record], derivation: Derivation, coming: Coming | None = None
    ) -> Plan:
        """Compare the records with the database; only reads.

        With `coming`, a record that refers to a row that an earlier step will make is new.
        """
        self.enrich(records, derivation)
        plan = Plan(self._meta.model, fields=self.overwrite)
        known = list(self._resolved(records, plan, coming))
        present = self._present([values for _record, values in known])
        for record, values in known:
            self._sort(plan, record, values, present)
        return plan

    def existing(self, records: Sequence[Record]) -> int:
        """Return how many of the records have a row already."""
        known = [values for _record, values in self._resolved(records, Plan(self._meta.model))]
        present = self._present(known)
        return sum(self._key_of(values) in present for values in known)

    def _sort(
        self, plan: Plan, record: Record, values: dict[str, Any], present: dict[Key, Model]
    ) -> None:
        instance = present.get(self._key_of(values))
        if instance is None:
            made = self._new(plan, record, values)
            if made is not None:
                plan.create.append((made, record))
                present[self._key_of(values)] = made
        elif instance.pk is None:
            self._leave(plan, record, instance)
        else:
            problem = self.refuse(instance, record)
            if problem is None:
                self._compare(plan, record, values, instance)
            else:
                plan.refuse(record, problem)

    def _new(self, plan: Plan, record: Record, values: dict[str, Any]) -> Model | None:
        """Return a row that is not stored yet; None, with its problem, where it is invalid."""
        instance: Model = self._meta.model(**values)
        problem = self._invalid(instance, record)
        if problem is not None:
            plan.refuse(record, problem)
            return None
        plan.note(record, Status.NEW)
        return instance

    @staticmethod
    def _leave(plan: Plan, record: Record, instance: Model) -> None:
        plan.unchanged += 1
        plan.note(record, Status.UNCHANGED, instance.pk)

    def _compare(self, plan: Plan, record: Record, values: dict[str, Any], instance: Model) -> None:
        brought = {name: values[name] for name in self.overwrite if name in values}
        changed = [name for name, value in brought.items() if _differs(instance, name, value)]
        hidden = closed.brought(self.closed, brought)
        if not changed and not hidden:
            self._leave(plan, record, instance)
            return
        plan.sees(instance)
        for name in changed:
            setattr(instance, name, values[name])
        problem = self._invalid(instance, record)
        if problem is None:
            plan.update.append((instance, record))
            plan.note(record, closed.status(changed, hidden), instance.pk)
        else:
            plan.refuse(record, problem)

    def _resolved(
        self, records: Sequence[Record], plan: Plan, coming: Coming | None = None
    ) -> Iterator[tuple[Record, dict[str, Any]]]:
        """Yield each record with its values by the names of columns of the model."""
        references = self._references
        lookups = {
            name: self._lookup(widget, [record.values.get(name) for record in records])
            for name, widget in references.items()
        }
        for record in records:
            values = dict(record.values)
            missing: list[str] = []
            for name, found in lookups.items():
                natural = values.pop(name, None)
                values[f"{name}_id"] = None if natural is None else found.get(natural)
                if natural is not None and natural not in found:
                    missing.append(name)
            unknown = [
                name
                for name in missing
                if coming is None or not coming.brings(references[name], record.values[name])
            ]
            if unknown:
                plan.refuse(record, self.problem(UNKNOWN_REFERENCE, record, unknown[-1]))
            elif set(missing) & set(self._meta.import_id_fields):
                self._new(plan, record, values)
            else:
                yield record, values

    @property
    def _references(self) -> dict[str, ForeignKeyWidget]:
        return {
            one.attribute: one.widget
            for one in self.get_import_fields()
            if isinstance(one.widget, ForeignKeyWidget)
        }

    @staticmethod
    def _lookup(widget: ForeignKeyWidget, naturals: Iterable[Any]) -> dict[Any, int]:
        wanted = {one for one in naturals if one is not None}
        rows = widget.get_queryset(None, None).filter(**{f"{widget.field}__in": wanted})
        # Of several rows with one key the first by the queryset's order counts.
        return dict(reversed(list(rows.values_list(widget.field, "pk"))))

    def _columns_of_key(self) -> list[str]:
        references = self._references
        return [
            f"{name}_id" if name in references else name for name in self._meta.import_id_fields
        ]

    def _key_of(self, values: dict[str, Any]) -> Key:
        return tuple(values[name] for name in self._columns_of_key())

    def _present(self, all_values: list[dict[str, Any]]) -> dict[Key, Model]:
        columns = self._columns_of_key()
        wanted = {values[columns[0]] for values in all_values}
        rows = self.candidates(self._meta.model._default_manager.all())
        found = rows.filter(**{f"{columns[0]}__in": wanted})
        # Of several rows with one key the first by the queryset's order counts.
        return {tuple(getattr(row, name) for name in columns): row for row in reversed(list(found))}

    def _invalid(self, instance: Model, record: Record) -> Problem | None:
        """Run the model's own validation but for what needs a query; the database has the rest."""
        related = {one.name for one in instance._meta.fields if one.is_relation}
        try:
            instance.clean_fields(exclude=related)
            instance.clean()
        except ValidationError as error:
            name, message = withheld.first_error(error, self._meta.model)
            problem = self.problem(INVALID, record, name)
            problem.params = {"message": message}
            masked = masked_fields(self._meta.model)
            return withheld.guard(problem, [record.values.get(one.name) for one in masked])
        return None


def _differs(instance: Model, name: str, value: Any) -> bool:
    """Whether another value would be stored; of masked fields the clear values decide.

    A mask that comes back where it was shown changes nothing; another one is refused later.
    """
    before, stored = getattr(instance, name), instance._meta.get_field(name)
    if not isinstance(stored, MaskedMixin):
        return bool(before != value)
    if stored.is_mask(value):
        return bool(str(before) != value)
    return bool(stored.get_prep_value(before) != stored.get_prep_value(stored.seal(value)))


class Settlement(Step):
    """A step that changes rows written before, by what the database now holds of them.

    `settle` yields the instances that it changed in `fields`. It must not depend on what one run
    did, only on the rows, so that any order of files ends the same.

    `parts` are the models that a row is added up from, each with its foreign key to the row: an
    undo takes such a row and its parts back together, or leaves them together.
    """

    model: ClassVar[type[Model]]
    fields: ClassVar[tuple[str, ...]]
    parts: ClassVar[tuple[tuple[type[Model], str], ...]] = ()

    def settle(self, records: Sequence[Record]) -> Iterator[Model]:
        """Yield the rows that changed."""
        raise NotImplementedError

    def plan(self, records: Sequence[Record], derivation: Derivation) -> Plan:
        """Return the changed rows as updates."""
        changed = [(row, None) for row in self.settle(records)]
        return Plan(self.model, update=list(changed), fields=self.fields, settles=True)
