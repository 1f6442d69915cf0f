"""Anybody may send what is not signed: it fills no table, and keeps no gateway out."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from backoffice.accounts import limits
from payments import webhooks
from payments.models import InboxEvent, Payment
from tests.factories import make_order, make_payment
from tests.simulator import WEBHOOK_SECRET, signed

pytestmark = pytest.mark.django_db
ALLOWED = 3


@pytest.fixture(autouse=True)
def _toss(settings: Settings) -> None:
    options = {"secret_key": "test_sk_of_nobody", "base_url": "http://127.0.0.1:9"}
    toss = {"BACKEND": "payments.gateways.toss.Toss", "OPTIONS": options}
    signing = {"base_url": "http://127.0.0.1:9", "webhook_secret": WEBHOOK_SECRET}
    simulator = {"BACKEND": "payments.gateways.simulator.Simulator", "OPTIONS": signing}
    settings.GATEWAYS = {"simulator": simulator, "toss": toss}


@pytest.fixture
def payment() -> Payment:
    return make_payment(make_order(1_000), gateway="toss", reference="pk_ours")


def send(kind: str, number: int = 0, *, address: str = "192.0.2.1", **data: Any) -> int:
    body = {"eventType": kind, "createdAt": f"2026-11-22T10:00:{number:02}.000000", "data": data}
    return (
        Client(REMOTE_ADDR=address)
        .post("/webhooks/toss/", json.dumps(body), content_type="application/json")
        .status_code
    )


def test_what_is_about_nothing_of_ours_is_not_stored(payment: Payment) -> None:
    assert send("SOMETHING_ELSE", paymentKey="pk_ours") == 200
    assert send("PAYMENT_STATUS_CHANGED", paymentKey="pk_of_another") == 200
    assert send("PAYMENT_STATUS_CHANGED", paymentKey="pk\x00") == 200
    assert send("PAYMENT_STATUS_CHANGED") == 200
    assert not InboxEvent.objects.exists()
    assert send("PAYMENT_STATUS_CHANGED", paymentKey="pk_ours") == 200
    assert InboxEvent.objects.get().payment_reference == "pk_ours"


def send_signed(name: str) -> int:
    """Deliver an event of the simulator; return the status of our answer."""
    data = {
        "id": "re_1",
        "payment": "pay_of_tomorrow",
        "reference": "",
        "amount_minor": 100,
        "currency": "GBP",
        "status": "succeeded",
        "created": "2026-11-22T10:00:00+00:00",
    }
    event = {"type": "refund.succeeded", "created": data["created"], "data": data}
    raw = json.dumps(event).encode()
    answer = Client().post(
        "/webhooks/simulator/", raw, content_type="application/json", headers=signed(name, raw)
    )
    return answer.status_code


def test_signed_event_of_a_payment_that_is_not_recorded_yet_is_kept() -> None:
    assert (send_signed("evt_1"), InboxEvent.objects.count()) == (200, 1)


def test_one_address_keeps_no_other_out(payment: Payment, monkeypatch: pytest.MonkeyPatch) -> None:
    few = limits.Limit(hits=ALLOWED, seconds=10**9)
    monkeypatch.setattr(webhooks, "UNSIGNED_OF_ONE_ADDRESS", few)
    monkeypatch.setattr(webhooks, "OF_ONE_GATEWAY", few)
    told = [send("SOMETHING_ELSE", number) for number in range(ALLOWED + 2)]
    assert told == [200] * ALLOWED + [429] * 2
    assert send("PAYMENT_STATUS_CHANGED", address="192.0.2.2", paymentKey="pk_ours") == 200
    assert InboxEvent.objects.count() == 1


def test_forgeries_do_not_use_up_what_a_gateway_that_signs_may_send(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = limits.Limit(hits=ALLOWED, seconds=10**9)
    monkeypatch.setattr(webhooks, "OF_ONE_GATEWAY", few)

    def deliver(address: str, **headers: str) -> int:
        answer = Client(REMOTE_ADDR=address).post(
            "/webhooks/simulator/", b"{}", content_type="application/json", headers=headers
        )
        return answer.status_code

    assert {deliver(f"192.0.2.{number}") for number in range(ALLOWED + 5)} == {401}
    told = [send_signed(f"evt_{number}") for number in range(ALLOWED + 1)]
    assert told == [200] * ALLOWED + [429]
