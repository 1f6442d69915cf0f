"""Hostile files, made here, and a child whose memory and time are measured."""

import json
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from struct import pack
from typing import Any, Final

from backoffice.sheets.reading import reader

SECONDS: Final = 5
MEGABYTES: Final = 300
_WATCH: Final = """
import json, os, subprocess, sys
child, path, task = sys.argv[1:]
process = subprocess.Popen([sys.executable, "-I", child], stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={})
try:
    with open(path, "rb") as file, process.stdin as pipe:
        pipe.write(task.encode() + b"\\n")
        while block := file.read(65536):
            pipe.write(block)
except BrokenPipeError:
    pass
last = b""
for line in process.stdout:
    last = line
_pid, status, used = os.wait4(process.pid, 0)
print(json.dumps([last.decode(), status, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


@dataclass(frozen=True, slots=True)
class Told:
    """The last line of the child, the status of its end, seconds of processor, megabytes held."""

    last: dict[str, Any]
    status: int
    seconds: float
    megabytes: float

    @property
    def refused(self) -> str:
        """The code of the refusal, "" for none."""
        return str(self.last["refused"][0]) if "refused" in self.last else ""


def measured(path: Path) -> Told:
    """Run the child on the file by the limits of the reader, and measure it alone.

    A small process starts it: what a child of this one holds would be counted from our own size.
    """
    task: dict[str, Any] = {
        "sheets": None, "limit": 30, "dialect": {}, "seen": None, "rows": True,
        "seconds": reader.SECONDS, "bytes": reader.MEMORY, "measuring": reader.MEASURING,
        "slice": reader.SLICE,
    }  # fmt: skip
    words = [sys.executable, "-c", _WATCH, str(reader.CHILD), str(path), json.dumps(task)]
    done = subprocess.run(words, capture_output=True, check=True, text=True)
    last, status, seconds, megabytes = json.loads(done.stdout)
    return Told(json.loads(last) if last.endswith("\n") else {}, status, seconds, megabytes)


def bomb(name: str, head: bytes, chunk: bytes, times: int, tail: bytes) -> bytes:
    """Return a zip of one honest member: head, `times` chunks, tail; none of it is ever held."""
    pieces, total = [], 0
    check = zlib.crc32(head)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    pieces.append(packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH))
    again = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    for _time in range(times):
        check = zlib.crc32(chunk, check)
    pieces += [again] * times
    pieces.append(packer.compress(tail) + packer.flush())
    check = zlib.crc32(tail, check)
    total = len(head) + times * len(chunk) + len(tail)
    return _zip(name.encode(), b"".join(pieces), check, total)


def _zip(name: bytes, packed: bytes, check: int, size: int) -> bytes:
    fields = (20, 0, 8, 0, 0x21, check, len(packed), size, len(name), 0)
    local = pack("<I5H3I2H", 0x04034B50, *fields) + name + packed
    entry = pack("<I6H3I5H2I", 0x02014B50, 20, *fields, 0, 0, 0, 0, 0) + name
    end = pack("<I4H2IH", 0x06054B50, 0, 0, 1, 1, len(entry), len(local), 0)
    return local + entry + end


def compound(stream: bytes, name: str = "Workbook") -> bytes:
    """Return a compound file of one stream, padded to the size of large streams."""
    stream = stream.ljust(4096, b"\0")
    sectors = -(-len(stream) // 512)
    free, end, table_mark = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    chain = [*range(1, sectors), end]
    directory = sectors
    tables = -(-(sectors + 2) // 127)
    links = chain + [end] + [table_mark] * tables
    links += [free] * (tables * 128 - len(links))
    head = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16
        + pack("<HHHHH6x3I", 0x3E, 3, 0xFFFE, 9, 6, 0, tables, directory)
        + pack("<5I", 0, 4096, end, 0, end) + pack("<I", 0)
    )  # fmt: skip
    places = [directory + 1 + index for index in range(tables)]
    head += pack("<109I", *places, *[free] * (109 - tables))
    entries = _entry("Root Entry", 5, end, 0, 1) + _entry(name, 2, 0, len(stream), free)
    body = stream.ljust(sectors * 512, b"\0") + entries.ljust(512, b"\0")
    return head[:512] + body + pack(f"<{len(links)}I", *links)


def _entry(name: str, kind: int, start: int, size: int, child: int) -> bytes:
    wide = name.encode("utf-16-le") + b"\0\0"
    free = 0xFFFFFFFF
    return (
        wide.ljust(64, b"\0") + pack("<HBB3I", len(wide), kind, 1, free, free, child)
        + b"\0" * 36 + pack("<IQ", start, size)
    )  # fmt: skip


def biff(*cells: tuple[int, int], name: str = "S", state: int = 0, more: bytes = b"") -> bytes:
    """Return the stream of an old workbook with numbers at (row, column) from 0."""
    start = pack("<HH4H", 0x0809, 8, 0x0600, 0x0005, 0, 0)
    end = pack("<HH", 0x0A, 0)
    label = bytes([len(name), 0]) + name.encode("latin-1")
    sheet = pack("<HHIBB", 0x85, 6 + len(label), len(start) + 10 + len(label) + 4, state, 0)
    numbers = b"".join(pack("<HHHHHd", 0x0203, 14, row, column, 0, 1.5) for row, column in cells)
    inner = pack("<HH4H", 0x0809, 8, 0x0600, 0x0010, 0, 0)
    return start + sheet + label + end + inner + more + numbers + end


def xlsb(*records: tuple[int, bytes], state: int = 0) -> dict[str, bytes]:
    """Return the members of a binary workbook with one sheet of these records."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    framed = [(129, b""), (148, bytes(16)), (145, b""), *records, (146, b""), (130, b"")]
    relations = (
        f'<Relationships xmlns="{space}">'
        f'<Relationship Id="r1" Type="{kind}" Target="worksheets/sheet1.bin"/></Relationships>'
    )
    bundle = pack("<II", state, 1) + _wide("r1") + _wide("S")
    return {
        "xl/workbook.bin": record(143, b"")
        + record(156, bundle)
        + record(144, b"")
        + record(132, b""),
        "xl/_rels/workbook.bin.rels": relations.encode(),
        "xl/worksheets/sheet1.bin": b"".join(record(*one) for one in framed),
    }


def _wide(text: str) -> bytes:
    return pack("<I", len(text)) + text.encode("utf-16-le")


def record(number: int, body: bytes) -> bytes:
    """Return a record of a binary workbook."""
    head = bytes([number]) if number < 128 else bytes([number & 0x7F | 0x80, number >> 7])
    length = len(body)
    sizes = bytearray()
    while length > 127:
        sizes.append(length & 0x7F | 0x80)
        length >>= 7
    return head + bytes([*sizes, length]) + body
