"""The client: one call, its bounds and its repeats."""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypedDict, Unpack, override
from urllib.parse import urljoin, urlsplit, urlunsplit

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import ReadTimeoutError

from backoffice.http.answers import Bearer, HttpError, Kind, Response, describe, origin
from backoffice.http.connection import Exchange, current
from backoffice.http.connection import session as opened_session

logger = logging.getLogger(__name__)
# At DEBUG this library writes whole addresses; a query may hold somebody's e-mail.
logging.getLogger("urllib3.connectionpool").setLevel(logging.WARNING)

type Params = Mapping[str, str | int]
type Json = dict[str, Any] | list[Any] | str | int | float | bool | None


class Options(TypedDict, total=False):
    """What a call may carry, `json` or `form`; `deadline` in seconds overrides the client's."""

    params: Params | None
    json: Json
    form: Mapping[str, str] | None
    headers: Mapping[str, str] | None
    deadline: float


CHUNK: Final = 16 * 1024
SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
BUSY: Final = frozenset({502, 503, 504})
REQUEST_ID_HEADER: Final = "X-Request-ID"


def _nobody() -> str:
    return ""


class _Identity:
    """Where the id of the request that is being served comes from; the upper layer tells."""

    provider: Callable[[], str] = staticmethod(_nobody)


def identify_with(provider: Callable[[], str]) -> None:
    """Forward what `provider` returns as X-Request-ID, so that two systems' logs can be joined."""
    _Identity.provider = staticmethod(provider)


