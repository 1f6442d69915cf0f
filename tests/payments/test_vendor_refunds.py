"""Refunds from the request to the end at gateways that answer later, or not as one would like."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.money import Money
from orders.models import Order
from payments import services
from payments.gateways import gateways
from payments.models import InboxEvent, Payment, Refund
from payments.services import events
from payments.services.refusals import RefundRefusedError
from tests.contracts.peers import Said
from tests.factories import make_order, make_payment
from tests.peers.proxy import FaultProxy
from tests.peers.vendors import (
    ACCOUNT,
    ADYEN_KEY,
    HMAC_KEY,
    NEW_TOSS_KEY,
    TOSS_KEY,
    AdyenPeer,
    TossPeer,
    VendorPeer,
    fake,
)

pytestmark = pytest.mark.django_db(transaction=True)
State = Refund.State
POUNDS = Money(1_000, "GBP")


@pytest.fixture
def adyen(settings: Settings) -> Iterator[AdyenPeer]:
    arguments = ("--account", ACCOUNT, "--api-key", ADYEN_KEY, "--hmac", HMAC_KEY)
    with fake("fake_adyen.py", *arguments) as address, FaultProxy(address) as proxy:
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
        yield AdyenPeer(proxy)


@pytest.fixture
def toss(settings: Settings) -> Iterator[TossPeer]:
    keys = ("--key", TOSS_KEY, "--key", NEW_TOSS_KEY)
    with fake("fake_toss.py", *keys) as address, FaultProxy(address) as proxy:
        options = {"secret_key": TOSS_KEY, "base_url": proxy.url, "connect": 5, "read": 20}
        backend = "payments.gateways.toss.Toss"
        settings.GATEWAYS = {"toss": {"BACKEND": backend, "OPTIONS": options}}
        yield TossPeer(proxy)


def paid(peer: VendorPeer, amount: Money, *, known: Money | None = None) -> Payment:
    """Return a payment of a new order; the gateway knows `known` of it where that differs."""
    (alias,) = gateways
    order = make_order(amount.minor)
    Order.objects.filter(pk=order.pk).update(currency=amount.currency)
    order.lines.update(currency=amount.currency)
    order.refresh_from_db()
    reference = peer.seed(known or amount)
    return make_payment(order, gateway=alias, reference=reference, currency=amount.currency)


def approved(payment: Payment, amount: Money, maker: User, checker: User) -> Refund:
    asked = [services.Asked(amount=amount)]
    refund = services.request_refund(payment.order, asked, actor=maker, reason="Damaged")
    services.approve_refund(refund, actor=checker)
    return Refund.objects.get(pk=refund.pk)


def executed(refund: Refund) -> Refund:
    services.execute(refund)
    return Refund.objects.get(pk=refund.pk)


def reconciled(refund: Refund) -> Refund:
    Refund.objects.filter(pk=refund.pk).update(next_try_at=timezone.now())
    services.reconcile()
    return Refund.objects.get(pk=refund.pk)


def post(body: Any) -> int:
    """Deliver an event as the gateway does; return the status of our answer."""
    (alias,) = gateways
    url = reverse("webhook", args=[alias])
    return Client().post(url, json.dumps(body), content_type="application/json").status_code


def exchange(settings: Settings, option: str, value: str) -> None:
    """Give the gateway another credential, as somebody does after an incident."""
    ((alias, entry),) = settings.GATEWAYS.items()
    options = {**entry["OPTIONS"], option: value}
    settings.GATEWAYS = {alias: {**entry, "OPTIONS": options}}


def told(refund: Refund, *bodies: Any) -> Refund:
    """Deliver events, let them be worked on, and return the refund."""
    for body in bodies:
        assert post(body) == 200
    InboxEvent.objects.update(next_try_at=timezone.now())
    events.process()
    return Refund.objects.get(pk=refund.pk)


def test_adyen_is_pending_until_its_item_says_more(adyen: AdyenPeer, eve: User, max_: User) -> None:
    payment = paid(adyen, POUNDS)
    refund = executed(approved(payment, Money(400, "GBP"), eve, max_))
    payment.refresh_from_db()
    assert (refund.state, payment.reserved_minor, payment.refunded_minor) == (
        State.PENDING,
        400,
        0,
    )
    refund = told(refund, adyen.webhooks()[-1])
    payment.refresh_from_db()
    assert (refund.state, payment.refunded_minor) == (State.SUCCEEDED, 400)


def test_adyen_takes_a_refund_back_after_its_success(
    adyen: AdyenPeer, eve: User, max_: User
) -> None:
    payment = paid(adyen, POUNDS)
    refund = executed(approved(payment, Money(400, "GBP"), eve, max_))
    refund = told(refund, adyen.webhooks()[-1])
    adyen.post("events", {"eventCode": "REFUNDED_REVERSED", "pspReference": refund.gateway_ref})
    refund = told(refund, adyen.webhooks()[-1])
    payment.refresh_from_db()
    assert (refund.state, payment.reserved_minor, payment.refunded_minor) == (
        State.REVERSED,
        0,
        0,
    )


def test_adyen_refuses_later_and_the_money_is_free_again(
    adyen: AdyenPeer, eve: User, max_: User
) -> None:
    payment = paid(adyen, POUNDS, known=Money(100, "GBP"))
    refund = executed(approved(payment, Money(400, "GBP"), eve, max_))
    assert refund.state == State.PENDING
    refund = told(refund, adyen.webhooks()[-1])
    payment.refresh_from_db()
    assert (refund.state, payment.reserved_minor) == (State.FAILED, 0)


def test_adyen_lost_answer_is_cured_by_the_same_key(
    adyen: AdyenPeer, eve: User, max_: User
) -> None:
    payment = paid(adyen, POUNDS)
    adyen.lose_answer()
    refund = executed(approved(payment, Money(400, "GBP"), eve, max_))
    assert refund.state == State.UNKNOWN
    refund = reconciled(refund)
    assert refund.state == State.PENDING
    assert adyen.paid_back(payment.reference) == [Money(400, "GBP")]
    assert told(refund, adyen.webhooks()[-1]).state == State.SUCCEEDED


def test_adyen_batch_with_a_forged_item_changes_nothing(
    adyen: AdyenPeer, eve: User, max_: User
) -> None:
    payment = paid(adyen, POUNDS)
    refund = executed(approved(payment, Money(400, "GBP"), eve, max_))
    good = adyen.webhooks()[-1]
    forged = json.loads(json.dumps(good))["notificationItems"][0]
    forged["NotificationRequestItem"]["pspReference"] = "FORGED"
    batch = {**good, "notificationItems": [*good["notificationItems"], forged]}
    assert post(batch) == 401
    assert not InboxEvent.objects.exists()
    events.process()
    refund.refresh_from_db()
    assert refund.state == State.PENDING


def test_adyen_chargeback_keeps_the_money_from_being_refunded(
    adyen: AdyenPeer, eve: User, max_: User
) -> None:
    payment = paid(adyen, POUNDS)
    amount = {"value": 1_000, "currency": "GBP"}
    dispute = {"dispute": "DISPUTE1", "pspReference": payment.reference, "amount": amount}
    adyen.post("events", {"eventCode": "CHARGEBACK", **dispute})
    assert post(adyen.webhooks()[-1]) == 200
    events.process()
    payment.refresh_from_db()
    assert (payment.blocked_minor, payment.refundable.minor) == (1_000, 0)
    with pytest.raises(RefundRefusedError):
        approved(payment, Money(400, "GBP"), eve, max_)


def test_toss_lost_answer_is_cured_by_the_same_key(toss: TossPeer, eve: User, max_: User) -> None:
    payment = paid(toss, Money(10_000, "KRW"))
    toss.lose_answer()
    refund = executed(approved(payment, Money(4_000, "KRW"), eve, max_))
    assert refund.state == State.UNKNOWN
    assert reconciled(refund).state == State.SUCCEEDED
    assert toss.paid_back(payment.reference) == [Money(4_000, "KRW")]


def test_toss_exchanged_credential_makes_no_second_refund(
    toss: TossPeer, settings: Settings, eve: User, max_: User
) -> None:
    """For the vendor the same key under another credential is a new request."""
    payment = paid(toss, Money(10_000, "KRW"))
    toss.lose_answer()
    refund = executed(approved(payment, Money(4_000, "KRW"), eve, max_))
    exchange(settings, "secret_key", NEW_TOSS_KEY)
    assert reconciled(refund).state == State.SUCCEEDED
    assert toss.paid_back(payment.reference) == [Money(4_000, "KRW")]
    assert len(toss.seen()) == 1


def test_toss_exchanged_credential_and_nothing_listed_is_for_people(
    toss: TossPeer, settings: Settings, eve: User, max_: User
) -> None:
    payment = paid(toss, Money(10_000, "KRW"))
    toss.say(Said(500, b"{}"))
    refund = executed(approved(payment, Money(4_000, "KRW"), eve, max_))
    exchange(settings, "secret_key", NEW_TOSS_KEY)
    assert reconciled(refund).state == State.UNKNOWN  # the list may still lag behind
    earlier = timezone.now() - gateways["toss"].caps.settle
    Refund.objects.filter(pk=refund.pk).update(sent_at=earlier)
    found = reconciled(refund)
    assert (found.state, found.gateway_ref) == (State.NEEDS_REVIEW, "")
    assert "another credential" in found.answer
    payment.refresh_from_db()
    assert (payment.reserved_minor, len(toss.seen())) == (4_000, 1)


def test_toss_what_surely_did_not_arrive_goes_out_with_the_new_credential(
    toss: TossPeer, settings: Settings, eve: User, max_: User
) -> None:
    payment = paid(toss, Money(10_000, "KRW"))
    toss.say(Said(401, b'{"code": "UNAUTHORIZED_KEY"}'))
    refund = executed(approved(payment, Money(4_000, "KRW"), eve, max_))
    assert refund.state == State.APPROVED
    exchange(settings, "secret_key", NEW_TOSS_KEY)
    toss.lose_answer()
    assert reconciled(refund).state == State.UNKNOWN
    assert reconciled(refund).state == State.SUCCEEDED  # repeated under the credential it is for
    assert toss.paid_back(payment.reference) == [Money(4_000, "KRW")]


def test_adyen_exchanged_credential_repeats_nothing_and_a_late_event_still_ends_it(
    adyen: AdyenPeer, settings: Settings, eve: User, max_: User
) -> None:
    payment = paid(adyen, POUNDS)
    adyen.lose_answer()
    refund = executed(approved(payment, Money(400, "GBP"), eve, max_))
    exchange(settings, "api_key", "AQE-another-key")
    refund = reconciled(refund)
    assert (refund.state, len(adyen.seen())) == (State.NEEDS_REVIEW, 1)
    assert told(refund, adyen.webhooks()[-1]).state == State.SUCCEEDED


def test_toss_name_of_200_characters_is_kept_whole(toss: TossPeer, eve: User, max_: User) -> None:
    """https://docs.tosspayments.com/reference: a `paymentKey` has at most 200."""
    payment = paid(toss, Money(10_000, "KRW"))
    longest = "k" * 199 + "7"
    Payment.objects.filter(pk=payment.pk).update(reference=longest)
    data = {"paymentKey": longest, "status": "CANCELED", "cancels": [{"transactionKey": longest}]}
    assert post({"eventType": "PAYMENT_STATUS_CHANGED", "data": data}) == 200
    event = InboxEvent.objects.get()
    assert (event.payment_reference, event.refund_reference) == (longest, longest)
    refund = approved(Payment.objects.get(pk=payment.pk), Money(4_000, "KRW"), eve, max_)
    cancel = {
        "transactionKey": longest,
        "cancelReason": f"[refund {refund.number}]",
        "cancelAmount": 4_000,
        "canceledAt": "2026-11-20T10:00:00+09:00",
    }
    body = {
        "paymentKey": longest,
        "currency": "KRW",
        "status": "PARTIAL_CANCELED",
        "totalAmount": 10_000,
        "balanceAmount": 6_000,
        "cancels": [cancel],
    }
    toss.say(Said(200, json.dumps(body).encode()))
    refund = executed(refund)
    assert (refund.state, refund.gateway_ref) == (State.SUCCEEDED, longest)
    assert refund.tries.get().reference == longest


