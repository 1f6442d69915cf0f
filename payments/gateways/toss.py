"""Toss Payments (KR): cards and easy pay answer at once, refunds of virtual accounts later.

What the adapter relies on, each with the page that says it:

* ``POST /v1/payments/{paymentKey}/cancel`` with `cancelReason`, `cancelAmount`, `taxFreeAmount`,
  `refundReceiveAccount`; a cancel stands in `cancels[]` of the payment; two cancels of one payment
  within a second: only the first is processed
  (https://docs.tosspayments.com/guides/apis/cancel-payment).
* `Idempotency-Key`, at most 300 characters, is good for 15 days from its first use; it belongs to
  key, API key, address and method
  (https://docs.tosspayments.com/guides/using-api/idempotency-key). The body does not belong to it:
  a key that is used again answers with the first answer, whatever was asked
  (https://techchat.tosspayments.com/m/1186570706016809030). So an answer counts only where it
  lists *our* number with *our* amount.
* Basic authorisation with the secret key and no password; `test_` and `live_` keys
  (https://docs.tosspayments.com/reference/using-api/authorization).
* Errors are ``{"code", "message"}`` (https://docs.tosspayments.com/reference/error-codes).
* Events are not signed (https://docs.tosspayments.com/guides/webhook): they are hints.
* ``GET /v1/settlements`` (https://docs.tosspayments.com/common/apis/settlements); a row of a cancel
  has a negative amount and fee (https://techchat.tosspayments.com/m/1255352982157922435).

A cancel has no reference of the merchant: our refund number goes into `cancelReason`, in brackets,
and is read back from there. Only won is refunded: amounts in other currencies are written in a unit
that the pages do not settle (https://techchat.tosspayments.com/m/1237958998343417856).
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import quote

from django.core.checks import CheckMessage, Error
from django.utils import timezone

from backoffice.http import HttpError, Response, Secret
from backoffice.money import Money
from payments.gateways.base import (
    BadEventError,
    BadSettlementError,
    Caps,
    Gateway,
    GatewayEvent,
    GatewayUnavailableError,
    Health,
    MovementKind,
    Outcome,
    PaymentSnapshot,
    PaymentUnknownError,
    Proof,
    RefundCommand,
    RefundResult,
    RefundSnapshot,
    SettlementRow,
)
from payments.gateways.wire import Wire, cleaned, redacted, refusal, retry_after, scope

API = "https://api.tosspayments.com"
CURRENCY = "KRW"
VIRTUAL_ACCOUNT = "virtual_account"
SETTLEMENT_SECONDS = 60
PAGE_SIZE = 500  # rows; the gateway allows 5,000, more than an answer may hold here
MAX_PAGES = 2_000
MAX_EVENT = 256 * 1024  # bytes
MAX_REASON = 200
NUMBER = re.compile(r"\[refund ([A-Za-z0-9-]{1,80})\]")

# Refused for good: the key is bound to the refusal, and the money did not move.
REFUSALS = frozenset(
    {
        "EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT",
        "EXCEED_CANCEL_LIMIT",
        "EXCEED_MAX_REFUND_DUE",
        "FORBIDDEN_BANK_REFUND_REQUEST",
        "INVALID_BANK",
        "INVALID_REFUND_ACCOUNT_INFO",
        "INVALID_REFUND_ACCOUNT_NUMBER",
        "INVALID_REQUEST",
        "NOT_ALLOWED_PARTIAL_REFUND",
        "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT",
        "NOT_AVAILABLE_BANK",
        "NOT_CANCELABLE_AMOUNT",
        "NOT_CANCELABLE_PAYMENT",
        "NOT_CANCELABLE_PAYMENT_FOR_DORMANT_USER",
        "NOT_FOUND_PAYMENT",
        "NOT_MATCHES_REFUNDABLE_AMOUNT",
        "REFUND_REJECTED",
    }
)
# Refused before anything was looked at.
NOT_EXECUTED = frozenset({"INCORRECT_BASIC_AUTH_FORMAT", "INVALID_API_KEY", "UNAUTHORIZED_KEY"})
# Everything else is open and wants a look first; among them ALREADY_CANCELED_PAYMENT and
# ALREADY_REFUND_PAYMENT (perhaps by an answer of ours that was lost), PROVIDER_ERROR (a 400!),
# FORBIDDEN_CONSECUTIVE_REQUEST, IDEMPOTENT_REQUEST_PROCESSING, and every 5xx.

_PAID = frozenset({"DONE", "PARTIAL_CANCELED", "CANCELED"})
_CANCEL_STATUS = {
    "DONE": Outcome.SUCCEEDED,
    "IN_PROGRESS": Outcome.PENDING,
    "ABORTED": Outcome.FAILED,
}
_SHOWN = ("status", "lastTransactionKey", "balanceAmount", "totalAmount")


class Toss(Gateway):
    """`secret_key` from the developers' centre; `connect` and `read` are limits in seconds."""

    label = "Toss Payments"
    caps = Caps(
        partial=True,
        key_ttl=timedelta(days=15),
        lookup="list",
        settle=timedelta(minutes=1),
        min_interval=timedelta(seconds=1),
        needs_account=frozenset({VIRTUAL_ACCOUNT}),
    )
    vendor_hosts = frozenset({"api.tosspayments.com"})
    proofs: ClassVar[tuple[Proof, ...]] = (
        Proof(
            peer="A server of ours that keeps books as the vendor's pages say",
            version="API 2022-11-16",
            on=date(2026, 11, 22),
            what="The contract suite, lost and late answers, and the recorded answers",
            source="https://docs.tosspayments.com/reference",
        ),
    )

    def __init__(
        self, secret_key: str, *, base_url: str = API, connect: float = 3, read: float = 30
    ) -> None:
        token = base64.b64encode(f"{secret_key}:".encode()).decode()
        self._key, self._secrets = Secret(secret_key), (Secret(token), Secret(secret_key))
        # A key of a kind that is not known is taken for one that moves money.
        self.live = not secret_key.startswith("test_")
        self.address = base_url
        self.key_scope = scope(base_url, secret_key)
        self._wire = _wired(base_url, token, connect, read)
        self._slow = _wired(base_url, token, connect, SETTLEMENT_SECONDS)
        self.timeout = self._wire.timeout

    def fetch_payment(self, reference: str) -> PaymentSnapshot:
        """Read the payment with its cancels."""
        body = self._read_payment(reference)
        try:
            return _payment(body)
        except (KeyError, TypeError, ValueError):
            raise GatewayUnavailableError("The gateway's answer could not be read") from None

    def refund(self, command: RefundCommand) -> RefundResult:
        """Cancel the amount, once; see the module for what the answer has to show."""
        if command.amount.currency != CURRENCY:
            text = f"Toss Payments refunds in {CURRENCY} only"
            return RefundResult(Outcome.FAILED, code="CURRENCY", message=text)
        path = f"/v1/payments/{quote(command.payment_reference, safe='')}/cancel"
        try:
            response = self._wire.send_json(path, _cancel(command), key=command.key)
            return _accepted(response, command)
        except HttpError as error:
            return self._not_accepted(error)

    def find_refund(self, command: RefundCommand) -> RefundResult | None:
        """Look through the payment's cancels for our number."""
        listed = self.fetch_payment(command.payment_reference).refunds
        mine = [one for one in listed if one.number == command.number]
        alive = [one for one in mine if one.outcome is not Outcome.FAILED]
        if len(alive) > 1:
            text = "The gateway lists this refund more than once"
            return RefundResult(Outcome.UNKNOWN, code="listed_twice", message=text)
        return _result((alive or mine)[0], command) if mine else None

    def healthcheck(self) -> Health:
        """Ask for a payment that does not exist: the right refusal proves key and connection."""
        try:
            self._read_payment("healthcheck")
        except PaymentUnknownError:
            return Health(ok=True, message="", checked_at=timezone.now())
        except GatewayUnavailableError as error:
            return Health(ok=False, message=str(error), checked_at=timezone.now())
        return Health(ok=False, message="An unexpected answer", checked_at=timezone.now())

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[GatewayEvent]:
        """Return the hint in the body; nothing is proven. A retry has the same body and id."""
        if len(body) > MAX_EVENT:
            raise BadEventError("The event is too large")
        try:
            event = json.loads(body)
            return [_event(event, hashlib.sha256(body).hexdigest())]
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            raise BadEventError("Not an event of Toss Payments") from None

    def settlement(self, day: date) -> Iterator[SettlementRow]:
        """Return what was sold and cancelled on a day (`soldDate`), page by page."""
        count = 0
        for page in range(1, MAX_PAGES + 1):
            rows = self._settlement_page(day, page)
            for row in rows:
                count += 1
                yield from _movements(row, f"row {count}")
            if len(rows) < PAGE_SIZE:
                return
        raise BadSettlementError(f"More than {MAX_PAGES} pages for {day}")

    def check(self) -> list[CheckMessage]:
        """Return what is wrong with the secret key and the address."""
        wrong = []
        if not self._key.clear().startswith(("test_", "live_")):
            wrong.append("a secret key starts with test_ or live_")
        if self.live and self.address != API:
            wrong.append(f"live keys go to {API} only")
        hint = "Copy the secret key of the developers' page; leave base_url out."
        return [Error(f"Toss Payments: {text}", hint=hint, id="payments.E020") for text in wrong]

    def _read_payment(self, reference: str) -> Mapping[str, Any]:
        try:
            return self._wire.read(f"/v1/payments/{quote(reference, safe='')}")
        except GatewayUnavailableError as error:
            cause = error.__cause__
            code = refusal(cause.response).get("code") if isinstance(cause, HttpError) else ""
            if code == "NOT_FOUND_PAYMENT":
                raise PaymentUnknownError(reference) from error
            raise

    def _not_accepted(self, error: HttpError) -> RefundResult:
        body = refusal(error.response)
        code = cleaned(body.get("code", error.kind), self._secrets)
        message = cleaned(body.get("message", error), self._secrets)
        unheard = error.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.UNAUTHORIZED}
        if not error.sent or unheard or code in NOT_EXECUTED:
            wait = retry_after(error.response)
            return RefundResult(Outcome.NOT_SENT, code=code, message=message, retry_after=wait)
        refused = code in REFUSALS and (error.status or 0) < HTTPStatus.INTERNAL_SERVER_ERROR
        outcome = Outcome.FAILED if refused else Outcome.UNKNOWN
        return RefundResult(outcome, code=code, message=message)

    def _settlement_page(self, day: date, page: int) -> list[Any]:
        asked: dict[str, str | int] = {
            "startDate": day.isoformat(),
            "endDate": day.isoformat(),
            "dateType": "soldDate",
            "page": page,
            "size": PAGE_SIZE,
        }
        try:
            rows = self._slow.get("/v1/settlements", asked).json()
        except HttpError as error:
            raise GatewayUnavailableError(str(error)) from error
        if not isinstance(rows, list):
            raise BadSettlementError(f"Page {page} is no list")
        return rows


