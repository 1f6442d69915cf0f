"""Connections that end at a deadline and lead only where they may."""

import contextlib
import ipaddress
import socket
import threading
import time
from contextvars import ContextVar
from http.cookiejar import DefaultCookiePolicy
from typing import Any, override

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from backoffice.http.answers import HttpError, Kind


class Exchange:
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
            raise HttpError(
                f"the address {peer} is not allowed as a target", Kind.REFUSED, sent=False
            )

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


current: ContextVar[Exchange] = ContextVar("http_exchange")


class _Connection(HTTPConnection):
    @override
    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        try:
            current.get().opened(connected)
        except HttpError:
            connected.close()
            raise
        return connected

    @override
    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        current.get().sent = True
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


def session() -> requests.Session:
    opened = requests.Session()
    opened.trust_env = False  # no proxy and no .netrc password that nobody here chose
    opened.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    opened.mount("http://", _Adapter(max_retries=0))
    opened.mount("https://", _Adapter(max_retries=0))
    return opened
