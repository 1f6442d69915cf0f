"""What is particular to Stripe: paging, disputes, a number listed twice, the vendor's library."""

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Thread
from typing import Any, ClassVar
from uuid import uuid4

import pytest
import stripe as sdk
from pytest_django import Settings

from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import (
    BadEventError,
    BadSettlementError,
    BadSignatureError,
    DisputeState,
    Gateway,
    GatewayUnavailableError,
    Outcome,
    RefundCommand,
)
from payments.gateways.stripe_objects import from_stripe, to_stripe
from tests.contracts.peers import Said
from tests.payments.test_stripe import RECORDED
from tests.peers import stripe
from tests.peers.proxy import FaultProxy

AMOUNT = Money(2_270, "GBP")
# Each is the page's own example or follows from its lists: https://docs.stripe.com/currencies
WRITTEN = [
    (Money(1_000, "USD"), 1_000),  # "to charge 10 USD, provide an amount value of 1000"
    (Money(500, "JPY"), 500),  # "to charge ¥500, provide an amount value of 500"
    (Money(5, "ISK"), 500),  # "to charge 5 ISK, provide an amount value of 500"
    (Money(5, "UGX"), 500),
    (Money(5_120, "KWD"), 5_120),  # "5.124 KWD must be rounded to 5120 or 5130"
    (Money(700, "MGA"), 7),  # without decimals there, with two in ISO 4217
]


def recorded(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((RECORDED / name).read_text())["body"]
    return body


@pytest.fixture
def peer(stripe_proxy: FaultProxy, stripe_mock: str, settings: Settings) -> stripe.StripeMock:
    settings.GATEWAYS = stripe.entry(stripe_proxy.url)
    return stripe.StripeMock(stripe_proxy, stripe_mock)


@pytest.fixture
def adapter(peer: stripe.StripeMock) -> Gateway:
    return gateways["stripe"]


@pytest.fixture
def command(peer: stripe.StripeMock) -> RefundCommand:
    reference = peer.seed(Money(10_000, "GBP"))
    return RefundCommand(str(uuid4()), uuid4(), reference, AMOUNT)


def listed(*rows: Mapping[str, Any], more: bool = False) -> Said:
    return Said(200, json.dumps({"object": "list", "data": rows, "has_more": more}).encode())


def row(command: RefundCommand, **change: object) -> dict[str, Any]:
    return recorded("refund_succeeded.json") | {
        "amount": command.amount.minor,
        "currency": "gbp",
        "charge": command.payment_reference,
        "metadata": {"refund_number": command.number},
        **change,
    }


class TestMoney:
    @pytest.mark.parametrize(("amount", "written"), WRITTEN)
    def test_amounts_are_those_of_the_page_both_ways(self, amount: Money, written: int) -> None:
        assert to_stripe(amount) == written
        assert from_stripe(written, amount.currency.lower()) == amount

    @pytest.mark.parametrize("amount", [Money(5_124, "KWD"), Money(1, "MGA"), Money(10, "LYD")])
    def test_amount_that_stripe_cannot_write_is_refused(self, amount: Money) -> None:
        with pytest.raises(ValueError, match="Stripe"):
            to_stripe(amount)

    @pytest.mark.parametrize(("number", "currency"), [(550, "isk"), (5, "IQD"), (5, "x")])
    def test_amount_that_is_none_is_not_read(self, number: int, currency: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            from_stripe(number, currency)

    @pytest.mark.parametrize("number", [True, "5", 5.0, None])
    def test_number_that_is_no_whole_number_is_not_read(self, number: object) -> None:
        with pytest.raises(TypeError):
            from_stripe(number, "gbp")


class TestRequest:
    def test_reason_is_sent_only_as_one_of_the_vendors_three(
        self, adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand
    ) -> None:
        adapter.refund(replace(command, reason="fraud"))
        adapter.refund(replace(command, reason="Herr Müller rief an", key=uuid4()))
        first, second = (seen.body for seen in peer.seen())
        assert b"reason=fraudulent" in first
        assert b"reason" not in second

    def test_version_is_pinned_and_the_payment_named_by_its_kind(
        self, adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand
    ) -> None:
        adapter.refund(replace(command, payment_reference="pi_1"))
        (seen,) = peer.seen()
        assert b"payment_intent=pi_1" in seen.body
        assert seen.headers["Stripe-Version"] == "2026-10-28.endive"

    def test_answer_slower_than_the_limit_is_unknown(
        self, adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand
    ) -> None:
        peer.proxy.play("delay", seconds=3)
        assert adapter.refund(command).outcome is Outcome.UNKNOWN
        assert peer.paid_back(command.payment_reference) == [AMOUNT]

    def test_request_that_arrives_twice_pays_once(
        self, adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand
    ) -> None:
        peer.proxy.play("duplicate")
        assert adapter.refund(command).outcome is Outcome.SUCCEEDED
        assert peer.paid_back(command.payment_reference) == [AMOUNT]

    def test_cut_answer_is_unknown(
        self, adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand
    ) -> None:
        peer.proxy.play("cut")
        assert adapter.refund(command).outcome is Outcome.UNKNOWN

    def test_fully_refunded_payment_is_refused_by_its_code(
        self, adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand
    ) -> None:
        whole = replace(command, amount=Money(10_000, "GBP"))
        adapter.refund(whole)
        again = adapter.refund(replace(whole, key=uuid4(), number=str(uuid4())))
        assert (again.outcome, again.code) == (Outcome.FAILED, "charge_already_refunded")

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (500, {"type": "invalid_request_error", "code": "resource_missing"}),
            (409, {"type": "invalid_request_error", "code": "resource_missing"}),
            (400, {"type": "api_error", "code": "resource_missing"}),
            (400, {"type": "idempotency_error", "param": "amount"}),
            (400, {"type": "invalid_request_error", "param": "metadata"}),
            (400, {"type": "invalid_request_error"}),
            (400, "resource_missing"),
        ],
    )
    def test_refusal_that_only_looks_definite_is_unknown(
        self,
        adapter: Gateway,
        peer: stripe.StripeMock,
        command: RefundCommand,
        status: int,
        error: object,
    ) -> None:
        peer.say(Said(status, json.dumps({"error": error}).encode()))
        assert adapter.refund(command).outcome is Outcome.UNKNOWN

    def test_disputed_payment_is_refused_by_its_code(
        self, adapter: Gateway, peer: stripe.StripeMock
    ) -> None:
        form = {"amount": "5000", "currency": "gbp", "source": "tok_createDispute"}
        charge = peer.client.post("/v1/charges", form=form).json()["id"]
        result = adapter.refund(RefundCommand(str(uuid4()), uuid4(), charge, AMOUNT))
        assert (result.outcome, result.code) == (Outcome.FAILED, "charge_disputed")


