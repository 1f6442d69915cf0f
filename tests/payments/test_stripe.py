"""Stripe's adapter against two programs that play Stripe, recorded answers and the vendor's SDK."""

import hashlib
import hmac
import json
from datetime import datetime
from pathlib import Path
from typing import Any, override
from urllib.parse import parse_qs
from uuid import uuid4

import pytest
from pytest_django import Settings

from backoffice.money import Money
from payments.gateways.base import MovementKind, RefundCommand
from tests.contracts.case import Delivery, Told
from tests.contracts.gateway import GatewayContract
from tests.contracts.peers import Said, Seen
from tests.peers import stripe
from tests.peers.proxy import FaultProxy

RECORDED = Path(__file__).resolve().parents[2] / "fixtures" / "gateways" / "stripe"
MOMENT = 1_763_632_800  # 2025-11-20 10:00 UTC
STATUSES = {"succeeded": "succeeded", "failed": "failed", "pending": "pending"}


def recorded(name: str) -> dict[str, Any]:
    """Return the vendor's object in a file."""
    body: dict[str, Any] = json.loads((RECORDED / name).read_text(encoding="utf-8"))["body"]
    return body


class StripeContract(GatewayContract):
    """What does not depend on the peer."""

    gateway = "stripe"
    # The vendor refunds in the currency of the payment, whatever is asked.
    in_progress = Said(
        409,
        b'{"error": {"type": "idempotency_error", "code": "idempotency_key_in_use", '
        b'"message": "There is currently another in-progress request using this key."}}',
    )
    # https://docs.stripe.com/currencies: none, two or three decimals, and the special cases
    amounts = {
        Money(1_234, "GBP"): "1234",
        Money(500, "JPY"): "500",
        Money(50_000, "KRW"): "50000",
        Money(1_230, "BHD"): "1230",
        Money(5, "ISK"): "500",
        Money(5, "UGX"): "500",
    }
    unsendable = (Money(1_234, "BHD"), Money(1_000, "IQD"))
    secret_options = ("api_key", "webhook_secret")
    broken_options = (
        {"api_key": "pk_test_0123456789abcdef"},
        {"webhook_secret": "0123456789abcdef"},
        {"webhook_secret": ""},
        {"base_url": "not an address"},
        {"base_url": "https://stripe.example.com", "allow_loopback": False},
        {"api_key": "sk_live_0123456789abcdef"},
    )
    live_options = {"api_key": "rk_live_0123456789abcdef", "base_url": "https://api.stripe.com"}
    recorded = RECORDED
    settlement_said = tuple(
        Said(200, json.dumps(recorded(name)).encode())
        for name in ("settlement_page_1.json", "settlement_page_2.json")
    )
    settlement_sums = {
        MovementKind.CAPTURE: (2, 15_000),
        MovementKind.REFUND: (2, -3_270),
        MovementKind.REVERSAL: (1, 1_000),
        MovementKind.CHARGEBACK: (1, -5_000),
        MovementKind.CHARGEBACK_REVERSED: (1, 5_000),
        MovementKind.FEE: (2, -150),
        MovementKind.PAYOUT: (1, -9_000),
    }
    settlement_fees = 2_025

    @override
    def accepted(self, command: RefundCommand, status: str = "") -> dict[str, Any]:
        whole = recorded("refund_succeeded.json")
        factor = 100 if command.amount.currency in {"ISK", "UGX"} else 1
        by_intent = command.payment_reference.startswith("pi_")
        return {
            **whole,
            "amount": command.amount.minor * factor,
            "currency": command.amount.currency.lower(),
            "metadata": {"refund_number": command.number},
            "payment_intent": command.payment_reference if by_intent else None,
            "charge": "ch_1" if by_intent else command.payment_reference,
            "status": status or "succeeded",
        }

    @override
    def sent_amount(self, seen: Seen) -> object:
        return parse_qs(seen.body.decode())["amount"][0]

    @override
    def delivery(
        self, told: Told, *, secret: str | None = None, at: datetime | None = None
    ) -> Delivery:
        command = RefundCommand(told.number, uuid4(), told.payment_reference, told.amount)
        refund = self.accepted(command, STATUSES[told.outcome.value]) | {
            "id": told.refund_reference,
            "payment_intent": told.payment_reference,
        }
        if not told.number:
            refund["metadata"] = {}
        event = {
            "id": f"evt_{told.refund_reference}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": MOMENT,
            "data": {"object": refund},
            "livemode": False,
            "type": "refund.updated",
        }
        body = json.dumps(event).encode()
        return Delivery(self.signature(body, secret, at), body)

    @override
    def garbage(self, body: bytes) -> Delivery:
        return Delivery(self.signature(body), body)

    def signature(
        self, body: bytes, secret: str | None = None, at: datetime | None = None
    ) -> dict[str, str]:
        moment = int((at or self.now()).timestamp())
        key = (secret or stripe.WEBHOOK_SECRET).encode()
        digest = hmac.new(key, f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
        return {"Stripe-Signature": f"t={moment},v1={digest},v0=0123"}


class TestStripe(StripeContract):
    """Against stripe-stateful-mock, which keeps keys and limits."""

    @pytest.fixture
    def peer(
        self, stripe_proxy: FaultProxy, stripe_mock: str, settings: Settings
    ) -> stripe.StripeMock:
        settings.GATEWAYS = stripe.entry(stripe_proxy.url)
        return stripe.StripeMock(stripe_proxy, stripe_mock)


class TestStripeAgainstLenientPeer(StripeContract):
    """Against localstripe, which keeps neither; its traits say what it does instead."""

    tells_replays = False

    @pytest.fixture
    def peer(
        self, lenient_proxy: FaultProxy, localstripe: str, settings: Settings
    ) -> stripe.LocalStripe:
        settings.GATEWAYS = stripe.entry(lenient_proxy.url)
        return stripe.LocalStripe(lenient_proxy, localstripe)
