"""A kept sheet becomes an import: its rows go the way of every uploaded file.

Clear values of masked columns go with them, sealed as all uploads are; so only the person who kept
the sheet, and who knows the file, may hand on one with such columns.
"""

import csv
from io import BytesIO, TextIOWrapper
from typing import Final

from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import InMemoryUploadedFile
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.sheets import services
from backoffice.sheets.errors import refusal
from backoffice.sheets.intake.escapes import safe_text
from backoffice.sheets.kept.columns import Column, Kind, moment
from backoffice.sheets.kept.frames import SheetFrame
from backoffice.sheets.kept.keeping import VIEW, must
from backoffice.sheets.models import ImportJob, KeptSheet
from backoffice.sheets.reading import guard

PROMOTED = verbs.register("sheets.promoted", gettext_lazy("Kept sheet handed to an import"))
_AT_ONCE: Final = 1_000


def may_promote(kept: KeptSheet, user: User) -> bool:
    """Whether the person may import it."""
    hidden = any(values.get("mask") for values in kept.columns)
    allowed = user.has_perm("sheets.add_importjob") and user.has_perm(VIEW)
    return allowed and (kept.owner_id == user.pk or not hidden)


def promote(kept: KeptSheet, *, actor: User) -> ImportJob:
    """Return a new import with the rows of the sheet; a saved mapping of its headers is taken.

    Raises PermissionDenied, and ReadError for a sheet that is too large for one import.
    """
    must(actor, VIEW, "sheets.add_importjob")
    if not may_promote(kept, actor):
        raise PermissionDenied
    file = _csv(kept)
    name = f"{kept.name}.csv"
    upload = InMemoryUploadedFile(file, "file", name, "text/csv", file.getbuffer().nbytes, None)
    job = services.take(upload, actor)
    record(PROMOTED, actor=actor, subject=kept, also=[job], context={"rows": kept.rows})
    return job


def _csv(kept: KeptSheet) -> BytesIO:
    """Return the sheet as csv, in memory alone: it holds clear values.

    Its texts read back as they are (`escapes`). Raises ReadError once it is too large, so that no
    more of it is read and held than one upload may have.
    """
    frame, file = SheetFrame(kept), BytesIO()
    text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
    writer = csv.writer(text)
    writer.writerow([safe_text(column.label) for column in frame.columns])
    for start in range(0, frame.size, _AT_ONCE):
        for row in frame.rows(range(start, min(start + _AT_ONCE, frame.size))):
            pairs = zip(frame.columns, row, strict=True)
            writer.writerow([_clear(column, *cell) for column, cell in pairs])
        text.flush()
        if file.tell() > guard.MAX_BYTES:
            raise refusal("bytes", {"limit": guard.MAX_BYTES // 1024**2})
    text.flush()
    text.detach()
    file.seek(0)
    return file


def _clear(column: Column, cell: int | str | None, currency: str) -> object:
    if cell is None or isinstance(cell, str):
        return safe_text(cell or "")
    if column.kind is Kind.DATE:
        return moment(cell).strftime("%Y-%m-%d %H:%M:%S" if column.times else "%Y-%m-%d")
    plain = str(column.plain(cell))
    own = column.kind is Kind.MONEY and not column.currency
    return f"{plain} {currency}" if own and currency else plain
