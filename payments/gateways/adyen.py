"""Adyen: asynchronous only. What is accepted is a promise to tell later, and the telling is signed.

What the adapter relies on, each with the page that says it:

* ``POST /payments/{paymentPspReference}/refunds`` answers 201 with the status "received", always;
  the outcome comes in a REFUND webhook
  (https://docs.adyen.com/api-explorer/Checkout/72/post/payments/(paymentPspReference)/refunds). So
  no answer here is ever a success. `reference` is ours, at most 80 characters.
* `Idempotency-Key`, at most 64 characters, is good for 7 days at least and belongs to the company
  account; a header `transient-error: true` says that nothing was done and the same key may be sent
  again, but the error 704 that the first request may still run
  (https://docs.adyen.com/development-resources/api-idempotency).
* There is no way to ask for a refund: no GET, no list.
* Each item of a webhook is signed over eight of its fields, and over nothing else of it
  (https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures): so
  `eventDate`, `reason` and `additionalData` (with `disputeStatus`) decide nothing here.
* REFUND with `success` true or false; REFUND_FAILED: refused by the scheme later;
  REFUNDED_REVERSED: the money came back (https://docs.adyen.com/api-explorer/Webhooks/1/overview).
* All events of a dispute have its `pspReference` and the payment's as `originalReference`
  (https://docs.adyen.com/risk-management/disputes-api/dispute-notifications).
* Decimals that are not ISO 4217's (https://docs.adyen.com/development-resources/currency-codes).
* A live address has a prefix of the company's own
  (https://docs.adyen.com/development-resources/live-endpoints).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any, BinaryIO, ClassVar, Literal
from urllib.parse import quote, urlsplit
from uuid import uuid4

from django.core.checks import CheckMessage, Error
from django.utils import timezone

from backoffice.http import HttpError, Response, Secret
from backoffice.money import Money, exponent
from payments.gateways.adyen_report import rows_of
from payments.gateways.base import (
    BadEventError,
    BadSignatureError,
    Caps,
    DisputeSnapshot,
    DisputeState,
    Gateway,
    GatewayEvent,
    GatewayUnavailableError,
    Health,
    NotOfferedError,
    Outcome,
    PaymentSnapshot,
    Proof,
    RefundCommand,
    RefundResult,
    SettlementRow,
)
from payments.gateways.wire import Wire, cleaned, redacted, refusal, retry_after, scope

VERSION = "v72"
TEST = f"https://checkout-test.adyen.com/{VERSION}"
LIVE = f"https://%s-checkout-live.adyenpayments.com/checkout/{VERSION}"
NOT_LIVE = frozenset({"checkout-test.adyen.com", "127.0.0.1", "localhost", "::1"})
DECIMALS = {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}
"""Where Adyen's minor unit is not that of ISO 4217."""
HMAC_BYTES = 32
MAX_EVENT = 1024 * 1024
"""Bytes of the body of a webhook."""
MAX_ITEMS = 1_000
SIGNED = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
IN_PROGRESS = "704"
_SHOWN = frozenset({"status", "pspReference", "paymentPspReference", "reference", "errorType"})
# Refused before anything was looked at.
NOT_EXECUTED = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
)
REFUSALS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})

type Json = Mapping[str, Any]

# Event -> what its success means for the refund. Of an event that failed itself nothing follows.
_REFUNDS = {
    ("REFUND", True): Outcome.SUCCEEDED,
    ("REFUND", False): Outcome.FAILED,
    ("REFUND_FAILED", True): Outcome.FAILED,
    ("REFUNDED_REVERSED", True): Outcome.FAILED,
}
_REFUND_EVENTS = frozenset(code for code, _ in _REFUNDS)
_PAYMENTS = frozenset({"AUTHORISATION", "CANCEL_OR_REFUND", "CAPTURE", "CAPTURE_FAILED"})
# A won chargeback may come again as a second one: then it is lost. A warning of fraud opens none.
# A request for information takes no money, and that we answered says nothing of money either; an
# announced chargeback takes it when it comes:
# https://docs.adyen.com/risk-management/disputes-api/dispute-notifications
_DISPUTES = {
    "CHARGEBACK": DisputeState.OPEN,
    "CHARGEBACK_REVERSED": DisputeState.WON,
    "DISPUTE_DEFENSE_PERIOD_ENDED": DisputeState.LOST,
    "INFORMATION_SUPPLIED": DisputeState.INQUIRY,
    "ISSUER_COMMENTS": DisputeState.OPEN,
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED": DisputeState.WON,
    "NOTIFICATION_OF_CHARGEBACK": DisputeState.ANNOUNCED,
    "PREARBITRATION_LOST": DisputeState.LOST,
    "PREARBITRATION_OPEN": DisputeState.OPEN,
    "PREARBITRATION_WON": DisputeState.WON,
    "REQUEST_FOR_INFORMATION": DisputeState.INQUIRY,
    "SECOND_CHARGEBACK": DisputeState.LOST,
}


