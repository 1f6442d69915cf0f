"""What every part of the gateway contract stands on: the hooks of a test class, and fixtures."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import Gateway, MovementKind, Outcome, RefundCommand
from tests.contracts.peers import Nobody, Peer, Said, Seen


@dataclass(frozen=True, slots=True)
class Told:
    """What an event says of a refund."""

    payment_reference: str
    refund_reference: str
    number: str
    amount: Money
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as it is posted to us."""

    headers: Mapping[str, str]
    body: bytes


class GatewayCase:
    """The hooks. What a gateway does not offer is asserted to be refused, not skipped.

    Always: `gateway` (the alias; the `peer` fixture makes the settings entry) and `peer`.
    Over HTTP: `accepted`, `sent_amount`, `amounts`, `secret_options`, `broken_options`.
    With events: `delivery`, and `garbage` where a body is signed as a whole.
    With settlements: `settlement_file` and/or `settlement_said`, and what they add up to.
    """

    gateway: ClassVar[str]
    currency: ClassVar[str] = "GBP"

    tells_replays: ClassVar[bool] = True
    """Whether an answer says that it repeats an earlier one."""
    accepted_status: ClassVar[int] = 200
    in_progress: ClassVar[Said] = Said(409, b"{}")
    """The answer while an earlier request with this key runs."""
    in_progress_is_not_sent: ClassVar[bool] = False
    """Only where the vendor's page says that such a request can have executed nothing."""
    busy: ClassVar[Said] = Said(429, b"{}", {"Retry-After": "7"})
    amounts: ClassVar[Mapping[Money, object]] = {}
    """An amount -> what the request has to carry for it, by the vendor's page."""
    unsendable: ClassVar[tuple[Money, ...]] = ()
    """Amounts that the vendor has no way to write."""

    secret_options: ClassVar[tuple[str, ...]] = ()
    """Names in OPTIONS whose values nobody may see."""
    broken_options: ClassVar[tuple[Mapping[str, Any], ...]] = ()
    """Changes of OPTIONS, each of which `manage.py check` has to find."""
    live_options: ClassVar[Mapping[str, Any]] = {}
    """A change of OPTIONS that moves real money."""
    recorded: ClassVar[Path | None] = None
    """The folder of recorded answers; see `tests/contracts/recorded.py`."""

    signs_raw: ClassVar[bool] = True
    """Whether a signature covers the whole raw body (Adyen's covers fields)."""
    signs_time: ClassVar[bool] = True
    """Whether a signature is bound to a time, so that an old one is refused."""

    settlement_file: ClassVar[Path | None] = None
    amount_column: ClassVar[str] = ""
    """The column of that file that holds the amounts."""
    settlement_day: ClassVar[date] = date(2026, 11, 20)
    settlement_said: ClassVar[tuple[Said, ...]] = ()
    """The vendor's API pages of that day, in the order in which they are read."""
    settlement_sums: ClassVar[Mapping[MovementKind, tuple[int, int]]] = {}
    """Kind -> (rows, sum of the signed amounts in minor units)."""
    settlement_fees: ClassVar[int] = 0
    """The sum of the rows' `fee` in minor units."""

    @pytest.fixture
    def peer(self) -> Peer:
        """Return the other side; the settings table leads to it."""
        return Nobody()

    @pytest.fixture
    def adapter(self, peer: Peer) -> Gateway:
        return gateways[self.gateway]

    @pytest.fixture
    def command(self, peer: Peer) -> RefundCommand:
        """Return a refund of a part of a payment that the peer knows."""
        return self.new_command(peer, self.part)

    @property
    def captured(self) -> Money:
        return Money(10_000, self.currency)

    @property
    def part(self) -> Money:
        return Money(2_270, self.currency)

    def new_command(self, peer: Peer, amount: Money) -> RefundCommand:
        """Return a refund of `amount` of a new payment that is large enough."""
        captured = Money(max(10_000, 2 * amount.minor), amount.currency)
        return RefundCommand(
            number=str(uuid4()),
            key=uuid4(),
            payment_reference=peer.seed(captured),
            amount=amount,
            refundable_before=captured,
        )

    def accepted(self, command: RefundCommand, status: str = "") -> dict[str, Any]:
        """Return the vendor's answer that accepts `command`, with another `status` where given."""
        return {}

    def sent_amount(self, seen: Seen) -> object:
        """Return the amount of a refund request as it stands there."""
        raise NotImplementedError

    def delivery(
        self, told: Told, *, secret: str | None = None, at: datetime | None = None
    ) -> Delivery:
        """Return a proper delivery: signed by another secret, at another time, where given."""
        raise NotImplementedError

    def garbage(self, body: bytes) -> Delivery:
        """Return `body` as the gateway would post it, signed where bodies are signed."""
        return Delivery({}, body)

    def accepts(self, adapter: Gateway) -> Outcome:
        """Return what an accepted refund is: final, or to be told later."""
        final = adapter.caps.refund_sync and not adapter.caps.by_hand
        return Outcome.SUCCEEDED if final else Outcome.PENDING

    def refuses(self, adapter: Gateway) -> set[Outcome]:
        """Return what a refused refund may be: who answers later may refuse later."""
        final = adapter.caps.refund_sync and not adapter.caps.by_hand
        return {Outcome.FAILED} if final else {Outcome.FAILED, Outcome.PENDING}

    def wired(self, adapter: Gateway, outcome: Outcome) -> Outcome:
        """Return `outcome`, or PENDING where people move the money and no wire can break."""
        return Outcome.PENDING if adapter.caps.by_hand else outcome

    def moved(self, adapter: Gateway, *amounts: Money) -> list[Money]:
        """Return what the peer's books must hold: nothing where people move the money."""
        return [] if adapter.caps.by_hand else list(amounts)

    def offers(self, adapter: Gateway, name: str) -> bool:
        """Say whether the adapter has a method of its own for this."""
        return getattr(type(adapter), name) is not getattr(Gateway, name)

    def told(self, amount: Money, outcome: Outcome = Outcome.SUCCEEDED) -> Told:
        number = str(uuid4())
        return Told(f"pay{number[:8]}", f"ref{number[9:13]}", number, amount, outcome)

    def now(self) -> datetime:
        return datetime.now(UTC)
