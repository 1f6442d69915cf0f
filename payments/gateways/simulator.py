"""The gateway of the demo and of the tests: `fixtures/backends/gateway.py` in its own process."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from django.utils import timezone

from backoffice.http import Client, HttpError, Response
from backoffice.money import Money
from payments.gateways.base import (
    Caps,
    Gateway,
    GatewayUnavailableError,
    Health,
    Outcome,
    PaymentSnapshot,
    PaymentUnknownError,
    RefundCommand,
    RefundResult,
    RefundSnapshot,
)

# Definite refusals of this gateway; any other status leaves the outcome open.
REFUSALS = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
)
# Refused before anything was looked at.
NOT_EXECUTED = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
)
MAX_ANSWER = 1024 * 1024


class Simulator(Gateway):
    """Speaks the simulator's JSON. `connect` and `read` are time limits in seconds."""

    label = "Simulator"
    caps = Caps(
        partial=True,
        key_ttl=timedelta(hours=24),
        lookup="list",
        settle=timedelta(0),  # its list is read from the same books in the same transaction
    )

    def __init__(self, base_url: str, connect: float = 3, read: float = 5) -> None:
        self.timeout = timedelta(seconds=connect + read)
        self._client = Client(
            base_url,
            timeout=(connect, read),
            deadline=connect + read,
            max_bytes=MAX_ANSWER,
            retries=0,
            allow_loopback=True,
        )

    def fetch_payment(self, reference: str) -> PaymentSnapshot:
        """Read the payment and its refunds."""
        body = self._read(f"/payments/{quote(reference, safe='')}")
        try:
            return _payment(body)
        except (KeyError, TypeError, ValueError):
            raise GatewayUnavailableError("The gateway's answer could not be read") from None

    def refund(self, command: RefundCommand) -> RefundResult:
        """Send the refund with its key, once."""
        try:
            response = self._client.post(
                f"/payments/{quote(command.payment_reference, safe='')}/refunds",
                json={
                    "amount_minor": command.amount.minor,
                    "currency": command.amount.currency,
                    "reference": command.number,
                    "reason": command.reason,
                },
                headers={"Idempotency-Key": str(command.key)},
            )
            return _accepted(response, command)
        except HttpError as error:
            return _not_accepted(error)

    def find_refund(self, command: RefundCommand) -> RefundResult | None:
        """Look through the payment's refunds for our number."""
        for found in self.fetch_payment(command.payment_reference).refunds:
            if found.number == command.number:
                return _result(found, command)
        return None

    def healthcheck(self) -> Health:
        """Ask /health."""
        try:
            self._client.get("/health")
        except HttpError as error:
            return Health(ok=False, message=str(error), checked_at=timezone.now())
        return Health(ok=True, message="", checked_at=timezone.now())

    def _read(self, path: str) -> Mapping[str, Any]:
        try:
            body = self._client.get(path).json()
        except HttpError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise PaymentUnknownError(path) from error
            raise GatewayUnavailableError(str(error)) from error
        if not isinstance(body, dict):
            raise GatewayUnavailableError("The gateway's answer could not be read")
        return body


def _accepted(response: Response, command: RefundCommand) -> RefundResult:
    """Read a 2xx; an answer that cannot be understood proves nothing."""
    raw = response.json()
    try:
        found = _refund(raw)
    except (KeyError, TypeError, ValueError):
        return RefundResult(Outcome.UNKNOWN, message="The answer could not be read")
    return _result(
        found, command, raw=raw, replayed=response.headers.get("Idempotent-Replayed") == "true"
    )


def _result(
    found: RefundSnapshot,
    command: RefundCommand,
    *,
    raw: Mapping[str, object] | None = None,
    replayed: bool = False,
) -> RefundResult:
    outcome, message = found.outcome, ""
    if found.amount != command.amount or found.number != command.number:
        # Money moved, but not what we asked for: people have to look.
        outcome, message = Outcome.UNKNOWN, "The gateway reports another amount or number"
    return RefundResult(
        outcome,
        reference=found.reference,
        amount=found.amount,
        message=message,
        replayed=replayed,
        raw=raw or {},
    )


def _not_accepted(error: HttpError) -> RefundResult:
    body = _refusal(error.response)
    code, message = str(body.get("error", error.kind)), str(body.get("message", error))
    if not error.sent or error.status in NOT_EXECUTED:
        wait = error.response.headers.get("Retry-After") if error.response else None
        seconds = float(wait) if wait and wait.isdecimal() else None
        return RefundResult(Outcome.NOT_SENT, code=code, message=message, retry_after=seconds)
    outcome = Outcome.FAILED if error.status in REFUSALS and body else Outcome.UNKNOWN
    return RefundResult(outcome, code=code, message=message, raw=body)


def _refusal(response: Response | None) -> Mapping[str, Any]:
    """Return the gateway's own {"error", "message"}; empty when a proxy or nobody answered."""
    if response is None:
        return {}
    try:
        body = response.json()
    except HttpError:
        return {}
    return body if isinstance(body, dict) and "error" in body else {}


def _payment(body: Mapping[str, Any]) -> PaymentSnapshot:
    currency = body["currency"]
    return PaymentSnapshot(
        reference=body["reference"],
        captured=Money(body["captured_minor"], currency),
        refunded=Money(body["refunded_minor"], currency),
        refunds=tuple(_refund(row) for row in body["refunds"]),
    )


def _refund(body: Mapping[str, Any]) -> RefundSnapshot:
    """Raise KeyError, TypeError or ValueError for anything that is not a refund."""
    return RefundSnapshot(
        reference=str(body["id"]),
        number=str(body["reference"]),
        amount=Money(body["amount_minor"], body["currency"]),
        outcome=Outcome(body["status"]),
    )
