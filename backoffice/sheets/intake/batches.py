"""Rows into columns of plain JSON values, a batch at a time, with little work for each cell.

A batch is {"at": number of the first row, or all numbers where they have gaps, "cols": [[tag,
values], …]}. The tags: "p" plain values, "d" ISO times or null, "m" plain values among marked ones
({"d": time}, {"e": code}, {"x": text of something odd}).
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any, Final

BATCH: Final = 2000
EXACT: Final = 2**53
"""Beyond this a float no longer holds every whole number."""
_PLAIN: Final = frozenset({int, bool, type(None)})
_TEXT: Final = frozenset({str, type(None)})
_TIMES: Final = frozenset({dt.datetime, dt.date})


@dataclass(slots=True)
class Count:
    """What passed: filled rows, blank rows among them; of those sent on the last filled column.

    `spaces` are cells that hold white space only.
    """

    rows: int = 0
    columns: int = 0
    blank: int = 0
    spaces: int = 0


def encoded(
    rows: Iterable[list[Any]],
    errors: dict[int, dict[int, str]],
    count: Count,
    *,
    first: int = 1,
    limit: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield batches of the filled rows, at most `limit` of them; all are counted.

    `errors` is row -> column -> code of cells that hold no value, all counted from 1.
    """
    source = iter(rows)
    number = first
    while batch := list(islice(source, BATCH)):
        _mark(batch, number, errors)
        kept = [at for at, row in enumerate(batch) if _filled(row)]
        room = len(kept) if limit is None else min(max(limit - count.rows, 0), len(kept))
        count.blank += len(batch) - len(kept)
        count.rows += len(kept)
        if room:
            chosen = batch if room == len(batch) else [batch[at] for at in kept[:room]]
            yield _batch(chosen, [number + at for at in kept[:room]], count)
        number += len(batch)


def _mark(batch: list[list[Any]], number: int, errors: dict[int, dict[int, str]]) -> None:
    if not errors:
        return
    for at, row in enumerate(batch, number):
        for column, code in errors.get(at, {}).items():
            row.extend([None] * (column - len(row)))
            row[column - 1] = {"e": code}


def _filled(row: list[Any]) -> bool:
    """Whether a cell holds something; a text of blanks is nothing."""
    for value in row:
        if value is not None and value != "" and not (isinstance(value, str) and value.isspace()):
            return True
    return False


def _batch(rows: list[list[Any]], numbers: list[int], count: Count) -> dict[str, Any]:
    whole = numbers[-1] - numbers[0] + 1 == len(numbers)
    columns = [_column(values, count) for values in zip_longest(*rows, fillvalue=None)]
    for place, (_tag, values) in enumerate(columns, 1):
        if place > count.columns and any(value is not None for value in values):
            count.columns = place
    return {"at": numbers[0] if whole else numbers, "cols": columns}


def _column(values: tuple[Any, ...], count: Count) -> list[Any]:
    kinds = set(map(type, values))
    if kinds <= _PLAIN:
        return ["p", values]
    if kinds <= _TEXT:
        return ["p", _texts(values, count)]
    if kinds == {float}:
        return ["p", [_number(value) for value in values]]
    if kinds <= _TIMES:
        return ["d", [value.isoformat() for value in values]]
    blank = {"", None}
    if kinds <= {*_TIMES, str, type(None)} and all(
        value in blank for value in values if not isinstance(value, dt.date)
    ):
        return ["d", [value.isoformat() if value else None for value in values]]
    tag = "p" if kinds <= {*_PLAIN, str, float} else "m"
    return [tag, [_CELLS.get(type(value), _odd)(value, count) for value in values]]


def _texts(values: tuple[Any, ...], count: Count) -> Any:
    """Empty texts become null; most columns have none, and are left as they are."""
    texts = [value for value in values if value is not None]
    spaces = sum(map(str.isspace, texts))
    count.spaces += spaces
    if spaces:
        return [value if value and not value.isspace() else None for value in values]
    return [value or None for value in values] if "" in values else values


def _number(value: float) -> float | int:
    return int(value) if value.is_integer() and -EXACT <= value <= EXACT else value


def _text(value: str, count: Count) -> str | None:
    if value and value.isspace():
        count.spaces += 1
        return None
    return value or None


def _odd(value: Any, _count: Count) -> Any:
    return value if isinstance(value, dict) else {"x": str(value)}


_CELLS: Final[dict[type, Callable[[Any, Count], Any]]] = {
    str: _text,
    float: lambda value, _count: _number(value),
    int: lambda value, _count: value,
    bool: lambda value, _count: value,
    type(None): lambda _value, _count: None,
    dt.datetime: lambda value, _count: {"d": value.isoformat()},
    dt.date: lambda value, _count: {"d": value.isoformat()},
    dict: lambda value, _count: value,
}
