"""The contract that every payment gateway adapter keeps: typed values in, typed values out.

An adapter turns one command into one HTTP request and the answer into an `Outcome`. It knows no
model, keeps no state, never retries and never decides: whether a refund is tried again, looked up
or given to people is the business of `payments.services`. The suite in `tests/contracts/gateway.py`
holds each adapter to this page; `docs/gateways.md` tells how to add one.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import BinaryIO, ClassVar, Literal
from uuid import UUID

from django.core.checks import CheckMessage

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

    `partial`: less than the whole payment may be refunded. `multiple`: more than one refund of a
    payment. `refund_sync`: an answer may be final; otherwise every accepted refund is PENDING and
    an event or a report ends it. `key_ttl`: for how long the gateway remembers an idempotency key;
    a replay is only safe within it. `lookup`: "list" if refunds of a payment can be read back.
    `settle`: how long after the request a refund that exists may be missing from that list.
    `max_age`: older payments cannot be refunded. `min_interval`: between two refunds of one
    payment. `signed_webhooks`: the body of an event proves its sender. `needs_account`: kinds of
    payment whose refund needs the customer's bank account. `by_hand`: people move the money, and
    the machine only waits for their word.
    """

    partial: bool
    key_ttl: timedelta
    lookup: Literal["list", "none"]
    settle: timedelta
    multiple: bool = True
    refund_sync: bool = True
    max_age: timedelta | None = None
    min_interval: timedelta = timedelta(0)
    signed_webhooks: bool = False
    needs_account: frozenset[str] = frozenset()
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """Against what an adapter was proven: a `peer` with its `version`, `on` a day, and `what`.

    `source` is the address of the page or program. `live` only where it was the vendor itself.
    """

    peer: str
    version: str
    on: date
    what: str
    source: str
    live: bool = False


@dataclass(frozen=True, slots=True)
class BankAccount:
    """Where a refund goes that cannot go back the way it came; in no repr, it is personal data.

    `bank` is the gateway's code of the bank.
    """

    bank: str = field(repr=False)
    number: str = field(repr=False)
    holder: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RefundCommand:
    """One refund. `number` is ours and public, `key` makes repeats harmless at the gateway.

    `refundable_before` is what could go back right before this refund, as our books have it;
    gateways with a compare-and-set guard get it. `reason` is a word of a list of ours, never typed
    text. `tax_free` is the part of the amount without value added tax, for gateways that print tax
    documents; `account` for the kinds of payment in `caps.needs_account`.
    """

    number: str
    key: UUID
    payment_reference: str
    amount: Money
    reason: str = ""
    refundable_before: Money | None = None
    tax_free: Money | None = None
    account: BankAccount | None = None


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
    """A refund as the gateway lists it; `number` is the reference that we sent, "" if not ours.

    A refund that had succeeded and is FAILED now was reversed: the money is back.
    """

    reference: str
    number: str
    amount: Money
    outcome: Outcome
    created_at: datetime | None = None


class DisputeState(StrEnum):
    """Where a dispute (chargeback) stands at the gateway."""

    INQUIRY = "inquiry"  # the bank asks: no money moved, and refunding may be the answer
    ANNOUNCED = "announced"  # a chargeback will come: no money moved yet
    OPEN = "open"  # the money is held or taken back until it is decided
    WON = "won"  # decided for us: the money is ours again
    LOST = "lost"  # decided for the cardholder: the money is gone


@dataclass(frozen=True, slots=True)
class DisputeSnapshot:
    """A dispute as the gateway tells it; `reason` is the gateway's code."""

    reference: str
    amount: Money
    state: DisputeState
    reason: str = ""
    opened_at: datetime | None = None
    answer_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class PaymentSnapshot:
    """A payment as the gateway sees it; `refunded` counts what has gone out, pending included."""

    reference: str
    captured: Money
    refunded: Money
    refunds: tuple[RefundSnapshot, ...]
    disputes: tuple[DisputeSnapshot, ...] = ()


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """One item of a webhook.

    `id` is the gateway's own, or a digest of the item where it has none: it is stored once.
    `trusted` only where the signature covers what the event says and the gateway offers nothing to
    read it back; otherwise the event is a hint, and the state is fetched. `outcome` is what the
    event says of a refund (FAILED after a success means reversed).
    """

    id: str
    kind: Literal["refund", "dispute", "payment", "other"]
    payment_reference: str = ""
    refund_reference: str = ""
    number: str = ""
    occurred_at: datetime | None = None
    outcome: Outcome | None = None
    amount: Money | None = None
    dispute: DisputeSnapshot | None = None
    trusted: bool = False


