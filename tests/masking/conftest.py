"""A person whose every value is a canary."""

import datetime as dt
import re

import pytest
from django.db import connection

from backoffice.masking import services
from tests.masking.models import Person

NAME = "Qzanna Qzlindqvist"
EMAIL = "qzx1anna@qzhost.example"
PHONE = "+82 10-5550-0199"
NOTES = "qznotes: prefers letters"
BORN = dt.date(1990, 5, 14)

# What must not be seen anywhere; longer than anything that a mask shows, and than what an address
# in memory, a time or a token could hold by chance. A number or a date is a leak however laid out.
# Words are looked for in small and in capital letters: those of a token are mixed.
_WORDS = "zanna|zlind|zx1an|zhost|znotes|ZANNA|ZLIND|ZX1AN|ZHOST|ZNOTES"
_PHONE = r"5\W?5\W?5\W?0\W{0,6}0\W?1\W?9\W?9"
# A part stands alone: not inside a longer number, and not as a group of a UUID.
_PARTS = r"(?<![\w.])(?<![0-9a-f]{4}-)(?:5550|0199|1990)(?!\w)|(?<![\w-])05-14(?!\w)"
_BORN = r"1990\W{1,6}0?5\W{1,6}14\b|\b14\W{1,6}0?5\W{1,6}1990|19900514|(?:May 14|14 May).{1,3}1990"
_CANARIES = re.compile(f"{_WORDS}|{_PHONE}|{_PARTS}|{_BORN}")


def leaks(text: object) -> list[str]:
    """Return the canaries found in `text`."""
    return [found[0] for found in _CANARIES.finditer(str(text))]


@pytest.fixture
def person(tables: None, db: None) -> Person:
    return Person.objects.get(pk=make_person().pk)


@pytest.fixture
def read_unrecorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the record of activity fail ("disk full"); return what is read all the same."""
    read: list[str] = []

    def broken(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(services, "record_each", broken)
    monkeypatch.setattr(services, "_clear_texts", lambda *_args: read.append("read"))
    return read


def make_person(**values: object) -> Person:
    """Return a saved person; every value that is not given is a canary."""
    known = {"name": NAME, "email": EMAIL, "phone": PHONE, "notes": NOTES, "born": BORN}
    return Person.objects.create(**{**known, **values})


def stored(person: Person) -> dict[str, object]:
    """Return the row as the database has it."""
    columns = ["name", "email", "phone", "notes", "born", "email_index", "phone_index"]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(columns)} FROM masking_tests_person WHERE id = %s",  # noqa: S608
            [person.pk],
        )
        row = cursor.fetchone()
    values = dict(zip(columns, row, strict=True))
    values["born"] = str(values["born"])
    return values
