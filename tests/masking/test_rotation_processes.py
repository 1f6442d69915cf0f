"""Changing the keys while others write, and while somebody pulls the plug: real processes."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from backoffice.masking import rotation, whole
from backoffice.masking.indexes import digest
from tests.masking.child import VALUES
from tests.masking.models import Login
from tests.processes import python

pytestmark = pytest.mark.django_db(transaction=True)
OLD, NEW = f"old:{'o' * 40}", f"new:{'n' * 40}"


@pytest.fixture(autouse=True)
def logins(tables: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(rotation, "_models", lambda: [Login])
    settings.BACKOFFICE_MASKING_INDEX_KEYS = [("old", "o" * 40)]
    Login.objects.all().delete()
    yield
    Login.objects.all().delete()


def test_value_stays_single_though_two_write_it_by_different_keys() -> None:
    rings = {"lower": f"{OLD},{NEW}", "upper": f"{NEW},{OLD}"}
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                python(
                    "-m",
                    "tests.masking.child",
                    "write",
                    spelling,
                    BACKOFFICE_MASKING_INDEX_KEYS=ring,
                )
            )
            for spelling, ring in rings.items()
        ]
        for writer in writers:
            assert writer.stdout
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin
            writer.stdin.write("go\n")
            writer.stdin.flush()
        wrote = [int(writer.stdout.readline()) for writer in writers if writer.stdout]
    assert (sum(wrote), Login.objects.count()) == (VALUES, VALUES)


@pytest.mark.postgres  # SQLite lets one transaction write at a time
def test_second_writer_waits_until_the_first_is_done(settings: Settings) -> None:
    """Neither would see the other's row, and by two keys their digests differ."""

    def late() -> str:
        try:
            with transaction.atomic():
                Login.objects.create(email="ANNA@b.example")
        except IntegrityError:
            return "refused"
        finally:
            connection.close()
        return "wrote"

    settings.BACKOFFICE_MASKING_INDEX_KEYS = [("old", "o" * 40), ("new", "n" * 40)]
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Login.objects.create(email="anna@b.example")
            settings.BACKOFFICE_MASKING_INDEX_KEYS = [("new", "n" * 40), ("old", "o" * 40)]
            second = pool.submit(late)
            while not second.done() and not _waits_for_a_lock():
                time.sleep(0.02)
            assert not second.done()
        assert second.result(timeout=60) == "refused"
    assert Login.objects.count() == 1


def _waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(cursor.fetchone()[0])


def _indexes() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT email_index FROM masking_tests_login ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def test_killed_rotation_leaves_whole_batches_and_the_next_run_ends_it(settings: Settings) -> None:
    Login.objects.bulk_create(Login(email=f"person{n}@b.example") for n in range(7))
    old = _indexes()
    ring = f"{NEW},{OLD}"
    with python(
        "-m", "tests.masking.child", "rotate", "0.2", BACKOFFICE_MASKING_INDEX_KEYS=ring
    ) as child:
        assert child.stdout
        assert [child.stdout.readline() for _ in range(3)] == ["batch\n"] * 3
        child.kill()  # SIGKILL, inside the third batch
        child.wait()
    settings.BACKOFFICE_MASKING_INDEX_KEYS = [("new", "n" * 40), ("old", "o" * 40)]
    assert [kept == was for kept, was in zip(_indexes(), old, strict=True)] == [False] * 4 + [
        True
    ] * 3
    for number in range(7):
        assert Login.objects.filter(email=whole(f"person{number}@b.example")).count() == 1
    assert rotation.rotate() == {"masking_tests.Login": 3}
    assert _indexes() == [digest("email", f"person{number}@b.example") for number in range(7)]
