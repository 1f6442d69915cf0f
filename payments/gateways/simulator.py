"""The gateway of the demo and of the tests: `fixtures/backends/gateway.py` in its own process.

Its events are signed as the Standard Webhooks specification says
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md):
HMAC-SHA256, base64, over "id.timestamp.body"; the timestamp may be five minutes off.
"""

import base64
import binascii
import csv
import hashlib
import hmac
import io
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Any, BinaryIO, ClassVar
from urllib.parse import quote
from uuid import uuid4

from django.utils import timezone

from backoffice.http import HttpError, Response, Secret
from backoffice.money import Money
from payments.gateways.base import (
    BadEventError,
    BadSettlementError,
    BadSignatureError,
    Caps,
    DisputeSnapshot,
    DisputeState,
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

# Definite refusals of this gateway; whatever else is no 2xx leaves the outcome open.
REFUSALS = frozenset(
    {"amount", "amount_too_high", "currency_differs", "disputed", "payment_unknown", "refused"}
)
# Refused before anything was looked at.
NOT_EXECUTED = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
)
OUTCOMES = {
    "succeeded": Outcome.SUCCEEDED,
    "pending": Outcome.PENDING,
    "failed": Outcome.FAILED,
    "reversed": Outcome.FAILED,  # it had succeeded, and the money came back
}
SHOWN = ("id", "payment", "reference", "amount_minor", "currency", "status", "created", "error")
TOLERANCE = timedelta(minutes=5)
MAX_EVENT = 256 * 1024
MAX_FILE = 64 * 1024 * 1024
"""Bytes."""
MAX_TEXT = 80
"""Characters of a reference."""
KEY_BYTES = range(24, 65)
"""How long a secret is, by the specification."""
COLUMNS = (
    "kind", "reference", "payment", "number",
    "amount_minor", "fee_minor", "currency", "occurred_on",
)  # fmt: skip
WHOLE = re.compile(r"-?[0-9]{1,15}")
_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)


