"""The outgoing client against real peers that break each of its bounds."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from backoffice.http import Bearer, Client, HttpError, Kind, Secret, identify_with
from backoffice.http.connection import Exchange

SLOW = 30
"""Seconds, more than any deadline here."""


class Peer(BaseHTTPRequestHandler):
    """Answers by path; counts what came."""

    seen: list[tuple[str, str, dict[str, str]]]
    stop: threading.Event

    def do_GET(self) -> None:
        self.seen.append((self.command, self.path, dict(self.headers)))
        getattr(self, "answer_" + self.path.split("?")[0].strip("/").replace("-", "_"))()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  http.server calls them so

    def answer_ok(self) -> None:
        self.whole(b'{"amount": 1.10, "big": 12345678901234567890}')

    def answer_busy(self) -> None:
        self.whole(b"{}", status=503)

    def answer_busy_once(self) -> None:
        first = sum(path == "/busy-once" for _, path, _ in self.seen) == 1
        self.whole(b"[]", status=503 if first else 200)

    def answer_refused(self) -> None:
        self.whole(b'{"error": "too much"}', status=422)

    def answer_html(self) -> None:
        self.whole(b"<!doctype html><p>Sign in</p>")

    def answer_nan(self) -> None:
        self.whole(b'{"amount": NaN}')

    def answer_deep(self) -> None:
        self.whole(b"[" * 200_000)

    def answer_redirect(self) -> None:
        self.whole(b"", status=302, headers={"Location": "http://127.0.0.1:9/"})

    def answer_next(self) -> None:
        self.whole(b"[]", headers={"Link": '<?page=2>; rel="next"'})

    def answer_last(self) -> None:
        self.whole(b"[]", headers={"Link": '<?page=1>; rel="prev"'})

    def answer_foreign_next(self) -> None:
        self.whole(b"[]", headers={"Link": '<http://127.0.0.1:9/x?page=2>; rel="next"'})

    def answer_wrong_next(self) -> None:
        self.whole(b"[]", headers={"Link": '<http://127.0.0.1:99999/>; rel="next"'})

    def answer_cookie(self) -> None:
        self.whole(b"[]", headers={"Set-Cookie": "a=b"})

    def answer_huge(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.drip(b" " * 100_000, every=0)

    def answer_short(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"[")

    def answer_silent(self) -> None:
        self.stop.wait(SLOW)

    def answer_drip_body(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.drip(b" ")

    def answer_drip_head(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        self.drip(b"a")

    def whole(
        self, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drip(self, piece: bytes, *, every: float = 0.1) -> None:
        ends_at = time.monotonic() + SLOW
        try:
            while time.monotonic() < ends_at and not self.stop.wait(every):
                self.wfile.write(piece)
                self.wfile.flush()
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep the test's output clean."""


@pytest.fixture
def peer() -> Iterator[type[Peer]]:
    """A peer of this test alone; `Bound.url` is its address."""
    stop = threading.Event()
    bound = type("Bound", (Peer,), {"seen": [], "stop": stop})
    server = ThreadingHTTPServer(("127.0.0.1", 0), bound)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    bound.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    yield bound
    stop.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(peer: type[Peer]) -> Client:
    return make_client(peer)


@pytest.fixture
def hasty(peer: type[Peer]) -> Client:
    """A client that gives up after half a second."""
    return make_client(peer, deadline=0.5)


def make_client(peer: type[Peer], **options: object) -> Client:
    bounds: dict[str, object] = {
        "timeout": (2, 5),
        "deadline": 5,
        "max_bytes": 1_000_000,
        "allow_loopback": True,
    }
    return Client(peer.url, **bounds | options)  # type: ignore[attr-defined, arg-type]


def failure(client: Client, path: str, method: str = "GET") -> HttpError:
    with pytest.raises(HttpError) as caught:
        client.request(method, path).json()
    return caught.value


def test_get_gives_exact_numbers(client: Client) -> None:
    assert client.get("/ok").json() == {"amount": Decimal("1.10"), "big": 12345678901234567890}


def test_path_stays_below_the_base_address(peer: type[Peer]) -> None:
    base = Client(f"{peer.url}/ok/", allow_loopback=True)  # type: ignore[attr-defined]
    assert base.url_for("/rows").endswith("/ok/rows")


@pytest.mark.parametrize("path", ["/drip-body", "/drip-head", "/silent"])
def test_deadline_ends_a_call_whatever_the_peer_does(hasty: Client, path: str) -> None:
    started = time.monotonic()
    error = failure(hasty, path)
    assert (error.kind, error.sent) == (Kind.TIMEOUT, True)
    assert time.monotonic() - started < SLOW / 2


def test_huge_body_is_refused_while_it_comes(client: Client) -> None:
    error = failure(client, "/huge")
    assert (error.kind, error.sent) == (Kind.TOO_LARGE, True)


def test_body_shorter_than_announced_is_no_answer(client: Client) -> None:
    assert failure(client, "/short").kind == Kind.BROKEN


@pytest.mark.parametrize("path", ["/html", "/nan", "/deep"])
def test_answer_that_is_not_json_is_an_error(client: Client, path: str) -> None:
    assert failure(client, path).kind == Kind.BAD_JSON


