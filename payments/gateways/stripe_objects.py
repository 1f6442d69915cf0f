"""How Stripe's objects are read: amounts, refunds, disputes, events, balance transactions.

Sources, read 2026-11-22: https://docs.stripe.com/currencies (amounts),
https://docs.stripe.com/api/refunds/object, https://docs.stripe.com/api/disputes/object,
https://docs.stripe.com/webhooks#verify-manually (signatures),
https://docs.stripe.com/reports/reporting-categories (settlements). Whatever is not as those pages
say raises one of `UNREADABLE`.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from backoffice.http import Secret
from backoffice.money import Money, exponent
from payments.gateways.base import (
    BadSettlementError,
    BadSignatureError,
    DisputeSnapshot,
    DisputeState,
    GatewayEvent,
    MovementKind,
    Outcome,
    RefundCommand,
    RefundResult,
    RefundSnapshot,
    SettlementRow,
)
from payments.gateways.wire import redacted

type Body = Mapping[str, Any]

NUMBER = "refund_number"
"""The name of our number in a refund's metadata: how it is found again."""
TOLERANCE = timedelta(seconds=300)
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)
"""What reading an object raises that is not as the vendor's pages say."""
KEEP = frozenset(
    {"id", "object", "amount", "currency", "status", "charge", "payment_intent", "created"}
    | {"balance_transaction", "failure_reason", "pending_reason", "reason", "type", "code", "param"}
)
OUTCOMES = {
    "succeeded": Outcome.SUCCEEDED,
    "pending": Outcome.PENDING,
    "requires_action": Outcome.PENDING,
    "failed": Outcome.FAILED,
    "canceled": Outcome.FAILED,
}
REASONS = {
    "duplicate": "duplicate",
    "fraud": "fraudulent",
    "fraudulent": "fraudulent",
    "requested_by_customer": "requested_by_customer",
}
ZERO_DECIMAL = frozenset(
    "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split()  # noqa: SIM905
)
THREE_DECIMAL = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
MOVEMENTS = {
    "charge": MovementKind.CAPTURE,
    "partial_capture_reversal": MovementKind.CAPTURE,
    "refund": MovementKind.REFUND,
    "refund_failure": MovementKind.REVERSAL,
    "dispute": MovementKind.CHARGEBACK,
    "dispute_reversal": MovementKind.CHARGEBACK_REVERSED,
    "fee": MovementKind.FEE,
    "network_cost": MovementKind.FEE,
    "tax": MovementKind.FEE,
    "payout": MovementKind.PAYOUT,
    "payout_reversal": MovementKind.PAYOUT,
}
# "No funds are withdrawn": https://docs.stripe.com/disputes/how-disputes-work#inquiries
INQUIRIES = frozenset({"warning_needs_response", "warning_under_review"})
WON = frozenset({"won", "warning_closed", "prevented"})


def _decimals(currency: str) -> int:
    """Return the decimals of a currency in Stripe's amounts.

    ISK and UGX have none any more, but "to maintain backwards compatibility, you must pass in
    amounts with two decimals": https://docs.stripe.com/currencies#special-cases
    """
    if currency in ZERO_DECIMAL:
        return 0
    if currency in THREE_DECIMAL:
        return 3
    if exponent(currency) > 2:  # noqa: PLR2004  no such currency on Stripe's page
        raise ValueError(f"Stripe has no {currency}")
    return 2


def _scaled(number: int, digits: int) -> tuple[int, int]:
    """Return the number with so many digits more (or fewer), and what does not fit."""
    factor: int = 10 ** abs(digits)
    return (number * factor, 0) if digits >= 0 else divmod(number, factor)


def to_stripe(amount: Money) -> int:
    """Return the number that Stripe's API wants; ValueError where it has none for the amount."""
    number, rest = _scaled(amount.minor, _decimals(amount.currency) - exponent(amount.currency))
    # "require the least-significant (last) digit to be 0", the same page on three decimals
    if rest or (amount.currency in THREE_DECIMAL and number % 10):
        raise ValueError(f"Stripe cannot move {amount}: too many digits")
    return number


