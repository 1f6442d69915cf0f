"""Processes of ours on the database of the running test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent


def database_url() -> str:
    """Return the address of the test's database, as DATABASE_URL wants it."""
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite://{quote(str(Path(values['NAME']).resolve()))}"
    host = quote(values["HOST"], safe="")
    user = f"{quote(values['USER'])}:{quote(values['PASSWORD'])}@" if values["USER"] else ""
    return f"postgresql://{user}/{values['NAME']}?host={host}&port={values['PORT'] or 5432}"


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a child on this test's database and gateway."""
    gateway = settings.GATEWAYS["simulator"]["OPTIONS"]["base_url"]
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.child_settings",
        "FILES_OF_THE_TEST": str(settings.MEDIA_ROOT),
        "DATABASE_URL": database_url(),
        "BACKOFFICE_SIMULATOR_URL": gateway,
        **more,
    }


@contextmanager
def python(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run `python arguments…` in the checkout; it is killed (-9) at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(**variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def held_row(table: str, pk: int) -> Iterator[None]:
    """Keep every other process from writing this row (on SQLite: from writing at all)."""
    other: Any = connection.copy("default")
    other.ensure_connection()
    try:
        with other.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("BEGIN IMMEDIATE")
            else:
                cursor.execute("BEGIN")
                cursor.execute(f'SELECT 1 FROM "{table}" WHERE id = %s FOR UPDATE', [pk])  # noqa: S608 - our own table names
            yield
            cursor.execute("ROLLBACK")
    finally:
        other.close()
