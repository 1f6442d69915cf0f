"""Files by chance: mutated workbooks and texts, and rows of any kind from upload to undo.

`make fuzz-sheets MINUTES=60` goes on for that long with seeds of its own; the suite does a few
rounds of a fixed seed. A round that fails names its seed.
"""

import csv
import io
import os
import random
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from django.conf import settings as site
from django.db import connection
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from backoffice.accounts.models import User
from backoffice.sheets import answers
from backoffice.sheets.errors import ReadError
from backoffice.sheets.models import ImportJob
from backoffice.sheets.reading import reader
from backoffice.sheets.reading.dialects import Dialect
from backoffice.sheets.reading.reader import CellError
from tests.sheets import hostile, shared_data
from tests.sheets.journal import stored, take_back
from tests.sheets.made import AT, HEAD, archive, book, check, line, run, upload
from tests.sheets.test_engine import MODELS

MINUTES = float(os.environ.get("FUZZ_MINUTES", "0")) / 2
"""How long on this database; the target goes on to the other one."""
SEED = int(os.environ.get("FUZZ_SEED") or (time.time() if MINUTES else 1))
# Files are read the same on any database.
IS_SQLITE = connection.vendor == "sqlite"
SHARES = (
    {"files": 0.2, "rows": 0.1, "texts": 0.05, "imports": 0.25, "values": 0.4}
    if IS_SQLITE
    else {"imports": 0.35, "values": 0.65}
)
ONE = os.environ.get("FUZZ_ROUND")
"""One round alone, to look at it again."""
LONGEST = 60
"""Seconds that a file may take to be read or refused, on a busy machine."""
RUN = settings(
    max_examples=20 if MINUTES else 4,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)


def rounds(share: str, few: int) -> Iterator[int]:
    """Yield seeds: a few in the suite, for the share of the minutes otherwise."""
    if ONE:
        yield int(ONE)
        return
    end = time.monotonic() + MINUTES * 60 * SHARES.get(share, 0)
    number = 0
    while number < few if MINUTES == 0 else time.monotonic() < end:
        yield SEED * 1_000_000 + number
        number += 1
    print(f"{share}: {number} rounds from seed {SEED}")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files, which has to be empty again in the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def children() -> set[str]:
    """Return the processes that this one started and that are still there."""
    found = Path("/proc/self/task").glob("*/children")
    return {number for one in found for number in one.read_text().split()}


