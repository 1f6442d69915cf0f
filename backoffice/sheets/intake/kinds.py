"""What a file is, by its content alone, and its measure."""

import io
import zipfile
from typing import BinaryIO, Final

from backoffice.sheets.intake import archives, bounds, ods, ole, texts, xlsb, xlsx
from backoffice.sheets.intake.bounds import Inspection, SheetNotes, refuse

_ZIP: Final = b"PK\x03\x04"


def inspect(file: BinaryIO) -> Inspection:
    """Check the bounds of a file; RefusedError says what is wrong with it."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size == 0:
        refuse("nothing")
    if size > bounds.MAX_BYTES:
        refuse("bytes", limit=bounds.MAX_BYTES // 1024**2)
    head = file.read(8)
    file.seek(0)
    if head == ole.SIGNATURE:
        return ole.inspect(file, size)
    if head.startswith(_ZIP):
        return _archive(file)
    return _text(file)


def _text(file: BinaryIO) -> Inspection:
    found = Inspection("csv", {"": SheetNotes()})
    found.guess = texts.guess(file.read())
    return found


def _archive(file: BinaryIO) -> Inspection:
    try:
        with zipfile.ZipFile(file) as archive:
            archives.check_directory(archive.infolist())
            return _workbook(archives.Meter(archive))
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, NotImplementedError, OSError):
        refuse("unpack")
    except RuntimeError as error:
        # What zipfile raises for a member that is encrypted.
        refuse("password" if "encrypted" in str(error) else "damaged")


def _workbook(meter: archives.Meter) -> Inspection:
    names = meter.names
    if "xl/workbook.xml" in names:
        return xlsx.inspect(meter)
    if "xl/workbook.bin" in names:
        return xlsb.inspect(meter)
    if "content.xml" not in names or "mimetype" not in names:
        refuse("no-workbook")
    return ods.inspect(meter)