class Adyen(Gateway):
    """One merchant account.

    `hmac_keys` are hexadecimal, the newest first; more than one while keys change. `live_prefix`
    is that of the company's live address, "" for the test system. Limits are in seconds.
    """

    label = "Adyen"
    caps = Caps(
        partial=True,
        key_ttl=timedelta(days=7),
        lookup="none",
        settle=timedelta(0),
        refund_sync=False,
        signed_webhooks=True,
    )
    vendor_hosts = frozenset({"checkout-test.adyen.com"})
    proofs: ClassVar[tuple[Proof, ...]] = (
        Proof(
            peer="A server of ours that keeps books as the vendor's pages say",
            version=f"Checkout {VERSION}",
            on=date(2026, 11, 22),
            what="The contract suite, lost and late answers, and the recorded answers",
            source="https://docs.adyen.com/api-explorer/Checkout/72/overview",
        ),
        Proof(
            peer="The signature of the vendor's own Python library",
            version="a test vector of its suite",
            on=date(2026, 11, 22),
            what="The signature of a webhook item",
            source="https://github.com/Adyen/adyen-python-api-library",
        ),
    )

    def __init__(
        self,
        api_key: str,
        merchant_account: str,
        hmac_keys: Sequence[str],
        *,
        live_prefix: str = "",
        base_url: str = "",
        connect: float = 3,
        read: float = 30,
    ) -> None:
        self._api_key = Secret(api_key)
        self._account = merchant_account
        self._hmac_keys = tuple(Secret(key) for key in hmac_keys)
        self._given = base_url
        address = base_url or (LIVE % live_prefix if live_prefix else TEST)
        # An address that is not known to be a test system is taken for one that moves money.
        self.live = bool(live_prefix) or urlsplit(address).hostname not in NOT_LIVE
        # The vendor keeps keys by company, which the credential stands for.
        self.address, self.key_scope = address, scope(address, merchant_account, api_key)
        headers, here = {"X-API-Key": api_key}, not self.live
        self._wire = Wire(address, connect=connect, read=read, headers=headers, allow_loopback=here)
        self.timeout = self._wire.timeout

    def fetch_payment(self, reference: str) -> PaymentSnapshot:
        """Raise NotOfferedError: Adyen has no address that tells of a payment."""
        raise NotOfferedError("Adyen cannot be asked about a payment; it tells by webhook")

    def find_refund(self, command: RefundCommand) -> RefundResult | None:
        """Raise NotOfferedError: "not found" would be read as a proof of absence."""
        raise NotOfferedError("Adyen cannot be asked about a refund; it tells by webhook")

    def refund(self, command: RefundCommand) -> RefundResult:
        """Send the refund, once. What is accepted is pending, nothing more."""
        try:
            amount = _written(command.amount)
        except ValueError as error:
            return RefundResult(Outcome.FAILED, code="AMOUNT", message=str(error))
        body = {"merchantAccount": self._account, "amount": amount, "reference": command.number}
        path = f"/payments/{quote(command.payment_reference, safe='')}/refunds"
        try:
            response = self._wire.send_json(path, body, key=command.key)
            return _received(response, command)
        except HttpError as error:
            return self._not_accepted(error)

    def healthcheck(self) -> Health:
        """Ask for the payment methods: that proves address, key and merchant account, no more."""
        try:
            self._wire.send_json("/paymentMethods", {"merchantAccount": self._account}, key=uuid4())
        except HttpError as error:
            return Health(ok=False, message=str(error), checked_at=timezone.now())
        return Health(ok=True, message="", checked_at=timezone.now())

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[GatewayEvent]:
        """Return every item of the batch; one bad signature refuses all of it.

        Adyen's own helper looks at the first item only, so a forged second one would ride along.
        """
        items = _items(body)
        for item in items:
            self._prove(item)
        return [self._event(item) for item in items]

    def read_settlement(self, file: BinaryIO) -> Iterator[SettlementRow]:
        """Return the movements of a settlement detail report (csv) of this merchant account."""
        return rows_of(file, self._account)

    def charge_for_test(self, amount: Money) -> str:
        """Pay with the test card of Adyen's own page; the test system alone takes it unencrypted.

        https://docs.adyen.com/development-resources/api-idempotency has the same request.
        """
        if self.live:
            raise NotOfferedError("A test card is not for live keys")
        body = {
            "merchantAccount": self._account,
            "amount": _written(amount),
            "reference": f"test-{uuid4()}",
            "returnUrl": "https://example.com/",
            "paymentMethod": {
                "type": "scheme",
                "encryptedCardNumber": "test_4111111111111111",
                "encryptedExpiryMonth": "test_03",
                "encryptedExpiryYear": "test_2030",
                "encryptedSecurityCode": "test_737",
            },
        }
        try:
            answer = self._wire.send_json("/payments", body, key=uuid4()).json()
        except HttpError as error:
            raise GatewayUnavailableError(str(error)) from error
        if not isinstance(answer, dict) or answer.get("resultCode") != "Authorised":
            raise GatewayUnavailableError("The test card was not authorised")
        return str(answer["pspReference"])

    def check(self) -> list[CheckMessage]:
        """Return what is wrong with keys and merchant account."""
        wrong = []
        if not self._api_key.clear() or not self._account:
            wrong.append("api_key and merchant_account are needed")
        if not self._hmac_keys or not all(_is_hex(key) for key in self._hmac_keys):
            wrong.append("hmac_keys are 64 hexadecimal digits each, from the Customer Area")
        if self.live and self._given:
            wrong.append("live keys go to the address of live_prefix only")
        hint = "Copy them from the Customer Area; leave base_url out of an entry with live_prefix."
        return [Error(f"Adyen: {text}", hint=hint, id="payments.E021") for text in wrong]

    def _not_accepted(self, error: HttpError) -> RefundResult:
        secrets = (self._api_key, *self._hmac_keys)
        body = refusal(error.response)
        code = cleaned(body.get("errorCode", error.kind), secrets)
        message = cleaned(body.get("message", error), secrets)
        if not error.sent or error.status in NOT_EXECUTED or _is_transient(error, code):
            wait = retry_after(error.response)
            return RefundResult(Outcome.NOT_SENT, code=code, message=message, retry_after=wait)
        refused = error.status in REFUSALS and body.get("errorType") == "validation"
        outcome = Outcome.FAILED if refused and code != IN_PROGRESS else Outcome.UNKNOWN
        return RefundResult(outcome, code=code, message=message)

    def _prove(self, item: Json) -> None:
        """Raise BadSignatureError unless one of the keys has signed the item."""
        given = (item.get("additionalData") or {}).get("hmacSignature", "")
        text = _signed_text(item).encode()
        for key in self._hmac_keys:
            digest = hmac.new(bytes.fromhex(key.clear()), text, hashlib.sha256).digest()
            if hmac.compare_digest(base64.b64encode(digest), str(given).encode()):
                return
        raise BadSignatureError("An item of the batch is not signed by Adyen")

    def _event(self, item: Json) -> GatewayEvent:
        code, success = item["eventCode"], item["success"] == "true"
        known = item["merchantAccountCode"] == self._account
        kind = _kind(code) if known else "other"
        amount, is_refund = _read_amount(item["amount"]), kind == "refund"
        return GatewayEvent(
            id=f"{code}:{item['pspReference']}:{item['success']}",
            kind=kind,
            payment_reference=str(item.get("originalReference") or item["pspReference"]),
            refund_reference=str(item["pspReference"]) if is_refund else "",
            number=str(item["merchantReference"]) if is_refund else "",
            occurred_at=_moment(item.get("eventDate")),
            outcome=_REFUNDS.get((code, success), Outcome.UNKNOWN) if is_refund else None,
            amount=amount,
            dispute=_dispute(item, amount) if kind == "dispute" else None,
            trusted=known,
        )