def ods() -> bytes:
    """Return a small OpenDocument workbook."""
    names = ("office", "table", "text")
    spaces = " ".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for n in names)
    cell = '<table:table-cell office:value-type="string"><text:p>x</text:p></table:table-cell>'
    rows = f'<table:table-row table:number-rows-repeated="3">{cell * 4}</table:table-row>'
    content = (
        f"<office:document-content {spaces}><office:body><office:spreadsheet>"
        f'<table:table table:name="S">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    return archive({"mimetype": b"x", "content.xml": content.encode()})


def seeds() -> list[bytes]:
    """Return files of every kind to begin with."""
    lines = [line(600001 + number, code=10001 + number) for number in range(20)]
    cells = [(row, column) for row in range(9) for column in range(5)]
    row = pack("<IIHBB", 3, 0, 0, 0, 0)
    number = pack("<IId", 2, 0, 1.5)
    made = [
        book(lines, lines),
        ods(),
        archive(hostile.xlsb((0, row), (5, number), (3, number), (7, number[:12]))),
        hostile.compound(hostile.biff(*cells)),
        "\n".join(f"a{n};1,5;01.02.2013;é" for n in range(30)).encode("cp1252"),
        "\n".join(f'"a,{n}",1.5,2013-01-02' for n in range(30)).encode("utf-16"),
    ]
    folder = shared_data.folder()
    if MINUTES and folder is not None:
        known = [*folder.glob("awkward/*"), *folder.glob("attack/*")]
        made += [one.read_bytes() for one in known if one.stat().st_size < 400_000]
    return made


def mutated(content: bytes, lot: random.Random) -> bytes:
    """Return the file with changes by lot; half of the time inside of a member of its zip."""
    if content.startswith(b"PK") and lot.random() < 0.6:
        with suppress(zipfile.BadZipFile, KeyError, zlib.error, EOFError):
            return _inside(content, lot)
    return _bytes(content, lot)


def _inside(content: bytes, lot: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    name = lot.choice(list(members))
    members[name] = lot.choice((_bytes, _words))(members[name], lot)
    if lot.random() < 0.1:
        members[lot.choice(list(members))] = b""
    return archive(members)


def _words(content: bytes, lot: random.Random) -> bytes:
    """Exchange what means something to a reader."""
    words = (b"row", b"c r=", b"<v>", b"</c>", b'"1"', b"t=", b"A1", b"sheet", b"xmlns", b"Id")
    others = (
        b"<!DOCTYPE a []>", b"&#65;", b"<![CDATA[", b'"99999999999"', b"XFD1048576", b"x:c",
        b'"-1"', b"\0", b"<!--", b"</row>", b"\xff\xfe", b'"&b;"', b"A0", b"ZZZZ1",
    )  # fmt: skip
    for _time in range(lot.randint(1, 4)):
        content = content.replace(lot.choice(words), lot.choice(others), lot.randint(1, 3))
    return content


def _bytes(content: bytes, lot: random.Random) -> bytes:
    data = bytearray(content)
    for _time in range(lot.randint(1, 12)):
        if not data:
            break
        at = lot.randrange(len(data))
        what = lot.random()
        if what < 0.5:
            data[at] = lot.choice((0, 1, 0x7F, 0x80, 0xFF, lot.randrange(256)))
        elif what < 0.7:
            data[at : at + 4] = lot.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xfe\xff\xff\xff"))
        elif what < 0.8:
            del data[at : at + lot.randint(1, 64)]
        elif what < 0.9:
            data[at:at] = data[at : at + lot.randint(1, 512)]
        else:
            del data[at:]
    return bytes(data)


def told(path: Path) -> int:
    """Return how many rows come out; only a ReadError may be raised, and in time."""
    began = time.monotonic()
    try:
        reader.outline(path)
        return sum(1 for _row in reader.rows(path))
    except ReadError:
        return 0
    finally:
        assert time.monotonic() - began < LONGEST


def test_mutated_files_are_read_or_refused(empty: Path, tmp_path: Path) -> None:
    before = children()
    files = seeds()
    path = tmp_path / "file"
    for number in rounds("files", 24):
        lot = random.Random(number)
        path.write_bytes(mutated(lot.choice(files), lot))
        try:
            told(path)
        except BaseException:
            print(f"seed {number}")
            raise
    assert children() <= before


texts = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Z"]), max_size=30)
values = st.one_of(
    st.none(),
    texts,
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.datetimes(datetime(1904, 1, 2), datetime(9999, 1, 1)).map(  # noqa: DTZ001 - sheets have none
        lambda when: when.replace(microsecond=0)
    ),
)
tables = st.lists(st.lists(values, min_size=1, max_size=6), min_size=1, max_size=12)


def _seen(cell: Any) -> Any:
    """Return what has to come out of a cell that a program wrote."""
    if isinstance(cell, str) and not cell.strip():
        return None
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        return float(one) == pytest.approx(float(other), rel=1e-12)
    if isinstance(one, datetime) and isinstance(other, datetime):
        return abs((one - other).total_seconds()) < 1
    return type(one) is type(other) and one == other


def _filled(rows: list[list[Any]]) -> list[tuple[int, tuple[Any, ...]]]:
    result = []
    for number, row in enumerate(rows, 1):
        cells = [_seen(cell) for cell in row]
        while cells and cells[-1] is None:
            cells.pop()
        if cells:
            result.append((number, tuple(cells)))
    return result


def through(share: str, check_one: Callable[[], None]) -> None:
    """Let hypothesis go on for its share."""
    for number in rounds(share, 1):
        seed(number)(check_one)()


def test_rows_of_a_workbook_come_out_as_they_went_in(empty: Path, tmp_path: Path) -> None:
    @RUN
    @given(tables)
    def one(rows: list[list[Any]]) -> None:
        made = Workbook(write_only=True)
        sheet = made.create_sheet("S")
        for row in rows:
            # A text that begins with "=" would be written as a formula without a value.
            sheet.append([f"'{c}" if isinstance(c, str) and c.startswith("=") else c for c in row])
        path = tmp_path / "rows.xlsx"
        made.save(path)
        wanted = _filled(
            [[f"'{c}" if isinstance(c, str) and c.startswith("=") else c for c in r] for r in rows]
        )
        found = [(row.number, row.cells) for row in reader.rows(path)]
        assert [number for number, _cells in found] == [number for number, _cells in wanted]
        for (_number, cells), (_same_number, others) in zip(found, wanted, strict=True):
            assert len(cells) == len(others)
            assert all(map(_same, cells, others)), (cells, others)

    through("rows", one)


def test_rows_of_a_text_come_out_as_they_went_in(empty: Path, tmp_path: Path) -> None:
    lines = st.lists(st.lists(texts, min_size=1, max_size=6), min_size=1, max_size=12)

    @RUN
    @given(lines, st.sampled_from(",;\t|"), st.sampled_from(["utf-8", "utf-16", "gb18030"]))
    def one(rows: list[list[str]], delimiter: str, encoding: str) -> None:
        file = io.StringIO()
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
        path = tmp_path / "rows.csv"
        path.write_bytes(file.getvalue().encode(encoding))
        said = Dialect(encoding, delimiter)
        with suppress(ReadError):  # few bytes of a rare encoding may be taken for no text at all
            found = [(row.number, row.cells) for row in reader.rows(path, dialect=said)]
            assert found == _filled([list(row) for row in rows])

    through("texts", one)


def anything(lot: random.Random) -> Any:
    """Return a cell that does not belong there, or just may."""
    return lot.choice((
        None, "", "  ", "x" * lot.randint(1, 300), -1, 0, 2**40, 1.005, "1,50", "=1+1", True,
        AT, "2011-13-45", "C536379", 536379.0, "\u200b", "\U0001f600", "POST", "Nowhere", "-0",
    ))  # fmt: skip


def sheet(lot: random.Random) -> bytes:
    """Return a workbook of lines in which some cells are anything."""
    rows = []
    for number in range(lot.randint(1, 12)):
        row = line(
            600001 + lot.randint(0, 4), 10001 + lot.randint(0, 3), quantity=lot.randint(-3, 5),
            price=lot.choice((2.5, 0, 10)), customer=12346 + lot.randint(0, 1),
        )  # fmt: skip
        while lot.random() < 0.3:
            row[lot.randrange(len(row))] = anything(lot)
        rows.append(row + [f"more {number}"] * (lot.random() < 0.1))
    return book(rows)


def text(lot: random.Random) -> bytes:
    """Return the same as a csv file."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(HEAD)
    for number in range(lot.randint(1, 8)):
        row = line(700001 + number, at="2011-07-01 12:00")
        if lot.random() < 0.4:
            row[lot.randrange(len(row))] = anything(lot)
        writer.writerow(row)
    return file.getvalue().encode()


def held() -> dict[str, Any]:
    """Return what the tables hold."""
    return {model.__name__: stored(model) for model in MODELS}


def _import(content: bytes, actor: User, lot: random.Random) -> ImportJob | None:
    """Bring a file in as far as it goes; None when it is refused at the door."""
    is_text = not content.startswith((b"PK", b"\xd0\xcf"))
    try:
        job = upload(content, actor, "file.csv" if is_text else "file.xlsx")
        if job.kind == "csv":
            answers.read_as(job, Dialect(), actor=actor)
        if not job.chosen:
            return None
        job.whole = lot.random() < 0.3
        job.save(update_fields=["whole"])
        check(job)
        return run(job) if job.state == ImportJob.State.CHECKED else job
    except (ReadError, answers.StateError, ValueError):
        return None


@pytest.mark.django_db
def test_imports_of_anything_are_whole_or_not_at_all_and_go_back(oli: User, empty: Path) -> None:
    for number in rounds("imports", 4):
        lot = random.Random(number)
        content = lot.choice((sheet, sheet, text))(lot)
        if lot.random() < 0.3:
            content = mutated(content, lot)
        before = held()
        job = _import(content, oli, lot)
        if job is None or job.state != ImportJob.State.DONE:
            assert held() == before, number
            continue
        assert all(one["system"] == one["ready"] for one in job.sums), (number, job.sums)
        if held() != before:
            assert take_back(job).state == "done", number
            assert held() == before, number
    kept = {str(one.file) for one in ImportJob.objects.exclude(file="")}
    stored = Path(site.MEDIA_ROOT) / "imports"
    assert {f"imports/{one.name}" for one in stored.glob("*")} <= kept | _earlier(stored, kept)


def _earlier(stored: Path, kept: set[str]) -> set[str]:
    """Files of other tests of this run, which are older than ours."""
    ours = [(Path(site.MEDIA_ROOT) / name).stat().st_mtime for name in kept]
    first = min(ours, default=time.time())
    return {f"imports/{one.name}" for one in stored.glob("*") if one.stat().st_mtime < first}


def test_error_cells_of_every_kind_are_marked(tmp_path: Path) -> None:
    row = pack("<IIHBB", 0, 0, 0, 0, 0)
    error = pack("<IIB", 1, 0, 0x2A)
    binary = archive(hostile.xlsb((0, row), (5, pack("<IId", 0, 0, 1.5)), (3, error)))
    old = hostile.compound(hostile.biff((0, 0), more=pack("<HHHHHBB", 0x0205, 8, 0, 1, 0, 0x2A, 1)))
    for content in (binary, old):
        path = tmp_path / "file"
        path.write_bytes(content)
        assert [one.cells for one in reader.rows(path)] == [(1.5, CellError("error-cell"))]
