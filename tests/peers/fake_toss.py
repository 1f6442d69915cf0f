"""Toss Payments as its pages tell it, with books of its own (addresses: fixtures/gateways/toss/).

``python tests/peers/fake_toss.py --key test_sk_fake [--port 0]`` prints its address; `--key` may
stand more than once: while an API key is exchanged both are good, for the same payments.

* A key belongs to API key, method and address, not to the body, for 15 days; refusals are bound to
  it as well. While the first request of a key runs, a second one is a 409.
* No more than the balance is cancelled; two cancels of a payment within `min_interval` seconds: the
  second is refused.
* A virtual account wants the account for the refund, and the bank ends it later.

Door: ``POST payments`` {amount, currency, method, partial, min_interval, tax_free} -> {paymentKey};
``GET payments/<key>`` cancels; ``POST bank`` {paymentKey, refundStatus}; ``GET webhooks`` what
would be posted; ``POST clock`` {days}: put the clock forward.
"""

from __future__ import annotations

import base64
import secrets
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    import sys

    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.peers.fakes import Answer, Call, arguments, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

KOREA = timezone(timedelta(hours=9))
KEY_DAYS = 15
MAX_KEY = 300
MAX_REASON = 200
ERRORS = {
    "ALREADY_CANCELED_PAYMENT": (400, "이미 취소된 결제 입니다."),
    "FORBIDDEN_CONSECUTIVE_REQUEST": (
        403,
        "반복적인 요청은 허용되지 않습니다. 잠시 후 다시 시도해주세요.",
    ),
    "IDEMPOTENT_REQUEST_PROCESSING": (409, "이전 멱등 요청이 처리중입니다."),
    "INCORRECT_BASIC_AUTH_FORMAT": (403, "잘못된 요청입니다. ':' 를 포함해 인코딩해주세요."),
    "INVALID_IDEMPOTENCY_KEY": (400, "멱등키는 300자 이하여야 합니다."),
    "INVALID_REFUND_ACCOUNT_INFO": (400, "환불 계좌번호와 예금주명이 일치하지 않습니다."),
    "INVALID_REQUEST": (400, "잘못된 요청입니다."),
    "NOT_ALLOWED_PARTIAL_REFUND": (
        403,
        "에스크로 주문, 현금 카드 결제일 때는 부분 환불이 불가합니다.",
    ),
    "NOT_CANCELABLE_AMOUNT": (403, "취소 할 수 없는 금액 입니다."),
    "NOT_FOUND": (404, "존재하지 않는 정보 입니다."),
    "NOT_FOUND_PAYMENT": (404, "존재하지 않는 결제 정보 입니다."),
    "UNAUTHORIZED_KEY": (401, "인증되지 않은 시크릿 키 혹은 클라이언트 키 입니다."),
}

type Json = Any


