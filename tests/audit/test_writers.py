"""Eight processes write while two seal: one unbroken chain."""

import threading
from contextlib import ExitStack

import pytest
from django.db import connection, transaction

from backoffice.accounts.models import User
from backoffice.audit import chain, verbs
from backoffice.audit.models import Event, Seal
from backoffice.audit.services import record
from backoffice.audit.verify import verify
from tests.processes import python

pytestmark = pytest.mark.django_db(transaction=True)
WRITERS, EACH = 8, 30


class Sealer(threading.Thread):
    """Seals all the time, on a connection of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.over, self.sealed, self.error = threading.Event(), 0, ""

    def run(self) -> None:
        """Seal until told to stop."""
        try:
            while not self.over.wait(0.02):
                self.sealed += chain.seal()
        except Exception as error:  # noqa: BLE001 - the test shows it
            self.error = repr(error)
        finally:
            connection.close()


def test_eight_writers_and_two_sealers_end_in_one_unbroken_chain(ann: User) -> None:
    Event.objects.exists()
    with ExitStack() as stack:
        child = ("-m", "tests.audit.writer", str(ann.pk), str(EACH))
        writers = [stack.enter_context(python(*child)) for _ in range(WRITERS)]
        for writer in writers:
            assert writer.stdout
            assert writer.stdout.readline() == "ready\n"
        sealers = [Sealer(), Sealer()]
        for sealer in sealers:
            sealer.start()
        for writer in writers:
            assert writer.stdin
            writer.stdin.write("go\n")
            writer.stdin.flush()
        said = [writer.stdout.readline() for writer in writers if writer.stdout]
        for sealer in sealers:
            sealer.over.set()
            sealer.join()
    assert (said, [sealer.error for sealer in sealers]) == (["done\n"] * WRITERS, ["", ""])
    during = sum(sealer.sealed for sealer in sealers)
    assert during > EACH  # it was linked while they wrote, not only afterwards
    chain.seal()
    report = verify()
    assert (report.problems, report.checked, report.unsealed) == ([], WRITERS * EACH, 0)
    positions = list(Seal.objects.order_by("position").values_list("position", flat=True))
    assert positions == list(range(1, WRITERS * EACH + 1))


@pytest.mark.postgres
def test_writer_does_not_wait_for_the_sealer(ann: User) -> None:
    """An event is written and committed while a sealer holds its lock."""
    record(verbs.CHANGED, actor=ann)
    holds, over = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            chain._wait_for_other_sealers()
            holds.set()
            over.wait(30)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    assert holds.wait(30)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '5s'")
    record(verbs.CHANGED, actor=ann)
    assert Event.objects.count() == 2
    over.set()
    other.join()
    assert chain.seal() == 2


@pytest.mark.postgres
def test_event_that_commits_after_younger_ones_is_linked_behind_them(ann: User) -> None:
    younger, written = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            record(verbs.CHANGED, actor=ann, context={"slow": True})
            written.set()
            younger.wait(30)
        connection.close()

    other = threading.Thread(target=slow)
    other.start()
    assert written.wait(30)
    fast = record(verbs.CHANGED, actor=ann)
    assert chain.seal() == 1
    younger.set()
    other.join()
    assert chain.seal() == 1
    late = Event.objects.get(context={"slow": True})
    assert late.pk < fast.pk
    assert list(Seal.objects.order_by("position").values_list("event_id", flat=True)) == [
        fast.pk,
        late.pk,
    ]
    assert verify().problems == []
