"""Rows of a workbook or csv file, read in a child process with limits of memory and time."""

import json
import shutil
import signal
import subprocess
import sys
import threading
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count as counted
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from django.utils.translation import gettext as _

from backoffice.files.sealing import CHUNK, DamagedError
from backoffice.sheets.errors import ReadError, refusal
from backoffice.sheets.notes import remarks
from backoffice.sheets.reading import patience
from backoffice.sheets.reading.guard import Source

if TYPE_CHECKING:
    from backoffice.sheets.reading.dialects import Dialect

CHILD: Final = Path(__file__).parent.parent / "child.py"
MEMORY: Final = 1024**3
"""Address space of the child, in bytes; what it really holds is about half of it."""
MEASURING: Final = 300 * 1024**2
"""Its address space until the file is measured."""
SLICE: Final = 24 * 1024**2
"""Bytes of XML: a sheet of more than two such slices is read slice by slice."""
SECONDS: Final = 120
"""Time of the child, by the clock of its processor and by the clock on the wall."""
_OUT_OF_TIME: Final = (-signal.SIGKILL, -signal.SIGXCPU)
LONGEST_LINE: Final = 64 * 1024 * 1024
"""Bytes of JSON that are held at once: a row of such a length is refused."""
LONGEST_HEAD: Final = 8 * 1024 * 1024
"""The same for a look, by which a page waits."""


@dataclass(frozen=True, slots=True)
class CellError:
    """A cell that holds no value: `code` is "error-cell", "no-stored-value" or "odd-type"."""

    code: str
    text: str = ""


Value = str | int | float | bool | datetime | CellError | None


class RawRow(NamedTuple):
    """A filled row as it stands in the file; `number` counts from 1 as the program shows it."""

    sheet: str
    number: int
    cells: tuple[Value, ...]


class Batch(NamedTuple):
    """Filled rows column by column: all columns are as long as `numbers`."""

    sheet: str
    numbers: Sequence[int]
    columns: list[list[Value]]

    def below(self, number: int) -> "Batch":
        """Return the rows after the one of this number."""
        first = bisect_right(self.numbers, number)
        return Batch(self.sheet, self.numbers[first:], [one[first:] for one in self.columns])


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the child saw before anything was read (`intake.bounds.Inspection.as_json`)."""

    kind: str
    sheets: dict[str, dict[str, Any]] = field(default_factory=dict)
    macros: bool = False
    guess: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return plain values, to be given to `rows` as `seen` for the same file."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Outline:
    """A sheet at a glance: how many rows are filled, and the first of them.

    `blank` counts empty rows among them, `spaces` cells of white space in the first ones;
    `hidden_rows` are filled rows that the program does not show. `merged` are (row, column, last
    row, last column) near the top, from 1.
    """

    name: str
    hidden: bool
    rows: int
    columns: int
    head: list[RawRow]
    blank: int = 0
    spaces: int = 0
    very_hidden: bool = False
    hidden_rows: int = 0
    filtered: bool = False
    errors: int = 0
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)


def inspect(source: Source) -> Inspection:
    """Return what the child sees without reading any rows. Raises ReadError, as `rows` does."""
    with _as_kept(), patience.look() as wall:
        for line in _lines(source, {"rows": False}, wall=wall, longest=LONGEST_HEAD):
            if "seen" in line:
                return Inspection(**line["seen"])
    raise refusal("damaged")


def outline(
    source: Source, *, limit: int = 30, dialect: "Dialect | None" = None
) -> tuple[Inspection, list[Outline], list[str]]:
    """Return the inspection, each sheet with its first `limit` rows, and notes for people.

    Long texts are cut, and rows are left out where the first ones of all sheets hold very much.

    A csv file is read by the dialect, else by that of the source, else as it is guessed. Raises
    ReadError, as `rows` does.
    """
    inspection = Inspection("")
    result: list[Outline] = []
    task = {"limit": limit} | _spoken(source, dialect)
    with _as_kept(), patience.look() as wall:
        for line in _lines(source, task, wall=wall, longest=LONGEST_HEAD):
            if "seen" in line:
                inspection = Inspection(**line["seen"])
            elif "sheet" in line:
                result.append(_outlined(line["sheet"], inspection))
            elif "at" in line:
                result[-1].head.extend(_rows(result[-1].name, line))
            elif "end" in line:
                for name, value in line["end"].items():
                    setattr(result[-1], name, value)
            elif "merged" in line:
                result[-1].merged = [tuple(one) for one in line["merged"]]
    return inspection, result, remarks(inspection, result)


def _outlined(name: str, inspection: Inspection) -> Outline:
    seen = inspection.sheets.get(name, {})
    return Outline(
        name,
        bool(seen.get("hidden")),
        0,
        0,
        [],
        very_hidden=seen.get("hidden") == "very hidden",
        hidden_rows=seen.get("hidden_rows", 0),
        filtered=seen.get("filtered", False),
        errors=seen.get("errors", 0),
    )


def rows(
    source: Source,
    *,
    sheets: Collection[str] | None = None,
    seconds: int = SECONDS,
    dialect: "Dialect | None" = None,
    seen: Mapping[str, Any] | None = None,
) -> Iterator[RawRow]:
    """Yield the filled rows of the chosen sheets, in the order of the workbook.

    `seen` is what `Inspection.as_json` said of this very file, by default what the source has as
    `seen`: it is not measured again, unless cells have to be marked. A csv file is read by the
    dialect, else by that of the source, else as it is guessed.

    Raises ReadError for a file that is refused, damaged, protected, too large or too slow, and for
    one that is gone or not as it was kept.
    """
    for name, line in _told(source, sheets, seconds, dialect, seen):
        yield from _rows(name, line)


def batches(
    source: Source,
    *,
    sheets: Collection[str] | None = None,
    seconds: int = SECONDS,
    dialect: "Dialect | None" = None,
    seen: Mapping[str, Any] | None = None,
) -> Iterator[Batch]:
    """Yield what `rows` yields, some thousand rows at a time, as columns."""
    for name, line in _told(source, sheets, seconds, dialect, seen):
        columns = [_values(tag, values) for tag, values in line["cols"]]
        yield Batch(name, _numbers(line), columns)


def _told(
    source: Source,
    sheets: Collection[str] | None,
    seconds: int,
    dialect: "Dialect | None",
    seen: Mapping[str, Any] | None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (sheet, batch as the child told it)."""
    task = {"sheets": None if sheets is None else sorted(sheets)} | _spoken(source, dialect)
    seen = seen or getattr(source, "seen", None)
    if seen and not any(sheet["errors"] for sheet in seen["sheets"].values()):
        task["seen"] = dict(seen)
    name = ""
    with _as_kept():
        for line in _lines(source, task, seconds):
            if "sheet" in line:
                name = line["sheet"]
            elif "at" in line:
                yield name, line


