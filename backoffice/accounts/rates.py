"""How often one may do what costs much or tells much: searches, exports, calls of the API.

Each limit is a setting, a number for a minute, an hour or a day; 0 is no limit.
"""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import limits
from backoffice.accounts.limits import Limit, Verdict
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record

REACHED = verbs.register("limits.reached", _("A limit was reached"))

_MINUTE, _HOUR, _DAY = 60, 60 * 60, 24 * 60 * 60
_RATES: dict[str, tuple[tuple[str, int], ...]] = {
    "search": (("BACKOFFICE_SEARCHES_PER_MINUTE", _MINUTE), ("BACKOFFICE_SEARCHES_PER_DAY", _DAY)),
    "palette": (("BACKOFFICE_PALETTE_PER_MINUTE", _MINUTE),),
    "export": (("BACKOFFICE_EXPORTS_PER_HOUR", _HOUR),),
    "upload": (("BACKOFFICE_UPLOADS_PER_HOUR", _HOUR),),
    "taken": (("BACKOFFICE_TAKEN_PER_DAY", _DAY),),
    "api": (("BACKOFFICE_API_PER_MINUTE", _MINUTE),),
    "api_address": (("BACKOFFICE_API_ADDRESS_PER_MINUTE", _MINUTE),),
}


class TooManyError(Exception):
    """It was done too often; `wait` in seconds until it may be done again, `most` the limit."""

    def __init__(self, wait: int, most: int) -> None:
        self.wait = wait
        self.most = most
        super().__init__(f"wait {wait} s")


def most(name: str) -> int:
    """Return the first limit of `name`, 0 for none."""
    return int(getattr(settings, _RATES[name][0][0]))


def is_spent(name: str, key: object) -> bool:
    """Say whether one more use would meet a limit, without counting it."""
    return not all(
        limits.peek(
            f"rate.{name}.{seconds}", key, Limit(int(getattr(settings, setting)), seconds)
        ).allowed
        for setting, seconds in _RATES[name]
    )


def spend(name: str, key: object, *, actor: Any = None) -> Verdict:
    """Count one use of `name` by `key` and return how it stands with the first limit.

    Raises TooManyError. That a person (`actor`) met a limit goes on the record once a window.
    Call it outside of a transaction.
    """
    verdicts = []
    for setting, seconds in _RATES[name]:
        limit = Limit(int(getattr(settings, setting)), seconds)
        verdict = limits.hit(f"rate.{name}.{seconds}", key, limit)
        if not verdict.allowed:
            if actor is not None and verdict.hits == limit.hits + 1:
                facts = {"of": name, "most": limit.hits, "within_seconds": seconds}
                record(REACHED, actor=actor, outcome=Outcome.REFUSED, context=facts)
            raise TooManyError(verdict.wait, limit.hits)
        verdicts.append(verdict)
    return verdicts[0]
