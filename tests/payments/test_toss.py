"""Toss Payments keeps the contract, and what is particular to its answers, errors and keys."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, override
from uuid import uuid4

import pytest
from pytest_django import Settings

from backoffice.http import Client, HttpError
from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import (
    BankAccount,
    Gateway,
    GatewayUnavailableError,
    MovementKind,
    Outcome,
    PaymentUnknownError,
    RefundCommand,
)
from tests.contracts.case import Delivery, Told
from tests.contracts.gateway import GatewayContract
from tests.contracts.peers import Peer, Said, Seen
from tests.peers.proxy import FaultProxy
from tests.peers.vendors import TOSS_KEY, TossPeer, fake, renew

RECORDED = Path(__file__).resolve().parents[2] / "fixtures" / "gateways" / "toss"
WON = Money(10_000, "KRW")


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_text(encoding="utf-8"))


def page(rows: list[Any]) -> Said:
    return Said(200, json.dumps(rows).encode())


SALE = recorded("settlement_sale.json")["body"][0]
CANCEL = recorded("settlement_cancel.json")["body"][0]
SALES = [SALE | {"transactionKey": f"{number:032}"} for number in range(500)]


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultProxy]:
    """Run the fake behind a proxy; `peer` renews it for each test."""
    with fake("fake_toss.py", "--key", TOSS_KEY) as address, FaultProxy(address) as proxy:
        yield proxy


class TestToss(GatewayContract):
    gateway = "toss"
    currency = "KRW"
    tells_replays = False
    in_progress = Said(409, b'{"code": "IDEMPOTENT_REQUEST_PROCESSING", "message": "-"}')
    amounts = {Money(100, "KRW"): 100, Money(50_000, "KRW"): 50_000}
    unsendable = (Money(1_000, "USD"), Money(1_000, "JPY"))
    secret_options = ("secret_key",)
    broken_options = (
        {"base_url": "not an address"},
        {"secret_key": "sk_of_somebody_else"},
        {"secret_key": "live_sk_zXLkKEypNArWmo50nX3lmeaxYG5R"},
    )
    live_options = {"secret_key": "live_sk_zXLkKEypNArWmo50nX3lmeaxYG5R"}
    recorded = RECORDED
    settlement_day = date(2025, 6, 18)
    settlement_said = (page(SALES), page([CANCEL]))
    settlement_sums = {
        MovementKind.CAPTURE: (500, 500 * 3_280_000),
        MovementKind.REFUND: (1, -99_800),
        MovementKind.FEE: (1, 2_250),
    }
    settlement_fees = 500 * 859_950

    @pytest.fixture
    def peer(self, proxy: FaultProxy, settings: Settings) -> TossPeer:
        renew(proxy)
        options = {"secret_key": TOSS_KEY, "base_url": proxy.url, "connect": 5, "read": 20}
        settings.GATEWAYS = {"toss": {"BACKEND": "payments.gateways.toss.Toss", "OPTIONS": options}}
        return TossPeer(proxy)

    @override
    def accepted(self, command: RefundCommand, status: str = "") -> dict[str, Any]:
        body: dict[str, Any] = recorded("refund_card.json")["body"]
        major = str(command.amount.amount) if command.amount.currency == "KRW" else "22.70"
        cancel = body["cancels"][0] | {
            "cancelReason": f"[refund {command.number}]",
            "cancelAmount": int(major) if major.isdecimal() else major,
            "cancelStatus": status or "DONE",
        }
        return body | {
            "paymentKey": command.payment_reference,
            "currency": command.amount.currency,
            "cancels": [cancel],
        }

    @override
    def sent_amount(self, seen: Seen) -> object:
        return json.loads(seen.body)["cancelAmount"]

    @override
    def delivery(
        self, told: Told, *, secret: str | None = None, at: datetime | None = None
    ) -> Delivery:
        body = recorded("event_payment_status_changed.json")["body"]
        reason = f"[refund {told.number}]" if told.number else "고객이 취소를 원함"
        cancel = {"transactionKey": told.refund_reference, "cancelReason": reason}
        data = body["data"] | {"paymentKey": told.payment_reference, "cancels": [cancel]}
        return Delivery({}, json.dumps(body | {"data": data}).encode())

    @override
    @pytest.mark.parametrize("body", [b"<html>", b"{}", b"null", b"{"])
    def test_day_that_cannot_be_read_is_an_error_and_never_an_empty_day(
        self, adapter: Gateway, peer: Peer, body: bytes
    ) -> None:
        super().test_day_that_cannot_be_read_is_an_error_and_never_an_empty_day(adapter, peer, body)

    def test_day_without_sales_is_an_empty_list(self, adapter: Gateway, peer: Peer) -> None:
        peer.say_reads(page([]))
        assert list(adapter.settlement(self.settlement_day)) == []

    def test_settlement_row_without_a_field_names_the_row(
        self, adapter: Gateway, peer: Peer
    ) -> None:
        without = {name: value for name, value in CANCEL.items() if name != "payOutAmount"}
        peer.say_reads(page([SALE, without]))
        with pytest.raises(Exception, match=r"row 2.*payOutAmount"):
            list(adapter.settlement(self.settlement_day))

    def test_settlement_of_the_fake_names_our_refund(
        self, adapter: Gateway, command: RefundCommand
    ) -> None:
        adapter.refund(command)
        rows = list(adapter.settlement(self.settlement_day))
        mine = [row for row in rows if row.number == command.number]
        assert [(row.kind, row.amount.minor) for row in mine] == [
            (MovementKind.REFUND, -command.amount.minor),
            (MovementKind.FEE, 46),
        ]

    def test_every_error_of_the_page_means_what_it_should(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        for error in recorded("errors.json")["errors"]:
            body = {"code": error["code"], "message": error["message"]}
            peer.say(Said(error["status"], json.dumps(body).encode()))
            result = adapter.refund(command)
            assert (result.outcome, result.code) == (error["outcome"], error["code"])

    def test_refusal_in_a_server_error_is_no_refusal(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        peer.say(Said(500, b'{"code": "NOT_CANCELABLE_AMOUNT", "message": "-"}'))
        assert adapter.refund(command).outcome is Outcome.UNKNOWN

    def test_request_is_written_as_the_page_says(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        account = BankAccount("88", "110123456789", "토*")
        asked = replace(command, reason="damaged", tax_free=Money(270, "KRW"), account=account)
        adapter.refund(asked)
        sent = peer.seen()[-1]
        assert sent.path == f"/v1/payments/{command.payment_reference}/cancel"
        assert json.loads(sent.body) == {
            "cancelReason": f"[refund {command.number}] damaged",
            "cancelAmount": 2_270,
            "taxFreeAmount": 270,
            "refundReceiveAccount": {
                "bank": "88",
                "accountNumber": "110123456789",
                "holderName": "토*",
            },
        }
        token = base64.b64encode(f"{TOSS_KEY}:".encode()).decode()
        assert sent.headers["Authorization"] == f"Basic {token}"
        assert "110123456789" not in repr(asked)

    def test_untaxed_part_is_named_where_it_is_nothing(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        adapter.refund(command)
        assert json.loads(peer.seen()[-1].body)["taxFreeAmount"] == 0

    def test_key_of_another_refund_of_the_payment_is_no_success(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        """The body does not belong to the key: the first answer comes, and names the first."""
        adapter.refund(command)
        other = adapter.refund(replace(command, number=str(uuid4())))
        assert other.outcome is Outcome.UNKNOWN
        assert peer.paid_back(command.payment_reference) == [command.amount]

    def test_key_that_is_too_old_pays_again_so_its_life_is_told(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        adapter.refund(command)
        peer.post("clock", {"days": adapter.caps.key_ttl.days - 1})
        adapter.refund(command)
        assert len(peer.paid_back(command.payment_reference)) == 1
        peer.post("clock", {"days": 1})
        adapter.refund(command)
        assert len(peer.paid_back(command.payment_reference)) == 2

    def test_second_cancel_within_a_second_is_looked_up_first(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        key = peer.pay(WON, min_interval=adapter.caps.min_interval.total_seconds())
        first = replace(command, payment_reference=key)
        second = replace(first, number=str(uuid4()), key=uuid4())
        outcomes = [adapter.refund(one).outcome for one in (first, second)]
        assert outcomes == [Outcome.SUCCEEDED, Outcome.UNKNOWN]
        assert adapter.find_refund(second) is None

    def test_payment_that_is_cancelled_already_is_looked_up_first(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        adapter.refund(replace(command, amount=WON))
        result = adapter.refund(replace(command, number=str(uuid4()), key=uuid4()))
        assert (result.outcome, result.code) == (Outcome.UNKNOWN, "ALREADY_CANCELED_PAYMENT")

    def test_refund_of_a_virtual_account_without_an_account_is_refused(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        key = peer.pay(WON, method="가상계좌")
        result = adapter.refund(replace(command, payment_reference=key))
        assert (result.outcome, result.code) == (Outcome.FAILED, "INVALID_REFUND_ACCOUNT_INFO")

    @pytest.mark.parametrize(
        ("said", "outcome"), [("COMPLETED", Outcome.SUCCEEDED), ("FAILED", Outcome.FAILED)]
    )
    def test_refund_of_a_virtual_account_is_ended_by_the_bank(
        self,
        adapter: Gateway,
        peer: TossPeer,
        command: RefundCommand,
        said: str,
        outcome: Outcome,
    ) -> None:
        key = peer.pay(WON, method="가상계좌")
        account = BankAccount("88", "110123456789", "토*")
        asked = replace(command, payment_reference=key, account=account)
        assert adapter.refund(asked).outcome is Outcome.PENDING
        peer.post("bank", {"paymentKey": key, "refundStatus": said})
        found = adapter.find_refund(asked)
        assert found is not None
        assert found.outcome is outcome

    def test_cancel_made_in_the_dashboard_is_listed_without_a_number(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        key = command.payment_reference
        body = {"cancelReason": "고객이 취소를 원함", "cancelAmount": 500}
        token = base64.b64encode(f"{TOSS_KEY}:".encode()).decode()
        by_hand = Client(
            peer.proxy.upstream, allow_loopback=True, headers={"Authorization": f"Basic {token}"}
        )
        by_hand.post(f"/v1/payments/{key}/cancel", json=body)
        (refund,) = adapter.fetch_payment(key).refunds
        assert (refund.number, refund.amount) == ("", Money(500, "KRW"))

    def test_event_of_the_thread_is_a_hint_about_its_payment(self, adapter: Gateway) -> None:
        body = json.dumps(recorded("event_payment_status_changed.json")["body"]).encode()
        (event,) = adapter.parse_webhook({}, body)
        assert (event.kind, event.payment_reference) == ("payment", "aifor2uN3L9")
        assert (event.trusted, event.outcome, event.amount) == (False, None, None)

    def test_event_of_the_fake_leads_to_our_refund(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        adapter.refund(command)
        raw = json.dumps(peer.webhooks()[-1]).encode()
        (event,) = adapter.parse_webhook({}, raw)
        assert (event.kind, event.number) == ("refund", command.number)
        assert event.payment_reference == command.payment_reference

    def test_fake_answers_in_the_shape_of_the_recorded_answers(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        adapter.refund(command)
        client = Client(
            peer.proxy.upstream,
            allow_loopback=True,
            headers={
                "Authorization": "Basic " + base64.b64encode(f"{TOSS_KEY}:".encode()).decode()
            },
        )
        answered = client.get(f"/v1/payments/{command.payment_reference}").json()
        shown = recorded("refund_card.json")["body"]
        assert set(shown) <= set(answered)
        account = recorded("refund_virtual_account.json")["body"]["cancels"][0]
        assert set(account) <= set(answered["cancels"][0])
        for name in ("totalAmount", "balanceAmount", "currency", "status", "isPartialCancelable"):
            assert type(answered[name]) is type(shown[name]), name
        with pytest.raises(HttpError) as error:
            client.get("/v1/payments/nobody")
        assert error.value.response is not None
        known = recorded("refund_error_not_found_payment.json")
        assert error.value.response.json() == known["body"]
        assert error.value.response.status == known["status"]

    def test_health_with_a_wrong_key_is_not_good(
        self, adapter: Gateway, settings: Settings
    ) -> None:
        options = settings.GATEWAYS["toss"]["OPTIONS"] | {"secret_key": "test_sk_of_another"}
        settings.GATEWAYS = {"toss": settings.GATEWAYS["toss"] | {"OPTIONS": options}}
        assert not gateways["toss"].healthcheck().ok

    def test_amount_of_another_currency_is_read_in_its_own_units(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        body = recorded("refund_card.json")["body"]
        body |= {"currency": "USD", "totalAmount": 726.24, "balanceAmount": 544.68}
        body["cancels"][0]["cancelAmount"] = 181.56
        peer.say_reads(Said(200, json.dumps(body).encode()))
        payment = adapter.fetch_payment(command.payment_reference)
        assert (payment.captured.minor, payment.refunded.minor) == (72_624, 18_156)

    def test_payment_that_was_never_paid_has_nothing_captured(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        body = recorded("refund_card.json")["body"]
        body |= {"status": "WAITING_FOR_DEPOSIT", "balanceAmount": 10_000, "cancels": None}
        peer.say_reads(Said(200, json.dumps(body).encode()))
        assert not adapter.fetch_payment(command.payment_reference).captured

    def test_not_found_of_something_else_is_no_unknown_payment(
        self, adapter: Gateway, peer: TossPeer, command: RefundCommand
    ) -> None:
        peer.say_reads(Said(404, b'{"code": "NOT_FOUND", "message": "-"}'))
        with pytest.raises(GatewayUnavailableError):
            adapter.fetch_payment(command.payment_reference)
        with pytest.raises(PaymentUnknownError):
            adapter.fetch_payment("nobody")