def _spoken(source: Source, dialect: "Dialect | None") -> dict[str, Any]:
    known = dialect.as_json() if dialect else getattr(source, "dialect", None)
    return {"dialect": dict(known or {})}


@contextmanager
def _as_kept() -> Iterator[None]:
    try:
        yield
    except (DamagedError, FileNotFoundError):
        text = _("The stored file is not the one that was uploaded. Upload it again.")
        raise ReadError(text) from None


def _numbers(line: dict[str, Any]) -> Sequence[int]:
    at = line["at"]
    if isinstance(at, int):
        return range(at, at + len(line["cols"][0][1]))
    return at  # type: ignore[no-any-return]


def _rows(sheet: str, line: dict[str, Any]) -> Iterator[RawRow]:
    at = line["at"]
    columns = [_values(tag, values) for tag, values in line["cols"]]
    numbers = counted(at) if isinstance(at, int) else at
    for number, cells in zip(numbers, zip(*columns, strict=True), strict=False):
        yield RawRow(sheet, number, cells if cells[-1] is not None else _trimmed(cells))


def _trimmed(cells: tuple[Value, ...]) -> tuple[Value, ...]:
    """Leave out the empty cells at the end."""
    end = len(cells)
    while end and cells[end - 1] is None:
        end -= 1
    return cells[:end]


def _values(tag: str, values: list[Any]) -> list[Value]:
    if tag == "p":
        return values
    if tag == "d":
        read = datetime.fromisoformat
        return [None if value is None else read(value) for value in values]
    return [_value(value) for value in values]


def _value(raw: Any) -> Value:
    if not isinstance(raw, dict):
        return raw  # type: ignore[no-any-return]
    if "d" in raw:
        return datetime.fromisoformat(raw["d"])
    if "e" in raw:
        return CellError(raw["e"])
    return CellError("odd-type", str(raw.get("x", "")))


def _lines(
    source: Source,
    asked: dict[str, Any],
    seconds: int = patience.ON_PROCESSOR,
    *,
    wall: float | None = None,
    longest: int = LONGEST_LINE,
) -> Iterator[dict[str, Any]]:
    """Yield what the child tells, in so many seconds of its processor, and by the clock."""
    task = {
        "sheets": None,
        "limit": None,
        "dialect": {},
        "seen": None,
        "rows": True,
        "seconds": seconds,
        "bytes": MEMORY,
        "measuring": MEASURING,
        "slice": SLICE,
    } | asked
    with _child(task, source, wall or seconds) as (process, late):
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in _bounded(process.stdout, longest):
            if "refused" in line:
                raise refusal(*line["refused"])
            if "error" in line:
                raise refusal("slow" if line["error"] == "memory" else line["error"])
            if "done" in line:
                return
            yield line
        process.wait()
        slow = late.is_set() or process.returncode in _OUT_OF_TIME
        raise refusal("slow" if slow else "damaged")


@contextmanager
def _child(
    task: dict[str, Any], source: Source, seconds: float
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


def _bounded(stream: IO[bytes], longest: int) -> Iterator[dict[str, Any]]:
    while data := stream.readline(longest):
        if not data.endswith(b"\n"):
            if len(data) == longest:  # the child waits to be read on: it would not end by itself
                raise refusal("slow")
            return
        yield json.loads(data)
