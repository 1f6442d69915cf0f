"""What every gateway adapter must keep, proven against a peer in another process.

A new adapter inherits the suite, names its alias, and gives a `peer` that can play the faults::

    class TestAcme(GatewayContract):
        gateway = "acme"
"""

from dataclasses import replace
from typing import ClassVar, Protocol
from uuid import uuid4

import pytest

from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import (
    Gateway,
    GatewayUnavailableError,
    Outcome,
    PaymentUnknownError,
    RefundCommand,
)

CAPTURED = Money(10_000, "GBP")


class Peer(Protocol):
    """The other side: what a suite needs to make happen there, and to read from it."""

    def seed(self, reference: str, amount: Money) -> None:
        """Make a captured payment known."""

    def lose_answer(self) -> None:
        """Execute the next refund and hang up without an answer."""

    def fail_after(self) -> None:
        """Execute the next refund and answer with a server error."""

    def fail_before(self) -> None:
        """Answer the next refund with a server error and do nothing."""

    def be_busy(self) -> None:
        """Refuse the next refund because of too many requests."""

    def stop(self) -> None:
        """Be gone."""

    def paid_back(self, reference: str) -> list[Money]:
        """Return the refunds that were really executed."""


class GatewayContract:
    """The suite; `gateway` is the alias in the settings."""

    gateway: ClassVar[str]

    @pytest.fixture
    def adapter(self, peer: Peer) -> Gateway:
        return gateways[self.gateway]

    @pytest.fixture
    def command(self, peer: Peer) -> RefundCommand:
        reference = f"pay-{uuid4()}"
        peer.seed(reference, CAPTURED)
        return RefundCommand(
            number=f"RF-{uuid4()}",
            key=uuid4(),
            payment_reference=reference,
            amount=Money(2_271, "GBP"),
            reason="Arrived damaged",
        )

    def test_refund_of_a_part_succeeds_with_a_reference(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        result = adapter.refund(command)
        assert (result.outcome, result.amount) == (Outcome.SUCCEEDED, command.amount)
        assert result.reference
        assert peer.paid_back(command.payment_reference) == [command.amount]

    def test_refund_with_the_same_key_is_executed_once(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        first, second = adapter.refund(command), adapter.refund(command)
        assert (second.outcome, second.reference) == (Outcome.SUCCEEDED, first.reference)
        assert second.replayed
        assert peer.paid_back(command.payment_reference) == [command.amount]

    def test_refund_with_the_same_key_and_another_amount_never_succeeds(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        adapter.refund(command)
        other = adapter.refund(replace(command, amount=Money(1, "GBP")))
        assert other.outcome is Outcome.UNKNOWN
        assert peer.paid_back(command.payment_reference) == [command.amount]

    def test_refund_of_more_than_captured_fails_for_certain(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        result = adapter.refund(replace(command, amount=CAPTURED + Money(1, "GBP")))
        assert result.outcome is Outcome.FAILED
        assert result.message
        assert peer.paid_back(command.payment_reference) == []

    def test_refund_in_another_currency_fails_for_certain(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        result = adapter.refund(replace(command, amount=Money(100, "EUR")))
        assert result.outcome is Outcome.FAILED
        assert peer.paid_back(command.payment_reference) == []

    def test_refund_of_an_unknown_payment_fails_for_certain(
        self, adapter: Gateway, command: RefundCommand
    ) -> None:
        assert (
            adapter.refund(replace(command, payment_reference="nobody")).outcome is Outcome.FAILED
        )

    def test_lost_answer_is_unknown_and_the_replay_pays_nothing_more(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        peer.lose_answer()
        assert adapter.refund(command).outcome is Outcome.UNKNOWN
        assert adapter.refund(command).outcome is Outcome.SUCCEEDED
        assert peer.paid_back(command.payment_reference) == [command.amount]

    def test_server_error_after_execution_is_unknown_and_can_be_looked_up(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        peer.fail_after()
        assert adapter.refund(command).outcome is Outcome.UNKNOWN
        found = adapter.find_refund(command)
        assert found is not None
        assert (found.outcome, found.amount) == (Outcome.SUCCEEDED, command.amount)

    def test_server_error_before_execution_is_unknown_too(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        peer.fail_before()
        assert adapter.refund(command).outcome is Outcome.UNKNOWN
        assert peer.paid_back(command.payment_reference) == []

    def test_busy_gateway_has_surely_done_nothing(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        peer.be_busy()
        result = adapter.refund(command)
        assert (result.outcome, result.retry_after) == (Outcome.NOT_SENT, 1.0)
        assert peer.paid_back(command.payment_reference) == []

    def test_gateway_that_is_down_was_surely_not_reached(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        peer.stop()
        assert adapter.refund(command).outcome is Outcome.NOT_SENT

    def test_look_up_of_a_refund_that_was_never_sent_finds_none(
        self, adapter: Gateway, command: RefundCommand
    ) -> None:
        assert adapter.find_refund(command) is None

    def test_look_up_at_a_gateway_that_is_down_teaches_nothing(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        peer.stop()
        with pytest.raises(GatewayUnavailableError):
            adapter.find_refund(command)

    def test_fetch_payment_adds_up(self, adapter: Gateway, command: RefundCommand) -> None:
        adapter.refund(command)
        payment = adapter.fetch_payment(command.payment_reference)
        assert (payment.captured, payment.refunded) == (CAPTURED, command.amount)
        assert [refund.number for refund in payment.refunds] == [command.number]

    def test_fetch_payment_that_nobody_knows_is_an_error(self, adapter: Gateway) -> None:
        with pytest.raises(PaymentUnknownError):
            adapter.fetch_payment("nobody")

    def test_healthcheck_tells_up_from_down(self, adapter: Gateway, peer: Peer) -> None:
        assert adapter.healthcheck().ok
        peer.stop()
        assert not adapter.healthcheck().ok
