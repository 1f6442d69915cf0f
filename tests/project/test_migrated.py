"""Workers of a run begin with a copy of one migrated database, and with nothing older."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from backoffice.audit import triggers
from tests.migrated import Migrated


@pytest.fixture
def other(tmp_path: Path) -> Iterator[BaseDatabaseWrapper]:
    """Return a connection to a small SQLite database of its own."""
    values = connections.configure_settings(
        {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "of_gw0")}}
    )["default"]
    with closing(sqlite3.connect(values["NAME"])) as database:
        database.execute("CREATE TABLE made_by_gw0 (id)")
    made = connections.create_connection("default")
    made.settings_dict = {**values, "TEST": {**values["TEST"], "NAME": str(tmp_path / "of_gw1")}}
    yield made
    made.close()


def tables(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [name for (name,) in database.execute("SELECT name FROM sqlite_master")]


def test_database_of_every_worker_is_migrated_to_the_end(db: None) -> None:
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
    assert triggers.missing(connection) == []


@pytest.mark.sqlite
def test_second_worker_of_a_run_begins_with_a_copy(
    other: BaseDatabaseWrapper, tmp_path: Path
) -> None:
    Migrated(other, "now", tmp_path).keep()
    second = Migrated(other, "now", tmp_path)
    assert second.exists()
    creation: Any = other.creation
    with second.copied():
        creation._create_test_db(verbosity=0, autoclobber=True)
    assert tables(tmp_path / "of_gw1") == ["made_by_gw0"]


@pytest.mark.sqlite
def test_copy_of_another_run_is_never_used(other: BaseDatabaseWrapper, tmp_path: Path) -> None:
    Migrated(other, "before", tmp_path).keep()
    assert not Migrated(other, "now", tmp_path).exists()


@pytest.mark.sqlite
def test_copy_goes_with_the_worker_that_made_it(other: BaseDatabaseWrapper, tmp_path: Path) -> None:
    made = Migrated(other, "now", tmp_path)
    made.keep()
    made.drop()
    assert not Migrated(other, "now", tmp_path).exists()
