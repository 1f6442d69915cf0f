"""How adapters speak HTTP: one request, never repeated, with limits that nobody can leave out.

A thin layer on `backoffice.http.Client`, which follows no redirect, bounds time and size, and puts
neither query, header nor body into an error. What is added here: a write cannot be sent without
its idempotency key, since the key is a required argument; nothing is ever retried, reads included;
and `redacted` keeps of an answer what may be shown and stored.
"""

import hashlib
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from backoffice.http import Client, HttpError, Response, Secret
from payments.gateways.base import GatewayUnavailableError

MAX_ANSWER = 1024 * 1024
"""Bytes; no answer about one payment is larger."""


class Wire:
    """Requests to one gateway. `connect` and `read` are limits in seconds."""

    def __init__(
        self,
        base_url: str,
        *,
        connect: float,
        read: float,
        headers: Mapping[str, str],
        allow_loopback: bool = False,
    ) -> None:
        self.timeout = timedelta(seconds=connect + read)
        self._client = Client(
            base_url,
            timeout=(connect, read),
            deadline=connect + read,
            max_bytes=MAX_ANSWER,
            headers=headers,
            retries=0,
            allow_loopback=allow_loopback,
        )

    def send_json(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        key: UUID,
        header: str = "Idempotency-Key",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """POST `body` as JSON with its key, once. Raises HttpError unless a 2xx came."""
        given = {**(headers or {}), header: str(key)}
        return self._client.post(path, json=dict(body), headers=given)

    def send_form(self, path: str, body: Mapping[str, str], *, key: UUID) -> Response:
        """POST `body` form-encoded with its key, once. Raises HttpError unless a 2xx came."""
        return self._client.post(path, form=body, headers={"Idempotency-Key": str(key)})

    def get(
        self, path: str, params: Mapping[str, str | int] | None = None, *, deadline: float = 0
    ) -> Response:
        """Read, once; `deadline` in seconds where a read may take longer than a write.

        Raises HttpError.
        """
        if deadline:
            return self._client.get(path, params=params, deadline=deadline)
        return self._client.get(path, params=params)

    def read(
        self, path: str, params: Mapping[str, str | int] | None = None, *, deadline: float = 0
    ) -> Mapping[str, Any]:
        """Read a JSON object; raise GatewayUnavailableError for anything else.

        The HttpError behind it is the `__cause__`, so that a caller may tell a 404 apart.
        """
        try:
            body = self.get(path, params, deadline=deadline).json()
        except HttpError as error:
            raise GatewayUnavailableError(str(error)) from error
        if not isinstance(body, dict):
            raise GatewayUnavailableError("The gateway's answer could not be read")
        return body


def scope(*parts: str) -> str:
    """Return 16 characters that differ where address or credential do, and tell neither."""
    return hashlib.sha256("\0".join(("key scope", *parts)).encode()).hexdigest()[:16]


def refusal(response: Response | None) -> Mapping[str, Any]:
    """Return the JSON object of an answer that was no success; empty for anything else."""
    if response is None:
        return {}
    try:
        body = response.json()
    except HttpError:
        return {}
    return body if isinstance(body, dict) else {}


def retry_after(response: Response | None) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110, 10.2.3); None without a number."""
    wait = response.headers.get("Retry-After") if response else None
    return float(wait) if wait and wait.isdecimal() else None


def redacted(body: Mapping[str, Any], keep: Collection[str]) -> dict[str, object]:
    """Return the named fields of an answer that are plain values: what is not named is dropped."""
    plain = (str, int, bool)
    return {
        name: value[:200] if isinstance(value, str) else value
        for name, value in body.items()
        if name in keep and isinstance(value, plain)
    }


def cleaned(text: object, secrets: Collection[Secret]) -> str:
    """Return at most 200 characters of what the other side said, without our secrets in it."""
    plain = str(text)
    for secret in secrets:
        plain = plain.replace(secret.clear(), "•••")
    return plain[:200]
