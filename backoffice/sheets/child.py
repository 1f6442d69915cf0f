"""The child process that opens a stranger's file and writes its rows as JSON lines.

Run as a script with its task as a line of JSON on standard input, and the file after that line, it
imports nothing of this project: a file that crashes the library takes this process with it and
nothing else. Its limits are set before the first byte of the file is read. JSON, not pickle: what
comes out of here is not trusted.

Lines: {"sheet": name, "hidden": bool} · {"rows": [[row number, [cell, …]], …]} ·
{"end": {"rows": filled rows below the limit and beyond, "columns": n}} · {"note": [code, text]} ·
{"error": code} · {"done": true}
"""

import csv
import datetime as dt
import io
import json
import resource
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

BATCH = 500
# Beyond this a float no longer holds every whole number.
EXACT = 2**53
DELIMITERS = ",;\t|"
MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def main() -> int:
    """Read the file that the task describes; the exit code is 0 when told all."""
    task = json.loads(sys.stdin.buffer.readline())
    _limit(task)
    try:
        file = io.BytesIO(sys.stdin.buffer.read())
        sheets = _csv(file) if task["kind"] == "csv" else _workbook(task, file)
        for name, hidden, rows in sheets:
            _tell({"sheet": name, "hidden": hidden})
            keep = frozenset(task["keep"].get(name, ()))
            _tell({"end": _send(rows, task["limit"], keep)})
    except MemoryError:
        _tell({"error": "memory"})
        return 1
    except BaseException as error:  # noqa: BLE001 - calamine panics with a BaseException of its own
        _tell({"error": _code(error)})
        return 1
    _tell({"done": True})
    return 0


def _limit(task: dict[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (task["seconds"], task["seconds"]))
    resource.setrlimit(resource.RLIMIT_AS, (task["bytes"], task["bytes"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _tell(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def _code(error: BaseException) -> str:
    name = type(error).__name__
    known = {"PasswordError": "password", "NotTextError": "not-text"}
    return known.get(name, "not-text" if name == "UnicodeDecodeError" else "damaged")


def _send(rows: Iterable[list[Any]], limit: int | None, keep: frozenset[int]) -> dict[str, int]:
    """Write the filled rows in batches, at most `limit` of them, and return the extent.

    `keep` names rows that are told though the library shows nothing in them.
    """
    batch: list[tuple[int, list[Any]]] = []
    filled = columns = 0
    for number, raw in enumerate(rows, 1):
        cells = _plain(raw)
        if not cells and number not in keep:
            continue
        filled += 1
        columns = max(columns, len(cells))
        if limit is None or filled <= limit:
            batch.append((number, cells))
        if len(batch) == BATCH:
            _tell({"rows": batch})
            batch = []
    if batch:
        _tell({"rows": batch})
    return {"rows": filled, "columns": columns}


def _plain(raw: list[Any]) -> list[Any]:
    """Return JSON values without the empty cells at the end."""
    cells = [_cell(value) for value in raw]
    while cells and cells[-1] is None:
        cells.pop()
    return cells


def _cell(value: Any) -> Any:
    if value is None or value == "":
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= EXACT else value
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, dt.date):  # a datetime is a date
        return {"d": value.isoformat()}
    return {"x": str(value)}


def _workbook(
    task: dict[str, Any], file: io.BytesIO
) -> Iterator[tuple[str, bool, Iterable[list[Any]]]]:
    from python_calamine import (  # noqa: PLC0415 - not needed for csv, and only under the limits
        CalamineWorkbook,
        SheetTypeEnum,
        SheetVisibleEnum,
    )

    wanted = task["sheets"]
    with CalamineWorkbook.from_filelike(file) as book:
        for meta in book.sheets_metadata:
            chosen = wanted is None or meta.name in wanted
            if not chosen or meta.typ != SheetTypeEnum.WorkSheet:
                continue
            sheet = book.get_sheet_by_name(meta.name)
            # iter_rows leaves out the empty columns at the left; addresses must stay right.
            shift = sheet.start[1] if sheet.start else 0
            rows = ([None] * shift + row for row in sheet.iter_rows()) if sheet.start else []
            yield meta.name, meta.visible != SheetVisibleEnum.Visible, rows


class NotTextError(ValueError):
    """The file is neither a workbook nor text."""


def _csv(content: io.BytesIO) -> Iterator[tuple[str, bool, Iterable[list[Any]]]]:
    encoding = _encoding(content.getvalue())
    csv.field_size_limit(1_000_000)
    with io.TextIOWrapper(content, encoding=encoding, newline="") as file:
        head = list(islice(file, 20))
        if any("\0" in line for line in head):
            raise NotTextError
        delimiter = max(DELIMITERS, key=lambda mark: _evenness(head, mark))
        yield "", False, csv.reader(chain(head, file), delimiter=delimiter)


def _encoding(data: bytes) -> str:
    """Return the encoding by its mark, else UTF-8, else Windows-1252 with a note."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return encoding
    if b"\0" in data:
        raise NotTextError
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data.decode("cp1252", errors="strict")
        _tell({"note": ["encoding", "Windows-1252"]})
        return "cp1252"
    return "utf-8"


def _evenness(lines: list[str], mark: str) -> tuple[int, int]:
    """Prefer the mark that splits most of the lines into the same number of parts."""
    counts = [line.count(mark) for line in lines if line.strip()]
    if not counts or not max(counts):
        return 0, 0
    usual = max(set(counts) - {0}, key=counts.count)
    return counts.count(usual), usual


if __name__ == "__main__":
    sys.exit(main())