class Client:
    """Calls one system. Safe to share between threads.

    `timeout` is (connect, single read) in seconds, `deadline` the seconds for the whole call with
    its repeats, `max_bytes` the largest body, `retries` how often GET and HEAD are repeated after
    a refused or broken connection or a 502, 503, 504. `headers` and `auth` go to this origin only.
    `allowed_hosts`, where given, is the deployment's list; a base address elsewhere is refused.
    """

    def __init__(  # noqa: PLR0913  each is a bound that a caller must be able to see
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

    def get(self, path: str, **options: Unpack[Options]) -> Response:
        """Read; raises HttpError unless the answer is a complete 2xx."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Unpack[Options]) -> Response:
        """Write, once and never again by itself; raises HttpError unless a complete 2xx came."""
        return self.request("POST", path, **options)

    def request(self, method: str, path: str, **options: Unpack[Options]) -> Response:
        """Send `method` to `path` (below the base address, or a whole address of its origin)."""
        url = self.url_for(path)
        ends_at = time.monotonic() + options.pop("deadline", self.deadline)
        for pause in self._pauses(method):
            try:
                return self._attempt(method, url, ends_at, options)
            except HttpError as error:
                if not _worth_repeating(error) or time.monotonic() + pause >= ends_at:
                    raise
                time.sleep(pause)
        return self._attempt(method, url, ends_at, options)

    def url_for(self, path: str) -> str:
        """Return the whole address; raises HttpError(refused) for one of another origin."""
        url = path if "://" in path else f"{self.base_url}/{path.lstrip('/')}"
        if origin(url) != origin(self.base_url):
            raise HttpError(
                f"{describe('link to', url)} leaves {describe('the origin', self.base_url)}",
                Kind.REFUSED,
                sent=False,
            )
        return url

    def next_link(self, response: Response) -> str | None:
        """Return the address of the next page by the Link header (RFC 8288), None at the end.

        Raises HttpError(refused) when it leads elsewhere: our token must not travel there.
        """
        for link in requests.utils.parse_header_links(response.headers.get("Link", "")):
            if link.get("rel") == "next":
                try:
                    return self.url_for(urljoin(response.url, link["url"]))
                except ValueError:
                    text = f"{describe('next link of', response.url)} is not an address"
                    raise HttpError(text, Kind.REFUSED, sent=True) from None
        return None

    def _pauses(self, method: str) -> list[float]:
        count = self.retries if method in SAFE_METHODS else 0
        return [0.1 * 2**number for number in range(count)]

    def _attempt(self, method: str, url: str, ends_at: float, options: Options) -> Response:
        exchange = Exchange(ends_at=ends_at, allow_loopback=self.allow_loopback)
        token = current.set(exchange)
        try:
            answer = self._exchange(method, url, exchange, options)
        except (requests.RequestException, OSError) as error:
            raise _as_error(error, exchange, describe(method, url)) from None
        finally:
            exchange.close()
            current.reset(token)
        return _judge(answer, method)

    def _exchange(self, method: str, url: str, exchange: Exchange, options: Options) -> Response:
        started = time.monotonic()
        with (
            opened_session() as session,
            session.request(
                method,
                url,
                params=options.get("params"),
                json=options.get("json"),
                data=options.get("form"),
                headers=self._all_headers(options.get("headers")),
                timeout=(min(self.timeout[0], exchange.left), min(self.timeout[1], exchange.left)),
                allow_redirects=False,
                stream=True,
            ) as raw,
        ):
            body = self._read(raw, exchange, describe(method, url))
            took = round((time.monotonic() - started) * 1000)
            return Response(raw.status_code, raw.url, CaseInsensitiveDict(raw.headers), body, took)

    def _all_headers(self, headers: Mapping[str, str] | None) -> dict[str, str]:
        given = {"Accept": "application/json", "Connection": "close"}
        if request_id := _Identity.provider():
            given[REQUEST_ID_HEADER] = request_id
        return given | self._headers | dict(headers or {})

    def _read(self, raw: requests.Response, exchange: Exchange, name: str) -> bytes:
        body = bytearray()
        for chunk in raw.iter_content(CHUNK):
            body += chunk
            if len(body) > self.max_bytes:
                raise HttpError(
                    f"{name}: the answer is larger than {self.max_bytes} bytes",
                    Kind.TOO_LARGE,
                    sent=True,
                )
            if exchange.expired:
                break
        if exchange.expired:  # also where the cut body looked complete
            raise requests.Timeout
        return bytes(body)


def _judge(answer: Response, method: str) -> Response:
    name = describe(method, answer.url)
    logger.info("%s: %s in %s ms", name, answer.status, answer.elapsed_ms)
    if 200 <= answer.status < 300:  # noqa: PLR2004  the class of success in RFC 9110
        return answer
    raise HttpError(f"{name}: answered {answer.status}", Kind.STATUS, sent=True, response=answer)


def _checked_base(base_url: str, allowed_hosts: Collection[str] | None) -> str:
    """Return the base address without its last slash; raises ValueError for a wrong one."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").lower()
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("a base address starts with http:// or https:// and names a host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("a base address holds no password, query or fragment")
    if allowed_hosts is not None and host not in allowed_hosts:
        raise ValueError(f"the host {host} is not on the list of allowed hosts")
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _worth_repeating(error: HttpError) -> bool:
    """Tell whether a moment may help: a restarting peer comes back, a slow one stays slow."""
    return error.kind in {Kind.REFUSED, Kind.BROKEN} or error.status in BUSY


def _as_error(error: Exception, exchange: Exchange, name: str) -> HttpError:
    """Map what the library raised; its own text is dropped, it holds the whole address."""
    sent = exchange.sent
    if exchange.expired or isinstance(error, requests.Timeout):
        return HttpError(f"{name}: no complete answer in time", Kind.TIMEOUT, sent=sent)
    if not sent:
        return HttpError(f"{name}: no connection", Kind.REFUSED, sent=False)
    if any(isinstance(cause, ReadTimeoutError) for cause in error.args):  # inside a body
        return HttpError(f"{name}: no complete answer in time", Kind.TIMEOUT, sent=True)
    return HttpError(f"{name}: the connection broke", Kind.BROKEN, sent=True)
