"""Bounds on a zip: what it says about itself, and the bytes that really come out of it."""

import zipfile
from collections.abc import Callable, Iterator
from typing import Final, NoReturn
from xml.parsers import expat

from backoffice.sheets.intake import bounds
from backoffice.sheets.intake.bounds import refuse

_BLOCK: Final = 1024 * 1024
_XML: Final = (".xml", ".rels", ".vml")

Start = Callable[[str, dict[str, str]], None]


class Meter:
    """Reads the members of one archive and counts all bytes that come out."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.total = 0
        self.names = set(archive.namelist())
        self.read: set[str] = set()

    def blocks(self, path: str) -> Iterator[bytes]:
        """Yield the content in blocks, refusing by the bytes that really come out."""
        stored = self.archive.getinfo(path).compress_size
        size = 0
        first = path not in self.read
        self.read.add(path)
        with self.archive.open(path) as member:
            while block := member.read(_BLOCK):
                size += len(block)
                _check_size(size, stored)
                if first:
                    self._count(len(block))
                yield block

    def _count(self, size: int) -> None:
        self.total += size
        if self.total > bounds.MAX_INFLATED:
            refuse("inflated")

    def parse(self, path: str, parser: expat.XMLParserType | None = None) -> None:
        """Run an XML member through expat; a document type is refused at its first sign."""
        parser = parser or new_parser()
        with damage():
            for block in runs(self.blocks(path)):
                parser.Parse(block, False)
            parser.Parse(b"", True)

    def parse_tags(self, path: str, start: Start) -> None:
        """Tell `start` of every tag of an XML member."""
        parser = new_parser()
        parser.StartElementHandler = start
        self.parse(path, parser)

    def drain(self) -> None:
        """Read every member that was not read yet: real sizes, and no document type anywhere."""
        for path in sorted(self.names - self.read):
            if path.lower().endswith(_XML):
                self.parse(path)
            else:
                for _block in self.blocks(path):
                    pass


class damage:  # noqa: N801 - reads as a word: `with damage():`
    """What expat cannot read is a damaged file."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, expat.ExpatError):
            refuse("damaged")


def check_directory(members: list[zipfile.ZipInfo]) -> None:
    """Refuse by what the archive says about itself; the real sizes are counted later."""
    if len(members) > bounds.MAX_MEMBERS:
        refuse("members")
    if len({member.filename for member in members}) != len(members):
        refuse("twice")
    for member in members:
        steps = member.filename.replace("\\", "/").split("/")
        if steps[0] == "" or ".." in steps or ":" in steps[0]:
            refuse("outside")
        _check_size(member.file_size, member.compress_size)
    if sum(member.file_size for member in members) > bounds.MAX_INFLATED:
        refuse("inflated")


def _check_size(inflated: int, stored: int) -> None:
    if inflated > bounds.RATIO_FLOOR and inflated > bounds.MAX_RATIO * max(stored, 1):
        refuse("ratio")
    if inflated > bounds.MAX_MEMBER:
        refuse("inflated")


def runs(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Pass the blocks on; a text longer than any cell can hold is refused."""
    run = 0
    for block in blocks:
        first = block.find(b"<")
        if first < 0:
            run += len(block)
        else:
            run = max(run + first, len(block) - block.rfind(b"<"))
        if run > bounds.LONGEST_RUN:
            refuse("long-text")
        if first >= 0:
            run = len(block) - block.rfind(b"<")
        yield block


def new_parser() -> expat.XMLParserType:
    """Return a parser that refuses document types and entities."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_doctype
    return parser


def _refuse_doctype(*_arguments: object) -> NoReturn:
    refuse("entities")


def local(name: str) -> str:
    """Strict and transitional workbooks differ in prefixes; local names are the same."""
    return name.rpartition(":")[2]