class Simulator(Gateway):
    """Speaks the simulator's JSON.

    `webhook_secret` is "whsec_" and base64; without it no event is believed. `connect` and `read`
    are limits in seconds, and so are `key_ttl` and `settle`, for tests in which the simulator
    forgets its keys (`key_life`) or lists late (`list_lag`, `finish_later`).
    """

    label = "Simulator"
    practice = True
    proofs: ClassVar[tuple[Proof, ...]] = (
        Proof(
            peer="Our own simulator; no vendor",
            version="2",
            on=date(2026, 11, 22),
            what="The contract suite, and every fault that it can play",
            source="fixtures/backends/gateway.py",
        ),
    )

    def __init__(
        self,
        base_url: str,
        *,
        webhook_secret: str = "",
        connect: float = 3,
        read: float = 5,
        key_ttl: float = 24 * 60 * 60,
        settle: float = 0,
    ) -> None:
        self.caps = Caps(
            partial=True,
            key_ttl=timedelta(seconds=key_ttl),
            lookup="list",
            settle=timedelta(seconds=settle),
            signed_webhooks=True,
        )
        self.address, self.key_scope = base_url, scope(base_url)
        self._secret = Secret(webhook_secret)
        _signing_key(self._secret)
        self._wire = Wire(base_url, connect=connect, read=read, headers={}, allow_loopback=True)
        self.timeout = self._wire.timeout

    def fetch_payment(self, reference: str) -> PaymentSnapshot:
        """Read the payment with its refunds and disputes."""
        try:
            body = self._wire.read(f"/payments/{quote(reference, safe='')}")
        except GatewayUnavailableError as error:
            cause = error.__cause__
            if isinstance(cause, HttpError) and _code(cause.response) == "payment_unknown":
                raise PaymentUnknownError(reference) from None
            raise
        try:
            return _payment(body)
        except _UNREADABLE:
            raise GatewayUnavailableError("The gateway's answer could not be read") from None

    def refund(self, command: RefundCommand) -> RefundResult:
        """Send the refund with its key, once."""
        path = f"/payments/{quote(command.payment_reference, safe='')}/refunds"
        body = {
            "amount_minor": command.amount.minor,
            "currency": command.amount.currency,
            "reference": command.number,
            "reason": command.reason,
        }
        try:
            return _accepted(self._wire.send_json(path, body, key=command.key), command)
        except HttpError as error:
            return self._not_accepted(error)

    def find_refund(self, command: RefundCommand) -> RefundResult | None:
        """Look through the payment's refunds for our number."""
        listed = self.fetch_payment(command.payment_reference).refunds
        mine = [one for one in listed if one.number == command.number]
        alive = [one for one in mine if one.outcome is not Outcome.FAILED]
        if len(alive) > 1:
            text = "The gateway lists this refund more than once"
            return RefundResult(Outcome.UNKNOWN, code="listed_twice", message=text)
        return _result((alive or mine)[0], command) if mine else None

    def healthcheck(self) -> Health:
        """Ask /health."""
        try:
            self._wire.get("/health")
        except HttpError as error:
            return Health(ok=False, message=str(error), checked_at=timezone.now())
        return Health(ok=True, message="", checked_at=timezone.now())

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[GatewayEvent]:
        """Return the one event of a body; what it says is a hint, since it can be read back."""
        given = {name.lower(): value for name, value in headers.items()}
        event_id = self._proven(given, body)
        try:
            return [_event(event_id, json.loads(body))]
        except (*_UNREADABLE, RecursionError):
            raise BadEventError("The event could not be read") from None

    def settlement(self, day: date) -> Iterator[SettlementRow]:
        """Return the movements of a day of UTC."""
        page: int | None = 0
        number = 0
        while page is not None:
            body = self._wire.read(f"/settlements/{day.isoformat()}", {"page": page})
            try:
                rows, page = list(body["rows"]), body["next"]
                for row in rows:
                    number += 1
                    yield _movement(row, f"row {number}")
            except _UNREADABLE:
                raise BadSettlementError("The settlement could not be read") from None

    def read_settlement(self, file: BinaryIO) -> Iterator[SettlementRow]:
        """Return the movements in the gateway's csv."""
        raw = file.read(MAX_FILE + 1)
        if len(raw) > MAX_FILE:
            raise BadSettlementError(f"The file is larger than {MAX_FILE >> 20} MB")
        try:
            reader = csv.DictReader(io.StringIO(raw.decode(), newline=""), strict=True)
            _check_head(reader)
            for place, row in enumerate(reader, start=2):
                yield _line(row, f"row {place}")
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadSettlementError(f"The file is no csv in UTF-8: {error}") from None

    def charge_for_test(self, amount: Money) -> str:
        """Make a captured payment known."""
        reference = f"pay_test_{uuid4().hex}"
        body = {"reference": reference, "amount_minor": amount.minor, "currency": amount.currency}
        try:
            self._wire.send_json("/payments", body, key=uuid4())
        except HttpError as error:
            raise GatewayUnavailableError(str(error)) from error
        return reference

    def _not_accepted(self, error: HttpError) -> RefundResult:
        body = refusal(error.response)
        code = cleaned(_code(error.response) or error.kind, [self._secret])
        message = cleaned(body.get("message", error), [self._secret])
        wait = retry_after(error.response)
        if not error.sent or error.status in NOT_EXECUTED:
            return RefundResult(Outcome.NOT_SENT, code=code, message=message, retry_after=wait)
        outcome = Outcome.FAILED if code in REFUSALS else Outcome.UNKNOWN
        return RefundResult(outcome, code=code, message=message, retry_after=wait)

    def _proven(self, headers: Mapping[str, str], body: bytes) -> str:
        """Return the id of an event whose signature is right; raise BadSignatureError."""
        event_id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        key = _signing_key(self._secret)
        if not key or not WHOLE.fullmatch(at) or not 0 < len(event_id) <= MAX_TEXT:
            raise BadSignatureError("The event is not signed")
        if abs(timezone.now().timestamp() - int(at)) > TOLERANCE.total_seconds():
            raise BadSignatureError("The event is too old")
        mac = hmac.new(key, f"{event_id}.{at}.".encode() + body, hashlib.sha256).digest()
        good = f"v1,{base64.b64encode(mac).decode()}".encode()
        # While a secret is exchanged, an event has a signature by each.
        tried = headers.get("webhook-signature", "").split()
        if not any(hmac.compare_digest(good, one.encode()) for one in tried):
            raise BadSignatureError("The signature is wrong")
        if len(body) > MAX_EVENT:
            raise BadEventError("The event is too large")
        return event_id


