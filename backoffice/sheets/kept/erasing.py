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
    except DamagedError:
        return 0  # nobody can read it
    rows = {row for _column, cells in texts.values() for row in _naming(cells, people)}
    for index, (column, cells) in texts.items():
        if not rows:
            break
        for row in rows:
            cells[row] = "" if column.mask else people.without(cells[row])
        body = safe.block(sheet, KeptBlock.Kind.VALUES, index, part, vault.pack_texts(cells)).body
        sheet.blocks.filter(kind=KeptBlock.Kind.VALUES, column=index, part=part).update(body=body)
    return len(rows)


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
