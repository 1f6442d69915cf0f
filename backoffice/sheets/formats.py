"""A format: which columns a sheet has, which records its rows make, and in which order to write.

A format is an ordered list of steps over data sets that are derived from the rows. Most steps are
django-import-export Resources (`resources.SheetResource`); the others settle values that depend
on everything written (`resources.Settlement`). An app declares its formats in its `sheets` module:

    @formats.register
    class OnlineRetail(formats.Format):
        key = "online-retail"
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

from django.utils.functional import Promise

from backoffice.masking.fields import masked_fields
from backoffice.sheets import cells, transforms
from backoffice.sheets.problems import Problem, Severity, quote
from backoffice.sheets.reading import spoken
from backoffice.sheets.reading.reader import Batch, RawRow, Value

if TYPE_CHECKING:
    from backoffice.sheets.mapping import SheetMapping
    from backoffice.sheets.reading.dialects import Dialect
    from backoffice.sheets.resources import Step


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a format reads.

    `read` turns a cell into a value or raises CellProblemError. `aliases` are headers by which the
    column is found; letter case, blanks and marks do not count. `goes_to` and `how` are words for
    the mapping page.
    """

    key: str
    label: str | Promise
    read: cells.Reader
    aliases: tuple[str, ...] = ()
    may_be_empty: bool = False
    goes_to: str | Promise = ""
    how: str | Promise = ""
    longest: int = 0
    plain: bool = False
    """Whether its texts are shown in the preview (names of things, never of people)."""


@dataclass(slots=True)
class SheetRow:
    """A row with typed values; a key missing from `values` has its problem in `bad`."""

    sheet: str
    number: int
    values: dict[str, Any]
    bad: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class Record:
    """One record of a data set, and the row that it came from (the first, where many made it)."""

    values: dict[str, Any]
    sheet: str
    row: int


@dataclass(slots=True)
class CheckSum:
    """A number that must come out the same in the file and in the system.

    `file` = `left_out` + `ready` + `rounding` (minor units where `currency` is set, else counts);
    `system` is read back from the database after the run.
    """

    key: str
    label: str
    file: int
    left_out: int
    ready: int
    currency: str = ""
    rounding: str = ""
    system: int | None = None

    @property
    def agrees(self) -> bool:
        """Whether the system holds what was to come in."""
        return self.system == self.ready

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the sum that `as_json` gave away."""
        return cls(**values)


@dataclass(slots=True)
class Derivation:
    """Everything that follows from the rows alone, whatever the database holds.

    The same rows give the same derivation, record by record: an import that is taken up again
    goes on by counting them.
    """

    datasets: Mapping[str, Sequence[Record]]
    problems: list[Problem] = field(default_factory=list)
    sums: list[CheckSum] = field(default_factory=list)
    read: int = 0
    repeated: int = 0
    """Rows that stand in the file twice and are read once."""
    ready: int = 0
    tenant: str = ""
    """The key of the one tenant whose rows are meant; "" for staff."""
    memo: dict[type, object] = field(default_factory=dict)
    """What steps work out once and keep, by its type."""

    def rows_with(self, severity: Severity) -> int:
        """Return how many rows have a problem of this severity."""
        chosen = [problem for problem in self.problems if problem.severity == severity]
        single = {(one.sheet, one.row) for one in chosen if one.count == 1}
        return len(single) + sum(one.count for one in chosen if one.count > 1)


class Format:
    """Base of formats; see the module's text."""

    key: str
    title: str | Promise
    columns: tuple[Column, ...]
    steps: tuple[type["Step"], ...] = ()
    permissions: tuple[str, ...] = ()
    """What a person needs, beside the right to import at all."""
    for_tenants: ClassVar[bool] = False
    """Whether it is for the people of one tenant (`tenants`), and not for staff."""

    def derive(self, rows: Iterable[SheetRow]) -> Derivation:
        """Return the data sets, problems and sums of the rows."""
        raise NotImplementedError

    def measure(self, derivation: Derivation) -> dict[str, int]:
        """Return key -> what the database now holds of the records of this file."""
        raise NotImplementedError

    def companions(
        self, rows: Iterable[SheetRow], failed: set[tuple[str, int]]
    ) -> set[tuple[str, int]]:
        """Return taken rows (sheet, number) that the failed rows need beside them to be read right.

        The workbook of failed rows holds them too, marked as such.
        """
        return set()

    def masks(self) -> dict[Column, Any]:
        """Return column -> mask, of the columns that go into masked fields."""
        found: dict[str, Any] = {}
        for step in self.steps:
            meta = getattr(step, "_meta", None)
            fields = {one.name: one for one in masked_fields(meta.model)} if meta else {}
            said = getattr(step, "columns", {})
            found |= {said[name]: one.mask for name, one in fields.items() if name in said}
        return {one: found[one.key] for one in self.columns if one.key in found}

    def column(self, key: str) -> Column:
        """Return the column; KeyError when the format has no such."""
        return next((one for one in self.columns if one.key == key), None) or _missing(key)


def _missing(key: str) -> Column:
    raise KeyError(key)


_formats: dict[str, Format] = {}


def register[T: type](cls: T) -> T:
    """Register a Format, or a django-import-export Resource with a `key`, as it is.

    Raises ValueError for a second one with its key, and for one that would not do what it says.
    """
    declared: Any = cls
    _require_plain(declared)
    known = _formats.get(declared.key)
    if known is not None and cls not in {type(known), getattr(known, "resource", None)}:
        msg = f"the format {declared.key} is registered already"
        raise ValueError(msg)
    is_format = issubclass(cls, Format)
    _formats[declared.key] = declared() if is_format else plain_of(declared)
    return cls


