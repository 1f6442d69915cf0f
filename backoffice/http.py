"""The one way out: every call to another system goes through `Client`.

What the bare library leaves open is closed here, and each bound was measured against a real peer
that breaks it (`tests/test_http.py`):

* a read timeout counts single reads, so a peer that drips one byte a second holds a call for ever:
  a watchdog shuts the connection down when the deadline for the whole exchange has passed;
* a body has no bound: it is read as a stream and refused above `max_bytes`;
* a redirect or a `next` link may lead the token to another host: neither is followed;
* a retry may repeat a write: only GET and HEAD are repeated, and only inside the deadline;
* proxies and passwords from the environment and cookies are not used.

A call opens its own connection. That costs a handshake, and buys certainty: a request whose
connection never stood was surely not sent (`HttpError.sent`), which decides whether a payment
has failed or is unknown.
"""

import contextlib
import functools
import ipaddress
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, NoReturn, override
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ReadTimeoutError

logger = logging.getLogger(__name__)
# At DEBUG this library writes whole addresses; a query may hold somebody's e-mail.
logging.getLogger("urllib3.connectionpool").setLevel(logging.WARNING)

type Params = Mapping[str, str | int]
type Json = dict[str, Any] | list[Any] | str | int | float | bool | None

CHUNK: Final = 16 * 1024
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
BUSY: Final = frozenset({502, 503, 504})
REQUEST_ID_HEADER: Final = "X-Request-ID"


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

    def json(self) -> Any:  # noqa: ANN401  the shape is the caller's to check
        """Return the body as JSON; numbers with a point are Decimal.

        Raises HttpError(bad_json) for anything else, NaN and too deep a nesting included.
        """
        try:
            return json.loads(self.body, parse_float=Decimal, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            message = f"{describe('answer of', self.url)} is not JSON"
            raise HttpError(message, Kind.BAD_JSON, sent=True) from None


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


# --- who asks -------------------------------------------------------------------------------------


def _nobody() -> str:
    return ""


class _Identity:
    """Where the id of the request that is being served comes from; the upper layer tells."""

    provider: Callable[[], str] = staticmethod(_nobody)


def identify_with(provider: Callable[[], str]) -> None:
    """Forward what `provider` returns as X-Request-ID, so that two systems' logs can be joined."""
    _Identity.provider = staticmethod(provider)


# --- one exchange ---------------------------------------------------------------------------------


class _Exchange:
    """One attempt: whether bytes left, and the watchdog that ends it at the deadline."""

    def __init__(self, *, ends_at: float, allow_loopback: bool) -> None:
        self.ends_at = ends_at
        self.allow_loopback = allow_loopback
        self.sent = False
        self.expired = False
        self._twin: socket.socket | None = None
        self._timer: threading.Timer | None = None

    @property
    def left(self) -> float:
        """Seconds to the deadline, never less than a millisecond (0 would mean no timeout)."""
        return max(self.ends_at - time.monotonic(), 0.001)

    def opened(self, connected: socket.socket) -> None:
        """Check where the connection really leads, then watch it."""
        self._check_peer(str(connected.getpeername()[0]))
        # A twin of the descriptor: TLS takes the socket itself over, and shutting down the twin
        # ends the connection for both.
        self._twin = connected.dup()
        self._timer = threading.Timer(self.left, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def _check_peer(self, address: str) -> None:
        """Refuse loopback (unless allowed), link-local (cloud metadata) and unspecified peers.

        The address is the one the socket is connected to, so a name that resolves differently a
        second time gains nothing. Private networks are allowed: that is where backends live.
        """
        peer = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
        peer = getattr(peer, "ipv4_mapped", None) or peer
        forbidden = peer.is_link_local or peer.is_unspecified or peer.is_multicast
        if forbidden or (peer.is_loopback and not self.allow_loopback):
            message = f"the address {peer} is not allowed as a target"
            raise HttpError(message, Kind.REFUSED, sent=False)

    def _expire(self) -> None:
        self.expired = True
        if self._twin is not None:
            with contextlib.suppress(OSError):
                self._twin.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop the watchdog."""
        if self._timer is not None:
            self._timer.cancel()
        if self._twin is not None:
            self._twin.close()


_exchange: ContextVar[_Exchange] = ContextVar("http_exchange")


class _Connection(HTTPConnection):
    @override
    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        try:
            _exchange.get().opened(connected)
        except HttpError:
            connected.close()
            raise
        return connected

    @override
    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _exchange.get().sent = True
        super().send(data)


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """Opens watched connections; repeats nothing by itself."""

    @override
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy and no .netrc password that nobody here chose
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.mount("http://", _Adapter(max_retries=0))
    session.mount("https://", _Adapter(max_retries=0))
    return session


# --- the client -----------------------------------------------------------------------------------


class Client:
    """Calls one system. Safe to share between threads.

    `timeout` is (connect, single read) in seconds, `deadline` the seconds for the whole call with
    its repeats, `max_bytes` the largest body, `retries` how often GET and HEAD are repeated after
    a refused or broken connection or a 502, 503, 504. `headers` and `auth` go to this origin only.
    `allowed_hosts`, where given, is the deployment's list; a base address elsewhere is refused.
    """

    def __init__(  # noqa: PLR0913  each is a bound that a caller must be able to see and set
        self,
        base_url: str,
        *,
        timeout: tuple[float, float] = (3, 10),
        deadline: float = 15,
        max_bytes: int = 8 * 1024 * 1024,
        headers: Mapping[str, str] | None = None,
        auth: Bearer | None = None,
        retries: int = 1,
        allow_loopback: bool = False,
        allowed_hosts: Collection[str] | None = None,
    ) -> None:
        self.base_url = _checked_base(base_url, allowed_hosts)
        self.timeout = timeout
        self.deadline = deadline
        self.max_bytes = max_bytes
        self.retries = retries
        self.allow_loopback = allow_loopback
        self._headers = dict(headers or {}) | (auth.headers() if auth else {})

    @override
    def __repr__(self) -> str:
        return f"Client({self.base_url!r})"

    def get(
        self,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> Response:
        """Read; raises HttpError unless the answer is a complete 2xx."""
        return self.request("GET", path, params=params, headers=headers, deadline=deadline)

    def post(
        self,
        path: str,
        *,
        json: Json = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> Response:
        """Write, once and never again by itself; raises HttpError unless a complete 2xx came."""
        return self.request("POST", path, json=json, headers=headers, deadline=deadline)

    def request(  # noqa: PLR0913  the parts of a request
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: Json = None,
        headers: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> Response:
        """Send `method` to `path` (below the base address, or a whole address of its origin)."""
        url = self.url_for(path)
        ends_at = time.monotonic() + (self.deadline if deadline is None else deadline)
        call = functools.partial(
            self._attempt, method, url, ends_at, params=params, json=json, headers=headers
        )
        for pause in self._pauses(method):
            try:
                return call()
            except HttpError as error:
                if not _worth_repeating(error) or time.monotonic() + pause >= ends_at:
                    raise
                time.sleep(pause)
        return call()

    def url_for(self, path: str) -> str:
        """Return the whole address; raises HttpError(refused) for one of another origin."""
        url = path if "://" in path else f"{self.base_url}/{path.lstrip('/')}"
        if origin(url) != origin(self.base_url):
            message = f"{describe('link to', url)} leaves {describe('the origin', self.base_url)}"
            raise HttpError(message, Kind.REFUSED, sent=False)
        return url

    def next_link(self, response: Response) -> str | None:
        """Return the address of the next page by the Link header (RFC 8288), None at the end.

        Raises HttpError(refused) when it leads elsewhere: our token must not travel there.
        """
        for link in requests.utils.parse_header_links(response.headers.get("Link", "")):
            if link.get("rel") == "next":
                return self.url_for(urljoin(response.url, link["url"]))
        return None

    def _pauses(self, method: str) -> list[float]:
        count = self.retries if method in SAFE_METHODS else 0
        return [0.1 * 2**number for number in range(count)]

    def _attempt(
        self,
        method: str,
        url: str,
        ends_at: float,
        *,
        params: Params | None,
        json: Json,
        headers: Mapping[str, str] | None,
    ) -> Response:
        exchange = _Exchange(ends_at=ends_at, allow_loopback=self.allow_loopback)
        token = _exchange.set(exchange)
        started = time.monotonic()
        try:
            with (
                _session() as session,
                session.request(
                    method,
                    url,
                    params=params,
                    json=json,
                    headers=self._all_headers(headers),
                    timeout=tuple(min(part, exchange.left) for part in self.timeout),
                    allow_redirects=False,
                    stream=True,
                ) as raw,
            ):
                body = self._read(raw, exchange, describe(method, url))
                answer = Response(
                    raw.status_code, raw.url, _plain(raw.headers), body, _since(started)
                )
        except (requests.RequestException, OSError) as error:
            raise _as_error(error, exchange, describe(method, url)) from None
        finally:
            exchange.close()
            _exchange.reset(token)
        return self._judge(answer, method)

    def _all_headers(self, headers: Mapping[str, str] | None) -> dict[str, str]:
        given = {"Accept": "application/json", "Connection": "close"}
        if request_id := _Identity.provider():
            given[REQUEST_ID_HEADER] = request_id
        return given | self._headers | dict(headers or {})

    def _read(self, raw: requests.Response, exchange: _Exchange, name: str) -> bytes:
        body = bytearray()
        for chunk in raw.iter_content(CHUNK):
            body += chunk
            if len(body) > self.max_bytes:
                message = f"{name}: the answer is larger than {self.max_bytes} bytes"
                raise HttpError(message, Kind.TOO_LARGE, sent=True)
            if exchange.expired:
                break
        if exchange.expired:  # also where the cut body looked complete
            raise requests.Timeout
        return bytes(body)

    def _judge(self, answer: Response, method: str) -> Response:
        name = describe(method, answer.url)
        logger.info("%s: %s in %s ms", name, answer.status, answer.elapsed_ms)
        if 200 <= answer.status < 300:  # noqa: PLR2004  the class of success in RFC 9110
            return answer
        message = f"{name}: answered {answer.status}"
        raise HttpError(message, Kind.STATUS, sent=True, response=answer)


def _checked_base(base_url: str, allowed_hosts: Collection[str] | None) -> str:
    """Return the base address without its last slash; raises ValueError for a wrong one."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").lower()
    if parts.scheme not in {"http", "https"} or not host:
        message = "a base address starts with http:// or https:// and names a host"
        raise ValueError(message)
    if parts.username or parts.password or parts.query or parts.fragment:
        message = "a base address holds no password, query or fragment"
        raise ValueError(message)
    if allowed_hosts is not None and host not in allowed_hosts:
        message = f"the host {host} is not on the list of allowed hosts"
        raise ValueError(message)
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _plain(headers: Mapping[str, str]) -> Mapping[str, str]:
    return CaseInsensitiveDict(headers)


def _since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _worth_repeating(error: HttpError) -> bool:
    """A busy or restarting peer may answer in a moment; a slow or wrong one will not."""
    return error.kind in {Kind.REFUSED, Kind.BROKEN} or error.status in BUSY


def _as_error(error: Exception, exchange: _Exchange, name: str) -> HttpError:
    """Map what the library raised; its own text is dropped, it holds the whole address."""
    sent = exchange.sent
    if exchange.expired or isinstance(error, requests.Timeout):
        message = f"{name}: no complete answer in time"
        return HttpError(message, Kind.TIMEOUT, sent=sent)
    if not sent:
        return HttpError(f"{name}: no connection", Kind.REFUSED, sent=False)
    if any(isinstance(cause, ReadTimeoutError) for cause in error.args):  # inside a body
        return HttpError(f"{name}: no complete answer in time", Kind.TIMEOUT, sent=True)
    return HttpError(f"{name}: the connection broke", Kind.BROKEN, sent=True)