def from_stripe(number: object, currency: object) -> Money:
    """Return Stripe's number as money; ValueError or TypeError for what is none."""
    if type(number) is not int or not isinstance(currency, str):
        raise TypeError("an amount is a whole number with a currency")
    code = currency.upper()
    minor, rest = _scaled(number, exponent(code) - _decimals(code))
    if rest:
        raise ValueError(f"{number} is no whole amount of {code}")
    return Money(minor, code)


def parameter(reference: str) -> str:
    """Return the name under which a request tells a payment."""
    return "payment_intent" if reference.startswith("pi_") else "charge"


def form(command: RefundCommand) -> dict[str, str]:
    """Return the body of a refund; ValueError for an amount that Stripe cannot write."""
    body = {
        parameter(command.payment_reference): command.payment_reference,
        "amount": str(to_stripe(command.amount)),
        f"metadata[{NUMBER}]": command.number,
    }
    return body | ({"reason": REASONS[command.reason]} if command.reason in REASONS else {})


def refund(body: Body, *, of: str = "") -> RefundSnapshot:
    """Read a refund object, `of` this payment if given; a status that nobody knows is UNKNOWN."""
    if body["object"] != "refund":
        raise ValueError("no refund")
    if of and of not in {_id(body.get("payment_intent")), _id(body.get("charge"))}:
        raise ValueError("a refund of another payment")
    return RefundSnapshot(
        reference=text(body, "id"),
        number=str((body.get("metadata") or {}).get(NUMBER, "")),
        amount=from_stripe(body["amount"], body["currency"]),
        outcome=OUTCOMES.get(body["status"], Outcome.UNKNOWN),
        created_at=_moment(body["created"]),
    )


def result(
    found: RefundSnapshot,
    command: RefundCommand,
    *,
    raw: Body | None = None,
    replayed: bool = False,
) -> RefundResult:
    """Return what a refund object says of `command`."""
    outcome, message = found.outcome, ""
    if found.amount != command.amount or found.number != command.number:
        # Money moved, but not what we asked for: people have to look.
        outcome, message = Outcome.UNKNOWN, "The gateway reports another amount or number"
    return RefundResult(
        outcome,
        reference=found.reference,
        amount=found.amount,
        code=str((raw or {}).get("failure_reason") or ""),
        message=message,
        replayed=replayed,
        raw=redacted(raw or {}, KEEP),
    )


def captured(charge: Body) -> Money:
    """Return what was captured of a charge."""
    number = charge.get("amount_captured")
    if number is None:
        number = charge["amount"] if charge["captured"] else 0
    return from_stripe(number, charge["currency"])


def dispute(body: Body) -> DisputeSnapshot:
    """Read a dispute object; a status that is not known counts as open."""
    states = {"lost": DisputeState.LOST} | dict.fromkeys(WON, DisputeState.WON)
    states |= dict.fromkeys(INQUIRIES, DisputeState.INQUIRY)
    due = (body.get("evidence_details") or {}).get("due_by")
    return DisputeSnapshot(
        reference=text(body, "id"),
        amount=from_stripe(body["amount"], body["currency"]),
        state=states.get(body["status"], DisputeState.OPEN),
        reason=str(body.get("reason") or ""),
        opened_at=_moment(body["created"]),
        answer_by=_moment(due) if due else None,
    )


def verify(headers: Mapping[str, str], body: bytes, secret: Secret) -> None:
    """Raise BadSignatureError unless `Stripe-Signature` proves body and time.

    While a secret is rolled the header holds a signature of each: one has to fit.
    """
    given = {name.lower(): value for name, value in headers.items()}.get("stripe-signature", "")
    pairs = [part.strip().partition("=") for part in given.split(",")]
    moment = next((value for name, _sep, value in pairs if name == "t"), "")
    key = secret.clear().encode()
    if not key or not moment.isascii() or not moment.isdigit() or len(moment) > 11:  # noqa: PLR2004
        raise BadSignatureError("The event is not signed")
    wanted = hmac.new(key, f"{moment}.".encode() + body, hashlib.sha256).hexdigest().encode()
    signatures = [value.encode() for name, _sep, value in pairs if name == "v1"]
    if not any(hmac.compare_digest(wanted, one) for one in signatures):
        raise BadSignatureError("The signature does not fit")
    if abs(datetime.now(UTC) - _moment(int(moment))) > TOLERANCE:
        raise BadSignatureError("The event was signed too long ago")


