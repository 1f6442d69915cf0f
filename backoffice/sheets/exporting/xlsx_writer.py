"""Workbooks written while their rows come in: bytes leave at once, memory stays flat.

One sheet, and a next one when it is full. Text stands inside its cell (inline), so nothing has to
be held for the end; the archive has the sizes of its members behind them. Dates, numbers and yes or
no are typed; text never becomes a formula. What XML cannot hold is written as _xHHHH_, the way of
Office, and reads back as it was.

A cell holds at most 32,767 characters. What is longer is cut, and a last sheet names the cells.
"""

import json
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from math import isfinite
from typing import IO, Any, Final, cast
from zipfile import ZIP_DEFLATED, ZipFile

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

MOST_ROWS: Final = 1_048_576
MOST_TEXT: Final = 32_767
MOST_NAME: Final = 31
# Without a size of 64 bits behind a member, it may have 4 GiB; the sheet before that is full.
MOST_BYTES: Final = 4_000_000_000
# Digits that a cell keeps of a number.
MOST_DIGITS: Final = 15
NAMED_CUTS: Final = 1000
BATCH: Final = 500
CHUNK: Final = 64 * 1024
# Text that other programs read as a formula is marked as typed text; a leading apostrophe is kept.
STARTS: Final = frozenset("=+-@\t\r\n'")

