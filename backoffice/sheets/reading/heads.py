"""The first rows of an uploaded file: kept sealed, shown to nobody but whose file it is.

Pages show them while columns are mapped. To read a large workbook again for each page would take
many seconds; so they are kept at the upload, by a key that is made from the file's, and they are
forgotten with the file.
"""

import json
import os
import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidTag

from backoffice.files import sealing
from backoffice.sheets.models import ImportHead, ImportJob
from backoffice.sheets.reading.reader import CellError, Outline, RawRow, Value

ROWS: Final = 40
"""Rows kept of each sheet."""
_LARGEST: Final = 512 * 1024
_LONGEST: Final = 300
_PURPOSE: Final = "first rows"
_NONCE: Final = 12


def keep(job: ImportJob, sheets: Iterable[Outline]) -> None:
    """Keep the first rows of the sheets; sheets are left out once it grows too large."""
    body: dict[str, Any] = {}
    size = 0
    for sheet in sheets:
        lines = [[row.number, [_plain(cell) for cell in row.cells]] for row in sheet.head[:ROWS]]
        size += len(json.dumps(lines))
        if size <= _LARGEST:
            body[sheet.name] = lines
    sealed = _sealed(job, json.dumps(body, separators=(",", ":")).encode())
    ImportHead.objects.update_or_create(import_job=job, defaults={"body": sealed})


def rows(job: ImportJob) -> dict[str, list[RawRow]]:
    """Return sheet -> its first rows; nothing when they are not kept, or the file is gone."""
    stored = ImportHead.objects.filter(import_job=job).first()
    if stored is None or not job.file:
        return {}
    try:
        body = json.loads(_opened(job, bytes(stored.body)))
    except sealing.DamagedError:
        return {}
    return {
        name: [RawRow(name, number, tuple(map(_value, cells))) for number, cells in lines]
        for name, lines in body.items()
    }


def forget(job: ImportJob) -> None:
    """Delete the rows; the file goes in the same transaction."""
    ImportHead.objects.filter(import_job=job).delete()


def _sealed(job: ImportJob, clear: bytes) -> bytes:
    nonce = os.urandom(_NONCE)
    cipher = sealing.derived(job.sealed_key, job.use, _PURPOSE)
    return nonce + cipher.encrypt(nonce, zlib.compress(clear, 1), job.use.encode())


def _opened(job: ImportJob, sealed: bytes) -> bytes:
    cipher = sealing.derived(job.sealed_key, job.use, _PURPOSE)
    try:
        clear = cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], job.use.encode())
    except InvalidTag:
        raise sealing.DamagedError from None
    return zlib.decompress(clear)


def _plain(value: Value) -> Any:
    if isinstance(value, datetime):
        return {"d": value.isoformat()}
    if isinstance(value, CellError):
        return {"x": [value.code, value.text]}
    return value[:_LONGEST] if isinstance(value, str) else value


def _value(kept: Any) -> Value:
    if not isinstance(kept, dict):
        return kept  # type: ignore[no-any-return]
    return datetime.fromisoformat(kept["d"]) if "d" in kept else CellError(*kept["x"])