class TestLookUp:
    def test_refund_on_the_third_page_is_found(
        self, adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand
    ) -> None:
        others = [row(command, id=f"re_{i}", metadata={}) for i in range(4)]
        ours = row(command, id="re_ours")
        peer.say_reads(listed(*others[:2], more=True), listed(*others[2:], more=True), listed(ours))
        found = adapter.find_refund(command)
        assert found is not None
        assert found.reference == "re_ours"
        asked = [seen.path for seen in peer.proxy.seen(["GET"])]
        after = ["starting_after" in path for path in asked]
        assert after == [False, True, True]
        assert "starting_after=re_3" in asked[2]

    def test_list_that_breaks_off_proves_no_absence(
        self, adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand
    ) -> None:
        peer.say_reads(listed(row(command, metadata={}), more=True), Said(500, b"{}"))
        with pytest.raises(GatewayUnavailableError):
            adapter.find_refund(command)

    @pytest.mark.parametrize("body", [{"data": []}, {"data": [], "has_more": True}])
    def test_list_without_an_end_proves_no_absence(
        self, adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand, body: object
    ) -> None:
        peer.say_reads(Said(200, json.dumps(body).encode()))
        with pytest.raises(GatewayUnavailableError):
            adapter.find_refund(command)

    def test_number_that_is_listed_twice_needs_people(
        self, adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand
    ) -> None:
        peer.say_reads(listed(row(command, id="re_1"), row(command, id="re_2")))
        found = adapter.find_refund(command)
        assert found is not None
        assert (found.outcome, found.code) == (Outcome.UNKNOWN, "listed_twice")

    def test_failed_try_beside_a_good_one_does_not_hide_it(
        self, adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand
    ) -> None:
        failed, good = row(command, id="re_1", status="failed"), row(command, id="re_2")
        peer.say_reads(listed(failed, good))
        found = adapter.find_refund(command)
        assert found is not None
        assert (found.outcome, found.reference) == (Outcome.SUCCEEDED, "re_2")

    def test_failed_refund_does_not_count_as_gone_out(
        self, adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand
    ) -> None:
        charge = {"id": "ch_1", "currency": "gbp", "amount_captured": 10_000, "disputed": False}
        rows = [row(command, id="re_1", status="failed"), row(command, id="re_2", status="pending")]
        peer.say_reads(Said(200, json.dumps(charge).encode()), listed(*rows))
        payment = adapter.fetch_payment(command.payment_reference)
        assert (payment.refunded, len(payment.refunds)) == (AMOUNT, 2)

    def test_dispute_is_told_with_the_payment(
        self, adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand
    ) -> None:
        charge = {
            "id": command.payment_reference,
            "currency": "gbp",
            "amount_captured": 10_000,
            "disputed": True,
        }
        peer.say_reads(
            Said(200, json.dumps(charge).encode()), listed(), listed(recorded("dispute.json"))
        )
        # The refunds are read while the snapshot is made, the disputes after them.
        (dispute,) = adapter.fetch_payment(command.payment_reference).disputes
        assert (dispute.state, dispute.amount) == (DisputeState.OPEN, Money(1_000, "USD"))
        assert dispute.answer_by is not None
        assert dispute.reason == "general"


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
            "warning_needs_response": DisputeState.OPEN,
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
        "header", ["", "t=,v1=", "v1=abc", "t=x,v1=abc", "t=1", "t=²,v1=é", "t=1,v0=abc", ",,="]
    )
    def test_header_that_is_no_signature_is_refused(self, adapter: Gateway, header: str) -> None:
        with pytest.raises(BadSignatureError):
            adapter.parse_webhook({"Stripe-Signature": header}, b"{}")

    def test_without_a_secret_every_event_is_refused(
        self, peer: stripe.StripeMock, settings: Settings
    ) -> None:
        table = settings.GATEWAYS
        table["stripe"]["OPTIONS"]["webhook_secret"] = ""
        settings.GATEWAYS = table
        compute = sdk.WebhookSignature._compute_signature
        moment = int(time.time())
        headers = {"Stripe-Signature": f"t={moment},v1={compute(f'{moment}.{{}}', '')}"}
        with pytest.raises(BadSignatureError):
            gateways["stripe"].parse_webhook(headers, b"{}")


