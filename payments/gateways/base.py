"""The contract that every payment gateway adapter keeps: typed values in, typed values out.

An adapter turns one command into one HTTP request and the answer into an `Outcome`. It knows no
model, keeps no state, never retries and never decides: whether a refund is tried again, looked up
or given to people is the business of `payments.services`. The suite in `tests/contracts/gateway.py`
holds each adapter to this page; `docs/payments.md` tells how to add one.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID

from backoffice.money import Money


class Outcome(StrEnum):
    """What is known after a request.

    The line that matters runs between FAILED and UNKNOWN: FAILED frees the money for another
    refund, so it is only for a definite refusal by the gateway. An adapter that cannot prove one
    answers UNKNOWN.
    """

    SUCCEEDED = "succeeded"  # the gateway says that the money goes out
    PENDING = "pending"  # accepted; the gateway will tell later
    FAILED = "failed"  # definitely refused, and trying again is no use
    NOT_SENT = "not_sent"  # surely not executed (no connection, 401, 429): may be sent again
    UNKNOWN = "unknown"  # it may or may not have been executed


@dataclass(frozen=True, slots=True)
class Caps:
    """What a gateway can do.

    `partial`: less than the whole payment may be refunded. `key_ttl`: for how long the gateway
    remembers an idempotency key; a replay is only safe within it. `lookup`: "list" if refunds of a
    payment can be read back. `settle`: how long after the request a refund that exists may be
    missing from that list.
    """

    partial: bool
    key_ttl: timedelta
    lookup: Literal["list", "none"]
    settle: timedelta


@dataclass(frozen=True, slots=True)
class RefundCommand:
    """One refund. `number` is ours and public, `key` makes repeats harmless at the gateway."""

    number: str
    key: UUID
    payment_reference: str
    amount: Money
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RefundResult:
    """What a request or a look-up told.

    `reference` and `amount` are the gateway's; `code` and `message` its refusal, fit to be shown
    to staff; `retry_after` in seconds where the gateway asked to wait; `replayed` True when the
    gateway says that it repeated an earlier answer. `raw` is the answer as far as it holds no
    secret and no personal data.
    """

    outcome: Outcome
    reference: str = ""
    amount: Money | None = None
    code: str = ""
    message: str = ""
    retry_after: float | None = None
    replayed: bool = False
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RefundSnapshot:
    """A refund as the gateway lists it; `number` is the reference that we sent, "" if not ours."""

    reference: str
    number: str
    amount: Money
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class PaymentSnapshot:
    """A payment as the gateway sees it."""

    reference: str
    captured: Money
    refunded: Money
    refunds: tuple[RefundSnapshot, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the gateway answers; `message` says what it did instead."""

    ok: bool
    message: str
    checked_at: datetime


class GatewayUnavailableError(Exception):
    """A read (fetch_payment, find_refund) got no usable answer: nothing was learnt."""


class PaymentUnknownError(LookupError):
    """The gateway has no payment of this reference."""


class Gateway(ABC):
    """One payment gateway; instances are shared between threads."""

    label: str
    caps: Caps
    timeout: timedelta
    """After this long a request has ended one way or the other, as seen from here."""

    @abstractmethod
    def fetch_payment(self, reference: str) -> PaymentSnapshot:
        """Return the payment; raise PaymentUnknownError or GatewayUnavailableError."""

    @abstractmethod
    def refund(self, command: RefundCommand) -> RefundResult:
        """Send one request, once, and say what is known then. Never raises for an answer."""

    @abstractmethod
    def find_refund(self, command: RefundCommand) -> RefundResult | None:
        """Look for an earlier refund by our number; None if the gateway does not list it.

        Raises GatewayUnavailableError. None proves absence only when `caps.settle` has passed
        since the request ended.
        """

    @abstractmethod
    def healthcheck(self) -> Health:
        """Ask the gateway whether it works. Never raises."""
