"""What an exact search found, kept for a short time in the session.

The address carries a random token, never the value that was searched for.
"""

import secrets
import time
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

PARAMETER = "found"
# By what was searched last ("email"), so that the box stands ready for the next try.
BY = "by"
_SECONDS = 15 * 60
_MOST_KEPT = 5


def remember(request: HttpRequest, label: str, ids: list[Any]) -> str:
    """Keep the ids of `label` rows ("customers.customer") and return their token."""
    token = secrets.token_urlsafe(9)
    kept = [entry for entry in request.session.get(PARAMETER, []) if _alive(entry)]
    kept.append({"token": token, "model": label, "ids": ids, "until": time.time() + _SECONDS})
    request.session[PARAMETER] = kept[-_MOST_KEPT:]
    return token


def narrow(request: HttpRequest, rows: QuerySet[Any], token: str) -> QuerySet[Any]:
    """Return the rows that the search of `token` found; none when it ran out."""
    for entry in request.session.get(PARAMETER, []):
        if entry["token"] == token and entry["model"] == rows.model._meta.label_lower:
            return rows.filter(pk__in=entry["ids"]) if _alive(entry) else rows.none()
    return rows.none()


def _alive(entry: dict[str, Any]) -> bool:
    return float(entry["until"]) > time.time()