def _signing_key(secret: Secret) -> bytes:
    """Return the bytes of the secret, none without one; ValueError for no secret of this form."""
    text = secret.clear().removeprefix("whsec_")
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b"-"
    if key and len(key) not in KEY_BYTES:
        raise ValueError("webhook_secret must be 24 to 64 bytes in base64, after whsec_")
    return key


def _code(response: Response | None) -> str:
    """Return the gateway's own word for a refusal, "" where it is none of its answers."""
    code = refusal(response).get("error")
    return code if isinstance(code, str) else ""


def _accepted(response: Response, command: RefundCommand) -> RefundResult:
    """Read a 2xx; an answer that cannot be understood proves nothing."""
    raw = response.json()
    try:
        found, kept = _refund(raw), redacted(raw, SHOWN)
    except _UNREADABLE:
        return RefundResult(Outcome.UNKNOWN, message="The answer could not be read")
    replayed = response.headers.get("Idempotent-Replayed") == "true"
    return _result(found, command, raw=kept, replayed=replayed)


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


def _payment(body: Mapping[str, Any]) -> PaymentSnapshot:
    currency = body["currency"]
    return PaymentSnapshot(
        reference=body["reference"],
        captured=Money(body["captured_minor"], currency),
        refunded=Money(body["refunded_minor"], currency),
        refunds=tuple(_refund(row) for row in body["refunds"]),
        disputes=tuple(_dispute(row) for row in body["disputes"]),
    )


def _refund(body: Mapping[str, Any]) -> RefundSnapshot:
    """Raise one of _UNREADABLE for anything that is not a refund."""
    return RefundSnapshot(
        reference=str(body["id"]),
        number=str(body["reference"]),
        amount=Money(body["amount_minor"], body["currency"]),
        outcome=OUTCOMES[body["status"]],
        created_at=datetime.fromisoformat(body["created"]),
    )


def _dispute(body: Mapping[str, Any]) -> DisputeSnapshot:
    return DisputeSnapshot(
        reference=str(body["id"]),
        amount=Money(body["amount_minor"], body["currency"]),
        state=DisputeState(body["status"]),
        reason=str(body["reason"])[:MAX_TEXT],
        opened_at=datetime.fromisoformat(body["created"]),
        answer_by=datetime.fromisoformat(body["answer_by"]),
    )


def _event(event_id: str, body: Mapping[str, Any]) -> GatewayEvent:
    thing, (kind, _dot, _what) = body["data"], body["type"].partition(".")
    payment, at = str(thing["payment"]), datetime.fromisoformat(body["created"])
    if kind == "refund":
        return GatewayEvent(
            id=event_id,
            kind="refund",
            payment_reference=payment,
            refund_reference=str(thing["id"]),
            number=str(thing["reference"]),
            occurred_at=at,
            outcome=OUTCOMES.get(thing["status"]),  # an unknown word is a reason to look, too
            amount=Money(thing["amount_minor"], thing["currency"]),
        )
    if kind == "dispute":
        known = thing["status"] in list(DisputeState)
        dispute = _dispute(thing) if known else None
        return GatewayEvent(event_id, "dispute", payment, occurred_at=at, dispute=dispute)
    return GatewayEvent(event_id, "other", payment, occurred_at=at)


def _movement(row: Mapping[str, Any], place: str) -> SettlementRow:
    """Return a row of JSON; raise one of _UNREADABLE for anything else."""
    return SettlementRow(
        kind=MovementKind(row["kind"]),
        reference=str(row["reference"])[:MAX_TEXT],
        payment_reference=str(row["payment"])[:MAX_TEXT],
        number=str(row["number"])[:MAX_TEXT],
        amount=Money(row["amount_minor"], row["currency"]),
        fee=Money(row["fee_minor"], row["currency"]),
        occurred_on=date.fromisoformat(row["occurred_on"]),
        place=place,
    )


def _check_head(reader: csv.DictReader[str]) -> None:
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise BadSettlementError(f"row 1: the column {', '.join(missing)} is missing")


def _line(row: Mapping[str, str | None], place: str) -> SettlementRow:
    """Return a row of csv."""
    whole: dict[str, Any] = {name: row[name] or "" for name in COLUMNS}
    for column in ("amount_minor", "fee_minor"):
        if not WHOLE.fullmatch(whole[column]):
            raise BadSettlementError(f"{place}, {column}: a whole number is wanted")
        whole[column] = int(whole[column])
    try:
        return _movement(whole, place)
    except _UNREADABLE as error:
        raise BadSettlementError(f"{place}: {error}") from None
