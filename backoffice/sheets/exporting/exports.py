"""Files of rows for spreadsheet programs and machines: csv, xlsx and json, written as rows come.

Each takes a name without ending, heads and rows. Values of masked fields are masks by nature. Who
exports is recorded by the caller.

In csv a text that begins with = + - @, a tab or a line end would run as a formula when the file is
opened, so an apostrophe is put before it, and before a text that begins with one. `unescape` takes
exactly that apostrophe off again: a text that leaves by csv comes in as it was. Numbers stay bare.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import batched
from math import isfinite
from typing import Any, Final

from django.http import StreamingHttpResponse
from django.utils import timezone
from openpyxl.cell import WriteOnlyCell

from backoffice.sheets.exporting import copied_out, xlsx_writer
from backoffice.sheets.intake.escapes import ESCAPED, FORMULA_STARTS, safe_text, unescape

__all__ = [
    "FORMULA_STARTS",
    "PARTS",
    "XLSX_TYPE",
    "answer",
    "cell",
    "csv_lines",
    "csv_parts",
    "json_parts",
    "safe_text",
    "stream_csv",
    "stream_json",
    "unescape",
    "write_xlsx",
]

XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
BOM: Final = "\N{ZERO WIDTH NO-BREAK SPACE}"
# What makes quotation marks necessary.
_MARKS: Final = (",", '"', "\r", "\n")
# A batch is small enough that the first one is there at once.
_BATCH: Final = 200
# What csv writes as str() does; a bool is an int to Python, but its type is not in here.
_AS_IS: Final = frozenset({int, float, Decimal, date, datetime, type(None)})

Row = Sequence[Any]
Parts = Callable[[str, Sequence[str], Iterable[Row]], Iterator[bytes]]


def csv_lines(heads: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield the csv file in blocks of lines; the heads come before the first row is asked for."""
    yield BOM + _lines([[str(head) for head in heads]])
    for batch in batched(rows, _BATCH):
        yield _lines(batch)


def _lines(batch: Sequence[Row]) -> str:
    """Return the rows, made column by column: what holds for a column is asked once."""
    columns = [_column(values) for values in zip(*batch, strict=True)]
    if len(columns) == 1:  # an empty line would be no row
        columns = [[text or '""' for text in columns[0]]]
    lines = map(",".join, zip(*columns, strict=True)) if columns else [""] * len(batch)
    return f"{'\r\n'.join(lines)}\r\n"


def _column(values: Sequence[Any]) -> Sequence[str]:
    kinds = set(map(type, values))
    if kinds <= _AS_IS:
        if type(None) in kinds:
            return ["" if value is None else str(value) for value in values]
        return list(map(str, values))
    if kinds != {str}:
        return [_plain(value) for value in values]
    joined = "\0".join(values)
    if joined.count("\0") >= len(values) or any(mark in joined for mark in _MARKS):
        return [_field(value) for value in values]
    return values if _runs_nothing(values) else list(map(safe_text, values))


def _runs_nothing(texts: Sequence[str]) -> bool:
    return ESCAPED.isdisjoint([text[:1] for text in texts])


def _field(text: str) -> str:
    """Return a text as csv has it. NUL, which no reader takes, becomes the picture of it."""
    text = safe_text(text).replace("\0", "\N{SYMBOL FOR NULL}")
    if any(mark in text for mark in _MARKS):
        return f'"{text.replace('"', '""')}"'
    return text


def _plain(value: object) -> str:
    """Return the field of a value of any kind: numbers and dates bare, nothing as nothing."""
    if isinstance(value, str):
        return _field(str(value))
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal | date):
        return str(value)
    return _field(xlsx_writer.text_of(value))


def csv_parts(name: str, heads: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield a csv file, UTF-8 with a byte order mark; by COPY where the rows allow it."""
    parts = copied_out.parts(rows)
    if parts is None:
        return (text.encode(errors="replace") for text in csv_lines(heads, rows))
    return _with_heads(heads, parts)


def _with_heads(heads: Sequence[str], parts: Iterator[bytes]) -> Iterator[bytes]:
    yield from (text.encode(errors="replace") for text in csv_lines(heads, ()))
    yield from parts


def json_parts(name: str, heads: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield an array of objects, a row a line; dates by ISO 8601, decimals as text."""
    keys = [str(head) for head in heads]
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
    between = "\n"
    yield b"["
    for batch in batched(rows, _BATCH):
        lines = [encode(dict(zip(keys, map(_json, row), strict=True))) for row in batch]
        yield (between + ",\n".join(lines)).encode(errors="replace")
        between = ",\n"
    yield b"\n]\n"


def _json(value: Any) -> Any:
    if isinstance(value, date):  # a datetime is a date
        return value.isoformat()
    return value if type(value) is not float or isfinite(value) else str(value)


PARTS: Final[dict[str, Parts]] = {
    "csv": csv_parts,
    "xlsx": xlsx_writer.stream,
    "json": json_parts,
}
TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": XLSX_TYPE,
    "json": "application/json; charset=utf-8",
}


def answer(
    kind: str, name: str, heads: Sequence[str], rows: Iterable[Row]
) -> StreamingHttpResponse:
    """Return the file as an answer that is sent while the rows are read."""
    return StreamingHttpResponse(
        PARTS[kind](name, heads, rows),
        content_type=TYPES[kind],
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{name}.{kind}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def stream_csv(name: str, heads: Sequence[str], rows: Iterable[Row]) -> StreamingHttpResponse:
    """Return the rows as UTF-8 csv with a byte order mark."""
    return answer("csv", name, heads, rows)


def write_xlsx(name: str, heads: Sequence[str], rows: Iterable[Row]) -> StreamingHttpResponse:
    """Return the rows as a workbook."""
    return answer("xlsx", name, heads, rows)


def stream_json(name: str, heads: Sequence[str], rows: Iterable[Row]) -> StreamingHttpResponse:
    """Return the rows as an array of objects, the heads as their keys."""
    return answer("json", name, heads, rows)


def cell(sheet: Any, value: object) -> Any:
    """Return a cell for a write-only sheet of openpyxl; text never becomes a formula or an error.

    For the small workbooks with colours and comments; large ones are `xlsx_writer`'s.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = timezone.make_naive(value)
    if value is None or isinstance(value, bool | int | float | Decimal | date):
        return WriteOnlyCell(sheet, value=value)  # type: ignore[arg-type]
    text = str(value)
    made = WriteOnlyCell(sheet, value=None)
    made.value = xlsx_writer.escaped(text)
    made.data_type = "s"
    made.quotePrefix = text[:1] in ESCAPED
    return made
