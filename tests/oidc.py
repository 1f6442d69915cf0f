"""A real OpenID provider in a process of its own, on a port of its own."""

import json
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from django.test import Client


class ProviderProcess:
    """`oidc-provider-mock`; `person` says what it tells of somebody."""

    def __init__(self) -> None:
        """Start it, and wait until it answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "oidc_provider_mock", "-p", str(port)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait()

    def _wait(self) -> None:
        limit = time.monotonic() + 30
        while time.monotonic() < limit:
            try:
                urlopen(f"{self.url}/jwks", timeout=2).close()  # noqa: S310 - our own peer
            except OSError:
                time.sleep(0.1)
            else:
                return
        self.end()
        raise AssertionError("the provider did not start")

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def person(self, sub: str, **claims: Any) -> None:
        """Set what it says of `sub`."""
        request = Request(  # noqa: S310 - our own peer
            f"{self.url}/users/{sub}",
            data=json.dumps(claims).encode(),
            headers={"Content-Type": "application/json"},
            method="PUT",
        )
        urlopen(request, timeout=10).close()  # noqa: S310 - our own peer

    def settings(self, **more: Any) -> list[dict[str, Any]]:
        """Return BACKOFFICE_SSO with this provider, id "corp"."""
        row = {
            "id": "corp",
            "name": "Corporate",
            "server_url": self.url,
            "client_id": "backoffice",
            "secret": "secret of the client",
            "roles": {"desk": "support", "money": "finance"},
            **more,
        }
        return [row]


def sign_in(client: Client, sub: str, to: str = "/admin/") -> Any:
    """Go to the provider as `sub` would, and come back; return the last answer of ours."""
    away = client.get(f"/account/sso/corp/?next={to}")["Location"]
    parts = urlsplit(away)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    connection.request(
        "POST",
        f"{parts.path}?{parts.query}",
        body=f"sub={sub}",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    answer = connection.getresponse()
    back = urlsplit(str(answer.headers["Location"]))
    connection.close()
    return client.get(f"{back.path}?{back.query}")