def test_redirect_is_not_followed(client: Client, peer: type[Peer]) -> None:
    error = failure(client, "/redirect")
    assert (error.kind, error.status) == (Kind.STATUS, 302)
    assert len(peer.seen) == 1


def test_status_error_carries_the_answer(client: Client) -> None:
    error = failure(client, "/refused", "POST")
    assert error.response is not None
    assert (error.status, error.response.json()) == (422, {"error": "too much"})


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("POST", 1), ("PUT", 1), ("DELETE", 1)])
def test_busy_peer_is_asked_again_for_reads_only(
    client: Client, peer: type[Peer], method: str, times: int
) -> None:
    assert failure(client, "/busy", method).status == 503
    assert [seen[0] for seen in peer.seen] == [method] * times


def test_read_succeeds_after_one_busy_answer(client: Client) -> None:
    assert client.get("/busy-once").json() == []


def test_timeout_of_a_write_sends_it_once(hasty: Client, peer: type[Peer]) -> None:
    assert failure(hasty, "/silent", "POST").sent
    assert len(peer.seen) == 1


def test_nothing_was_sent_when_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = Client(f"http://127.0.0.1:{unused.getsockname()[1]}", allow_loopback=True)
        error = failure(client, "/ok", "POST")
    assert (error.kind, error.sent) == (Kind.REFUSED, False)


def test_loopback_is_refused_unless_allowed(peer: type[Peer]) -> None:
    error = failure(make_client(peer, allow_loopback=False), "/ok")
    assert (error.kind, error.sent, peer.seen) == (Kind.REFUSED, False, [])


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1%eth0", "::ffff:169.254.169.254"])
def test_metadata_addresses_are_refused_always(address: str) -> None:
    with pytest.raises(HttpError):
        Exchange(ends_at=0, allow_loopback=True)._check_peer(address)


def test_private_network_is_allowed() -> None:
    Exchange(ends_at=0, allow_loopback=False)._check_peer("10.1.2.3")


@pytest.mark.parametrize(
    "base",
    ["ftp://h", "h/x", "http://", "http://a:b@h", "http://h/?q=1", "http://other.example"],
)
def test_wrong_base_address_is_refused_at_once(base: str) -> None:
    with pytest.raises(ValueError, match=r"base address|allowed hosts"):
        Client(base, allowed_hosts=["h"])


def test_next_link_is_found_relative_to_the_answer(client: Client) -> None:
    following = client.next_link(client.get("/next"))
    assert following == client.url_for("/next?page=2")


def test_last_page_has_no_next_link(client: Client) -> None:
    assert client.next_link(client.get("/last")) is None


@pytest.mark.parametrize("path", ["/foreign-next", "/wrong-next"])
def test_next_link_to_elsewhere_is_refused(client: Client, path: str) -> None:
    answer = client.get(path)
    with pytest.raises(HttpError) as caught:
        client.next_link(answer)
    assert caught.value.kind == Kind.REFUSED


def test_whole_address_of_another_origin_is_refused(client: Client) -> None:
    assert failure(client, "http://127.0.0.1:9/ok").kind == Kind.REFUSED


def test_token_and_request_id_are_sent(peer: type[Peer]) -> None:
    identify_with(lambda: "request-7")
    try:
        make_client(peer, auth=Bearer(Secret("s3cret"))).get("/ok")
    finally:
        identify_with(str)
    headers = peer.seen[0][2]
    assert headers["Authorization"] == "Bearer s3cret"
    assert headers["X-Request-ID"] == "request-7"


def test_cookies_are_not_kept(client: Client, peer: type[Peer]) -> None:
    client.get("/cookie")
    client.get("/ok")
    assert "Cookie" not in peer.seen[1][2]


def test_proxy_of_the_environment_is_not_used(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert client.get("/ok").status == 200


def test_secret_shows_nowhere(peer: type[Peer], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    auth = Bearer(Secret("s3cret"))
    client = make_client(peer, auth=auth)
    answer = client.get("/ok", params={"email": "anna@example.com"})
    error = failure(client, "/refused?email=anna@example.com")
    shown = [repr(auth), f"{auth.token}", repr(client), repr(answer), repr(error), caplog.text]
    assert not [text for text in shown if "s3cret" in text or "anna" in text or "1.10" in text]


def test_error_of_the_library_does_not_hang_on(hasty: Client) -> None:
    error = failure(hasty, "/silent?email=anna@example.com")
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_log_line_names_the_call(
    client: Client, peer: type[Peer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client.get("/ok?q=1")
    port = peer.url.rpartition(":")[2]  # type: ignore[attr-defined]
    assert f"GET 127.0.0.1:{port}/ok: 200 in " in caplog.text


def test_json_is_posted(client: Client, peer: type[Peer]) -> None:
    assert client.post("/ok", json={"a": 1}, headers={"Idempotency-Key": "k"}).status == 200
    headers = peer.seen[0][2]
    assert (headers["Content-Type"], headers["Idempotency-Key"]) == ("application/json", "k")
    assert int(headers["Content-Length"]) == len(json.dumps({"a": 1}))
