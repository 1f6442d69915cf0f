"""Pairing rows of two tables by their keys."""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from backoffice.sheets.kept.columns import Cell, Column, Kind, moment
from backoffice.sheets.kept.vault import Cells

MOST_PAIRS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Rule:
    """How keys are compared. Spaces at both ends never count, and an empty key matches nothing."""

    fold: bool = False
    zeros: bool = False

    def of(self, text: str) -> str:
        """Return the key of a text; "" for none."""
        key = text.strip()
        if self.fold:
            key = key.casefold()
        return (key.lstrip("0") or key[-1:]) if self.zeros else key


@dataclass(frozen=True, slots=True)
class Counts:
    """What came of a join. `repeated` counts the keys that stand in several rows of a side."""

    pairs: int
    left_matched: int
    right_matched: int
    left_only: int
    right_only: int
    left_repeated: int
    right_repeated: int
    left_empty: int
    right_empty: int


@dataclass(frozen=True, slots=True)
class Matched:
    """Places of rows that belong together, pair by pair, and those of rows that stay alone."""

    left: Sequence[int]
    right: Sequence[int]
    left_only: Sequence[int]
    right_only: Sequence[int]
    counts: Counts


def match(left: Sequence[str], right: Sequence[str], *, outer: bool = False) -> Matched:
    """Pair the rows of equal keys; "" matches nothing. With `outer` a lone left row pairs with -1.

    Raises ValidationError where repeated keys would make too many pairs.
    """
    often = Counter(key for key in right if key), Counter(key for key in left if key)
    in_right, in_left = often
    pairs = sum(count * in_right[key] for key, count in in_left.items() if key in in_right)
    if pairs > MOST_PAIRS:
        text = _(
            "The keys repeat on both sides: %(pairs)s pairs would come of it. Choose a key that is"
            " there once on one side."
        )
        raise ValidationError(text % {"pairs": f"{pairs:,}"})
    places: dict[str, list[int]] = {}
    for place, key in enumerate(right):
        if key in in_left:
            places.setdefault(key, []).append(place)
    lefts, rights, alone = array("i"), array("i"), array("i")
    for place, key in enumerate(left):
        found = places.get(key)
        if found is None:
            alone.append(place)
            found = [-1] if outer else []
        lefts.extend([place] * len(found))
        rights.extend(found)
    right_only = array("i", [place for place, key in enumerate(right) if key not in in_left])
    counts = Counts(
        pairs=pairs,
        left_matched=len(left) - len(alone),
        right_matched=len(right) - len(right_only),
        left_only=len(alone),
        right_only=len(right_only),
        left_repeated=sum(count > 1 for count in in_left.values()),
        right_repeated=sum(count > 1 for count in in_right.values()),
        left_empty=len(left) - in_left.total(),
        right_empty=len(right) - in_right.total(),
    )
    return Matched(lefts, rights, alone, right_only, counts)


def keys_of(column: Column, cells: Cells, rule: Rule) -> list[str]:
    """Return the key of each row of a column in clear."""
    written = {cell: rule.of(_written(column, cell)) for cell in set(cells.data)}
    return ["" if gap else written[cell] for cell, gap in zip(cells.data, cells.empty, strict=True)]


def _written(column: Column, cell: Cell) -> str:
    """Return a cell as a key: the number 12 and the text "12" are one."""
    if isinstance(cell, str) or cell is None:
        return cell or ""
    if column.kind is Kind.DATE:
        when = moment(cell)
        return f"{when:%Y-%m-%d %H:%M:%S}" if column.times else f"{when:%Y-%m-%d}"
    number = Decimal(cell).scaleb(-column.scale)
    return format(number.normalize() if cell else number * 0, "f")