class TestSettlement:
    def rows(self, peer: stripe.StripeMock, adapter: Gateway, **change: object) -> list[Any]:
        page = recorded("settlement_page_2.json")
        page["data"][0] |= change
        peer.say_reads(Said(200, json.dumps(page).encode()))
        return list(adapter.settlement(date(2026, 11, 20)))

    def test_category_that_nobody_knows_is_never_passed_over(
        self, adapter: Gateway, peer: stripe.StripeMock
    ) -> None:
        with pytest.raises(BadSettlementError, match=r"row 1.*reporting_category.*topup"):
            self.rows(peer, adapter, reporting_category="topup")

    def test_row_without_an_amount_is_named(
        self, adapter: Gateway, peer: stripe.StripeMock
    ) -> None:
        with pytest.raises(BadSettlementError, match="row 1"):
            self.rows(peer, adapter, amount=None)

    def test_fee_given_back_is_a_row_of_its_own(
        self, adapter: Gateway, peer: stripe.StripeMock
    ) -> None:
        back = [row for row in self.rows(peer, adapter) if row.amount.minor == 500]
        assert [row.kind for row in back] == ["fee"]

    def test_day_is_asked_for_from_midnight_to_midnight(
        self, adapter: Gateway, peer: stripe.StripeMock
    ) -> None:
        self.rows(peer, adapter)
        (seen,) = peer.proxy.seen(["GET"])
        assert "created%5Bgte%5D=1795132800" in seen.path
        assert "created%5Blt%5D=1795219200" in seen.path


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
        server.shutdown()
    (event,) = gateways["stripe"].parse_webhook(headers, body)
    assert (event.kind, event.payment_reference) == ("payment", reference)
    with pytest.raises(BadSignatureError):
        gateways["stripe"].parse_webhook(headers, body.replace(b"pi_", b"pj_"))


def test_vendors_library_and_ours_share_one_key(
    adapter: Gateway, peer: stripe.StripeMock, command: RefundCommand
) -> None:
    """An independent caller sends the same refund with the same key: it is paid once."""
    ours = adapter.refund(command)
    client = sdk.StripeClient(stripe.KEY, base_addresses={"api": peer.proxy.url})
    theirs = client.v1.refunds.create(
        {
            "charge": command.payment_reference,
            "amount": command.amount.minor,
            "metadata": {"refund_number": command.number},
        },
        {"idempotency_key": str(command.key)},
    )
    assert theirs.id == ours.reference
    assert peer.paid_back(command.payment_reference) == [AMOUNT]
