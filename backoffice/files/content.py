"""What a file is, by its first bytes: neither its name nor what the browser said is believed."""

from typing import BinaryIO, Final

WORKBOOK, TEXT, OLD_WORKBOOK, OTHER = "xlsx", "csv", "xls", "bin"
CONTENT_TYPES: Final = {
    WORKBOOK: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    TEXT: "text/csv; charset=utf-8",
    "json": "application/json; charset=utf-8",
}
# For everything that has no name here: a browser saves it and does not look inside.
UNKNOWN_TYPE: Final = "application/octet-stream"
_HEAD: Final = 1024
_ZIP: Final = b"PK\x03\x04"
_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# What a text file does not begin with: programs, archives, pictures, documents.
_BINARY: Final = (
    b"MZ",
    b"\x7fELF",
    b"\xca\xfe\xba\xbe",
    b"%PDF",
    b"%!PS",
    b"{\\rtf",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"\x1f\x8b",
    b"BZh",
    b"7z\xbc\xaf",
    b"Rar!",
    b"\xfd7zXZ",
    b"SQLite format 3",
)
_MARKUP: Final = (b"<!doctype", b"<html", b"<script", b"<svg", b"<?xml", b"#!")
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")


def kind_of(file: BinaryIO) -> str:
    """Return WORKBOOK, TEXT, OLD_WORKBOOK or OTHER; the file stands at its start again."""
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(0)
    if head.startswith(_ZIP):
        return WORKBOOK
    if head.startswith(_OLE):
        return OLD_WORKBOOK
    if head.startswith(_BINARY) or _is_markup(head):
        return OTHER
    return TEXT if head.startswith(_WIDE) or b"\x00" not in head else OTHER


def _is_markup(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_MARKUP)


def type_of(kind: str) -> str:
    """Return the content type with which a file of this kind is handed out."""
    return CONTENT_TYPES.get(kind, UNKNOWN_TYPE)
