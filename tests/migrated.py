"""The migrated database of one run: one worker makes it, every other begins with a copy.

A copy belongs to one run, of pytest by pytest-xdist's id or of `.ci/test` with all its steps by its
folder, and is never looked for by another: a stale one cannot be met. `migrate` still runs on it,
and finds nothing to do.
"""

import fcntl
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


class Migrated:
    """What the first worker of a run keeps for the others; `folder` is shared by all of them."""

    def __init__(self, connection: BaseDatabaseWrapper, run: str, folder: Path) -> None:
        # Databases and their creation differ by kind, in ways that Django's types do not tell.
        self.connection: Any = connection
        self.name = f"migrated_{run}"
        self.folder = folder
        self.made = False

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let one worker at a time make, copy or drop; a worker that dies holds nothing."""
        with (self.folder / f"{self.name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @property
    def file(self) -> Path:
        """Where it is kept on SQLite."""
        return self.folder / f"{self.name}.sqlite3"

    @property
    def place(self) -> str:
        """Where processes that a test starts find it: a file, or a database's name."""
        return str(self.file) if self.connection.vendor == "sqlite" else self.name

    def exists(self) -> bool:
        """Say whether a worker of this run has made it."""
        if self.connection.vendor == "sqlite":
            return self.file.exists()
        with self.connection._nodb_cursor() as cursor:
            return bool(self.connection.creation._database_exists(cursor, self.name))

    def keep(self) -> None:
        """Keep the worker's migrated database; it appears whole or not at all."""
        self.made = True
        if self.connection.vendor == "sqlite":
            part = self.file.with_suffix(".part")
            source = sqlite3.connect(self.connection.settings_dict["NAME"])
            with closing(source), closing(sqlite3.connect(part)) as target:
                source.backup(target)
            part.rename(self.file)
            return
        self.connection.close()  # PostgreSQL copies no database that somebody uses
        self._execute(f"CREATE DATABASE {self.name} TEMPLATE {self._of_the_worker()}")

    @contextmanager
    def copied(self) -> Iterator[None]:
        """Inside, a test database is made as a copy."""
        creation = self.connection.creation
        if self.connection.vendor != "sqlite":
            tests = self.connection.settings_dict["TEST"]
            tests["TEMPLATE"] = self.name
            yield
            del tests["TEMPLATE"]
            return
        make = creation._create_test_db

        def copy(*args: Any, **kwargs: Any) -> Any:
            name = make(*args, **kwargs)
            shutil.copyfile(self.file, name)
            return name

        creation._create_test_db = copy
        yield
        del creation._create_test_db

    def drop(self) -> None:
        """Take it away. A worker that comes later makes one of its own."""
        if self.connection.vendor == "sqlite":
            self.file.unlink(missing_ok=True)
        else:
            self._execute(f"DROP DATABASE IF EXISTS {self.name}")

    def _of_the_worker(self) -> str:
        return str(self.connection.ops.quote_name(self.connection.settings_dict["NAME"]))

    def _execute(self, statement: str) -> None:
        with self.connection._nodb_cursor() as cursor:
            cursor.execute(statement)