class Refused(Exception):  # noqa: N818 - a refusal is an ordinary answer here
    """Nothing was done; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        status, message = ERRORS[code]
        self.answer = Answer(status, {"code": code, "message": message})


class Toss:
    """The books, and the requests on them."""

    def __init__(self, secret_keys: list[str]) -> None:
        self._secret_keys = secret_keys
        self._lock = threading.Lock()
        self._payments: dict[str, Json] = {}
        self._rules: dict[str, Json] = {}
        self._answers: dict[tuple[str, ...], tuple[datetime, Answer]] = {}
        self._running: set[tuple[str, ...]] = set()
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
            case "POST", ("v1", "payments", key, "cancel"):
                return self._once(call, key)
            case "GET", ("v1", "payments", key):
                return Answer(200, self._payment(key))
            case "GET", ("v1", "settlements"):
                return Answer(200, self._settlements(call))
        raise Refused("NOT_FOUND")

    def door(self, call: Call) -> Answer:
        """Do what the tests ask."""
        match call.method, call.path:
            case "POST", ("payments",):
                return Answer(200, {"paymentKey": self._seed(call.body)})
            case "GET", ("payments", key):
                return Answer(200, self._payments[key]["cancels"] or [])
            case "POST", ("bank",):
                self._bank(call.body)
            case "GET", ("webhooks",):
                return Answer(200, self._webhooks)
            case "POST", ("clock",):
                self._ahead += timedelta(days=call.body["days"])
        return Answer(200, {})

    def _authorise(self, call: Call) -> None:
        kind, _, token = call.headers.get("Authorization", "").partition(" ")
        if kind != "Basic":
            raise Refused("UNAUTHORIZED_KEY")
        user, colon, _password = base64.b64decode(token).decode().partition(":")
        if not colon:
            raise Refused("INCORRECT_BASIC_AUTH_FORMAT")
        if user not in self._secret_keys:
            raise Refused("UNAUTHORIZED_KEY")

    def _once(self, call: Call, payment: str) -> Answer:
        """Answer a key with its first answer, refusals included."""
        key = call.headers.get("Idempotency-Key", "")
        if not key:
            return self._tried(payment, call.body)
        if len(key) > MAX_KEY:
            raise Refused("INVALID_IDEMPOTENCY_KEY")
        scope = (key, call.headers["Authorization"], call.method, "/".join(call.path))
        with self._only(scope):
            at, answer = self._answers.get(scope, (datetime.min.replace(tzinfo=UTC), None))
            if answer is None or self._now() >= at + timedelta(days=KEY_DAYS):
                answer = self._tried(payment, call.body)
                self._answers[scope] = self._now(), answer
            return answer

    @contextmanager
    def _only(self, scope: tuple[str, ...]) -> Iterator[None]:
        with self._lock:
            if scope in self._running:
                raise Refused("IDEMPOTENT_REQUEST_PROCESSING")
            self._running.add(scope)
        try:
            yield
        finally:
            self._running.discard(scope)

    def _tried(self, payment: str, body: Json) -> Answer:
        try:
            with self._lock:
                return Answer(200, self._cancel(payment, body))
        except Refused as refused:
            return refused.answer

    def _cancel(self, key: str, body: Json) -> Json:
        payment = self._payment(key)
        amount = self._wanted(payment, body)
        left = payment["balanceAmount"] - amount
        payment["balanceAmount"] = left
        payment["status"] = "PARTIAL_CANCELED" if left else "CANCELED"
        payment["lastTransactionKey"] = secrets.token_hex(16).upper()
        payment["cancels"] = [*(payment["cancels"] or []), self._entry(payment, body, amount)]
        if payment["virtualAccount"]:
            payment["virtualAccount"]["refundStatus"] = "PENDING"
        self._tell(payment)
        return payment

    def _wanted(self, payment: Json, body: Json) -> int:
        """Return the amount to cancel; raise Refused."""
        reason = (body or {}).get("cancelReason", "")
        amount = (body or {}).get("cancelAmount", payment["balanceAmount"])
        if not 0 < len(reason) <= MAX_REASON or type(amount) is not int or amount <= 0:
            raise Refused("INVALID_REQUEST")
        if not payment["balanceAmount"]:
            raise Refused("ALREADY_CANCELED_PAYMENT")
        if amount > payment["balanceAmount"]:
            raise Refused("NOT_CANCELABLE_AMOUNT")
        if amount < payment["balanceAmount"] and not payment["isPartialCancelable"]:
            raise Refused("NOT_ALLOWED_PARTIAL_REFUND")
        if payment["virtualAccount"] and not body.get("refundReceiveAccount"):
            raise Refused("INVALID_REFUND_ACCOUNT_INFO")
        self._refuse_hurry(payment)
        return amount

    def _refuse_hurry(self, payment: Json) -> None:
        gap = timedelta(seconds=self._rules[payment["paymentKey"]]["min_interval"])
        last = (payment["cancels"] or [{}])[-1].get("canceledAt")
        if gap and last and self._now() < datetime.fromisoformat(last) + gap:
            raise Refused("FORBIDDEN_CONSECUTIVE_REQUEST")

    def _entry(self, payment: Json, body: Json, amount: int) -> Json:
        return {
            "transactionKey": payment["lastTransactionKey"],
            "cancelReason": body["cancelReason"],
            "taxExemptionAmount": 0,
            "canceledAt": self._text(self._now()),
            "cardDiscountAmount": 0,
            "transferDiscountAmount": 0,
            "easyPayDiscountAmount": 0,
            "receiptKey": None,
            "cancelStatus": "DONE",
            "cancelRequestId": None,
            "cancelAmount": amount,
            "taxFreeAmount": body.get("taxFreeAmount", 0),
            "refundableAmount": payment["balanceAmount"],
        }

    def _payment(self, key: str) -> Json:
        if key not in self._payments:
            raise Refused("NOT_FOUND_PAYMENT")
        return self._payments[key]

    def _seed(self, body: Json) -> str:
        key, now = f"tviva{secrets.token_hex(12)}", self._text(self._now())
        virtual = body.get("method") == "가상계좌"
        self._payments[key] = {
            "mId": "tosspayments",
            "version": "2022-11-16",
            "lastTransactionKey": secrets.token_hex(16).upper(),
            "paymentKey": key,
            "orderId": secrets.token_urlsafe(12),
            "orderName": "토스 티셔츠 외 2건",
            "currency": body["currency"],
            "method": body.get("method", "카드"),
            "status": "DONE",
            "requestedAt": now,
            "approvedAt": now,
            "useEscrow": False,
            "cultureExpense": False,
            "checkout": {"url": f"https://api.tosspayments.com/v1/payments/{key}/checkout"},
            "card": None if virtual else {"number": "12341234****123*", "cardType": "신용"},
            "virtualAccount": {"bankCode": "88", "refundStatus": "NONE"} if virtual else None,
            "transfer": None,
            "mobilePhone": None,
            "giftCertificate": None,
            "foreignEasyPay": None,
            "cashReceipt": None,
            "cashReceipts": None,
            "discount": None,
            "cancels": None,
            "secret": None,
            "type": "NORMAL",
            "easyPay": None,
            "country": "KR",
            "failure": None,
            "totalAmount": body["amount"],
            "balanceAmount": body["amount"],
            "suppliedAmount": body["amount"] - body["amount"] // 11,
            "vat": body["amount"] // 11,
            "taxFreeAmount": body.get("tax_free", 0),
            "taxExemptionAmount": 0,
            "isPartialCancelable": body.get("partial", True),
            "receipt": {"url": "https://dashboard.tosspayments.com/receipt"},
        }
        self._rules[key] = {"min_interval": body.get("min_interval", 0)}
        return key

    def _bank(self, body: Json) -> None:
        payment = self._payment(body["paymentKey"])
        payment["virtualAccount"]["refundStatus"] = body["refundStatus"]
        self._tell(payment)

    def _tell(self, payment: Json) -> None:
        at = self._now().astimezone(KOREA).replace(tzinfo=None).isoformat()
        event = {"createdAt": at, "eventType": "PAYMENT_STATUS_CHANGED", "data": {**payment}}
        self._webhooks.append(event)

    def _settlements(self, call: Call) -> list[Json]:
        """Return the rows of all books; the day that is asked for is the only one there is."""
        page, size = int(call.query.get("page", 1)), int(call.query.get("size", 100))
        rows = [row for payment in self._payments.values() for row in _rows(payment)]
        return rows[(page - 1) * size : page * size]

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def _text(self, at: datetime) -> str:
        return at.astimezone(KOREA).isoformat(timespec="milliseconds")


def _rows(payment: Json) -> Iterator[Json]:
    """Return the sale and each cancel; the fee is 2 %, and comes back with a cancel."""
    yield _row(payment, payment["totalAmount"], None)
    for cancel in payment["cancels"] or []:
        yield _row(payment, -cancel["cancelAmount"], cancel)


def _row(payment: Json, amount: int, cancel: Json) -> Json:
    fee = amount // 50
    return {
        "mId": payment["mId"],
        "paymentKey": payment["paymentKey"],
        "transactionKey": (cancel or payment | {"transactionKey": f"S{payment['paymentKey']}"})[
            "transactionKey"
        ],
        "orderId": payment["orderId"],
        "currency": payment["currency"],
        "method": payment["method"],
        "approvedAt": payment["approvedAt"],
        "soldDate": payment["approvedAt"][:10],
        "paidOutDate": payment["approvedAt"][:10],
        "cancel": cancel,
        "amount": amount,
        "interestFee": 0,
        "fee": fee,
        "supplyAmount": fee - fee // 11,
        "vat": fee // 11,
        "payOutAmount": amount - fee,
    }


def main() -> None:
    """Read the arguments and serve until killed."""
    parser = arguments(__doc__)
    parser.add_argument("--key", action="append")
    options = parser.parse_args()
    serve(Toss(options.key or ["test_sk_fake"]), options.port)


if __name__ == "__main__":
    main()