_HEAD, _DATE, _MOMENT, _QUOTED = 1, 2, 3, 4
_FORBIDDEN = "\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff"
_SPECIAL: Final = re.compile(rf"[&<>\r{_FORBIDDEN}]|_x[0-9A-Fa-f]{{4}}|\A[\s=+\-@']|\s\Z")
# An underscore that would begin an escape, and the characters that need one.
_ESCAPED: Final = re.compile(rf"_(?=x[0-9A-Fa-f]{{4}}[_{_FORBIDDEN}])|[{_FORBIDDEN}]")
_MARKUP: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
# Between texts that are looked at as one; where one of them holds it, each is looked at by itself.
_MARK: Final = "`"
_EDGES: Final = (f" {_MARK}", *(f"{_MARK}{start}" for start in " =+-@'"))
_EXACT: Final = 10**MOST_DIGITS
# A column whose texts stand there so often, on the average, is made from its different texts.
_FEW: Final = 4
_NO_NAME: Final = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_BEFORE: Final = datetime(1899, 12, 30)  # noqa: DTZ001 - a sheet has no zones
# Day 60 of a sheet is a 29 February 1900 that never was.
_FIRST: Final = datetime(1900, 3, 1)  # noqa: DTZ001 - a sheet has no zones
_RECENT: Final = datetime(1901, 1, 1, tzinfo=UTC)
_LATE: Final = datetime(9999, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_STYLES: Final = (
    f'{_XML}<styleSheet xmlns="{_MAIN}"><numFmts count="2">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="5"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)
_ROOT: Final = (
    f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)
_SHEET: Final = (
    f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    '<selection pane="bottomLeft"/></sheetView></sheetViews>'
    '<sheetFormatPr defaultRowHeight="15"/>'
)
_BOOK: Final = (
    f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">'
    "<bookViews><workbookView/></bookViews><sheets>{}</sheets></workbook>"
)
_LINKS: Final = f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{{}}</Relationships>'
_LINK: Final = f'<Relationship Id="{{}}" Type="{_OFFICE}/{{}}" Target="{{}}.xml"/>'
_PART: Final = f'<Override PartName="/xl/{{}}.xml" ContentType="{_KIND}.{{}}+xml"/>'
_TYPES: Final = (
    f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>{}</Types>'
)

Row = Sequence[Any]


def stream(name: str, heads: Sequence[str], rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield the parts of a workbook; the first one before the first row is asked for."""
    sink, cells, titles = _Sink(), Cells(), list[str]()
    with ZipFile(cast("IO[bytes]", sink), "w", ZIP_DEFLATED, compresslevel=1) as book:
        book.writestr("_rels/.rels", _ROOT)
        book.writestr("xl/styles.xml", _STYLES)
        yield sink.take()
        source = iter(rows)
        left: list[Row] | None = []
        while left is not None:
            titles.append(sheet_name(name, len(titles) + 1))
            left = yield from _sheet(book, sink, cells, heads, source, left, len(titles))
        if cells.cut:
            titles.append(_other_name(_("Notes"), titles))
            notes = iter([(line,) for line in cells.told()])
            yield from _sheet(book, sink, Cells(), [_("Cut texts")], notes, [], len(titles))
        for member, text in _ends(titles):
            book.writestr(member, text)
    yield sink.take()


class _Sink:
    """What the archive is written to; it cannot go back, so sizes stand behind the members."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.held = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self.held += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: whoever takes, takes all."""

    def take(self) -> bytes:
        """Return what was written since."""
        data = b"".join(self._parts)
        self._parts.clear()
        self.held = 0
        return data


def _sheet(
    book: ZipFile,
    sink: _Sink,
    cells: "Cells",
    heads: Sequence[str],
    rows: Iterator[Row],
    left: list[Row],
    number: int,
) -> Generator[bytes, None, list[Row] | None]:
    """Yield the parts of a sheet; return the rows that had no place in it, None for no more."""
    size, first = 0, f"{_SHEET}{_columns(len(heads))}<sheetData>"
    with book.open(f"xl/worksheets/sheet{number}.xml", "w") as file:
        file.write((first + cells.head(heads)).encode())
        room = MOST_ROWS - 1
        while (batch := left or list(islice(rows, BATCH))) and room and size < MOST_BYTES:
            batch, left = batch[:room], batch[room:]
            cells.sheet, cells.at = number, MOST_ROWS - room + 1
            size += file.write(cells.rows(batch).encode())
            room -= len(batch)
            if sink.held >= CHUNK:
                yield sink.take()
        file.write(b"</sheetData></worksheet>")
    return batch or None


def _columns(count: int) -> str:
    if not count:
        return ""
    return f'<cols><col min="1" max="{count}" width="18" customWidth="1"/></cols>'


class Cells:
    """Turns values into cells, each kind of value in a way that is looked up once."""

    def __init__(self) -> None:
        self.sheet = self.at = self.cut = 0
        self._named: list[str] = []
        self._zone = timezone.get_current_timezone()
        self._ways: dict[type, Callable[[Any], str]] = {
            type(None): _empty,
            str: self.text,
            bool: _yes_or_no,
            int: self._whole,
            float: self._float,
            Decimal: self._decimal,
            date: self._date,
            datetime: self._moment,
        }

    def rows(self, batch: Sequence[Row]) -> str:
        """Return the rows, made column by column: what holds for a column is asked once."""
        columns = [self._column(values) for values in zip(*batch, strict=True)]
        made = map("".join, zip(*columns, strict=True)) if columns else [""] * len(batch)
        return f"<row>{'</row><row>'.join(made)}</row>"

    def _column(self, values: Sequence[Any]) -> Sequence[str]:
        kinds = set(map(type, values))
        if kinds == {str}:
            return self._texts(values)
        if kinds == {int} and min(values) > -_EXACT and max(values) < _EXACT:
            return [f"<c><v>{value}</v></c>" for value in values]
        if kinds == {Decimal} and (exact := _exact(values)):
            return [f"<c><v>{value}</v></c>" for value in exact]
        if kinds == {datetime} and _is_recent(values):
            zone = self._zone
            local = [value.astimezone(zone).replace(tzinfo=None) for value in values]
            days = [(value - _BEFORE) / _DAY for value in local]
            return [f'<c s="{_MOMENT}"><v>{day:.9f}</v></c>' for day in days]
        return self._each(values)

    def _each(self, values: Sequence[Any]) -> Sequence[str]:
        """Return the cells one by one, so that a text that is cut can be named by its row."""
        made, first, ways = list[str](), self.at, self._ways
        for self.at, value in enumerate(values, first):
            way = ways.get(type(value)) or ways.setdefault(type(value), self._way(value))
            made.append(way(value))
        self.at = first
        return made

    def _texts(self, values: Sequence[str]) -> Sequence[str]:
        """Return cells of text; all of them are looked at as one, where that is enough."""
        few = set(values)
        if max(map(len, few)) > MOST_TEXT // 2:
            return self._each(values)
        if len(few) * _FEW < len(values):
            known = {value: self.text(value) for value in few}
            return [known[value] for value in values]
        joined = f"{_MARK}{_MARK.join(values)}{_MARK}"
        if not _is_plain(joined, len(values)):
            return self._each(values)
        made = joined[1:-1].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return [f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in made.split(_MARK)]

    def head(self, heads: Sequence[str]) -> str:
        """Return the row of heads, in bold."""
        made = (self.text(str(head), f' s="{_HEAD}"') for head in heads)
        return f"<row>{''.join(made)}</row>"

    def told(self) -> list[str]:
        """Return in words which texts were cut."""
        text = ngettext(
            "%(count)s text was longer than a cell can hold (%(most)s characters) and is cut.",
            "%(count)s texts were longer than a cell can hold (%(most)s characters) and are cut.",
            self.cut,
        )
        return [text % {"count": self.cut, "most": f"{MOST_TEXT:,}"}, *self._named]

    def text(self, value: str, style: str = "") -> str:
        """Return a cell of text, which nothing takes for a formula or a number."""
        if len(value) > MOST_TEXT // 2:
            value = self._shortened(value)
        if not _SPECIAL.search(value):
            return f'<c t="inlineStr"{style}><is><t>{value}</t></is></c>' if value else "<c/>"
        if not style and value[0] in STARTS:
            style = f' s="{_QUOTED}"'
        value = escaped(value).translate(_MARKUP)
        return f'<c t="inlineStr"{style}><is><t xml:space="preserve">{value}</t></is></c>'

    def _shortened(self, value: str) -> str:
        """Return what a cell holds of a long text; its characters are those of UTF-16."""
        units = value.encode("utf-16-le", "surrogatepass")
        if len(units) <= 2 * MOST_TEXT:
            return value
        self.cut += 1
        if len(self._named) < NAMED_CUTS:
            text = _("Sheet %(sheet)s, row %(row)s: %(units)s characters")
            words = {"sheet": self.sheet, "row": self.at, "units": f"{len(units) // 2:,}"}
            self._named.append(text % words)
        return units[: 2 * MOST_TEXT].decode("utf-16-le", "ignore")

    def _way(self, value: object) -> Callable[[Any], str]:
        """Return the way of a kind that is no plain one: its nearest base, else its text."""
        bases = [base for base in (bool, int, float, Decimal, datetime, date) if _is(value, base)]
        return self._ways[bases[0]] if bases else lambda other: self.text(text_of(other))

    def _whole(self, value: int) -> str:
        digits = str(int(value))
        return f"<c><v>{digits}</v></c>" if len(digits) <= MOST_DIGITS else self.text(digits)

    def _float(self, value: float) -> str:
        return f"<c><v>{float(value)!r}</v></c>" if isfinite(value) else self.text(str(value))

    def _decimal(self, value: Decimal) -> str:
        digits = str(value)
        if len(digits) <= MOST_DIGITS and value.is_finite():
            return f"<c><v>{digits}</v></c>"
        return self.text(digits)

    def _date(self, value: date) -> str:
        days = (datetime(value.year, value.month, value.day) - _BEFORE).days  # noqa: DTZ001
        return f'<c s="{_DATE}"><v>{days}</v></c>' if value >= _FIRST.date() else self._iso(value)

    def _moment(self, value: datetime) -> str:
        """Return the local time: a sheet has no zones. To the millisecond, as sheets keep it."""
        if value.tzinfo is not None:
            value = _in_zone(value, self._zone)
        if value < _FIRST:
            return self._iso(value)
        return f'<c s="{_MOMENT}"><v>{(value - _BEFORE) / _DAY:.9f}</v></c>'

    def _iso(self, value: date) -> str:
        return self.text(str(value))


def _exact(values: Sequence[Decimal]) -> list[str]:
    """Return the numbers as digits; none of them unless all are short enough to stay exact."""
    digits = list(map(str, values))
    exact = max(map(len, digits)) <= MOST_DIGITS and not {"N", "I"} & set("".join(digits))
    return digits if exact else []


def _is_recent(values: Sequence[datetime]) -> bool:
    """Say whether all have a zone, and are times that a sheet can count in any."""
    known = None not in {value.tzinfo for value in values}
    return known and min(values) >= _RECENT and max(values) < _LATE


def _is_plain(joined: str, count: int) -> bool:
    """Say whether none of the texts, which stand between marks, needs more than markup.

    What is printable has no control characters, line ends, or halves of pairs.
    """
    return (
        joined.isprintable()
        and joined.count(_MARK) == count + 1
        and "_x" not in joined
        and f"{_MARK}{_MARK}" not in joined
        and not any(edge in joined for edge in _EDGES)
    )


def _is(value: object, kind: type) -> bool:
    return isinstance(value, kind)


def _in_zone(value: datetime, zone: Any) -> datetime:
    try:
        return value.astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        return value.astimezone(UTC).replace(tzinfo=None)


def _empty(_value: object) -> str:
    return "<c/>"


def _yes_or_no(value: object) -> str:
    return f'<c t="b"><v>{1 if value else 0}</v></c>'


def text_of(value: object) -> str:
    """Return what stands in a cell for a value of no plain kind; documents as JSON."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def escaped(text: str) -> str:
    """Return the text with _xHHHH_ for what XML cannot hold, and for what looks like that."""
    return _ESCAPED.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):04X}_"


def sheet_name(name: str, number: int = 1) -> str:
    """Return a name that Excel takes, for the first sheet of a table or a further one."""
    wanted = _NO_NAME.sub(" ", name).strip(" '") or "Sheet"
    if wanted.casefold() == "history":  # Excel keeps this one for itself
        wanted = f"{wanted} 1"
    more = f" ({number})" if number > 1 else ""
    units = wanted.encode("utf-16-le", "replace")[: 2 * (MOST_NAME - len(more))]
    return f"{units.decode('utf-16-le', 'ignore').strip(" '")}{more}"


def _other_name(name: str, taken: list[str]) -> str:
    known = {title.casefold() for title in taken}
    names = (sheet_name(name, number) for number in range(1, len(taken) + 2))
    return next(one for one in names if one.casefold() not in known)


def _ends(titles: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the members that name the sheets, which are known only now."""
    numbers = range(1, len(titles) + 1)
    named = enumerate(map(_attribute, titles), 1)
    sheets = "".join(f'<sheet name="{one}" sheetId="{n}" r:id="rId{n}"/>' for n, one in named)
    links = "".join(_LINK.format(f"rId{n}", "worksheet", f"worksheets/sheet{n}") for n in numbers)
    links += _LINK.format("rIdStyles", "styles", "styles")
    parts = "".join(_PART.format(f"worksheets/sheet{n}", "worksheet") for n in numbers)
    parts += _PART.format("workbook", "sheet.main") + _PART.format("styles", "styles")
    yield "xl/workbook.xml", _BOOK.format(sheets)
    yield "xl/_rels/workbook.xml.rels", _LINKS.format(links)
    yield "[Content_Types].xml", _TYPES.format(parts)


def _attribute(text: str) -> str:
    return text.translate(_MARKUP).replace('"', "&quot;")