def _received(response: Response, command: RefundCommand) -> RefundResult:
    """Read a 2xx: "received" for this payment, number and amount is pending; the rest is open."""
    raw = response.json()
    try:
        amount, reference = _read_amount(raw["amount"]), str(raw["pspReference"])
        number = raw.get("reference", command.number)
        told = (raw["status"], raw["paymentPspReference"], number, amount)
    except (AttributeError, KeyError, TypeError, ValueError):
        return RefundResult(Outcome.UNKNOWN, message="The answer could not be read")
    shown = redacted(raw, _SHOWN)
    if told != ("received", command.payment_reference, command.number, command.amount):
        message = "The answer is not about this refund"
        return RefundResult(Outcome.UNKNOWN, reference=reference, message=message, raw=shown)
    return RefundResult(Outcome.PENDING, reference=reference, amount=amount, raw=shown)


def _is_transient(error: HttpError, code: str) -> bool:
    """Say whether Adyen promises that nothing was done; of 704 the other request may do it."""
    headers = error.response.headers if error.response else {}
    return headers.get("transient-error", "").lower() == "true" and code != IN_PROGRESS


def _written(amount: Money) -> dict[str, Any]:
    """Return Adyen's value and currency; ValueError where its minor unit cannot hold the amount."""
    decimals = DECIMALS.get(amount.currency, exponent(amount.currency))
    value = amount.amount.scaleb(decimals)
    if value != value.to_integral_value():
        raise ValueError(f"Adyen has {decimals} decimals for {amount.currency}")
    return {"value": int(value), "currency": amount.currency}


