"""Tables to look at: a kept sheet, the rows of a model, and two of them joined.

A frame knows its columns and gives cells by the place of their row, from 0. Browsing, filters,
totals, charts and exports ask a frame and nothing else, so that they work for each alike.
"""

from array import array
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache, cached_property
from typing import Any, ClassVar, Final

from django.db import models
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.text import capfirst

from backoffice.masking.fields import MaskedMixin
from backoffice.money import exponent
from backoffice.sheets.kept import recognise, vault
from backoffice.sheets.kept.columns import ALREADY, EPOCH, Cell, Column, Kind
from backoffice.sheets.kept.keeping import columns_of
from backoffice.sheets.kept.vault import Cells, Fits, Vault
from backoffice.sheets.models import KeptBlock, KeptSheet

MONEY_SCALE: Final = 4
_KEYS_AT_ONCE: Final = 500


class Frame:
    """A table: `size` rows of `columns`."""

    columns: Sequence[Column]
    size: int

    def column(self, ref: str) -> Column:
        """Return a column by its ref. Raises LookupError."""
        for column in self.columns:
            if column.ref == ref:
                return column
        raise LookupError(ref)

    def cells(self, ref: str) -> Cells:
        """Return all cells of a column. Raises LookupError."""
        raise NotImplementedError

    def order(self, ref: str) -> Sequence[int]:
        """Return the places of the rows by a column, empty cells last. Raises LookupError."""
        column, cells = self.column(ref), self.cells(ref)
        if not column.sortable:
            raise LookupError(ref)
        keys: list[Any] = [cells.at(place) for place in range(len(cells))]
        if column.kind is Kind.TEXT:
            keys = [None if key is None else str(key).casefold() for key in keys]
        return recognise.in_order(keys)

    def flags(self, ref: str, fits: Fits) -> bytes:
        """Return a 1 for each filled cell of a column that fits, a 0 for the others."""
        return self.cells(ref).flags(fits)

    def rows(self, places: Sequence[int]) -> list[list[tuple[Cell, str]]]:
        """Return (cell, currency) of every column for the rows at these places."""
        taken = [self.cells(column.ref).taken(places) for column in self.columns]
        return lines_of(taken, len(places))


def lines_of(columns: Sequence[Cells], size: int) -> list[list[tuple[Cell, str]]]:
    """Return columns of cells as rows of (cell, currency)."""
    return [
        [(one.at(place), one.currency[place] if one.currency else "") for one in columns]
        for place in range(size)
    ]


