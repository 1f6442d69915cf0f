"""Reads csv and its relations: a guess of how it is written, and the rows by a given dialect."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest
from typing import Any, BinaryIO, Final

from backoffice.sheets.intake import bounds, charsets, escapes
from backoffice.sheets.intake.bounds import refuse

DELIMITERS: Final = ",;\t|"
_LONGEST_FIELD: Final = 1_000_000
_LINES: Final = 2000
"""Rows from which delimiter, decimal mark and date order are guessed."""
_EVEN: Final = 0.9
_POINT: Final = re.compile(r"[+-]?\d+\.\d+")
_COMMA: Final = re.compile(r"[+-]?\d+,\d+")
_BOTH: Final = re.compile(r"[+-]?\d{1,3}(?:(?P<group>[.,' \u00a0\u202f])\d{3})+(?P<mark>[.,])\d+")
_GROUPS: Final = re.compile(r"[+-]?\d{1,3}(?:(?P<group>[.,' \u00a0\u202f])\d{3})+")
_THREE: Final = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")
_DATE: Final = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:[ T]\d{1,2}:\d{2}.*)?")
_YEAR_DIGITS: Final = 4
_MONTHS: Final = 12
_DAYS: Final = 31


def guess(data: bytes) -> dict[str, Any]:
    """Return a dialect, the fields of it that a person has to confirm, and other encodings."""
    encodings, sure = charsets.ranked(data)
    unsure = [] if sure else ["encoding"]
    sample = _sample(data, encodings[0])
    delimiter, even = _delimiter(sample)
    quote = _quote(sample, delimiter)
    rows = _parsed(sample, delimiter, quote)
    decimal, thousands, plain = _marks(rows)
    dates, clear = _dates(rows)
    unsure += [name for name, known in (("delimiter", even), ("decimal", plain)) if not known]
    unsure += [] if clear else ["dates"]
    dialect = {
        "encoding": encodings[0],
        "delimiter": delimiter,
        "quote": quote,
        "decimal": decimal,
        "thousands": thousands,
        "dates": dates,
    }
    return {"dialect": dialect, "unsure": unsure, "encodings": encodings}


def rows(source: BinaryIO, dialect: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the records as lists of texts, without the apostrophes that our exports put in front.

    Raises RefusedError for bytes that the encoding cannot read, and for what is not a table.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        with io.TextIOWrapper(source, encoding=dialect["encoding"], newline="") as file:
            records = _bounded(_reader(_clean(file), dialect["delimiter"], dialect["quote"]))
            for record in records:
                yield [escapes.unescape(text) for text in record]
    except UnicodeError:
        refuse("encoding", encoding=dialect["encoding"])
    except csv.Error:
        refuse("quote")


def _reader(lines: Iterable[str], delimiter: str, quote: str) -> Iterator[list[str]]:
    if quote:
        return csv.reader(lines, delimiter=delimiter, quotechar=quote)
    return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)


def _bounded(records: Iterator[list[str]]) -> Iterator[list[str]]:
    for number, record in enumerate(records, 1):
        if len(record) > bounds.MAX_COLUMNS or number > bounds.MAX_ROWS:
            refuse("extent", **bounds.EXTENT)
        yield record


def _clean(file: Iterable[str]) -> Iterator[str]:
    for line in file:
        if "\0" in line:
            refuse("not-text")
        yield line


def _sample(data: bytes, encoding: str) -> list[str]:
    with io.TextIOWrapper(io.BytesIO(data), encoding=encoding, newline="") as file:
        return [line for line in islice(_clean(file), _LINES) if line.strip()]


def _parsed(lines: list[str], delimiter: str, quote: str) -> list[list[str]]:
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        return [row for row in _reader(lines, delimiter, quote) if any(row)]
    except csv.Error:
        return []


def _delimiter(lines: list[str]) -> tuple[str, bool]:
    """Return the mark that cuts most rows into the same number of fields, and if it is alone."""
    rates = {mark: _evenness(_parsed(lines, mark, '"')) for mark in DELIMITERS}
    best = max(DELIMITERS, key=lambda mark: rates[mark])
    others = [mark for mark in DELIMITERS if mark != best and rates[mark][0] >= _EVEN]
    if not rates[best][1]:
        return ",", True  # one column, whatever the mark
    rivals = [mark for mark in others if rates[mark][1] >= rates[best][1]]
    return best, rates[best][0] >= _EVEN and not rivals


def _evenness(parsed: list[list[str]]) -> tuple[float, int]:
    """Return the share of rows with the usual width beyond one, in tenths, and that width."""
    widths = Counter(len(row) for row in parsed)
    usual = max((width for width in widths if width > 1), key=lambda w: widths[w], default=0)
    share = widths[usual] / len(parsed) if usual and parsed else 0.0
    return min(round(share, 1), _EVEN), usual


def _quote(lines: list[str], delimiter: str) -> str:
    text = "".join(lines[:200])
    apostrophes = text.count(f"'{delimiter}'")
    return "'" if apostrophes > text.count(f'"{delimiter}"') and apostrophes > 1 else '"'


def _marks(parsed: list[list[str]]) -> tuple[str, str, bool]:
    """Return decimal mark, mark of thousands ("" for none), and whether both are certain."""
    seen: Counter[tuple[str, str]] = Counter()
    doubtful: Counter[str] = Counter()
    for row in parsed:
        for cell in row:
            _weigh(cell.strip(), seen, doubtful)
    if seen:
        (decimal, thousands), count = max(seen.items(), key=lambda item: (item[1], len(item[0][1])))
        thousands = thousands or _grouping(seen, doubtful, decimal)
        rivals = {mark for mark, _group in seen if mark and mark != decimal}
        return decimal or ".", thousands, bool(decimal and count) and not rivals
    if doubtful:
        mark = max(doubtful, key=lambda one: doubtful[one])
        return (".", ",", False) if mark == "," else (".", "", False)
    return ".", "", True


def _grouping(seen: Counter[tuple[str, str]], doubtful: Counter[str], decimal: str) -> str:
    groups = [group for mark, group in seen if group and mark in {"", decimal}]
    other = "," if decimal == "." else "."
    return groups[0] if groups else (other if doubtful[other] else "")


def _weigh(cell: str, seen: Counter[tuple[str, str]], doubtful: Counter[str]) -> None:
    """Note what one cell says about decimal marks and thousands."""
    if not cell or not (cell[0].isdigit() or cell[0] in "+-"):
        return
    if (match := _BOTH.fullmatch(cell)) and match["group"] != match["mark"]:
        seen[match["mark"], match["group"]] += 1
    elif _THREE.fullmatch(cell):
        doubtful["," if "," in cell else "."] += 1
    elif match := _GROUPS.fullmatch(cell):
        other = {",": ".", ".": ","}.get(match["group"], "")
        seen[other, match["group"]] += 1
    elif _COMMA.fullmatch(cell):
        seen[",", ""] += 1
    elif _POINT.fullmatch(cell):
        seen[".", ""] += 1


def _dates(parsed: list[list[str]]) -> tuple[str, bool]:
    """Return "iso", "dmy", "mdy" or "ymd", and whether no other order is possible.

    A month that stands first is never taken for certain: the next file may have no day above 12.
    """
    open_to: Counter[frozenset[str]] = Counter()
    for column in zip_longest(*parsed, fillvalue=""):
        filled = [cell.strip() for cell in column if cell.strip()]
        matches = [
            match for cell in filled if cell[0].isdigit() and (match := _DATE.fullmatch(cell))
        ]
        if 2 * len(matches) >= len(filled) - 1 > 0 or len(matches) == len(filled):
            open_to.update(map(_orders, matches))
    # Year-month-day can be told from the others in every cell, so it is read beside any of them.
    others = {possible for possible in open_to if possible != {"iso"}}
    if not others:
        return "iso", True
    common = frozenset.intersection(*others)
    for order in ("dmy", "mdy", "ymd"):
        if order in common:
            return order, len(common) == 1 and order != "mdy"
    votes = Counter(order for possible in others for order in possible)
    return max(("dmy", "mdy", "ymd"), key=lambda order: votes[order]), False


def _orders(match: re.Match[str]) -> frozenset[str]:
    """Return the orders in which the three numbers make a date."""
    first, second, third = match[1], int(match[3]), match[4]
    if len(first) == _YEAR_DIGITS:
        return frozenset({"iso" if match[2] == "-" else "ymd"})
    possible = set()
    if second <= _MONTHS and int(first) <= _DAYS:
        possible.add("dmy")
    if int(first) <= _MONTHS and second <= _DAYS:
        possible.add("mdy")
    short = len(third) < _YEAR_DIGITS
    if short and second <= _MONTHS and int(third) <= _DAYS and match[2] != ".":
        possible.add("ymd")
    return frozenset(possible or {"dmy"})
