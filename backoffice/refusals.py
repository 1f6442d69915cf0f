"""What a database refused, in plain words.

Its own text may quote the row: PostgreSQL says `Key (email)=(anna@example.com) already exists`.
Nobody is shown that text, neither on a page nor by the API, in a message of a job or in a log.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.db import DatabaseError, DataError, IntegrityError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

CODE = "refused"
"""Code of the ValidationError that stands for what the database refused."""

# What may come of values that somebody typed; everything else is a fault of ours.
REFUSED = (IntegrityError, DataError)

_TAKEN = _("Something with these values is there already.")
_MISSING = _("A value that has to be there is missing.")
_IN_USE = _("Other records belong to it, or what it names is not there.")
_RULE = _("These values break a rule of the database.")
_SIZE = _("A value is too long, or no number or date that can be kept.")
_OTHER = _("The database does not take these values.")

# SQLSTATE of PostgreSQL, and the names of SQLite's extended codes.
_WORDS: dict[str, Promise | str] = {
    "23505": _TAKEN,
    "SQLITE_CONSTRAINT_UNIQUE": _TAKEN,
    "SQLITE_CONSTRAINT_PRIMARYKEY": _TAKEN,
    "23502": _MISSING,
    "SQLITE_CONSTRAINT_NOTNULL": _MISSING,
    "23503": _IN_USE,
    "23001": _IN_USE,
    "SQLITE_CONSTRAINT_FOREIGNKEY": _IN_USE,
    "23514": _RULE,
    "23P01": _RULE,
    "SQLITE_CONSTRAINT_CHECK": _RULE,
    "SQLITE_CONSTRAINT_TRIGGER": _RULE,
    "22001": _SIZE,
    "22003": _SIZE,
    "22007": _SIZE,
    "22008": _SIZE,
}


def words(error: DatabaseError) -> str:
    """Return what was wrong, by the code of the error alone; its text is not looked at."""
    cause = error.__cause__
    for name in ("sqlstate", "pgcode", "sqlite_errorname"):
        code = getattr(cause, name, None)
        if code in _WORDS:
            return str(_WORDS[code])
    return str(_OTHER)


@contextmanager
def in_words() -> Iterator[None]:
    """Turn what the database refuses into a ValidationError; nothing of its text goes along.

    Put it around the transaction, not inside: what was written before has to be undone.
    """
    try:
        yield
    except REFUSED as error:
        raise ValidationError(words(error), code=CODE) from None
