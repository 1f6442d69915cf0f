"""Personal data in kept sheets: what is erased of a person, and how."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext_lazy

from backoffice.files.sealing import DamagedError
from backoffice.masking import subjects
from backoffice.masking.erasing import Erasure, Step
from backoffice.masking.mentions import Elsewhere
from backoffice.masking.subjects import CLEAN, Place
from backoffice.sheets.kept import vault
from backoffice.sheets.kept.columns import Column, Kind
from backoffice.sheets.kept.keeping import columns_of
from backoffice.sheets.kept.vault import Vault
from backoffice.sheets.models import KeptBlock, KeptSheet

_FEW = 20
_LEAST_DIGITS = 6


def forget(_place: Place, erasure: Erasure, after: Any, _limit: int) -> Step:
    """Empty the masked cells of each row that names the people, and clean its other texts.

    `after` is [key of the sheet, next part]; some blocks of rows go at once.
    """
    key, part = after or [0, 0]
    changed = 0
    for _turn in range(_FEW):
        sheet = KeptSheet.objects.filter(pk__gte=key).order_by("pk").first()
        if sheet is None:
            return Step(changed)
        if part * vault.SIZE >= sheet.rows:
            key, part = sheet.pk + 1, 0
            continue
        changed += _clean(sheet, part, erasure.group.elsewhere)
        key, part = sheet.pk, part + 1
    return Step(changed, [key, part])


def _clean(sheet: KeptSheet, part: int, people: Elsewhere) -> int:
    """Clean some rows of a sheet; return how many named the people."""
    try:
        safe = Vault(sheet)
        texts = dict(_texts(sheet, safe, part))
        numbers = dict(_numbers(sheet, safe, part))
    except DamagedError:
        return 0  # nobody can read it
    named = {index: set(_telling(one, cells, people)) for index, (one, cells) in numbers.items()}
    rows = {row for _column, cells in texts.values() for row in _naming(cells, people)}
    rows |= {row for found in named.values() for row in found}
    for index, (column, cells) in texts.items():
        if not rows:
            break
        for row in rows:
            cells[row] = "" if column.mask else people.without(cells[row])
        _store(sheet, safe, part, index, vault.pack_texts(cells))
    for index, found in named.items():
        if found:
            _empty(sheet, safe, part, numbers[index], found)
    return len(rows)


def _store(sheet: KeptSheet, safe: Vault, part: int, index: int, clear: bytes) -> None:
    """Write a block anew. The order of the column goes: it would tell what stood where."""
    body = safe.block(sheet, KeptBlock.Kind.VALUES, index, part, clear).body
    sheet.blocks.filter(kind=KeptBlock.Kind.VALUES, column=index, part=part).update(body=body)
    sheet.blocks.filter(kind=KeptBlock.Kind.ORDER, column=index).delete()


def _numbers(
    sheet: KeptSheet, safe: Vault, part: int
) -> Iterator[tuple[int, tuple[Column, list[int | None]]]]:
    """Yield the columns of numbers: a phone or an account without marks is read as one."""
    columns = {one.index: one for one in columns_of(sheet) if one.counted}
    blocks = sheet.blocks.filter(kind=KeptBlock.Kind.VALUES, part=part, column__in=columns)
    for block in blocks:
        cells = vault.unpack(safe.clear(block))
        found = [None if cells.empty[row] else cells.data[row] for row in range(len(cells))]
        yield block.column, (columns[block.column], found)


def _telling(column: Column, cells: list[int | None], people: Elsewhere) -> Iterator[int]:
    """Yield the rows whose number is one of the people's."""
    least = 10**_LEAST_DIGITS
    known = {cell: abs(cell) >= least for cell in set(cells) if cell is not None}
    for cell in [cell for cell, is_long in known.items() if is_long]:
        known[cell] = people.find(str(cell)) or people.find(str(column.plain(cell)))
    return (row for row, cell in enumerate(cells) if cell is not None and known[cell])


def _empty(
    sheet: KeptSheet,
    safe: Vault,
    part: int,
    found: tuple[Column, list[int | None]],
    rows: set[int],
) -> None:
    """Empty these cells of a column of numbers; its sums would go on telling of them."""
    column, cells = found
    gone = sum(cells[row] or 0 for row in rows)
    _store(
        sheet,
        safe,
        part,
        column.index,
        vault.pack_numbers([None if row in rows else cell for row, cell in enumerate(cells)]),
    )
    columns = [
        _less(values, gone, len(rows)) if values["index"] == column.index else values
        for values in sheet.columns
    ]
    KeptSheet.objects.filter(pk=sheet.pk).update(columns=columns)
    sheet.columns = columns


def _less(values: dict[str, Any], gone: int, rows: int) -> dict[str, Any]:
    """Return the facts of a column without the cells that go; sums by several currencies go."""
    totals = values.get("totals") or {}
    left = {code: total - gone for code, total in totals.items()} if len(totals) == 1 else {}
    return {**values, "totals": left, "empty": values.get("empty", 0) + rows}


def _texts(
    sheet: KeptSheet, safe: Vault, part: int
) -> Iterator[tuple[int, tuple[Column, list[str]]]]:
    columns = {one.index: one for one in columns_of(sheet) if one.kind is Kind.TEXT}
    blocks = sheet.blocks.filter(kind=KeptBlock.Kind.VALUES, part=part, column__in=columns)
    for block in blocks:
        cells = vault.unpack(safe.clear(block)).data
        yield block.column, (columns[block.column], [str(cell) for cell in cells])


def _naming(cells: list[str], people: Elsewhere) -> Iterator[int]:
    named = {text: people.find(text) for text in set(cells) if text}
    return (row for row, text in enumerate(cells) if named.get(text))


def register() -> None:
    """Put the places in force."""
    ours = gettext_lazy("Names of columns, keys and choices")
    subjects.register(
        Place(
            "sheets.kept",
            gettext_lazy("Rows of kept sheets"),
            "sheets.keptsheet",
            step=forget,
            kept={"sealed_key": gettext_lazy("A key that opens the blocks and nothing else")},
        )
    )
    subjects.register(
        Place(
            "sheets.kept_names",
            gettext_lazy("Names and headers of kept sheets"),
            "sheets.keptsheet",
            fields=dict.fromkeys(("name", "file_name", "sheet", "columns", "message"), CLEAN),
            everywhere=True,
        )
    )
    sealed = gettext_lazy("Sealed; erased with the rows of the sheet")
    for name, label in (("blocks", "sheets.keptblock"), ("pairs", "sheets.keptpairs")):
        place = gettext_lazy("Sealed pieces of kept sheets")
        subjects.register(Place(f"sheets.kept_{name}", place, label, kept={"body": sealed}))
    subjects.register(
        Place(
            "sheets.kept_joins",
            gettext_lazy("Names of joins of sheets"),
            "sheets.keptjoin",
            fields={"name": CLEAN},
            kept=dict.fromkeys(("right_model", "right_field", "counts"), ours),
            everywhere=True,
        )
    )
    subjects.register(
        Place(
            "sheets.kept_charts",
            gettext_lazy("Names of charts of sheets"),
            "sheets.keptchart",
            fields={"name": CLEAN},
            kept=dict.fromkeys(("group", "measured"), ours),
            everywhere=True,
        )
    )
