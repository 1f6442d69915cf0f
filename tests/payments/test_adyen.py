"""Adyen keeps the contract: pending is never success, and a batch is proven whole or not at all."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, override

import pytest
from pytest_django import Settings

from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.adyen import Adyen
from payments.gateways.base import (
    BadEventError,
    BadSettlementError,
    BadSignatureError,
    Gateway,
    GatewayUnavailableError,
    MovementKind,
    NotOfferedError,
    Outcome,
    RefundCommand,
)
from tests.contracts.case import Delivery, Told
from tests.contracts.gateway import GatewayContract
from tests.contracts.peers import Said, Seen
from tests.peers.fake_adyen import sign
from tests.peers.proxy import FaultProxy
from tests.peers.vendors import ACCOUNT, ADYEN_KEY, HMAC_KEY, AdyenPeer, fake, renew, wire_value

RECORDED = Path(__file__).resolve().parents[2] / "fixtures" / "gateways" / "adyen"
REPORT = RECORDED / "settlement_detail_report.csv"
OTHER_KEY = "ab" * 32

type Json = dict[str, Any]


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_text(encoding="utf-8"))


def batch(*items: Json) -> bytes:
    wrapped = [{"NotificationRequestItem": item} for item in items]
    return json.dumps({"live": "false", "notificationItems": wrapped}).encode()


def signed(item: Json, *, key: str = HMAC_KEY, **changes: Any) -> Json:
    """Return the item with `changes`, properly signed for our account."""
    whole = {**item, "merchantAccountCode": ACCOUNT, **changes}
    more = {**whole.get("additionalData", {}), "hmacSignature": sign(whole, bytes.fromhex(key))}
    return {**whole, "additionalData": more}


EVENTS = [(row["item"], row["expect"]) for row in recorded("events.json")["events"]]
REFUND = EVENTS[0][0]


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultProxy]:
    """Run the fake behind a proxy; `peer` renews it for each test."""
    arguments = ("--account", ACCOUNT, "--api-key", ADYEN_KEY, "--hmac", HMAC_KEY)
    with fake("fake_adyen.py", *arguments) as address, FaultProxy(address) as proxy:
        yield proxy


class TestAdyen(GatewayContract):
    gateway = "adyen"
    currency = "EUR"
    tells_replays = False
    accepted_status = 201
    in_progress = Said(
        422,
        b'{"status": 422, "errorCode": "704", "errorType": "validation", "message": "-"}',
        {"transient-error": "true"},
    )
    amounts = {
        Money(1_234, "GBP"): 1_234,
        Money(500, "JPY"): 500,
        Money(50_000, "KRW"): 50_000,
        Money(1_230, "BHD"): 1_230,
        Money(5, "ISK"): 500,
        Money(7, "CLP"): 700,
        Money(70_000, "IDR"): 700,
        Money(500, "CVE"): 5,
    }
    unsendable = (Money(70_010, "IDR"), Money(1, "CVE"))
    secret_options = ("api_key",)
    broken_options = (
        {"base_url": "not an address"},
        {"live_prefix": "1797a841fbb37ca7-AdyenDemo"},
        {"base_url": "https://pay.example.com/v72"},
        {"api_key": ""},
        {"merchant_account": ""},
        {"hmac_keys": []},
        {"hmac_keys": ["not hexadecimal"]},
        {"hmac_keys": [HMAC_KEY[:-2]]},
    )
    live_options = {"base_url": "", "live_prefix": "1797a841fbb37ca7-AdyenDemo"}
    recorded = RECORDED
    signs_raw = False
    signs_time = False
    settlement_file = REPORT
    amount_column = "Gross Debit (GC)"
    settlement_sums = {
        MovementKind.CAPTURE: (2, 500 + 1_000),
        MovementKind.CHARGEBACK: (1, -34_999),
        MovementKind.REFUND: (1, -200),
        MovementKind.REVERSAL: (1, 200),
        MovementKind.FEE: (2, -55 - 20),
        MovementKind.PAYOUT: (1, -433),
    }
    settlement_fees = 12 + 750

    @pytest.fixture
    def peer(self, proxy: FaultProxy, settings: Settings) -> AdyenPeer:
        renew(proxy)
        options = {
            "api_key": ADYEN_KEY,
            "merchant_account": ACCOUNT,
            "hmac_keys": [HMAC_KEY],
            "base_url": proxy.url,
            "connect": 5,
            "read": 20,
        }
        backend = "payments.gateways.adyen.Adyen"
        settings.GATEWAYS = {"adyen": {"BACKEND": backend, "OPTIONS": options}}
        return AdyenPeer(proxy)

    @override
    def accepted(self, command: RefundCommand, status: str = "") -> Json:
        body: Json = recorded("refund_received.json")["body"]
        amount = {"currency": command.amount.currency, "value": wire_value(command.amount)}
        return body | {
            "paymentPspReference": command.payment_reference,
            "reference": command.number,
            "status": status or "received",
            "amount": amount,
        }

    @override
    def sent_amount(self, seen: Seen) -> object:
        return json.loads(seen.body)["amount"]["value"]

    @override
    def delivery(
        self, told: Told, *, secret: str | None = None, at: datetime | None = None
    ) -> Delivery:
        item = signed(
            REFUND,
            key=secret or HMAC_KEY,
            amount={"currency": told.amount.currency, "value": wire_value(told.amount)},
            pspReference=told.refund_reference,
            originalReference=told.payment_reference,
            merchantReference=told.number,
            success="true" if told.outcome is Outcome.SUCCEEDED else "false",
        )
        return Delivery({}, batch(item))

    @pytest.mark.parametrize("status", ["success", "refunded", "SentForRefund", "Received", ""])
    def test_no_answer_is_ever_a_success(
        self, adapter: Gateway, peer: AdyenPeer, command: RefundCommand, status: str
    ) -> None:
        body = self.accepted(command) | {"status": status, "resultCode": "Success"}
        peer.say(Said(201, json.dumps(body).encode()))
        assert adapter.refund(command).outcome is Outcome.UNKNOWN

    def test_request_is_written_as_the_page_says(
        self, adapter: Gateway, peer: AdyenPeer, command: RefundCommand
    ) -> None:
        adapter.refund(command)
        sent = peer.seen()[-1]
        assert sent.path == f"/payments/{command.payment_reference}/refunds"
        assert sent.headers["X-API-Key"] == ADYEN_KEY
        assert json.loads(sent.body) == {
            "merchantAccount": ACCOUNT,
            "amount": {"value": 2_270, "currency": "EUR"},
            "reference": command.number,
        }

    def test_promise_that_nothing_was_done_is_believed(
        self, adapter: Gateway, peer: AdyenPeer, command: RefundCommand
    ) -> None:
        body = b'{"status": 503, "errorCode": "703", "errorType": "internal"}'
        peer.say(Said(503, body, {"Transient-Error": "true"}))
        assert adapter.refund(command).outcome is Outcome.NOT_SENT
        peer.say(Said(503, body, {"Transient-Error": "false"}))
        assert adapter.refund(command).outcome is Outcome.UNKNOWN

    @pytest.mark.parametrize("kind", ["internal", "configuration", "", "security"])
    def test_only_a_failed_validation_is_a_refusal(
        self, adapter: Gateway, peer: AdyenPeer, command: RefundCommand, kind: str
    ) -> None:
        body = {"status": 422, "errorCode": "905", "message": "-", "errorType": kind}
        peer.say(Said(422, json.dumps(body).encode()))
        assert adapter.refund(command).outcome is Outcome.UNKNOWN

    def test_more_than_captured_is_told_later_as_failed(
        self, adapter: Gateway, peer: AdyenPeer, command: RefundCommand
    ) -> None:
        asked = replace(command, amount=Money(10_001, "EUR"))
        assert adapter.refund(asked).outcome is Outcome.PENDING
        (event,) = adapter.parse_webhook({}, json.dumps(peer.webhooks()[-1]).encode())
        assert (event.number, event.outcome) == (command.number, Outcome.FAILED)

    def test_refund_is_told_and_reversed_by_signed_items(
        self, adapter: Gateway, peer: AdyenPeer, command: RefundCommand
    ) -> None:
        sent = adapter.refund(command)
        peer.post("events", {"eventCode": "REFUNDED_REVERSED", "pspReference": sent.reference})
        bodies = [json.dumps(body).encode() for body in peer.webhooks()[-2:]]
        done, back = (adapter.parse_webhook({}, body)[0] for body in bodies)
        assert (done.outcome, back.outcome) == (Outcome.SUCCEEDED, Outcome.FAILED)
        for event in (done, back):
            assert (event.refund_reference, event.number) == (sent.reference, command.number)
            assert (event.payment_reference, event.trusted) == (command.payment_reference, True)
        assert peer.paid_back(command.payment_reference) == []

    def test_signature_of_the_vendors_own_library_is_ours(self, settings: Settings) -> None:
        vector = recorded("event_signed.json")
        adapter = Adyen("key", "TestMerchant", [vector["key"]])
        (event,) = adapter.parse_webhook({}, json.dumps(vector["body"]).encode())
        assert (event.kind, event.payment_reference) == ("payment", "7914073381342284")
        with pytest.raises(BadSignatureError):
            Adyen("key", "TestMerchant", [OTHER_KEY]).parse_webhook(
                {}, json.dumps(vector["body"]).encode()
            )

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_one_bad_item_refuses_the_whole_batch(self, adapter: Gateway, place: int) -> None:
        items = [signed(REFUND, pspReference=f"PSP{number}") for number in range(3)]
        assert len(adapter.parse_webhook({}, batch(*items))) == 3
        items[place]["success"] = "true"
        with pytest.raises(BadSignatureError):
            adapter.parse_webhook({}, batch(*items))

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("pspReference", "ANOTHER"),
            ("originalReference", "ANOTHER"),
            ("merchantReference", "ANOTHER"),
            ("eventCode", "REFUND_FAILED"),
            ("success", "true"),
            ("amount", {"currency": "EUR", "value": 1}),
            ("amount", {"currency": "USD", "value": 1000}),
            ("merchantAccountCode", "OtherMerchant"),
        ],
    )
    def test_each_signed_field_counts(self, adapter: Gateway, field: str, value: Any) -> None:
        with pytest.raises(BadSignatureError):
            adapter.parse_webhook({}, batch({**signed(REFUND), field: value}))

    def test_item_without_signature_is_refused(self, adapter: Gateway) -> None:
        for item in (REFUND, {**REFUND, "additionalData": {}}):
            with pytest.raises(BadSignatureError):
                adapter.parse_webhook({}, batch(item))

    def test_end_of_one_field_cannot_become_the_beginning_of_the_next(
        self, adapter: Gateway
    ) -> None:
        item = signed(REFUND, originalReference="", merchantReference="a:b")
        assert adapter.parse_webhook({}, batch(item))
        moved = {**item, "pspReference": f"{item['pspReference']}:", "originalReference": None}
        shifted = {**item, "merchantAccountCode": f"{ACCOUNT}:a", "merchantReference": "b"}
        for forged in (moved, shifted):
            with pytest.raises(BadEventError):
                adapter.parse_webhook({}, batch(forged))

    def test_new_and_old_key_are_taken_while_they_change(
        self, adapter: Gateway, settings: Settings
    ) -> None:
        both = Adyen("key", ACCOUNT, [OTHER_KEY, HMAC_KEY])
        for key in (OTHER_KEY, HMAC_KEY):
            assert both.parse_webhook({}, batch(signed(REFUND, key=key)))

    def test_item_of_another_merchant_account_moves_nothing(self, adapter: Gateway) -> None:
        whole = {**REFUND, "merchantAccountCode": "OtherMerchant"}
        item = {
            **whole,
            "additionalData": {"hmacSignature": sign(whole, bytes.fromhex(HMAC_KEY))},
        }
        (event,) = adapter.parse_webhook({}, batch(item))
        assert (event.kind, event.trusted, event.outcome) == ("other", False, None)

    @pytest.mark.parametrize(("item", "expected"), EVENTS)
    def test_recorded_events_are_read_as_they_are_meant(
        self, adapter: Gateway, item: Json, expected: Json
    ) -> None:
        (event,) = adapter.parse_webhook({}, batch(signed(item)))
        assert event.kind == expected["kind"]
        assert event.outcome == expected.get("outcome")
        assert (event.dispute.state if event.dispute else None) == expected.get("state")
        if event.kind == "refund":
            assert event.payment_reference == item["originalReference"]
            assert (event.refund_reference, event.number) == (
                item["pspReference"],
                item["merchantReference"],
            )

    def test_dispute_carries_amount_reason_and_deadline(self, adapter: Gateway) -> None:
        item = next(one for one, _ in EVENTS if one["eventCode"] == "NOTIFICATION_OF_CHARGEBACK")
        (event,) = adapter.parse_webhook({}, batch(signed(item)))
        assert event.dispute is not None
        assert (event.dispute.reference, event.dispute.reason) == ("QFQTPCQ8HXSKGK82", "4853")
        assert event.dispute.amount == Money(1_000, "EUR")
        assert event.dispute.answer_by == datetime(2021, 7, 31, 1, 3, 8, tzinfo=UTC)
        assert event.number == ""

    def test_word_that_is_not_signed_decides_no_dispute(self, adapter: Gateway) -> None:
        item = next(one for one, _ in EVENTS if one["eventCode"] == "DISPUTE_DEFENSE_PERIOD_ENDED")
        forged = signed(item)
        forged["additionalData"]["disputeStatus"] = "Won"
        (event,) = adapter.parse_webhook({}, batch(forged))
        assert event.dispute is not None
        assert event.dispute.state == "lost"

    @pytest.mark.parametrize("code", ["REFUND_FAILED", "REFUNDED_REVERSED"])
    def test_event_that_did_not_happen_says_nothing(self, adapter: Gateway, code: str) -> None:
        (event,) = adapter.parse_webhook({}, batch(signed(REFUND, eventCode=code, success="false")))
        assert event.outcome is Outcome.UNKNOWN

    def test_nothing_can_be_asked_and_absence_is_never_claimed(
        self, adapter: Gateway, command: RefundCommand
    ) -> None:
        adapter.refund(command)
        with pytest.raises(NotOfferedError):
            adapter.find_refund(command)

    def test_health_with_a_wrong_account_is_not_good(
        self, adapter: Gateway, settings: Settings
    ) -> None:
        entry = settings.GATEWAYS["adyen"]
        for change in ({"merchant_account": "OtherMerchant"}, {"api_key": "another"}):
            settings.GATEWAYS = {"adyen": entry | {"OPTIONS": entry["OPTIONS"] | change}}
            assert not gateways["adyen"].healthcheck().ok

    def test_address_that_is_no_test_system_counts_as_live(self) -> None:
        for base_url in (
            "https://pay.example.com/v72",
            "https://x-checkout-live.adyenpayments.com",
        ):
            assert Adyen("key", ACCOUNT, [HMAC_KEY], base_url=base_url).live
        assert not Adyen("key", ACCOUNT, [HMAC_KEY]).live

    def test_test_card_is_not_sent_to_a_live_system(self) -> None:
        live = Adyen("key", ACCOUNT, [HMAC_KEY], live_prefix="prefix")
        with pytest.raises(NotOfferedError):
            live.charge_for_test(Money(100, "EUR"))

    def test_test_card_that_is_refused_is_no_charge(
        self, adapter: Gateway, peer: AdyenPeer
    ) -> None:
        peer.say(Said(200, b'{"resultCode": "Refused", "pspReference": "X"}'))
        with pytest.raises(GatewayUnavailableError):
            adapter.charge_for_test(Money(100, "EUR"))

    def test_report_names_refund_payment_and_number(self, adapter: Gateway) -> None:
        rows = list(adapter.read_settlement(io.BytesIO(REPORT.read_bytes())))
        (refund,) = [row for row in rows if row.kind is MovementKind.REFUND]
        assert refund.reference == "1813702551790001"
        assert refund.payment_reference == "1813702551707653"
        assert refund.number == "0197a3c0-1111-7000-8000-000000000001"
        assert (refund.occurred_on, refund.place) == (date(2013, 6, 4), "row 4")

    def test_costs_in_another_currency_are_a_row_of_their_own(self, adapter: Gateway) -> None:
        rows = list(adapter.read_settlement(io.BytesIO(REPORT.read_bytes())))
        sold, cost = [row for row in rows if row.payment_reference == "1813702551707654"]
        assert (sold.amount, sold.fee) == (Money(1_000, "USD"), Money(0, "USD"))
        assert (cost.kind, cost.amount) == (MovementKind.FEE, Money(-20, "EUR"))

    @pytest.mark.parametrize(
        ("old", "new", "named"),
        [
            (",Refunded,", ",Invented,", "row 4, Type"),
            (",2.00,,1,GBP,2.00,,,", ",2.00,2.00,1,GBP,2.00,,,", "both"),
            (",2013-06-04 09:00:00,", ",June 4,", "row 4, Creation Date"),
            (",Fee,Transaction Fees June 2013,,,,,GBP,0.55,", ",Fee,T,,,,,GBP,,", "row 7"),
        ],
    )
    def test_row_that_cannot_be_read_is_named(
        self, adapter: Gateway, old: str, new: str, named: str
    ) -> None:
        text = REPORT.read_text(encoding="utf-8")
        assert old in text
        with pytest.raises(BadSettlementError, match=named):
            list(adapter.read_settlement(io.BytesIO(text.replace(old, new, 1).encode())))

    def test_fake_answers_in_the_shape_of_the_recorded_answers(
        self, adapter: Gateway, peer: AdyenPeer, command: RefundCommand
    ) -> None:
        adapter.refund(command)
        (told,) = peer.webhooks()[-1]["notificationItems"]
        item = told["NotificationRequestItem"]
        assert set(REFUND) | {"additionalData"} == set(item)
        assert {type(item[name]) for name in REFUND if name != "amount"} == {str}
        assert set(item["amount"]) == {"currency", "value"}