class SheetFrame(Frame):
    """A kept sheet."""

    def __init__(self, sheet: KeptSheet) -> None:
        self.sheet, self.size = sheet, sheet.rows
        self.columns = columns_of(sheet)
        self._vault = Vault(sheet)

    def cells(self, ref: str) -> Cells:
        """Read a column, block by block."""
        column = self.column(ref)
        kinds = KeptBlock.Kind
        cells = self._read(column, kinds.VALUES)
        if column.kind is Kind.MONEY and not column.currency:
            money = self._read(column, kinds.CURRENCY)
            cells.currency = [str(code) for code in money.data]
        return cells

    def _read(self, column: Column, kind: str) -> Cells:
        whole: Cells | None = None
        for block in self._blocks(column, kind):
            more = vault.unpack(self._vault.clear(block))
            if whole is None:
                whole = more
            else:
                whole.extend(more)
        return whole or Cells([])

    def _blocks(self, column: Column, kind: str) -> Iterator[KeptBlock]:
        rows = self.sheet.blocks.filter(kind=kind, column=column.index).order_by("part")
        return rows.iterator(chunk_size=20)

    def flags(self, ref: str, fits: Fits) -> bytes:
        """Ask each text once, block by block."""
        column = self.column(ref)
        blocks = self._blocks(column, KeptBlock.Kind.VALUES)
        ask = cache(fits) if column.kind is Kind.TEXT else fits
        return b"".join(vault.flags(self._vault.clear(block), ask) for block in blocks)

    def order(self, ref: str) -> Sequence[int]:
        """Return the order that was made when the sheet was read; after an erasure, a new one."""
        column = self.column(ref)
        block = self.sheet.blocks.filter(kind=KeptBlock.Kind.ORDER, column=column.index).first()
        if block is None or not column.sortable:
            return super().order(ref)
        return vault.unpack_places(self._vault.clear(block))

    def rows(self, places: Sequence[int]) -> list[list[tuple[Cell, str]]]:
        """Read only the blocks that the rows lie in, and of them no other cells."""
        wanted: dict[int, list[int]] = {}
        for place in places:
            if place >= 0:
                wanted.setdefault(place // vault.SIZE, []).append(place % vault.SIZE)
        blocks = self.sheet.blocks.filter(kind__in=("v", "c"), part__in=wanted)
        found = {}
        for block in blocks.iterator(chunk_size=50):
            inside = wanted[block.part]
            cells = vault.picked(self._vault.clear(block), inside)
            found[block.kind, block.column, block.part] = dict(zip(inside, cells, strict=True))
        return [[_cell(found, column, place) for column in self.columns] for place in places]


def _cell(
    found: dict[tuple[str, int, int], dict[int, Cell]], column: Column, place: int
) -> tuple[Cell, str]:
    if place < 0:
        return None, ""
    part, row = divmod(place, vault.SIZE)
    money = found.get(("c", column.index, part))
    currency = str(money[row] or "") if money is not None else ""
    return found["v", column.index, part][row], currency


class ModelFrame(Frame):
    """Rows of a model as a person may see them; `fields` are those that its page offers."""

    KINDS: ClassVar[Sequence[tuple[type[models.Field[Any, Any]], Kind]]] = (
        (models.DateTimeField, Kind.DATE),
        (models.DateField, Kind.DATE),
        (models.DecimalField, Kind.DECIMAL),
        (models.BooleanField, Kind.TEXT),
        (models.IntegerField, Kind.WHOLE),
    )

    def __init__(self, rows: QuerySet[Any], fields: Sequence[str]) -> None:
        self.queryset = rows.order_by("pk")
        self._fields = [found for name in fields if (found := _Field.of(rows.model, name))]
        self.columns = [one.column for one in self._fields]

    def has_more_than(self, most: int) -> bool:
        """Say whether there are more rows than that; no more of them are counted."""
        counted: int = self.queryset.order_by().values("pk")[: most + 1].count()
        return counted > most

    @cached_property
    def keys(self) -> list[Any]:
        """The primary keys, in the order of the rows."""
        return list(self.queryset.values_list("pk", flat=True))

    @property
    def size(self) -> int:  # type: ignore[override]
        """How many rows there are."""
        return len(self.keys)

    def cells(self, ref: str) -> Cells:
        """Read one field of all rows."""
        one = self._field(ref)
        return one.cells(self.queryset.values_list(*one.paths).iterator(chunk_size=5000))

    def rows(self, places: Sequence[int]) -> list[list[tuple[Cell, str]]]:
        """Read the rows at these places."""
        wanted = [self.keys[place] if place >= 0 else None for place in places]
        found: dict[Any, Sequence[Any]] = {}
        paths = [path for one in self._fields for path in one.paths]
        keys = list({key for key in wanted if key is not None})
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = self.queryset.filter(pk__in=keys[start : start + _KEYS_AT_ONCE])
            found.update((values[0], values[1:]) for values in some.values_list("pk", *paths))
        lines = [found.get(key) for key in wanted]
        taken, at = [], 0
        for one in self._fields:
            width = len(one.paths)
            taken.append(
                one.cells(line[at : at + width] if line else (None,) * width for line in lines)
            )
            at += width
        return lines_of(taken, len(places))

    def _field(self, ref: str) -> "_Field":
        for one in self._fields:
            if one.column.ref == ref:
                return one
        raise LookupError(ref)


class _Field:
    """One field of a model as a column: the paths that a query reads, and cells made of them."""

    def __init__(self, column: Column, paths: tuple[str, ...], choices: dict[Any, str]) -> None:
        self.column, self.paths, self.choices = column, paths, choices

    @classmethod
    def of(cls, model: type[models.Model], name: str) -> "_Field | None":
        """Return the column of a field; None for what no query can bring."""
        known = {field.name: field for field in model._meta.concrete_fields}
        if f"{name}_minor" in known:
            return cls._money(known[f"{name}_minor"], name, known)
        field = known.get(name)
        if field is None:
            return None
        label = capfirst(str(field.verbose_name))
        if field.is_relation:
            target = natural_key(field.related_model)  # type: ignore[arg-type]
            path = f"{name}__{target}"
            return cls(Column(name, label), (path,), {}) if target else None
        if isinstance(field, MaskedMixin):
            return cls(Column(name, label, mask=ALREADY), (name,), {})
        if name.endswith("_minor"):
            return cls._money(field, name, known)
        return cls._plain(field, label)

    @classmethod
    def _money(cls, field: Any, name: str, known: dict[str, Any]) -> "_Field | None":
        if "currency" not in known:
            return None
        label = capfirst(str(field.verbose_name))
        column = Column(name, label, Kind.MONEY, scale=MONEY_SCALE)
        return cls(column, (field.name, "currency"), {})

    @classmethod
    def _plain(cls, field: Any, label: str) -> "_Field":
        choices = {key: str(words) for key, words in field.flatchoices}
        kind = next(
            (kind for known, kind in ModelFrame.KINDS if isinstance(field, known)), Kind.TEXT
        )
        column = Column(
            field.name,
            label,
            Kind.TEXT if choices else kind,
            scale=field.decimal_places if kind is Kind.DECIMAL else 0,
            times=isinstance(field, models.DateTimeField),
        )
        return cls(column, (field.name,), choices)

    def cells(self, lines: Any) -> Cells:
        """Return the cells of values as a query brings them, one tuple of `paths` a row."""
        if self.column.kind is Kind.TEXT:
            texts = [self._text(line[0]) for line in lines]
            return Cells(texts, bytearray(not text for text in texts))
        rows = list(lines)
        numbers = [self._number(line) for line in rows]
        cells = Cells(
            array("q", [number or 0 for number in numbers]),
            bytearray(number is None for number in numbers),
        )
        if self.column.kind is Kind.MONEY:
            cells.currency = [line[1] or "" for line in rows]
        return cells

    def _text(self, value: Any) -> str:
        return "" if value is None else self.choices.get(value) or str(value)

    def _number(self, line: Sequence[Any]) -> int | None:
        value = line[0]
        if value is None:
            return None
        if self.column.kind is Kind.MONEY:
            more: int = 10 ** (MONEY_SCALE - exponent(line[1]))
            return int(value) * more
        if isinstance(value, datetime):
            return int((timezone.make_naive(value) - EPOCH.replace(tzinfo=None)).total_seconds())
        if isinstance(value, date):
            return (value - EPOCH.date()).days * 86_400
        return int(Decimal(value).scaleb(self.column.scale))


def natural_key(model: type[models.Model]) -> str:
    """Return the field that people know a record by, if it is not masked; "" for none."""
    fields = {field.name: field for field in model._meta.concrete_fields}
    for name in ("number", "code", "name"):
        if name in fields and not isinstance(fields[name], MaskedMixin):
            return name
    return ""


class JoinFrame(Frame):
    """Rows of two frames side by side; a place of -1 on the right is a row without a match."""

    def __init__(
        self, left: Frame, right: Frame, left_places: Sequence[int], right_places: Sequence[int]
    ) -> None:
        self._sides = {"l": (left, left_places), "r": (right, right_places)}
        self.size = len(left_places)
        self.columns = [
            column.among(f"{side}.{column.ref}")
            for side, (frame, _places) in self._sides.items()
            for column in frame.columns
        ]

    def cells(self, ref: str) -> Cells:
        """Return the cells of a column of either side, row by row of the join."""
        side, _dot, inner = ref.partition(".")
        if side not in self._sides:
            raise LookupError(ref)
        frame, places = self._sides[side]
        return frame.cells(inner).taken(places)

    def rows(self, places: Sequence[int]) -> list[list[tuple[Cell, str]]]:
        """Read the rows of both sides."""
        halves = [frame.rows([at[place] for place in places]) for frame, at in self._sides.values()]
        return [[*left, *right] for left, right in zip(*halves, strict=True)]


class Part(Frame):
    """Some rows of a frame, by their places."""

    def __init__(self, whole: Frame, places: Sequence[int]) -> None:
        self._whole, self._places = whole, places
        self.columns, self.size = [one.among() for one in whole.columns], len(places)

    def cells(self, ref: str) -> Cells:
        """Return the cells of these rows."""
        return self._whole.cells(ref).taken(self._places)

    def rows(self, places: Sequence[int]) -> list[list[tuple[Cell, str]]]:
        """Read these of the rows."""
        return self._whole.rows([self._places[place] for place in places])
