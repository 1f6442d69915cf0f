"""What the API reads of a request: the token that stands in it, and JSON.

Settings name these classes, so that nothing here may import REST framework's views.
"""

from typing import Any, override

from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from backoffice.accounts import sessions, tokens
from backoffice.accounts.models import Token, User
from backoffice.audit import context
from backoffice.audit.addresses import client_address
from backoffice.policy import home

REALM = 'Bearer realm="api"'
_NUL = "\x00"


class Bearer(BaseAuthentication):
    """`Authorization: Bearer bo_…`; whoever sends a token is in by it or not at all."""

    @override
    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        kind, _space, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        address = client_address(request._request)  # noqa: SLF001 - Django's own request
        token = tokens.find(text.strip(), address)
        if token is None:
            # One answer for unknown, ended, expired and used from elsewhere.
            raise exceptions.AuthenticationFailed(_("This token is not valid."))
        tokens.touch(token, address)
        context.note_token(token.prefix)
        return token.user, token

    @override
    def authenticate_header(self, request: Request) -> str:
        return REALM


class SiteSession(SessionAuthentication):
    """The session of a browser, where it was made for the site that the person's rows belong to."""

    @override
    def authenticate(self, request: Request) -> tuple[User, None] | None:
        found = super().authenticate(request)
        inner = request._request  # noqa: SLF001 - Django's own request
        if found is None or not sessions.is_for(inner, home(found[0])):
            return None
        return found


class PlainJson(JSONParser):
    """JSON that every database can keep: no NUL, no half of a pair of surrogates."""

    @override
    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
            fine = _is_plain(data)
        except RecursionError:
            fine = False
        if not fine:
            raise exceptions.ParseError(_("This JSON holds what cannot be kept."))
        return data


def _is_plain(data: Any) -> bool:
    if isinstance(data, dict):
        return all(_is_plain(part) for item in data.items() for part in item)
    if isinstance(data, list):
        return all(map(_is_plain, data))
    return not isinstance(data, str) or is_plain_text(data)


def is_plain_text(text: str) -> bool:
    """Say whether a database can keep the text."""
    return _NUL not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