def _wired(base_url: str, token: str, connect: float, read: float) -> Wire:
    headers, here = {"Authorization": f"Basic {token}"}, base_url != API
    return Wire(base_url, connect=connect, read=read, headers=headers, allow_loopback=here)


def _cancel(command: RefundCommand) -> dict[str, Any]:
    """Return the body of a cancel; the untaxed part is named even where it is nothing."""
    body: dict[str, Any] = {
        "cancelReason": f"[refund {command.number}] {command.reason}".strip()[:MAX_REASON],
        "cancelAmount": command.amount.minor,
        "taxFreeAmount": command.tax_free.minor if command.tax_free else 0,
    }
    if command.account:
        body["refundReceiveAccount"] = {
            "bank": command.account.bank,
            "accountNumber": command.account.number,
            "holderName": command.account.holder,
        }
    return body


def _accepted(response: Response, command: RefundCommand) -> RefundResult:
    """Find our cancel in the payment that came back; without it nothing is proven."""
    raw = response.json()
    try:
        mine = [one for one in _payment(raw).refunds if one.number == command.number]
    except (KeyError, TypeError, ValueError):
        return RefundResult(Outcome.UNKNOWN, message="The answer could not be read")
    if raw["paymentKey"] != command.payment_reference or len(mine) != 1:
        message = "The answer is about another refund: look the payment up"
        return RefundResult(Outcome.UNKNOWN, message=message, raw=redacted(raw, _SHOWN))
    return _result(mine[0], command, raw=redacted(raw, _SHOWN))


