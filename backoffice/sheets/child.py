"""The child process that opens a stranger's file and writes its rows as JSON lines.

Run as a script with its task as a line of JSON on standard input, and the file after that line. It
imports nothing of this project but the plain modules of `intake`: a file that crashes the library
takes this process with it and nothing else. Its limits are set before the first byte of the file
is read. JSON, not pickle: what comes out of here is not trusted.

Lines: {"seen": the inspection} · {"sheet": name} · batches of rows (`intake.batches`) ·
{"end": counts of the sheet} · {"merged": [[row, column, last row, last column], …]} ·
{"refused": [code, parameters]} · {"error": code} · {"done": true}
"""

import io
import json
import os
import resource
import sys
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from backoffice.sheets.intake import archives, batches, bounds, kinds, slices, texts
from backoffice.sheets.intake.bounds import Inspection, RefusedError

BLOCK = 1024 * 1024
LONG_LINE = 8 * 1024 * 1024
"""A batch that is longer is told in pieces."""
MERGED_ROWS = 40
"""Merged cells are told of so many rows: they matter for headers."""


def main() -> int:
    """Read the file that the task describes; the exit code is 0 when told all."""
    task = json.loads(sys.stdin.buffer.readline())
    task["heads"] = None if task["limit"] is None else batches.Heads(task["limit"])
    _limit(task)
    try:
        with _taken(sys.stdin.buffer) as file:
            _read(task, file)
    except RefusedError as error:
        _tell({"refused": [error.code, error.params]})
        return 1
    except MemoryError:
        _tell({"error": "memory"})
        return 1
    except BaseException as error:  # noqa: BLE001 - calamine panics with a BaseException of its own
        _tell({"error": "password" if type(error).__name__ == "PasswordError" else "damaged"})
        return 1
    _tell({"done": True})
    return 0


def _limit(task: dict[str, Any]) -> None:
    """Measuring needs little memory; more is given (`_allow`) to a file that was measured."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (task["seconds"], task["seconds"]))
    resource.setrlimit(resource.RLIMIT_AS, (task["measuring"], task["bytes"]))


def _allow(task: dict[str, Any]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (task["bytes"], task["bytes"]))


def _tell(line: dict[str, Any]) -> None:
    _write(_told(line))


def _tell_rows(batch: dict[str, Any]) -> None:
    text = _told(batch)
    if len(text) <= LONG_LINE or len(batch["cols"][0][1]) == 1:
        _write(text)
        return
    del text
    for half in batches.halves(batch):
        _tell_rows(half)


def _told(line: dict[str, Any]) -> str:
    return json.dumps(line, separators=(",", ":"))


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def _taken(pipe: BinaryIO) -> Iterator[BinaryIO]:
    """Give the file a place where the library reads it without a copy: in memory, on no disk."""
    with _place() as file:
        size = 0
        while size <= bounds.MAX_BYTES and (block := pipe.read(BLOCK)):
            size += len(block)
            file.write(block)
        file.seek(0)
        # From here on nothing is written anywhere.
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        yield file


def _place() -> BinaryIO:
    if not hasattr(os, "memfd_create"):
        return io.BytesIO()
    return os.fdopen(os.memfd_create("sheet"), "w+b")


def _read(task: dict[str, Any], file: BinaryIO) -> None:
    found = _seen(task, file)
    _tell({"seen": found.as_json()})
    if not task["rows"]:
        return
    _allow(task)
    file.seek(0)
    if found.kind == "csv":
        rows = texts.rows(file, found.guess["dialect"] | task["dialect"])
        _send(task, "", [(1, rows)], found)
    else:
        _workbook(task, file, found)


def _seen(task: dict[str, Any], file: BinaryIO) -> Inspection:
    """Measure the file, unless this very file was measured before and nothing has to be marked."""
    if task["seen"]:
        sheets = {name: bounds.SheetNotes() for name in task["seen"]["sheets"]}
        return Inspection(task["seen"]["kind"], sheets, guess=task["seen"]["guess"])
    return kinds.inspect(file)


def _workbook(task: dict[str, Any], file: BinaryIO, found: Inspection) -> None:
    from python_calamine import (  # noqa: PLC0415 - not needed for csv, and only under the limits
        CalamineWorkbook,
        SheetTypeEnum,
    )

    wanted = task["sheets"]
    with CalamineWorkbook.from_object(_for_library(file)) as book:
        for meta in book.sheets_metadata:
            chosen = wanted is None or meta.name in wanted
            if not chosen or meta.typ != SheetTypeEnum.WorkSheet or meta.name not in found.sheets:
                continue
            if pieces := _slices(task, meta.name, file, found):
                _send(task, meta.name, pieces, found)
                continue
            sheet = book.get_sheet_by_name(meta.name)
            _send(task, meta.name, [(1, _cells(sheet))], found)
            if merged := _merged(sheet):
                _tell({"merged": merged})


def _slices(
    task: dict[str, Any], name: str, file: BinaryIO, found: Inspection
) -> Iterator[tuple[int, Iterator[list[Any]]]] | None:
    """Return what yields (first row, rows) of the slices of a large sheet; None for another."""
    if found.kind != "xlsx":
        return None
    meter = archives.Meter(zipfile.ZipFile(file))
    path = slices.large(meter, name, task["slice"])
    return _sliced(slices.workbooks(meter, path, task["slice"]), name) if path else None


def _sliced(
    workbooks: Iterator[io.BytesIO], name: str
) -> Iterator[tuple[int, Iterator[list[Any]]]]:
    from python_calamine import CalamineWorkbook  # noqa: PLC0415 - only under the limits

    for place in workbooks:
        with CalamineWorkbook.from_filelike(place) as book:
            place.close()
            sheet = book.get_sheet_by_name(name)
            if sheet.start:
                # The library begins at the first row of the sheet, wherever the slice begins.
                yield sheet.start[0] + 1, islice(_cells(sheet), sheet.start[0], None)


def _for_library(file: BinaryIO) -> BinaryIO | str:
    return file if isinstance(file, io.BytesIO) else f"/proc/self/fd/{file.fileno()}"


def _cells(sheet: Any) -> Iterator[list[Any]]:
    """Yield rows whose addresses are right: the library leaves out what is empty at the left."""
    if not sheet.start:
        return iter(())
    shift = sheet.start[1]
    rows: Iterator[list[Any]] = sheet.iter_rows()
    return ([None] * shift + row for row in rows) if shift else rows


def _merged(sheet: Any) -> list[list[int]]:
    ranges = sheet.merged_cell_ranges or []
    return [
        [first[0] + 1, first[1] + 1, last[0] + 1, last[1] + 1]
        for first, last in ranges
        if first[0] < MERGED_ROWS
    ][:1000]


def _send(
    task: dict[str, Any],
    name: str,
    pieces: Iterable[tuple[int, Iterable[list[Any]]]],
    found: Inspection,
) -> None:
    """Tell the rows of a sheet, which come in pieces with the number of their first row."""
    notes = found.sheets[name]
    errors: dict[int, dict[int, str]] = {}
    for (row, column), code in notes.errors.items():
        errors.setdefault(row, {})[column] = code
    count = batches.Count()
    _tell({"sheet": name})
    for first, rows in pieces:
        count.blank += first - 1 - count.rows - count.blank
        for batch in batches.encoded(rows, errors, count, first=first, heads=task["heads"]):
            _tell_rows(batch)
    count.columns = max(count.columns, notes.columns)
    _tell({"end": asdict(count)})


if __name__ == "__main__":
    sys.exit(main())
