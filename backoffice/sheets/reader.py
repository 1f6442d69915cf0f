"""Rows of a workbook or csv file, read in a child process with limits of memory and time."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final

from django.utils.translation import gettext as _

from backoffice.files.sealing import CHUNK, DamagedError
from backoffice.sheets import guard
from backoffice.sheets.errors import ReadError
from backoffice.sheets.guard import Source

CHILD: Final = Path(__file__).with_name("child.py")
MEMORY: Final = 1024**3
"""Address space of the child, in bytes."""
SECONDS: Final = 60
"""Time of the child, by the clock of its processor and by the clock on the wall."""
LONGEST_LINE: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CellError:
    """A cell that holds no value: `code` is "error-cell", "no-stored-value" or "odd-type"."""

    code: str
    text: str = ""


Value = str | int | float | bool | datetime | CellError | None


@dataclass(frozen=True, slots=True)
class RawRow:
    """A filled row as it stands in the file; `number` counts from 1 as the program shows it."""

    sheet: str
    number: int
    cells: tuple[Value, ...]


@dataclass(slots=True)
class Outline:
    """A sheet at a glance: how many rows are filled, and the first of them."""

    name: str
    hidden: bool
    rows: int
    columns: int
    head: list[RawRow]


def outline(
    source: Source, *, limit: int = 30
) -> tuple[guard.Inspection, list[Outline], list[str]]:
    """Return the inspection, each sheet with its first `limit` rows, and notes for people.

    Raises ReadError, as `rows` does.
    """
    with _as_kept():
        return _outline(source, limit)


def _outline(source: Source, limit: int) -> tuple[guard.Inspection, list[Outline], list[str]]:
    inspection = guard.inspect(source)
    result: list[Outline] = []
    notes: list[str] = []
    for line in _lines(source, inspection, None, limit, SECONDS):
        if "sheet" in line:
            result.append(Outline(line["sheet"], line["hidden"], 0, 0, []))
        elif "rows" in line:
            result[-1].head.extend(_rows(line["rows"], result[-1].name, inspection))
        elif "end" in line:
            result[-1].rows, result[-1].columns = line["end"]["rows"], line["end"]["columns"]
        elif "note" in line:
            notes.append(_note(*line["note"]))
    return inspection, result, notes


def rows(
    source: Source, *, sheets: Collection[str] | None = None, seconds: int = SECONDS
) -> Iterator[RawRow]:
    """Yield the filled rows of the chosen sheets, in the order of the workbook.

    Raises ReadError for a file that is refused, damaged, protected, too large or too slow, and for
    one that is gone or not as it was kept.
    """
    with _as_kept():
        inspection = guard.inspect(source)
        name = ""
        for line in _lines(source, inspection, sheets, None, seconds):
            if "sheet" in line:
                name = line["sheet"]
            elif "rows" in line:
                yield from _rows(line["rows"], name, inspection)


@contextmanager
def _as_kept() -> Iterator[None]:
    try:
        yield
    except (DamagedError, FileNotFoundError):
        text = _("The stored file is not the one that was uploaded. Upload it again.")
        raise ReadError(text) from None


def _rows(
    lines: list[tuple[int, list[Any]]], sheet: str, inspection: guard.Inspection
) -> Iterator[RawRow]:
    notes = inspection.sheets.get(sheet)
    if notes is None or not notes.errors:
        yield from (RawRow(sheet, number, tuple(map(_value, cells))) for number, cells in lines)
        return
    marked = _by_row(notes.errors)
    for number, cells in lines:
        values = list(map(_value, cells))
        for column, code in marked.get(number, {}).items():
            values.extend([None] * (column - len(values)))
            values[column - 1] = CellError(code)
        yield RawRow(sheet, number, tuple(values))


def _by_row(errors: dict[tuple[int, int], str]) -> dict[int, dict[int, str]]:
    result: dict[int, dict[int, str]] = {}
    for (row, column), code in errors.items():
        result.setdefault(row, {})[column] = code
    return result


def _value(raw: Any) -> Value:
    if not isinstance(raw, dict):
        return raw  # type: ignore[no-any-return]
    if "d" in raw:
        return datetime.fromisoformat(raw["d"])
    return CellError("odd-type", str(raw.get("x", "")))


def _lines(
    source: Source,
    inspection: guard.Inspection,
    sheets: Collection[str] | None,
    limit: int | None,
    seconds: int,
) -> Iterator[dict[str, Any]]:
    task = {
        "kind": inspection.kind,
        "sheets": None if sheets is None else sorted(sheets),
        "limit": limit,
        "seconds": seconds,
        "bytes": MEMORY,
        "keep": {
            name: sorted({row for row, _column in notes.errors})
            for name, notes in inspection.sheets.items()
        },
    }
    with _child(task, source, seconds) as (process, late):
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in _bounded(process.stdout):
            if "error" in line:
                raise ReadError(_reason(line["error"]))
            if "done" in line:
                return
            yield line
        process.wait()
        raise ReadError(_reason("slow" if late.is_set() else "damaged"))


@contextmanager
def _child(
    task: dict[str, Any], source: Source, seconds: int
) -> Iterator[tuple[subprocess.Popen[bytes], threading.Event]]:
    """Run the child; it is gone when the block is left, however that happens."""
    late = threading.Event()
    # An empty environment: the child has no use for the secrets of this process.
    process = subprocess.Popen(  # noqa: S603 - our own script, the task is data to it
        [sys.executable, "-I", str(CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
    )

    def stop() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        _hand_over(process, task, source)
        yield process, late
    finally:
        timer.cancel()
        process.kill()
        if process.stdout is not None:
            process.stdout.close()
        process.wait()


def _hand_over(process: subprocess.Popen[bytes], task: dict[str, Any], source: Source) -> None:
    """Give the child its task and the file, which lies nowhere in clear.

    A child that died before it had read all says so by its silence.
    """
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    with suppress(BrokenPipeError), source.open("rb") as file, process.stdin as pipe:
        pipe.write(json.dumps(task).encode() + b"\n")
        shutil.copyfileobj(file, pipe, CHUNK)


def _bounded(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    while data := stream.readline(LONGEST_LINE):
        if not data.endswith(b"\n"):
            return
        yield json.loads(data)


def _reason(code: str) -> str:
    if code == "password":
        return _("The workbook is protected by a password. Save it without one.")
    if code == "not-text":
        return _("This is neither a workbook nor readable text. Save it as .xlsx or CSV UTF-8.")
    if code in {"slow", "memory"}:
        return _("The file takes too long or too much memory to read. Split it and retry.")
    return _("The file is damaged and cannot be read. Open it, save it again and retry.")


def _note(code: str, text: str) -> str:
    if code == "encoding":
        return _("The text is not UTF-8; it was read as %s. Check letters with accents.") % text
    return text
