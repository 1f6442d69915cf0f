"""Stripe's events: the vendor's library and a program of others sign what our adapter reads."""

import json
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Thread
from typing import Any, ClassVar

import pytest
import stripe as sdk
from pytest_django import Settings

from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import (
    BadEventError,
    BadSignatureError,
    DisputeState,
    Gateway,
    Outcome,
)
from tests.payments.test_stripe import recorded
from tests.peers import stripe


@pytest.fixture
def adapter(settings: Settings) -> Gateway:
    settings.GATEWAYS = stripe.entry("http://127.0.0.1:9")
    return gateways["stripe"]


class TestEvents:
    """The vendor's library signs and reads what ours reads and signs."""

    def deliver(self, event: Mapping[str, Any], secret: str = stripe.WEBHOOK_SECRET) -> Any:
        body = json.dumps(event)
        moment = int(time.time())
        compute = sdk.WebhookSignature._compute_signature
        signature = f"t={moment},v1={compute(f'{moment}.{body}', secret)}"
        sdk.Webhook.construct_event(body, signature, secret)  # the library takes it for good
        (found,) = gateways["stripe"].parse_webhook({"stripe-signature": signature}, body.encode())
        return found

    def event(self, kind: str, about: Mapping[str, Any], **change: object) -> dict[str, Any]:
        return {
            "id": f"evt_{kind}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": 1_692_942_320,
            "data": {"object": about},
            "livemode": False,
            "type": kind,
            **change,
        }

    def test_refund_event_signed_by_the_vendors_library(self, adapter: Gateway) -> None:
        refund = recorded("refund_failed.json")
        found = self.deliver(self.event("refund.failed", refund))
        assert (found.kind, found.outcome) == ("refund", Outcome.FAILED)
        assert (found.refund_reference, found.amount) == (refund["id"], Money(1_000, "USD"))
        assert found.payment_reference == refund["payment_intent"]
        assert found.number == refund["metadata"]["refund_number"]

    def test_dispute_event(self, adapter: Gateway) -> None:
        dispute = recorded("dispute.json")
        for status, state in {
            "needs_response": DisputeState.OPEN,
            "warning_needs_response": DisputeState.INQUIRY,
            "warning_under_review": DisputeState.INQUIRY,
            "warning_closed": DisputeState.WON,
            "something_new": DisputeState.OPEN,
            "won": DisputeState.WON,
            "lost": DisputeState.LOST,
        }.items():
            found = self.deliver(
                self.event("charge.dispute.updated", {**dispute, "status": status})
            )
            assert (found.kind, found.dispute.state) == ("dispute", state)
            assert found.payment_reference == dispute["charge"]

    def test_charge_event_names_its_payment(self, adapter: Gateway) -> None:
        charge = {"id": "ch_1", "object": "charge", "payment_intent": "pi_1"}
        found = self.deliver(self.event("charge.refunded", charge))
        assert (found.kind, found.payment_reference) == ("payment", "pi_1")

    def test_event_of_no_interest_is_no_error(self, adapter: Gateway) -> None:
        found = self.deliver(self.event("customer.created", {"id": "cus_1", "object": "customer"}))
        assert found.kind == "other"

    def test_status_that_nobody_knows_is_only_a_hint(self, adapter: Gateway) -> None:
        refund = {**recorded("refund_succeeded.json"), "status": "somewhere"}
        assert self.deliver(self.event("refund.updated", refund)).outcome is None

    def test_event_of_the_other_mode_is_refused(self, adapter: Gateway) -> None:
        refund = recorded("refund_succeeded.json")
        with pytest.raises(BadEventError):
            self.deliver(self.event("refund.updated", refund, livemode=True))

    def test_one_good_signature_of_two_is_enough_while_a_secret_is_rolled(
        self, adapter: Gateway
    ) -> None:
        body = json.dumps(self.event("refund.updated", recorded("refund_succeeded.json")))
        moment = int(time.time())
        compute = sdk.WebhookSignature._compute_signature
        old, new = (
            compute(f"{moment}.{body}", secret) for secret in ("whsec_old", stripe.WEBHOOK_SECRET)
        )
        headers = {"Stripe-Signature": f"t={moment},v1={old},v1={new}"}
        assert adapter.parse_webhook(headers, body.encode())

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "t=,v1=",
            "v1=abc",
            "t=x,v1=abc",
            "t=²,v1=é",
            ",,=",
            "t={now}",
            "t={now},v1=",
            "t={now},v0={good}",
            "t={now},v1=é",
            "v1={good}",
        ],
    )
    def test_header_that_is_no_signature_is_refused(self, adapter: Gateway, header: str) -> None:
        now = int(time.time())
        good = sdk.WebhookSignature._compute_signature(f"{now}.{{}}", stripe.WEBHOOK_SECRET)
        with pytest.raises(BadSignatureError):
            adapter.parse_webhook({"Stripe-Signature": header.format(now=now, good=good)}, b"{}")

    def test_without_a_secret_every_event_is_refused(
        self, adapter: Gateway, settings: Settings
    ) -> None:
        table = settings.GATEWAYS
        table["stripe"]["OPTIONS"]["webhook_secret"] = ""
        settings.GATEWAYS = table
        compute = sdk.WebhookSignature._compute_signature
        moment = int(time.time())
        headers = {"Stripe-Signature": f"t={moment},v1={compute(f'{moment}.{{}}', '')}"}
        with pytest.raises(BadSignatureError):
            gateways["stripe"].parse_webhook(headers, b"{}")


class _Postbox(BaseHTTPRequestHandler):
    """Keeps what is posted."""

    posted: ClassVar[SimpleQueue[tuple[dict[str, str], bytes]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posted.put((dict(self.headers.items()), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


def test_event_that_a_program_of_others_signed_and_sent(
    lenient_gateway: stripe.LocalStripe,
) -> None:
    posted: SimpleQueue[tuple[dict[str, str], bytes]] = SimpleQueue()
    handler = type("Postbox", (_Postbox,), {"posted": posted})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        door = {
            "url": f"http://127.0.0.1:{server.server_address[1]}/",
            "secret": stripe.WEBHOOK_SECRET,
            "events": ["payment_intent.succeeded"],
        }
        lenient_gateway.client.post("/_config/webhooks/ours", json=door)
        reference = lenient_gateway.seed(Money(10_000, "GBP"))
        headers, body = posted.get(timeout=30)
        while reference.encode() not in body:  # of a test before this one: it sends a second late
            headers, body = posted.get(timeout=30)
        server.shutdown()
    (event,) = gateways["stripe"].parse_webhook(headers, body)
    assert (event.kind, event.payment_reference) == ("payment", reference)
    with pytest.raises(BadSignatureError):
        gateways["stripe"].parse_webhook(headers, body.replace(b"pi_", b"pj_"))
