"""The other side of a gateway's contract: what a suite makes happen there, and reads from it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from backoffice.money import Money


@dataclass(frozen=True, slots=True)
class Said:
    """An HTTP answer as a gateway may give it."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came over the wire."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Traits:
    """What this peer keeps of the vendor's promises.

    A lenient peer says False, and the suite then asserts that it really breaks the promise, so
    that nobody takes a green test for a proof. `keeps_keys`: one key is executed once.
    `keeps_limits`: no more goes back than was captured. `keeps_currencies`: a refund in another
    currency is refused. `charges`: a test charge can be made here.
    `tells_codes`: a refusal has the vendor's code, without which it proves nothing.
    `unknown_currencies`: the peer has no such payments; the suite answers in its place.
    """

    keeps_keys: bool = True
    keeps_limits: bool = True
    keeps_currencies: bool = True
    charges: bool = True
    tells_codes: bool = True
    unknown_currencies: frozenset[str] = frozenset()


class Peer(ABC):
    """A gateway that can be told to misbehave; every fault holds for the next refund only."""

    traits = Traits()

    @abstractmethod
    def seed(self, amount: Money) -> str:
        """Make a captured payment and return its reference."""

    @abstractmethod
    def paid_back(self, reference: str) -> list[Money]:
        """Return the refunds that were really executed, by the peer's own books."""

    @abstractmethod
    def say(self, said: Said, *, applied: bool = False) -> None:
        """Answer the next refund with `said`, after it was executed or without."""

    @abstractmethod
    def say_reads(self, *said: Said) -> None:
        """Answer the next reads with these, one each."""

    @abstractmethod
    def lose_answer(self) -> None:
        """Execute the next refund and hang up without an answer."""

    @abstractmethod
    def save_500(self) -> None:
        """Execute the next refund, answer 500, and repeat that for the same key."""

    @abstractmethod
    def stop(self) -> None:
        """Be gone: connections are refused."""

    @abstractmethod
    def seen(self) -> list[Seen]:
        """Return the writes that came over the wire, oldest first."""


class Nobody(Peer):
    """The peer of a gateway that people are: nothing goes over a wire."""

    def seed(self, amount: Money) -> str:
        return f"pay-{uuid4()}"

    def paid_back(self, reference: str) -> list[Money]:
        return []

    def say(self, said: Said, *, applied: bool = False) -> None:
        pass

    def say_reads(self, *said: Said) -> None:
        pass

    def lose_answer(self) -> None:
        pass

    def save_500(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def seen(self) -> list[Seen]:
        return []
