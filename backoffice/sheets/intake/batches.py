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
HEAD_TEXT: Final = 300
"""Characters of a text that the head of a sheet shows."""
HEAD_LETTERS: Final = 600_000
"""Characters that all heads of a file have together, and some more for each cell."""
_CELL: Final = 16
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


@dataclass(slots=True)
class Heads:
    """Only the first `rows` of each sheet are sent, their texts cut, until `letters` are used up.

    Whoever waits for a page holds them in memory, whatever the file is made of.
    """

    rows: int
    letters: int = HEAD_LETTERS

    def cut(self, rows: list[list[Any]]) -> list[list[Any]]:
        """Return the rows that there is room for."""
        fitting = []
        for row in rows:
            if self.letters <= 0:
                break
            short = [cell[:HEAD_TEXT] if isinstance(cell, str) else cell for cell in row]
            texts = (len(cell) for cell in short if isinstance(cell, str))
            self.letters -= sum(texts) + _CELL * len(short)
            fitting.append(short)
        return fitting


def encoded(
    rows: Iterable[list[Any]],
    errors: dict[int, dict[int, str]],
    count: Count,
    *,
    first: int = 1,
    heads: Heads | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield batches of the filled rows, of the first ones only by `heads`; all are counted.

    `errors` is row -> column -> code of cells that hold no value, all counted from 1.
    """
    source = iter(rows)
    number = first
    while batch := list(islice(source, BATCH)):
        _mark(batch, number, errors)
        kept = [at for at, row in enumerate(batch) if _filled(row)]
        chosen = batch if len(kept) == len(batch) else [batch[at] for at in kept]
        if heads is not None:
            chosen = heads.cut(chosen[: max(heads.rows - count.rows, 0)])
        count.blank += len(batch) - len(kept)
        count.rows += len(kept)
        if chosen:
            yield _batch(chosen, [number + at for at in kept[: len(chosen)]], count)
        number += len(batch)


def halves(batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a batch of more than one row as two."""
    at, columns = batch["at"], batch["cols"]
    middle = len(columns[0][1]) // 2
    first = [[tag, values[:middle]] for tag, values in columns]
    second = [[tag, values[middle:]] for tag, values in columns]
    alone = isinstance(at, int)
    yield {"at": at if alone else at[:middle], "cols": first}
    yield {"at": at + middle if alone else at[middle:], "cols": second}


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
