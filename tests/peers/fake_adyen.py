"""Adyen as its pages tell it, with books of its own (addresses: fixtures/gateways/adyen/).

``python tests/peers/fake_adyen.py --hmac <hex> [--port 0]`` prints its address.

* A refund is answered with 201 "received", whatever will come of it; the outcome is a signed item.
* A key belongs to the company account, for 7 days; the first answer is repeated.
* No more than was captured goes back: the rest is told as REFUND with `success` false.

Door: ``POST payments`` {value, currency} -> {pspReference}; ``GET payments/<psp>`` the refunds that
went out; ``GET webhooks`` the signed bodies so far; ``POST events`` {eventCode, pspReference of a
refund or payment, success}: let the scheme or a bank do something; ``POST clock`` {days}.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.peers.fakes import Answer, Call, arguments, serve

KEY_DAYS = 7
MAX_KEY = 64
MAX_REFERENCE = 80
TEST_CARD = "test_4111111111111111"

type Json = Any


class Refused(Exception):  # noqa: N818 - a refusal is an ordinary answer here
    """Nothing was done."""

    def __init__(self, status: int, code: str, message: str, kind: str = "validation") -> None:
        super().__init__(message)
        body = {"status": status, "errorCode": code, "message": message, "errorType": kind}
        self.answer = Answer(status, body)


class Adyen:
    """The books, and the requests on them."""

    def __init__(self, account: str, api_key: str, hmac_key: str) -> None:
        self._account, self._api_key = account, api_key
        self._hmac_key = bytes.fromhex(hmac_key)
        self._lock = threading.Lock()
        self._payments: dict[str, Json] = {}
        self._refunds: dict[str, Json] = {}
        self._answers: dict[str, tuple[datetime, Answer]] = {}
        self._webhooks: list[Json] = []
        self._ahead = timedelta(0)

    def vendor(self, call: Call) -> Answer:
        """Answer as the vendor does."""
        try:
            self._authorise(call)
            return self._answer(call)
        except Refused as refused:
            return refused.answer

    def _answer(self, call: Call) -> Answer:
        match call.method, call.path:
            case "POST", ("payments", psp, "refunds"):
                return self._once(call, psp)
            case "POST", ("payments",):
                return self._pay(call.body)
            case "POST", ("paymentMethods",):
                return Answer(200, {"paymentMethods": [{"type": "scheme", "name": "Cards"}]})
        raise Refused(404, "000", "Not found", "internal")

    def door(self, call: Call) -> Answer:
        """Do what the tests ask."""
        match call.method, call.path:
            case "POST", ("payments",):
                return Answer(200, {"pspReference": self._captured(call.body)})
            case "GET", ("payments", psp):
                return Answer(200, [one for one in self._refunds.values() if one["of"] == psp])
            case "GET", ("webhooks",):
                return Answer(200, self._webhooks)
            case "POST", ("events",):
                self._happen(call.body)
            case "POST", ("clock",):
                self._ahead += timedelta(days=call.body["days"])
        return Answer(200, {})

    def _authorise(self, call: Call) -> None:
        if call.headers.get("X-API-Key") != self._api_key:
            text = "HTTP Status Response - Unauthorized"
            raise Refused(401, "000", text, "security")
        if (call.body or {}).get("merchantAccount") != self._account:
            raise Refused(403, "901", "Invalid Merchant Account", "security")

    def _once(self, call: Call, psp: str) -> Answer:
        """Answer a key with its first answer; what was not valid is not kept."""
        key = call.headers.get("Idempotency-Key", "")
        if len(key) > MAX_KEY:
            raise Refused(422, "702", "Invalid idempotency key")
        with self._lock:
            at, answer = self._answers.get(key, (datetime.min.replace(tzinfo=UTC), None))
            if answer is None or not key or self._now() >= at + timedelta(days=KEY_DAYS):
                answer = self._refund(psp, call.body)
                self._answers[key] = self._now(), answer
            return Answer(answer.status, answer.body, {"idempotency-key": key})

    def _refund(self, psp: str, body: Json) -> Answer:
        amount, reference = self._wanted(psp, body)
        refund = _reference()
        payment = self._payments[psp]
        fits = amount["currency"] == payment["currency"] and amount["value"] <= payment["left"]
        if fits:
            payment["left"] -= amount["value"]
            self._refunds[refund] = {"of": psp, "reference": reference, "amount": amount}
        why = "" if fits else "Insufficient balance on payment"
        self._tell("REFUND", refund, psp, reference, amount, success=fits, reason=why)
        return Answer(
            201,
            {
                "merchantAccount": self._account,
                "paymentPspReference": psp,
                "pspReference": refund,
                "reference": reference,
                "status": "received",
                "amount": amount,
            },
        )

    def _wanted(self, psp: str, body: Json) -> tuple[Json, str]:
        amount, reference = body.get("amount"), body.get("reference", "")
        if not isinstance(amount, dict):
            raise Refused(422, "100", "Required object 'amount' is not provided.")
        if type(amount.get("value")) is not int or amount["value"] <= 0:
            raise Refused(422, "137", "Invalid amount specified")
        if len(reference) > MAX_REFERENCE:
            raise Refused(422, "130", "Reference Missing")
        if psp not in self._payments:
            raise Refused(422, "167", "Original pspReference required for this operation")
        return amount, reference

    def _pay(self, body: Json) -> Answer:
        card = body["paymentMethod"].get("encryptedCardNumber")
        ok = card == TEST_CARD
        psp = self._captured(body["amount"]) if ok else _reference()
        return Answer(
            200,
            {
                "pspReference": psp,
                "resultCode": "Authorised" if ok else "Refused",
                "amount": body["amount"],
                "merchantReference": body["reference"],
            },
        )

    def _captured(self, amount: Json) -> str:
        psp = _reference()
        self._payments[psp] = {"left": amount["value"], "currency": amount["currency"]}
        return psp

    def _happen(self, body: Json) -> None:
        """Let a scheme reverse a refund, or a bank dispute a payment."""
        psp, code = body["pspReference"], body["eventCode"]
        refund = self._refunds.get(psp)
        if refund is None:
            self._tell(
                code, body["dispute"], psp, "order", body["amount"], success=True, reason="Fraud"
            )
            return
        self._payments[refund["of"]]["left"] += refund["amount"]["value"]
        del self._refunds[psp]
        self._tell(code, psp, refund["of"], refund["reference"], refund["amount"], success=True)

    def _tell(
        self,
        code: str,
        psp: str,
        original: str,
        reference: str,
        amount: Json,
        *,
        success: bool,
        reason: str = "",
    ) -> None:
        item = {
            "amount": amount,
            "eventCode": code,
            "eventDate": self._now().isoformat(timespec="seconds"),
            "merchantAccountCode": self._account,
            "merchantReference": reference,
            "originalReference": original,
            "paymentMethod": "visa",
            "pspReference": psp,
            "reason": reason,
            "success": "true" if success else "false",
        }
        item["additionalData"] = {"hmacSignature": sign(item, self._hmac_key)}
        wrapped = [{"NotificationRequestItem": item}]
        self._webhooks.append({"live": "false", "notificationItems": wrapped})

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


def sign(item: Json, key: bytes) -> str:
    """Return the signature of an item by the page on HMAC signatures."""
    amount = item["amount"]
    values = [
        item["pspReference"],
        item.get("originalReference", ""),
        item["merchantAccountCode"],
        item["merchantReference"],
        str(amount["value"]),
        amount["currency"],
        item["eventCode"],
        item["success"],
    ]
    digest = hmac.new(key, ":".join(values).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _reference() -> str:
    """Return 16 capital letters and digits."""
    alphabet = "BCDFGHJKLMNPQRSTVWXZ23456789"
    return "".join(secrets.choice(alphabet) for _ in range(16))


def main() -> None:
    """Read the arguments and serve until killed."""
    parser = arguments(__doc__)
    parser.add_argument("--account", default="TestMerchant")
    parser.add_argument("--api-key", default="fake-api-key")
    parser.add_argument("--hmac", required=True)
    options = parser.parse_args()
    serve(Adyen(options.account, options.api_key, options.hmac), options.port)


if __name__ == "__main__":
    main()