def _result(
    found: RefundSnapshot, command: RefundCommand, *, raw: Mapping[str, object] | None = None
) -> RefundResult:
    outcome, message = found.outcome, ""
    if found.amount != command.amount:
        outcome, message = Outcome.UNKNOWN, "The gateway reports another amount"
    return RefundResult(
        outcome, reference=found.reference, amount=found.amount, message=message, raw=raw or {}
    )


def _payment(body: Mapping[str, Any]) -> PaymentSnapshot:
    """Raise KeyError, TypeError or ValueError for anything that is not a payment."""
    currency = body["currency"]
    total, left = (Money.of(body[name], currency) for name in ("totalAmount", "balanceAmount"))
    captured = total if body["status"] in _PAID else Money(0, currency)
    return PaymentSnapshot(
        reference=str(body["paymentKey"]),
        captured=captured,
        refunded=total - left,
        refunds=_cancels(body),
    )


def _cancels(body: Mapping[str, Any]) -> tuple[RefundSnapshot, ...]:
    cancels = body.get("cancels") or []
    return tuple(
        RefundSnapshot(
            reference=str(row["transactionKey"]),
            number=_number(row),
            amount=Money.of(row["cancelAmount"], body["currency"]),
            outcome=_outcome(row, body),
            created_at=datetime.fromisoformat(row["canceledAt"]),
        )
        for row in cancels
    )


