"""The tables of the test models, made once a session, for whoever asks (a plugin of `conftest`).

A fixture that two modules import is two fixtures: the second would make tables that stand already.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.db.models import Model
from pytest_django import DjangoDbBlocker

from tests.masking.models import Account, Folder, Letter, Login, Person


@pytest.fixture(scope="session")
def tables(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make the tables of the test models for the session."""
    past = Account.history.model
    with django_db_blocker.unblock(), standing(Person, Letter, Account, past, Login, Folder):
        yield


@contextmanager
def standing(*models: type[Model]) -> Iterator[None]:
    """Make the tables of models that no migration knows, and drop them at the end."""
    with connection.schema_editor() as editor:
        for model in models:
            editor.create_model(model)
    yield
    with connection.schema_editor() as editor:
        for model in reversed(models):
            editor.delete_model(model)
