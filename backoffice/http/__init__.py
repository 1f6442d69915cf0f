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

from backoffice.http.answers import Bearer, HttpError, Kind, Response, Secret, describe
from backoffice.http.client import Client, Json, Options, Params, identify_with

__all__ = [
    "Bearer",
    "Client",
    "HttpError",
    "Json",
    "Kind",
    "Options",
    "Params",
    "Response",
    "Secret",
    "describe",
    "identify_with",
]