def _number(cancel: Mapping[str, Any]) -> str:
    """Return our number, "" for a cancel that somebody made elsewhere."""
    found = NUMBER.search(str(cancel.get("cancelReason", "")))
    return found[1] if found else ""


def _outcome(cancel: Mapping[str, Any], payment: Mapping[str, Any]) -> Outcome:
    """Return where a cancel stands; the bank's part of a virtual account counts for the last one.

    `virtualAccount.refundStatus` is one word for the whole payment.
    """
    outcome = _CANCEL_STATUS.get(cancel.get("cancelStatus", "DONE"), Outcome.UNKNOWN)
    account = payment.get("virtualAccount") or {}
    last = cancel["transactionKey"] == payment["cancels"][-1]["transactionKey"]
    if outcome is not Outcome.SUCCEEDED or not last:
        return outcome
    match account.get("refundStatus", "NONE"):
        case "NONE" | "COMPLETED":
            return outcome
        case "PENDING":
            return Outcome.PENDING
        case "FAILED" | "PARTIAL_FAILED" if len(payment["cancels"]) == 1:
            return Outcome.FAILED
        case _:
            return Outcome.UNKNOWN


def _event(event: Mapping[str, Any], digest: str) -> GatewayEvent:
    kind = str(event.get("eventType", ""))
    data = event.get("data") or {}
    reference = str(data.get("paymentKey", ""))
    if not (kind or "secret" in event):
        raise ValueError("no event")
    if not reference or kind not in {"PAYMENT_STATUS_CHANGED", "CANCEL_STATUS_CHANGED"}:
        return GatewayEvent(id=digest, kind="other")
    cancels = data.get("cancels") or ([data] if kind == "CANCEL_STATUS_CHANGED" else [])
    if not cancels:
        return GatewayEvent(id=digest, kind="payment", payment_reference=reference)
    return GatewayEvent(
        id=digest,
        kind="refund",
        payment_reference=reference,
        refund_reference=str(cancels[-1].get("transactionKey", "")),
        number=_number(cancels[-1]),
    )


def _movements(row: Any, place: str) -> Iterator[SettlementRow]:
    """Return the movement of a row, and a second one where the fee of a sale came back.

    Raises BadSettlementError, which names the row.
    """
    try:
        amount, paid_out = (
            Money.of(row[name], row["currency"]) for name in ("amount", "payOutAmount")
        )
        cancel, sold_on = row.get("cancel"), date.fromisoformat(row["soldDate"])
        payment, key = str(row["paymentKey"]), str(row["transactionKey"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadSettlementError(f"{place}: {type(error).__name__} {error}") from None
    fee, nothing = amount - paid_out, Money(0, amount.currency)
    number = _number(cancel) if cancel else ""
    yield SettlementRow(
        MovementKind.REFUND if cancel else MovementKind.CAPTURE,
        reference=key,
        payment_reference=payment,
        number=number,
        amount=amount,
        fee=max(fee, nothing),
        occurred_on=sold_on,
        place=place,
    )
    if fee < nothing:
        yield SettlementRow(
            MovementKind.FEE, f"{key}:fee", payment, number, -fee, nothing, sold_on, place
        )