def test_toss_refund_that_was_refused_frees_the_money(
    toss: TossPeer, eve: User, max_: User
) -> None:
    payment = paid(toss, Money(10_000, "KRW"), known=Money(100, "KRW"))
    refund = executed(approved(payment, Money(4_000, "KRW"), eve, max_))
    payment.refresh_from_db()
    assert (refund.state, payment.reserved_minor) == (State.FAILED, 0)


def test_toss_event_that_anybody_could_write_moves_nothing_by_itself(
    toss: TossPeer, eve: User, max_: User
) -> None:
    payment = paid(toss, Money(10_000, "KRW"))
    refund = approved(payment, Money(4_000, "KRW"), eve, max_)
    cancel = {"transactionKey": "T", "cancelReason": f"[refund {refund.number}]"}
    data = {"paymentKey": payment.reference, "status": "CANCELED", "cancels": [cancel]}
    refund = told(refund, {"eventType": "PAYMENT_STATUS_CHANGED", "data": data})
    assert refund.state == State.APPROVED


def test_toss_live_keys_without_a_proof_cannot_be_asked_for(
    toss: TossPeer, settings: Settings, eve: User, max_: User
) -> None:
    payment = paid(toss, Money(10_000, "KRW"))
    refund = approved(payment, Money(1_000, "KRW"), eve, max_)
    options = settings.GATEWAYS["toss"]["OPTIONS"] | {"secret_key": "live_sk_x"}
    settings.GATEWAYS = {"toss": settings.GATEWAYS["toss"] | {"OPTIONS": options}}
    settings.BACKOFFICE_UNVERIFIED_GATEWAYS = []
    with pytest.raises(RefundRefusedError, match="real money"):
        approved(payment, Money(1_000, "KRW"), eve, max_)
    assert executed(refund).state == State.APPROVED
    assert toss.seen() == []
