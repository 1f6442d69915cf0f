"""Whose backoffice this is: company, currency, zone and language, as the set-up decided them.

Without a set-up (in development, or where people were there before) the settings decide.
"""

import zoneinfo
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import get_supported_language_variant
from django.utils.translation.trans_real import parse_accept_lang_header

from backoffice.accounts.models import Installation

# It is written once and never changes, so whoever has found it need not look again.
_found: list[Installation] = []


def current() -> Installation | None:
    """Return what the set-up decided, None without one."""
    if not settings.BACKOFFICE_SETUP:
        return None
    if not _found:
        row = Installation.objects.first()
        if row is None:
            return None
        _found[:] = [row]
    return _found[0]


def forget() -> None:
    """Look anew (for tests, which take the row away)."""
    _found.clear()


def company() -> str:
    """Return the company's name, "" without a set-up."""
    row = current()
    return row.company if row else ""


def currency() -> str:
    """Return the currency of new prices."""
    row = current()
    return row.currency if row else str(settings.BACKOFFICE_CURRENCY)


def zone() -> Any:
    """Return the zone in which days begin and plans are made."""
    row = current()
    return zoneinfo.ZoneInfo(row.time_zone) if row else timezone.get_default_timezone()


def language() -> str:
    """Return the language for whoever has said none."""
    row = current()
    return row.language if row else str(settings.LANGUAGE_CODE)


def language_of(accepted: str) -> str:
    """Return the first language of an Accept-Language header that there is, else the company's."""
    for code, _weight in parse_accept_lang_header(accepted.lower()):
        try:
            return get_supported_language_variant(code)
        except LookupError:
            continue
    return language()
