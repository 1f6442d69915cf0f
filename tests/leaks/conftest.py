"""One world for each module of tests: made once, every test undone to it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.db import transaction
from pytest_django import DjangoDbBlocker, Settings

from tests.leaks import plain
from tests.leaks.stage import Stage, make_stage


@pytest.fixture(scope="module")
def _made(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Stage]:
    outer = transaction.atomic()
    outer._from_testcase = True  # type: ignore[attr-defined]  # as Django's own TestCase says it
    with django_db_blocker.unblock(), outer:
        yield make_stage()
        transaction.set_rollback(True)


@pytest.fixture
def stage(
    _made: Stage, db: None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Stage:
    """Return the stage; what a test does to it is undone, its transaction being an inner one."""
    settings.BACKOFFICE_API_PER_MINUTE = settings.BACKOFFICE_API_ADDRESS_PER_MINUTE = 0  # no limit
    # Folders of the test's own: they are looked through.
    settings.MEDIA_ROOT = str(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cache.clear()
    _made.clients.clear()
    return _made


@pytest.fixture
def plain_pages(settings: Settings) -> None:
    """Put the plain pages beside ours, in Django's own templates."""
    settings.ROOT_URLCONF = plain.__name__
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [f"{admin.__path__[0]}/templates"]}]
