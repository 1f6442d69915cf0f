"""A person whose every value is a canary, and the tables of the test models."""

import datetime as dt
from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.models import Model
from pytest_django import DjangoDbBlocker

from tests.masking.models import Letter, Person

NAME = "Qzanna Qzlindqvist"
EMAIL = "qzx1anna@qzhost.example"
PHONE = "+82 10-5550-0199"
NOTES = "qznotes: prefers letters"
BORN = dt.date(1990, 5, 14)

# What must not be seen anywhere; longer than anything that a mask shows.
CANARIES = ("zanna", "zlind", "zx1an", "zhost", "5550", "0199", "znotes", "1990", "05-14")


def leaks(text: object) -> list[str]:
    """Return the canaries found in `text`."""
    seen = str(text).lower()
    return [canary for canary in CANARIES if canary in seen]


@pytest.fixture(scope="session")
def tables(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make the tables of the test models for the session."""
    models: tuple[type[Model], ...] = (Person, Letter)
    with django_db_blocker.unblock():
        with connection.schema_editor() as editor:
            for model in models:
                editor.create_model(model)
        yield
        with connection.schema_editor() as editor:
            for model in reversed(models):
                editor.delete_model(model)


@pytest.fixture
def person(tables: None, db: None) -> Person:
    return Person.objects.get(pk=make_person().pk)


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