class MovementKind(StrEnum):
    """What a row of a settlement is about."""

    CAPTURE = "capture"
    REFUND = "refund"
    REVERSAL = "reversal"  # of a refund: the money came back
    CHARGEBACK = "chargeback"
    CHARGEBACK_REVERSED = "chargeback_reversed"
    FEE = "fee"  # for no single payment
    PAYOUT = "payout"  # to our bank account


@dataclass(frozen=True, slots=True)
class SettlementRow:
    """One movement of money at the gateway.

    `amount` is signed from our side: what came in is positive, refunds, chargebacks, fees and
    payouts are negative. `fee` is what the gateway kept for it, zero or positive, in the same
    currency. `reference` is the gateway's name of the movement, `payment_reference` of the payment,
    `number` ours where it is told. `occurred_on` is the day at the gateway. `place` says where the
    row stands ("row 12"), for people.
    """

    kind: MovementKind
    reference: str
    payment_reference: str
    number: str
    amount: Money
    fee: Money
    occurred_on: date
    place: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the gateway answers; `message` says what it did instead."""

    ok: bool
    message: str
    checked_at: datetime


class GatewayUnavailableError(Exception):
    """A read (fetch_payment, find_refund, settlement) got no usable answer: nothing was learnt."""


class PaymentUnknownError(LookupError):
    """The gateway has no payment of this reference."""


class BadSignatureError(Exception):
    """The body of an event is not signed by the gateway, or too old: nothing of it is used."""


class BadEventError(ValueError):
    """A body that is no event of this gateway."""


class BadSettlementError(ValueError):
    """A settlement file or answer that cannot be read; the text names row and column."""


class NotOfferedError(NotImplementedError):
    """The gateway has no such thing (no settlement API, no test charge)."""


class Gateway(ABC):
    """One payment gateway; instances are shared between threads."""

    label: str
    caps: Caps
    timeout: timedelta
    """After this long a request has ended one way or the other, as seen from here."""
    live: bool = False
    """Whether the keys move real money; such an adapter wants a recorded verification."""
    address: str = ""
    """Where its requests go, as a URL."""
    vendor_hosts: ClassVar[frozenset[str]] = frozenset()
    """The hosts of the vendor's own test system: what was seen anywhere else is no proof."""
    key_scope: str = ""
    """What its idempotency keys belong to (address and credential), as `wire.scope` writes it.

    Under another one a repeat would be a new refund, so that none is ever sent then.
    """
    practice: ClassVar[bool] = False
    """Whether there is no vendor behind it at all, and no money."""
    proofs: ClassVar[tuple[Proof, ...]] = ()

    @abstractmethod
    def fetch_payment(self, reference: str) -> PaymentSnapshot:
        """Return the payment; raise PaymentUnknownError, GatewayUnavailableError.

        NotOfferedError where nothing can be read back (`caps.lookup` is "none").
        """

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

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[GatewayEvent]:
        """Return every item of an event's raw body, once its signature is proven.

        Header names may come in any case. Raises BadSignatureError, BadEventError, NotOfferedError.
        """
        raise NotOfferedError

    def settlement(self, day: date) -> Iterator[SettlementRow]:
        """Return the movements of a day from the gateway's API.

        Raises GatewayUnavailableError, BadSettlementError, NotOfferedError.
        """
        raise NotOfferedError

    def read_settlement(self, file: BinaryIO) -> Iterator[SettlementRow]:
        """Return the movements in the gateway's settlement file (csv).

        Raises BadSettlementError, NotOfferedError.
        """
        raise NotOfferedError

    def charge_for_test(self, amount: Money) -> str:
        """Make a small real payment in the vendor's test mode and return its reference.

        For `manage.py gateway verify`. Raises GatewayUnavailableError, NotOfferedError.
        """
        raise NotOfferedError

    def check(self) -> list[CheckMessage]:
        """Return what is wrong with the options, for `manage.py check`."""
        return []
