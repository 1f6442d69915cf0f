"""The contract of `refund`: what happened is told, and nothing happens twice."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest

from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import Gateway, NotOfferedError, Outcome, RefundCommand
from tests.contracts.case import GatewayCase
from tests.contracts.peers import Peer, Said


class RefundContract(GatewayCase):
    """Sending a refund."""

    def test_refund_of_a_part_is_accepted_with_a_reference(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        result = adapter.refund(command)
        assert result.outcome is self.accepts(adapter)
        if not adapter.caps.by_hand:
            assert (result.amount, bool(result.reference)) == (command.amount, True)
        assert peer.paid_back(command.payment_reference) == self.moved(adapter, command.amount)

    def test_refund_is_one_request_with_its_key(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        before = len(peer.seen())
        adapter.refund(command)
        sent = peer.seen()[before:]
        assert len(sent) == (0 if adapter.caps.by_hand else 1)
        assert all(str(command.key) in one.headers.values() for one in sent)

    def test_refund_with_the_same_key_is_executed_once(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        first, second = adapter.refund(command), adapter.refund(command)
        assert (first.outcome, second.outcome) == (self.accepts(adapter),) * 2
        if peer.traits.keeps_keys:
            assert second.reference == first.reference
            assert second.replayed is (self.tells_replays and not adapter.caps.by_hand)
        times = 1 if peer.traits.keeps_keys else 2  # a lenient peer really pays twice
        paid = self.moved(adapter, *[command.amount] * times)
        assert peer.paid_back(command.payment_reference) == paid

    def test_refunds_at_the_same_time_with_one_key_pay_once(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        with ThreadPoolExecutor(6) as pool:
            outcomes = {one.outcome for one in pool.map(adapter.refund, [command] * 6)}
        # Who is told that the key is in use knows nothing; nobody may hear of a refusal.
        assert outcomes <= {self.accepts(adapter), Outcome.UNKNOWN}
        times = 1 if peer.traits.keeps_keys else 6  # a lenient peer really pays six times
        paid = peer.paid_back(command.payment_reference)
        assert paid == self.moved(adapter, *[command.amount] * times)

    def test_refund_with_the_same_key_and_another_amount_never_succeeds(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        adapter.refund(command)
        other = replace(command, amount=Money(100, self.currency))
        result = adapter.refund(other)
        if not peer.traits.keeps_keys:
            paid = {money.minor for money in peer.paid_back(command.payment_reference)}
            assert paid == {command.amount.minor, other.amount.minor}
            return
        assert result.outcome is self.wired(adapter, Outcome.UNKNOWN)
        assert peer.paid_back(command.payment_reference) == self.moved(adapter, command.amount)

    def test_second_refund_of_a_payment(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        adapter.refund(command)
        second = replace(command, number=str(uuid4()), key=uuid4())
        if not adapter.caps.multiple:
            assert adapter.refund(second).outcome in self.refuses(adapter)
            return
        assert adapter.refund(second).outcome is self.accepts(adapter)
        paid = self.moved(adapter, command.amount, command.amount)
        assert peer.paid_back(command.payment_reference) == paid

    def test_refund_of_more_than_captured_is_refused(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        more = replace(command, amount=self.captured + Money(100, self.currency))
        result = adapter.refund(more)
        if not peer.traits.keeps_limits:
            assert result.outcome is Outcome.SUCCEEDED
            assert peer.paid_back(command.payment_reference) == [more.amount]
            return
        assert result.outcome in self.refuses(adapter)
        assert result.message or result.outcome is Outcome.PENDING
        assert peer.paid_back(command.payment_reference) == []

    def test_refund_in_another_currency_never_succeeds(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        other = "USD" if self.currency != "USD" else "EUR"
        result = adapter.refund(replace(command, amount=Money(2_270, other)))
        if not peer.traits.keeps_currencies:
            # The money went out, in the payment's own currency: people have to look.
            assert result.outcome is Outcome.UNKNOWN
            return
        assert result.outcome in self.refuses(adapter)
        assert peer.paid_back(command.payment_reference) == []

    def test_refund_of_an_unknown_payment_is_refused(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        result = adapter.refund(replace(command, payment_reference="nobody"))
        if not peer.traits.tells_codes:
            assert result.outcome is Outcome.UNKNOWN
            return
        assert result.outcome in self.refuses(adapter)

    def test_lost_answer_is_unknown_and_the_replay_pays_nothing_more(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        peer.lose_answer()
        assert adapter.refund(command).outcome is self.wired(adapter, Outcome.UNKNOWN)
        assert adapter.refund(command).outcome is self.accepts(adapter)
        times = 1 if peer.traits.keeps_keys else 2  # a lenient peer really pays twice
        paid = self.moved(adapter, *[command.amount] * times)
        assert peer.paid_back(command.payment_reference) == paid

    def test_saved_500_is_unknown_each_time_and_pays_once(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        peer.save_500()
        outcomes = [adapter.refund(command).outcome for _ in range(2)]
        assert outcomes == [self.wired(adapter, Outcome.UNKNOWN)] * 2
        assert peer.paid_back(command.payment_reference) == self.moved(adapter, command.amount)

    @pytest.mark.parametrize("status", [500, 502, 503, 504, 302])
    def test_answer_that_proves_nothing_is_unknown(
        self, adapter: Gateway, peer: Peer, command: RefundCommand, status: int
    ) -> None:
        peer.say(Said(status, b"{}", {"Location": "/elsewhere"}))
        assert adapter.refund(command).outcome is self.wired(adapter, Outcome.UNKNOWN)
        assert len(peer.seen()) == (0 if adapter.caps.by_hand else 1)

    def test_request_in_progress_is_unknown_unless_provably_not_sent(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        peer.say(self.in_progress)
        expected = Outcome.NOT_SENT if self.in_progress_is_not_sent else Outcome.UNKNOWN
        assert adapter.refund(command).outcome is self.wired(adapter, expected)

    def test_busy_gateway_has_surely_done_nothing(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        peer.say(self.busy)
        result = adapter.refund(command)
        assert result.outcome is self.wired(adapter, Outcome.NOT_SENT)
        wait = float(self.busy.headers["Retry-After"])
        assert result.retry_after == (None if adapter.caps.by_hand else wait)
        assert peer.paid_back(command.payment_reference) == []

    def test_gateway_that_does_not_know_us_has_surely_done_nothing(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        peer.say(Said(401, b"{}"))
        assert adapter.refund(command).outcome is self.wired(adapter, Outcome.NOT_SENT)

    def test_gateway_that_is_down_was_surely_not_reached(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        peer.stop()
        assert adapter.refund(command).outcome is self.wired(adapter, Outcome.NOT_SENT)

    def test_every_currency_is_written_as_the_vendor_wants(
        self, adapter: Gateway, peer: Peer
    ) -> None:
        assert self.amounts or adapter.caps.by_hand
        for amount, written in self.amounts.items():
            result = adapter.refund(self.command_of(peer, amount))
            assert (result.outcome, result.amount) == (self.accepts(adapter), amount)
            assert self.sent_amount(peer.seen()[-1]) == written, amount

    def command_of(self, peer: Peer, amount: Money) -> RefundCommand:
        """Return a refund that the next answer accepts, also where the peer lacks the currency."""
        if amount.currency not in peer.traits.unknown_currencies:
            return self.new_command(peer, amount)
        command = replace(self.new_command(peer, self.part), amount=amount)
        body = json.dumps(self.accepted(command)).encode()
        peer.say(Said(self.accepted_status, body))
        return command

    def test_amount_that_cannot_be_written_is_refused_without_a_request(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        before = len(peer.seen())
        for amount in self.unsendable:
            result = adapter.refund(replace(command, amount=amount))
            assert (result.outcome, bool(result.message)) == (Outcome.FAILED, True), amount
        assert len(peer.seen()) == before

    def test_charge_for_a_test_is_known_to_the_gateway_or_not_offered(
        self, adapter: Gateway, peer: Peer
    ) -> None:
        if not self.offers(adapter, "charge_for_test"):
            with pytest.raises(NotOfferedError):
                adapter.charge_for_test(self.part)
        elif peer.traits.charges:
            reference = adapter.charge_for_test(self.part)
            assert reference
            if adapter.caps.lookup == "list":
                assert gateways[self.gateway].fetch_payment(reference).captured == self.part
