"""The simulator keeps the contract of gateways, and what is particular to its answers."""

import pytest

from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import Outcome, RefundCommand
from tests.contracts.gateway import GatewayContract
from tests.simulator import SimulatorProcess


class SimulatorPeer:
    """The simulator's process as the contract wants to play on it."""

    def __init__(self, process: SimulatorProcess) -> None:
        self.process = process
        self.seed = process.seed
        self.stop = process.stop

    def lose_answer(self) -> None:
        self.process.play(lose_answer=1)

    def fail_after(self) -> None:
        self.process.play(fail_500_after=1)

    def fail_before(self) -> None:
        self.process.play(fail_500_before=1)

    def be_busy(self) -> None:
        self.process.play(busy=1)

    def paid_back(self, reference: str) -> list[Money]:
        rows = self.process.refunds(reference)
        return [Money(row["amount_minor"], row["currency"]) for row in rows]


class TestSimulator(GatewayContract):
    gateway = "simulator"

    @pytest.fixture
    def peer(self, simulator: SimulatorProcess) -> SimulatorPeer:
        return SimulatorPeer(simulator)

    def test_answer_slower_than_the_limit_is_unknown(
        self, peer: SimulatorPeer, command: RefundCommand
    ) -> None:
        peer.process.play(delay=4)
        assert gateways["simulator"].refund(command).outcome is Outcome.UNKNOWN
        assert peer.paid_back(command.payment_reference) == [command.amount]

    def test_saved_server_error_is_repeated_for_the_same_key(
        self, peer: SimulatorPeer, command: RefundCommand
    ) -> None:
        peer.fail_after()
        first, second = (gateways["simulator"].refund(command) for _ in range(2))
        assert (first.outcome, second.outcome) == (Outcome.UNKNOWN, Outcome.UNKNOWN)
        assert peer.paid_back(command.payment_reference) == [command.amount]

    def test_books_survive_a_restart(self, peer: SimulatorPeer, command: RefundCommand) -> None:
        gateways["simulator"].refund(command)
        peer.process.stop()
        peer.process.start()
        assert peer.paid_back(command.payment_reference) == [command.amount]
