"""The contract of events: who says it is proven on the raw bytes, or it is only a hint."""

from datetime import timedelta

import pytest

from backoffice.money import Money
from payments.gateways.base import (
    BadEventError,
    BadSignatureError,
    Gateway,
    GatewayEvent,
    NotOfferedError,
    Outcome,
)
from tests.contracts.case import Delivery, GatewayCase, Told

GARBAGE = [b"", b"{", b"[]", b"null", b'"x"', b"{}", b"\xff\xfe", b"[" * 100_000]


class EventContract(GatewayCase):
    """`parse_webhook`."""

    def has_events(self, adapter: Gateway) -> bool:
        """Say whether the gateway sends events; where not, hold the adapter to refusing them."""
        if self.offers(adapter, "parse_webhook"):
            return True
        with pytest.raises(NotOfferedError):
            adapter.parse_webhook({}, b"{}")
        assert not adapter.caps.signed_webhooks
        return False

    def parse(self, adapter: Gateway, delivery: Delivery) -> list[GatewayEvent]:
        return adapter.parse_webhook(delivery.headers, delivery.body)

    @pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.FAILED])
    def test_event_of_a_refund_is_read(self, adapter: Gateway, outcome: Outcome) -> None:
        if self.has_events(adapter):
            told = self.told(self.part, outcome)
            (event,) = self.parse(adapter, self.delivery(told))
            assert event.payment_reference == told.payment_reference
            assert event.id
            if adapter.caps.signed_webhooks:
                assert event.kind == "refund"
                assert (event.outcome, event.amount) == (outcome, told.amount)
                assert told.refund_reference == event.refund_reference or (
                    told.number == event.number
                )

    def test_event_in_each_currency_is_read(self, adapter: Gateway) -> None:
        if self.has_events(adapter) and adapter.caps.signed_webhooks:
            for amount in self.amounts:
                (event,) = self.parse(adapter, self.delivery(self.told(amount)))
                assert event.amount == amount

    def test_only_what_is_signed_and_cannot_be_read_back_is_trusted(self, adapter: Gateway) -> None:
        if self.has_events(adapter):
            (event,) = self.parse(adapter, self.delivery(self.told(self.part)))
            alone = adapter.caps.signed_webhooks and adapter.caps.lookup == "none"
            assert event.trusted is alone

    def test_equal_deliveries_have_equal_ids_and_others_do_not(self, adapter: Gateway) -> None:
        if self.has_events(adapter):
            told = self.told(self.part)
            first, again, other = (
                self.parse(adapter, self.delivery(one))[0].id
                for one in (told, told, self.told(self.part))
            )
            assert first == again
            assert first != other

    @pytest.mark.parametrize("style", [str.lower, str.upper, str.title])
    def test_header_names_may_come_in_any_case(self, adapter: Gateway, style: type[str]) -> None:
        if self.has_events(adapter):
            good = self.delivery(self.told(self.part))
            headers = {style(name): value for name, value in good.headers.items()}
            assert self.parse(adapter, Delivery(headers, good.body))

    def test_event_signed_with_another_secret_is_refused(self, adapter: Gateway) -> None:
        if self.has_events(adapter) and adapter.caps.signed_webhooks:
            # Hexadecimal, as one vendor wants it.
            forged = self.delivery(self.told(self.part), secret="ab" * 32)
            with pytest.raises(BadSignatureError):
                self.parse(adapter, forged)

    def test_event_without_its_signature_is_refused(self, adapter: Gateway) -> None:
        if self.has_events(adapter) and adapter.caps.signed_webhooks and self.signs_raw:
            good = self.delivery(self.told(self.part))
            with pytest.raises(BadSignatureError):
                self.parse(adapter, Delivery({}, good.body))

    def test_event_whose_amount_was_changed_is_refused(self, adapter: Gateway) -> None:
        if self.has_events(adapter) and adapter.caps.signed_webhooks:
            good = self.delivery(self.told(Money(2_270, self.currency)))
            assert b"2270" in good.body
            forged = Delivery(good.headers, good.body.replace(b"2270", b"9270"))
            with pytest.raises(BadSignatureError):
                self.parse(adapter, forged)

    def test_event_that_was_written_anew_is_refused(self, adapter: Gateway) -> None:
        if self.has_events(adapter) and adapter.caps.signed_webhooks and self.signs_raw:
            good = self.delivery(self.told(self.part))
            with pytest.raises(BadSignatureError):
                self.parse(adapter, Delivery(good.headers, good.body + b"\n"))

    def test_old_event_is_refused(self, adapter: Gateway) -> None:
        if self.has_events(adapter) and adapter.caps.signed_webhooks and self.signs_time:
            for age in (timedelta(hours=1), timedelta(hours=-1)):
                stale = self.delivery(self.told(self.part), at=self.now() - age)
                with pytest.raises(BadSignatureError):
                    self.parse(adapter, stale)

    @pytest.mark.parametrize("body", GARBAGE)
    def test_body_that_is_no_event_is_refused(self, adapter: Gateway, body: bytes) -> None:
        if self.has_events(adapter):
            signed = adapter.caps.signed_webhooks and self.signs_raw
            expected = BadEventError if signed else (BadEventError, BadSignatureError)
            with pytest.raises(expected):
                self.parse(adapter, self.garbage(body))

    def test_settlement_of_a_refund_of_nothing_known_is_read_too(self, adapter: Gateway) -> None:
        """An event about a refund that is not ours has no number, and is no error."""
        if self.has_events(adapter):
            told = self.told(self.part)
            strange = Told(
                told.payment_reference, told.refund_reference, "", told.amount, told.outcome
            )
            (event,) = self.parse(adapter, self.delivery(strange))
            assert event.number == ""
