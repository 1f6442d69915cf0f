"""A chain of ten events, one a day, the newest a moment ago."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.audit import chain, triggers, verbs
from backoffice.audit.models import Event
from backoffice.audit.services import record
from customers.models import Customer


def sql(query: str, *values: Any) -> None:
    """Run a statement as somebody with write access to the database would."""
    with connection.cursor() as cursor:
        cursor.execute(query, values)


@contextmanager
def tampering() -> Iterator[None]:
    """Take the triggers away for a block; what it did is undone at its end."""
    with transaction.atomic():
        triggers.lift(connection)
        yield
        transaction.set_rollback(True)


@pytest.fixture
def events(eve: User, monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """Return ten events, all linked: number 7 (index 6) has a reason and a further subject."""
    first, second = Customer.objects.create(number="1"), Customer.objects.create(number="2")
    now, made = timezone.now(), []
    for day in range(10):
        with monkeypatch.context() as clock:
            clock.setattr(timezone, "now", lambda day=day: now - timedelta(days=9 - day))
            more: dict[str, Any] = {"reason": "Called back", "also": [second]} if day == 6 else {}
            made.append(
                record(verbs.CHANGED, actor=eve, subject=first, context={"day": day}, **more)
            )
    assert chain.seal() == 10
    return made
