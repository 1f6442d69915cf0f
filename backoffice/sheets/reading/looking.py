"""The first look into a file: how its text is written, its sheets, and who knows their headers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from backoffice.accounts.models import User
from backoffice.sheets import layouts, profiles
from backoffice.sheets.errors import ReadError
from backoffice.sheets.formats import Format
from backoffice.sheets.models import ImportJob, ImportProfile
from backoffice.sheets.reading import heads, patience, reader
from backoffice.sheets.reading.dialects import Dialect, Guess
from backoffice.sheets.reading.reader import Outline

_OTHER_DIALECTS: Final = 5
_SAME_DAYS: Final = frozenset({"dmy", "mdy"})


@patience.shared()
def look(job: ImportJob, actor: User, choices: Sequence[Format]) -> list[Outline]:
    """Propose how an unsaved import is read; return its sheets with their first rows.

    A csv file whose text leaves a doubt is read as it is guessed, and `dialect` stays empty until
    a person or a profile says how it is written. Raises ReadError, PermissionDenied.
    """
    inspection, sheets, notes = reader.outline(job, limit=heads.ROWS)
    job.kind, job.notes = inspection.kind, notes
    if not any(sheet.rows for sheet in sheets):
        raise ReadError(_("The file holds no rows."))
    guess = Guess.from_json(inspection.guess) if inspection.kind == "csv" else None
    if guess is not None and guess.certain:
        job.dialect = guess.dialect.as_json()
    known = _known(job, actor, choices)
    found = profiles.matching(known, sheets)
    if not found and guess is not None and known:
        sheets, found = _otherwise(job, known, guess, sheets)
    if job.profile is not None and not found:
        raise ReadError(_misfit(job.profile))
    return _taken(job, sheets, found, guess, choices)


@patience.shared()
def again(
    job: ImportJob, dialect: Dialect, actor: User, choices: Sequence[Format]
) -> list[Outline]:
    """Propose how a csv file is read by a dialect that a person chose. Raises ReadError."""
    _inspection, sheets, _notes = reader.outline(job, limit=heads.ROWS, dialect=dialect)
    job.dialect, job.profile = dialect.as_json(), None
    found = profiles.matching(_known(job, actor, choices), sheets)
    if len(found) == 1:
        profiles.lay(job, found[0][0], sheets)
        job.dialect = dialect.as_json()
    else:
        layouts.propose(job, sheets, choices)
    return sheets


def _known(job: ImportJob, actor: User, choices: Sequence[Format]) -> list[ImportProfile]:
    """Return the profiles to try: the one that was asked for, or all. Raises PermissionDenied."""
    known = profiles.candidates(actor, choices, job.tenant)
    if job.profile is None:
        return known
    if job.profile not in known:
        raise PermissionDenied
    return [job.profile]


def _misfit(profile: ImportProfile) -> str:
    text = _("The profile “%s” does not fit: the file lacks headers that it needs.")
    return text % profile


def _otherwise(
    job: ImportJob, known: Sequence[ImportProfile], guess: Guess, sheets: list[Outline]
) -> tuple[list[Outline], list[profiles.Match]]:
    """Read the text as the profiles do, where it can be written in more than one way."""
    dialects = [_settled(profile, guess) for profile in known if profile.dialect]
    others = [one for one in dict.fromkeys(dialects) if _cut(one) != _cut(guess.dialect)]
    for dialect in others[:_OTHER_DIALECTS]:
        try:
            _inspection, again, _notes = reader.outline(job, limit=heads.ROWS, dialect=dialect)
        except ReadError:
            continue
        able = [one for one in known if one.dialect and _settled(one, guess) == dialect]
        if found := profiles.matching(able, again):
            return again, found
    return sheets, []


def _cut(dialect: Dialect) -> tuple[str, str, str]:
    return dialect.encoding, dialect.delimiter, dialect.quote


def _settled(profile: ImportProfile, guess: Guess) -> Dialect:
    """Return the profile's dialect; what the bytes themselves prove is not overruled."""
    said = Dialect.from_json(profile.dialect)
    sure = {"encoding", "delimiter"} - {*guess.unsure}
    return replace(said, **{name: getattr(guess.dialect, name) for name in sorted(sure)})


def _contradicts(said: Dialect, guess: Guess) -> bool:
    """Whether the file shows that its dates or numbers are written in another way."""
    seen = guess.dialect
    days = {seen.dates, said.dates} == _SAME_DAYS and "dates" not in guess.unsure
    marks = (seen.decimal, said.decimal) == (",", ".") and "decimal" not in guess.unsure
    return days or marks


def _taken(
    job: ImportJob,
    sheets: list[Outline],
    found: Sequence[profiles.Match],
    guess: Guess | None,
    choices: Sequence[Format],
) -> list[Outline]:
    if len(found) != 1:
        job.profile = None
        layouts.propose(job, sheets, choices)
        if found:
            names = ", ".join(profile.name for profile, _maps in found)
            job.notes.append(_("Several profiles fit; choose one: %s.") % names)
        return sheets
    profile = found[0][0]
    profiles.lay(job, profile, sheets)
    if guess is None or not profile.dialect:
        return sheets
    said = _settled(profile, guess)
    if _contradicts(said, guess):
        job.dialect = {}
        job.notes.append(_("The text is not written as the profile “%s” says.") % profile)
        return sheets
    job.dialect = said.as_json()
    if _cut(said) == _cut(guess.dialect):
        return sheets
    return reader.outline(job, limit=heads.ROWS, dialect=said)[1]