def _read_amount(body: Json) -> Money:
    currency = body["currency"]
    if type(body["value"]) is not int:
        raise TypeError("a value is a whole number")
    decimals = DECIMALS.get(currency, exponent(currency))
    return Money.of(Decimal(body["value"]).scaleb(-decimals), currency)


def _items(body: bytes) -> list[Json]:
    """Return the items of a batch; raise BadEventError."""
    try:
        items = [one["NotificationRequestItem"] for one in json.loads(body)["notificationItems"]]
        proper = len(body) <= MAX_EVENT and 0 < len(items) <= MAX_ITEMS and all(map(_fits, items))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        proper = False
    if not proper:
        raise BadEventError("Not a batch of Adyen")
    return items


def _fits(item: Json) -> bool:
    """Say whether it is an item; KeyError, TypeError, ValueError, AttributeError say no as well.

    What is signed is joined by colons, so a colon may stand in one field only: else the end of one
    field could be passed off as the beginning of the next.
    """
    _read_amount(item["amount"])
    plain = (item["pspReference"], item.get("originalReference") or "", item["eventCode"])
    texts = (*plain, item["merchantAccountCode"])
    more = item.get("additionalData", {}).get("hmacSignature", "")
    return (
        all(isinstance(text, str) for text in (*texts, item["merchantReference"], more))
        and not any(":" in text for text in texts)
        and item["success"] in {"true", "false"}
    )


def _signed_text(item: Json) -> str:
    amount = item["amount"]
    values = [item.get(name) or "" for name in SIGNED]
    values += [amount["value"], amount["currency"], item["eventCode"], item["success"]]
    return ":".join(str(value) for value in values)


def _kind(code: str) -> Literal["refund", "dispute", "payment", "other"]:
    if code in _REFUND_EVENTS:
        return "refund"
    if code in _DISPUTES:
        return "dispute"
    return "payment" if code in _PAYMENTS else "other"


def _dispute(item: Json, amount: Money) -> DisputeSnapshot:
    more = item.get("additionalData") or {}
    return DisputeSnapshot(
        reference=str(item["pspReference"]),
        amount=amount,
        state=_DISPUTES[item["eventCode"]],
        reason=str(more.get("chargebackReasonCode", "")).strip()[:80],
        answer_by=_moment(more.get("defensePeriodEndsAt")),
    )


def _moment(text: object) -> datetime | None:
    """Return a time that Adyen names, None for anything else: it is not signed."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


def _is_hex(key: Secret) -> bool:
    try:
        return len(bytes.fromhex(key.clear())) == HMAC_BYTES
    except ValueError:
        return False
