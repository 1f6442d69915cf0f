"""Which row of a sheet is likely its header: offered, never taken without being shown."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from backoffice.sheets.reading.reader import RawRow, Value

LOOKED_AT: Final = 20
"""The header is looked for in so many filled rows from the top."""
_FULL: Final = 0.6
_FIGURES: Final = re.compile(r"[\d\s.,:/+\-]*\d[\d\s.,:/+\-]*")


def suggest_header(head: "Sequence[RawRow]", columns: int = 0) -> int:
    """Return the number of the row that is likely the header, of the first row for want of one.

    That is the first row of different texts, most columns filled, above a row with figures, dates
    or the like; where no such contrast is seen, the first that is filled so.
    """
    width = columns or max((len(row.cells) for row in head), default=0)
    likely = [
        (row, below)
        for row, below in zip(head[:LOOKED_AT], [*head[1:LOOKED_AT], None], strict=False)
        if _is_filled(row, width)
    ]
    for row, below in likely:
        if not any(map(_is_figure, row.cells)) and below and any(map(_is_figure, below.cells)):
            return row.number
    if likely:
        return likely[0][0].number
    return head[0].number if head else 1


def _is_filled(row: "RawRow", width: int) -> bool:
    """Whether most cells are filled, by texts alone, and no text twice."""
    filled = [cell for cell in row.cells if cell is not None and cell != ""]
    texts = {cell.strip().casefold() for cell in filled if isinstance(cell, str)}
    return len(filled) == len(texts) and len(filled) >= max(2, _FULL * width)


def _is_figure(cell: "Value") -> bool:
    """Whether it is a number, a date or a yes, or a text that is written like one."""
    if isinstance(cell, str):
        return _FIGURES.fullmatch(cell) is not None
    return cell is not None
