"""What comes back from a call: an answer or one kind of error, and secrets that do not show."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, NoReturn, override
from urllib.parse import SplitResult, urlsplit


class Kind(StrEnum):
    """What went wrong, as far as a caller has to tell it apart."""

    REFUSED = "refused"  # no connection stood, or the target is not allowed
    BROKEN = "broken"  # the connection broke before the answer was complete
    TIMEOUT = "timeout"  # a timeout or the deadline passed
    STATUS = "status"  # an answer, but not 2xx (a redirect counts)
    TOO_LARGE = "too_large"  # more than `max_bytes`
    BAD_JSON = "bad_json"  # a complete answer that is not the JSON it should be


class HttpError(Exception):
    """A call that gave no usable answer.

    The text names method, host and path, never the query, a header or the body, so that it may be
    logged and shown. `sent` is False only if no byte of the request can have reached the peer.
    `response` is the whole answer where the kind is `status`.
    """

    def __init__(
        self, message: str, kind: Kind, *, sent: bool, response: "Response | None" = None
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.sent = sent
        self.response = response

    @property
    def status(self) -> int | None:
        """The HTTP status where there was an answer."""
        return self.response.status if self.response else None


class Secret:
    """A value that shows itself only to `clear()`: not in repr, str, format or a log line."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def clear(self) -> str:
        """Return the value itself."""
        return self._value

    @override
    def __repr__(self) -> str:
        return "Secret(•••)"


@dataclass(frozen=True, slots=True)
class Bearer:
    """RFC 6750 authorisation."""

    token: Secret

    def headers(self) -> dict[str, str]:
        """Return the header that carries the token."""
        return {"Authorization": f"Bearer {self.token.clear()}"}


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer with a 2xx status. The body is not in repr: it may hold personal data."""

    status: int
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    elapsed_ms: int

    def json(self) -> Any:
        """Return the body as JSON; numbers with a point are Decimal.

        Raises HttpError(bad_json) for anything else, NaN and too deep a nesting included.
        """
        try:
            return json.loads(self.body, parse_float=Decimal, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise HttpError(
                f"{describe('answer of', self.url)} is not JSON", Kind.BAD_JSON, sent=True
            ) from None


def _no_constant(name: str) -> NoReturn:
    """JSON (RFC 8259) knows no NaN and no Infinity."""
    raise ValueError(name)


def describe(method: str, url: str) -> str:
    """Name a call without its query, which may hold personal data."""
    parts = urlsplit(url)
    return f"{method} {parts.hostname}:{port_of(parts)}{parts.path}"


def port_of(parts: SplitResult) -> int:
    """Return the port of an address, the scheme's own where none is written."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port: what RFC 6454 calls the origin."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), port_of(parts)
