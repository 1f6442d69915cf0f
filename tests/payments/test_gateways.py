"""The simulator keeps the contract of gateways, and what is particular to its answers."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, override
from uuid import uuid4

import pytest
from pytest_django import Settings

from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import MovementKind, Outcome, RefundCommand
from payments.gateways.simulator import Simulator
from tests.contracts.case import Delivery, Told
from tests.contracts.gateway import GatewayContract
from tests.contracts.peers import Said, Seen
from tests.peers.proxy import FaultProxy, Proxied
from tests.simulator import WEBHOOK_SECRET, SimulatorProcess, signed, wait_for

RECORDED = Path(__file__).resolve().parents[2] / "fixtures" / "gateways" / "simulator"
STATUS = {Outcome.SUCCEEDED: "succeeded", Outcome.PENDING: "pending", Outcome.FAILED: "failed"}


def settlement_pages() -> tuple[Said, ...]:
    """Return the recorded day as the simulator tells it, on two pages."""
    head, *lines = (RECORDED / "settlement.csv").read_text(encoding="utf-8").split()
    rows: list[dict[str, Any]] = [
        dict(zip(head.split(","), line.split(","), strict=True)) for line in lines
    ]
    for row in rows:
        row |= {name: int(row[name]) for name in ("amount_minor", "fee_minor")}
    pages = ({"rows": rows[:5], "next": 1}, {"rows": rows[5:], "next": None})
    return tuple(Said(200, json.dumps(page).encode()) for page in pages)


class SimulatorPeer(Proxied):
    """The simulator's process behind the fault proxy; its books are read past it."""

    def __init__(self, proxy: FaultProxy, process: SimulatorProcess) -> None:
        super().__init__(proxy)
        self.process = process

    @override
    def seed(self, amount: Money) -> str:
        reference = f"pay-{uuid4()}"
        self.process.seed(reference, amount)
        return reference

    @override
    def paid_back(self, reference: str) -> list[Money]:
        rows = self.process.refunds(reference)
        return [Money(row["amount_minor"], row["currency"]) for row in rows]


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorPeer]:
    """Run simulator and proxy once for all tests here; each payment is a new one."""
    state = tmp_path_factory.mktemp("simulator") / "gateway.sqlite3"
    with SimulatorProcess(state) as simulator, FaultProxy(simulator.url) as proxy:
        yield SimulatorPeer(proxy, simulator)


class TestSimulator(GatewayContract):
    gateway = "simulator"
    accepted_status = 201
    in_progress = Said(409, b'{"error": "in_progress", "message": "Still running"}')
    amounts = {
        Money(1_234, "GBP"): 1_234,
        Money(500, "JPY"): 500,
        Money(50_000, "KRW"): 50_000,
        Money(1_230, "BHD"): 1_230,
        Money(5, "ISK"): 5,
        Money(5, "UGX"): 5,
    }
    secret_options = ("webhook_secret",)
    broken_options = (
        {"base_url": "not an address"},
        {"webhook_secret": "whsec_c2hvcnQ="},
        {"webhook_secret": "whsec_!!!"},
    )
    settlement_file = RECORDED / "settlement.csv"
    amount_column = "amount_minor"
    settlement_said = settlement_pages()
    settlement_sums = {
        MovementKind.CAPTURE: (1, 10_000),
        MovementKind.REFUND: (2, -3_270),
        MovementKind.REVERSAL: (1, 2_270),
        MovementKind.CHARGEBACK: (1, -4_000),
        MovementKind.CHARGEBACK_REVERSED: (1, 4_000),
        MovementKind.FEE: (1, -250),
        MovementKind.PAYOUT: (1, -7_090),
    }
    settlement_fees = 1_660

    @pytest.fixture
    def peer(self, processes: SimulatorPeer, settings: Settings) -> SimulatorPeer:
        processes.process.calm()
        processes.proxy.ready()
        options = {
            "base_url": processes.proxy.url,
            "webhook_secret": WEBHOOK_SECRET,
            "connect": 5,
            "read": 20,
        }
        backend = "payments.gateways.simulator.Simulator"
        settings.GATEWAYS = {"simulator": {"BACKEND": backend, "OPTIONS": options}}
        return processes

    @override
    def accepted(self, command: RefundCommand, status: str = "") -> dict[str, Any]:
        return {
            "id": "re_of_a_test",
            "payment": command.payment_reference,
            "reference": command.number,
            "amount_minor": command.amount.minor,
            "currency": command.amount.currency,
            "status": status or "succeeded",
            "created": "2026-11-20T10:00:00+00:00",
        }

    @override
    def sent_amount(self, seen: Seen) -> object:
        return json.loads(seen.body)["amount_minor"]

    @override
    def delivery(
        self, told: Told, *, secret: str | None = None, at: datetime | None = None
    ) -> Delivery:
        event_id = f"evt_{told.number}"
        refund = {
            "id": told.refund_reference,
            "payment": told.payment_reference,
            "reference": told.number,
            "amount_minor": told.amount.minor,
            "currency": told.amount.currency,
            "status": STATUS[told.outcome],
            "created": "2026-11-20T10:00:00+00:00",
        }
        made_at = "2026-11-20T10:00:01+00:00"
        event = {"id": event_id, "type": "refund.x", "created": made_at, "data": refund}
        body = json.dumps(event).encode()
        stamp = at.timestamp() if at else None
        return Delivery(signed(event_id, body, secret=secret or WEBHOOK_SECRET, at=stamp), body)

    @override
    def garbage(self, body: bytes) -> Delivery:
        return Delivery(signed("evt_1", body), body)

    def test_answer_slower_than_the_limit_is_unknown(
        self, peer: SimulatorPeer, command: RefundCommand
    ) -> None:
        hasty = Simulator(peer.proxy.url, webhook_secret=WEBHOOK_SECRET, read=1)
        peer.process.play(delay=4)
        assert hasty.refund(command).outcome is Outcome.UNKNOWN
        paid = [command.amount]
        wait_for(lambda: peer.paid_back(command.payment_reference) == paid)

    def test_saved_server_error_is_repeated_for_the_same_key(
        self, peer: SimulatorPeer, command: RefundCommand
    ) -> None:
        peer.process.play(fail_500_after=1)
        first, second = (gateways["simulator"].refund(command) for _ in range(2))
        assert (first.outcome, second.outcome) == (Outcome.UNKNOWN, Outcome.UNKNOWN)
        assert peer.paid_back(command.payment_reference) == [command.amount]

    def test_books_survive_a_restart(self, peer: SimulatorPeer, command: RefundCommand) -> None:
        gateways["simulator"].refund(command)
        peer.process.stop()
        peer.process.start()
        assert peer.paid_back(command.payment_reference) == [command.amount]
