"""The simulator keeps the contract of gateways, and what is particular to its answers."""

import json
from collections.abc import Iterator
from typing import Any, override

import pytest
from pytest_django import Settings

from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import Outcome, RefundCommand
from tests.contracts.gateway import GatewayContract
from tests.contracts.peers import Said, Seen
from tests.peers.proxy import FaultProxy, Proxied
from tests.simulator import SimulatorProcess


class SimulatorPeer(Proxied):
    """The simulator's process behind the fault proxy; its books are read past it."""

    def __init__(self, proxy: FaultProxy, process: SimulatorProcess) -> None:
        super().__init__(proxy)
        self.process = process
        self._count = 0

    @override
    def seed(self, amount: Money) -> str:
        self._count += 1
        self.process.seed(f"pay-{self._count}", amount)
        return f"pay-{self._count}"

    @override
    def paid_back(self, reference: str) -> list[Money]:
        rows = self.process.refunds(reference)
        return [Money(row["amount_minor"], row["currency"]) for row in rows]


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
    broken_options = ({"base_url": "not an address"},)

    @pytest.fixture
    def peer(self, simulator: SimulatorProcess, settings: Settings) -> Iterator[SimulatorPeer]:
        with FaultProxy(simulator.url) as proxy:
            options = {"base_url": proxy.url, "connect": 1, "read": 2}
            entry = {**settings.GATEWAYS["simulator"], "OPTIONS": options}
            settings.GATEWAYS = {"simulator": entry}
            yield SimulatorPeer(proxy, simulator)

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

    def test_answer_slower_than_the_limit_is_unknown(
        self, peer: SimulatorPeer, command: RefundCommand
    ) -> None:
        peer.process.play(delay=4)
        assert gateways["simulator"].refund(command).outcome is Outcome.UNKNOWN
        assert peer.paid_back(command.payment_reference) == [command.amount]

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
