"""New databases for a soak: one run on each, in a process of its own.

A soak that the suite calls begins with a copy of the suite's migrated database, where there is one
(BACKOFFICE_MIGRATED, see tests/conftest.py); `migrate` then finds little to do.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent.parent
MIGRATED = os.environ.get("BACKOFFICE_MIGRATED", "")


def run_on(name: str, script: str, options: tuple[str, ...], settings: str) -> int:
    """Run `script --here options…` on a new "sqlite" or "postgres"; return its exit code."""
    command = [sys.executable, script, "--here", *options]
    with tempfile.TemporaryDirectory(prefix="backoffice-soak-") as folder:
        if name == "sqlite":
            with suppress(FileNotFoundError):  # its worker of the suite is through
                shutil.copyfile(MIGRATED, Path(folder) / "backoffice.sqlite3")
            return _call(command, folder, "", settings)
        server = os.environ.get("DATABASE_URL", "")
        if not server.startswith("postgres"):
            own = [sys.executable, str(ROOT / ".ci" / "postgres"), *command]
            return _call(own, folder, "", settings)
        with _new_database(server) as address:
            return _call(command, folder, address, settings)


def _call(command: list[str], folder: str, address: str, settings: str) -> int:
    own = {"BACKOFFICE_VAR": folder, "DJANGO_SETTINGS_MODULE": settings}
    environment = {**os.environ, **own, "DATABASE_URL": address}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


@contextmanager
def _new_database(server: str) -> Iterator[str]:
    """Make a database on the server of this address; it goes afterwards."""
    name = f"soak_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        try:
            template = MIGRATED or "template1"
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        except (psycopg.errors.InvalidCatalogName, psycopg.errors.ObjectInUse):
            connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
