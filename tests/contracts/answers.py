"""The contract of reading answers: what cannot be understood proves nothing, and tells nothing."""

import json
from dataclasses import replace

import pytest

from backoffice.money import Money
from payments.gateways.base import Gateway, Outcome, RefundCommand
from tests.contracts.case import GatewayCase
from tests.contracts.peers import Peer, Said
from tests.contracts.recorded import recordings

CANARY = "canary-7d41c0c6e2b94f0a"
UNREADABLE = {
    "html": b"<!doctype html><title>Welcome</title>",
    "list": b"[]",
    "text": b'"fine"',
    "null": b"null",
    "empty": b"",
    "empty object": b"{}",
    "deep": b"[" * 100_000,
    "huge": b'{"id": "' + b"x" * (1024 * 1024 + 1) + b'"}',
    "not text": b"\xff\xfe\x00",
}


class AnswerContract(GatewayCase):
    """Answers that came, and are not what they should be."""

    @pytest.mark.parametrize("body", UNREADABLE.values(), ids=list(UNREADABLE))
    def test_success_that_cannot_be_read_is_unknown(
        self, adapter: Gateway, peer: Peer, command: RefundCommand, body: bytes
    ) -> None:
        peer.say(Said(self.accepted_status, body), applied=True)
        assert adapter.refund(command).outcome is self.wired(adapter, Outcome.UNKNOWN)

    def test_cut_answer_is_unknown(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        whole = json.dumps(self.accepted(command)).encode()
        peer.say(Said(self.accepted_status, whole[:-8]), applied=True)
        assert adapter.refund(command).outcome is self.wired(adapter, Outcome.UNKNOWN)

    def test_answer_as_the_vendor_writes_it_is_accepted(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        peer.say(Said(self.accepted_status, json.dumps(self.accepted(command)).encode()))
        result = adapter.refund(command)
        assert result.outcome is self.accepts(adapter)
        assert result.amount == command.amount or adapter.caps.by_hand

    def test_status_that_nobody_knows_is_unknown(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        body = json.dumps(self.accepted(command, status="somewhere")).encode()
        peer.say(Said(self.accepted_status, body))
        assert adapter.refund(command).outcome is self.wired(adapter, Outcome.UNKNOWN)

    @pytest.mark.parametrize("field", ["amount", "currency", "number"])
    def test_answer_about_something_else_is_never_a_success(
        self, adapter: Gateway, peer: Peer, command: RefundCommand, field: str
    ) -> None:
        currency = "USD" if self.currency != "USD" else "EUR"
        other = {
            "amount": replace(command, amount=command.amount - Money(10, self.currency)),
            "currency": replace(command, amount=Money(command.amount.minor, currency)),
            "number": replace(command, number="RF-of-somebody-else"),
        }[field]
        peer.say(Said(self.accepted_status, json.dumps(self.accepted(other)).encode()))
        result = adapter.refund(command)
        assert result.outcome is self.wired(adapter, Outcome.UNKNOWN)
        assert result.message or adapter.caps.by_hand

    @pytest.mark.parametrize("status", [400, 404, 422])
    @pytest.mark.parametrize("body", [b"<html>Blocked</html>", b"", b"[]", b'{"odd": 1}'])
    def test_refusal_that_is_not_the_vendors_is_unknown(
        self, adapter: Gateway, peer: Peer, command: RefundCommand, status: int, body: bytes
    ) -> None:
        peer.say(Said(status, body))
        assert adapter.refund(command).outcome is self.wired(adapter, Outcome.UNKNOWN)

    def test_what_is_kept_of_an_answer_is_chosen(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        body = {**self.accepted(command), "stranger": CANARY, "card": {"number": CANARY}}
        peer.say(Said(self.accepted_status, json.dumps(body).encode()))
        assert CANARY not in repr(adapter.refund(command))

    def test_recorded_answers_of_the_vendor_are_read_as_they_are_meant(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        assert self.recorded is not None or not self.live_options, "a vendor's answers are recorded"
        for one in recordings(self.recorded):
            peer.say(one.said)
            result = adapter.refund(one.of(command))
            assert (result.outcome.value, result.code) == (one.outcome, one.code), one.name