def event(body: Body, *, live: bool) -> GatewayEvent:
    """Read an event of that mode. It is a hint: the state is fetched, since it can be read back."""
    if body["object"] != "event" or body["livemode"] is not live:
        raise ValueError("no event, or of the other mode")
    kind, about = text(body, "type"), body["data"]["object"]
    common: dict[str, Any] = {"id": text(body, "id"), "occurred_at": _moment(body["created"])}
    if about["object"] == "refund":
        found = refund(about)
        known = found.outcome is not Outcome.UNKNOWN
        return GatewayEvent(
            kind="refund",
            payment_reference=_payment(about),
            refund_reference=found.reference,
            number=found.number,
            outcome=found.outcome if known else None,
            amount=found.amount,
            **common,
        )
    if about["object"] == "dispute":
        found_dispute = dispute(about)
        reference = _payment(about)
        return GatewayEvent(
            kind="dispute", payment_reference=reference, dispute=found_dispute, **common
        )
    if kind.startswith(("charge.", "payment_intent.")):
        reference = _id(about.get("payment_intent")) or text(about, "id")
        return GatewayEvent(kind="payment", payment_reference=reference, **common)
    return GatewayEvent(kind="other", **common)


def movements(row: Body, place: str) -> Iterator[SettlementRow]:
    """Read one balance transaction; BadSettlementError names the row and what is wrong with it.

    A fee that Stripe gives back stands as a negative `fee`: it becomes a row of its own.
    """
    try:
        amount = from_stripe(row["amount"], row["currency"])
        fee = from_stripe(row["fee"], row["currency"])
        none = Money(0, amount.currency)
        source = row["source"] if isinstance(row["source"], dict) else {}
        yield SettlementRow(
            kind=_kind(row["reporting_category"]),
            reference=_id(row["source"]) or text(row, "id"),
            payment_reference=_payment(source),
            number=str((source.get("metadata") or {}).get(NUMBER, "")),
            amount=amount,
            fee=max(fee, none),
            occurred_on=_moment(row["created"]).date(),
            place=place,
        )
        if fee < none:
            yield SettlementRow(
                kind=MovementKind.FEE,
                reference=text(row, "id"),
                payment_reference="",
                number="",
                amount=-fee,
                fee=none,
                occurred_on=_moment(row["created"]).date(),
                place=place,
            )
    except KeyError as error:
        raise BadSettlementError(f"{place}: {error.args[0]} is missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise BadSettlementError(f"{place}: {error}") from error


def _kind(category: object) -> MovementKind:
    """Return what a reporting category is about; one that is not known is never passed over."""
    for name, kind in MOVEMENTS.items():
        if name == category:
            return kind
    raise ValueError(f"the reporting_category {category!r} is not known")


def text(body: Body, name: str) -> str:
    """Return a field that has to be text and not empty."""
    value = body[name]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name} is no text")
    return value


def _payment(about: Body) -> str:
    """Return the payment that an object is about, as our books name it: pi_… before ch_…."""
    own = about.get("id") if about.get("object") == "charge" else None
    return _id(about.get("payment_intent")) or _id(about.get("charge")) or _id(own)


def _id(value: object) -> str:
    """Return the id of a field that may be expanded; "" for none."""
    found = value.get("id") if isinstance(value, dict) else value
    return found if isinstance(found, str) else ""


def _moment(seconds: object) -> datetime:
    if type(seconds) is not int or not 0 <= seconds < 10**11:
        raise TypeError("a time is a number of seconds")
    return datetime.fromtimestamp(seconds, UTC)
