"""Middleware that tells the record of activity where a request comes from."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from django.http import HttpRequest, HttpResponse

from backoffice.audit import context
from backoffice.audit.addresses import client_address

Handler = Callable[[HttpRequest], HttpResponse]
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestContextMiddleware:
    """Give each request an id (a well-formed X-Request-ID is kept) and answer with it."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Run the request under its id."""
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        address = client_address(request)
        with context.origin(context.Origin(request_id=request_id, address=address)):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class ActorMiddleware:
    """Add the session (as a hash: the key itself would be a log-in) and forbid storing answers."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Run the request with its session known."""
        key = request.session.session_key or ""
        digest = hashlib.sha256(key.encode()).hexdigest()[:16] if key else ""
        with context.origin(replace(context.current(), session=digest)):
            response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store, private")
        return response
