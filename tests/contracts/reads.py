"""The contract of reading back: what a gateway lists, and what it means when it does not answer."""

from dataclasses import replace
from uuid import uuid4

import pytest

from payments.gateways.base import (
    Gateway,
    GatewayUnavailableError,
    NotOfferedError,
    Outcome,
    PaymentUnknownError,
    RefundCommand,
)
from tests.contracts.answers import UNREADABLE
from tests.contracts.case import GatewayCase
from tests.contracts.peers import Peer, Said


class ReadContract(GatewayCase):
    """`fetch_payment`, `find_refund`, `healthcheck`."""

    def lists(self, adapter: Gateway, command: RefundCommand) -> bool:
        """Say whether it can be read back; where not, hold it to saying so, never to "absent"."""
        if adapter.caps.lookup == "list":
            return True
        with pytest.raises(NotOfferedError):
            adapter.find_refund(command)
        with pytest.raises(NotOfferedError):
            adapter.fetch_payment(command.payment_reference)
        return False

    def test_refund_whose_answer_was_an_error_can_be_looked_up(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        if self.lists(adapter, command):
            peer.save_500()
            adapter.refund(command)
            found = adapter.find_refund(command)
            assert found is not None
            assert (found.outcome, found.amount) == (Outcome.SUCCEEDED, command.amount)
            assert found.reference

    def test_refund_that_is_listed_twice_is_no_success(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        """However it came to that: the customer has it twice, and people have to look."""
        if self.lists(adapter, command):
            adapter.refund(command)
            adapter.refund(replace(command, key=uuid4()))
            assert peer.paid_back(command.payment_reference) == [command.amount] * 2
            found = adapter.find_refund(command)
            assert found is not None
            assert (found.outcome, found.code) == (Outcome.UNKNOWN, "listed_twice")

    def test_look_up_of_a_refund_that_was_never_sent_finds_none(
        self, adapter: Gateway, command: RefundCommand
    ) -> None:
        if self.lists(adapter, command):
            assert adapter.find_refund(command) is None

    def test_look_up_at_a_gateway_that_is_down_teaches_nothing(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        if self.lists(adapter, command):
            peer.stop()
            with pytest.raises(GatewayUnavailableError):
                adapter.find_refund(command)

    @pytest.mark.parametrize("body", UNREADABLE.values(), ids=list(UNREADABLE))
    def test_look_up_that_cannot_be_read_teaches_nothing(
        self, adapter: Gateway, peer: Peer, command: RefundCommand, body: bytes
    ) -> None:
        if self.lists(adapter, command):
            peer.say_reads(Said(200, body))
            with pytest.raises(GatewayUnavailableError):
                adapter.find_refund(command)

    @pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
    def test_look_up_that_is_refused_teaches_nothing(
        self, adapter: Gateway, peer: Peer, command: RefundCommand, status: int
    ) -> None:
        if self.lists(adapter, command):
            peer.say_reads(Said(status, b"{}"))
            with pytest.raises(GatewayUnavailableError):
                adapter.find_refund(command)

    def test_fetch_payment_adds_up(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        if self.lists(adapter, command):
            adapter.refund(command)
            payment = adapter.fetch_payment(command.payment_reference)
            assert (payment.captured, payment.refunded) == (self.captured, command.amount)
            assert [refund.number for refund in payment.refunds] == [command.number]
            assert payment.reference == command.payment_reference

    def test_fetch_payment_that_nobody_knows_is_an_error(
        self, adapter: Gateway, command: RefundCommand
    ) -> None:
        if self.lists(adapter, command):
            with pytest.raises(PaymentUnknownError):
                adapter.fetch_payment("nobody")

    def test_not_found_page_of_somebody_else_is_no_unknown_payment(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        if self.lists(adapter, command):
            peer.say_reads(Said(404, b"<html>No such page</html>"))
            with pytest.raises(GatewayUnavailableError):
                adapter.fetch_payment(command.payment_reference)

    def test_healthcheck_tells_up_from_down(self, adapter: Gateway, peer: Peer) -> None:
        assert adapter.healthcheck().ok
        peer.stop()
        health = adapter.healthcheck()
        assert (health.ok, bool(health.message)) == (adapter.caps.by_hand, not adapter.caps.by_hand)
