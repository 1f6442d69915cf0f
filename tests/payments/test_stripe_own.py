"""What is particular to Stripe: amounts, paging, disputes, settlements, the vendor's library."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
import stripe as sdk

from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import (
    BadSettlementError,
    DisputeState,
    Gateway,
    GatewayUnavailableError,
    Outcome,
    RefundCommand,
)
from payments.gateways.stripe import Stripe
from payments.gateways.stripe_objects import from_stripe, to_stripe
from tests.contracts.peers import Said
from tests.payments.test_stripe import recorded
from tests.peers import stripe
from tests.simulator import wait_for

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


@pytest.fixture
def peer(strict_gateway: stripe.StripeMock) -> stripe.StripeMock:
    return strict_gateway


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
        self, peer: stripe.StripeMock, command: RefundCommand
    ) -> None:
        hasty = Stripe(**stripe.entry(peer.proxy.url)["stripe"]["OPTIONS"] | {"read": 1})
        peer.proxy.play("delay", seconds=4)
        assert hasty.refund(command).outcome is Outcome.UNKNOWN
        wait_for(lambda: peer.paid_back(command.payment_reference) == [AMOUNT])

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