def _require_plain(declared: Any) -> None:
    """Refuse what nobody would run or ask: a guard that is none, methods of steps.

    Raises TypeError for a step that is none, ValueError for the rest.
    """
    if not issubclass(declared, Format):
        if getattr(declared, "for_tenants", False):
            msg = f"{declared.__name__}: a Resource alone cannot be for tenants, write a Format"
            raise ValueError(msg)
        return
    from backoffice.sheets.resources import Step  # noqa: PLC0415 - it stands on this module
    from backoffice.sheets.writing import ways  # noqa: PLC0415 - it knows what a Resource may change

    for step in declared.steps:
        if not issubclass(step, Step):
            msg = f"{declared.__name__}: {step.__name__} is no step, derive it from SheetResource"
            raise TypeError(msg)
        ignored = ways.ignored(step) if hasattr(step, "_meta") else []
        if ignored:
            what = ", ".join(ignored)
            msg = f"{declared.__name__}: {step.__name__} is written in bulk, without its own {what}"
            raise ValueError(msg)


def plain_of(resource: Any) -> Format:
    """Return the format of one plain Resource."""
    from backoffice.sheets import plain  # noqa: PLC0415 - it stands on this module

    return plain.ResourceFormat(resource)


def get(key: str) -> Format:
    """Return the format; KeyError when no app declares it."""
    return _formats[key]


def everything() -> list[Format]:
    """Return all formats by their titles."""
    return sorted(_formats.values(), key=lambda one: str(one.title))


def typed(
    raw: Iterable[RawRow],
    form: Format,
    maps: Mapping[str, "SheetMapping"],
    dialect: "Dialect | None" = None,
) -> Iterator[SheetRow]:
    """Turn raw rows into typed ones; `maps` is sheet -> how it is read.

    Texts of a csv file are numbers and dates as the dialect writes them.
    """
    sources = {name: _sources(form, one, dialect) for name, one in maps.items()}
    for row in raw:
        yield _typed_row(row, sources[row.sheet])


def column_reader(
    form: Format, mapping: "SheetMapping", dialect: "Dialect | None" = None
) -> Callable[[Batch], dict[str, list[Value]]]:
    """Return what gives the cells of many rows by column key, for the columns that are mapped."""
    known = [
        one
        for one in _sources(form, mapping, dialect)
        if one.place is not None or one.constant is not None or one.change is not None
    ]
    return lambda batch: {one.column.key: one.values(batch) for one in known}


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the cell of a column comes from; `place` is an index of the sheet, or nothing."""

    column: Column
    place: int | None
    constant: str | None
    change: transforms.Change | None
    say: spoken.Say | None = None
    """What puts numbers and dates of a dialect into the plain way."""

    def value(self, cells_of_row: tuple[Value, ...]) -> Value:
        """Return the cell, changed, or the constant that stands for an empty one."""
        place = self.place
        value = cells_of_row[place] if place is not None and place < len(cells_of_row) else None
        if self.change is not None:
            value = self.change(value, cells_of_row)
        if self.say is not None:
            value = self.say(value)
        if self.constant is not None and cells.is_empty(value):
            return self.constant
        return value

    def values(self, batch: Batch) -> list[Value]:
        """Return the cells of many rows."""
        place = self.place
        others = (self.constant, self.change, self.say)
        if place is None or any(one is not None for one in others):
            return [self.value(cells_of_row) for cells_of_row in zip(*batch.columns, strict=True)]
        known = place < len(batch.columns)
        return list(batch.columns[place]) if known else [None] * len(batch.numbers)


def _sources(
    form: Format, mapping: "SheetMapping", dialect: "Dialect | None" = None
) -> list[_Source]:
    mark = dialect.decimal if dialect else "."
    changes = {
        key: transforms.compiled(steps, mark=mark) for key, steps in mapping.transforms.items()
    }
    return [
        _Source(
            column,
            mapping.columns.get(column.key),
            mapping.constants.get(column.key),
            changes.get(column.key),
            spoken.saying(column.read, dialect),
        )
        for column in form.columns
    ]


def _typed_row(row: RawRow, sources: Iterable[_Source]) -> SheetRow:
    result = SheetRow(row.sheet, row.number, {})
    for source in sources:
        column, value = source.column, source.value(row.cells)
        if column.may_be_empty and cells.is_empty(value):
            result.values[column.key] = None
            continue
        try:
            result.values[column.key] = read(column, value)
        except cells.CellProblemError as error:
            result.bad.append(_problem(error.code, row, column, value))
    return result


def read(column: Column, value: Value) -> Any:
    """Return the value of a cell of the column. Raises CellProblemError."""
    result = column.read(value)
    if column.longest and isinstance(result, str) and len(result) > column.longest:
        raise cells.CellProblemError("too-long")
    return result


def _problem(code: str, row: RawRow, column: Column, value: Value) -> Problem:
    plain = isinstance(value, str | int | float)
    shown = quote(value, dates=code == "not-date") if plain else ""
    params = {"limit": column.longest} if code == "too-long" else {}
    return Problem(code, row.sheet, row.number, column.key, shown, params)


def counted(problems: Iterable[Problem]) -> Counter[Severity]:
    """Return how many problems there are of each severity."""
    return Counter(problem.severity for problem in problems)
