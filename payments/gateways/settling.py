"""How a gateway settles: the zone of its day, how late it may be, and the fees that were agreed.

It stands beside the adapter in the settings, since it is a matter of the contract with the vendor
and not of its protocol::

    GATEWAYS["acme"] = {
        "BACKEND": "payments.gateways.acme.Acme",
        "SETTLING": {
            "ZONE": "Asia/Seoul",      # where its day begins; UTC if nothing is said
            "LAG_DAYS": 3,             # a movement may be settled so many days later; 1
            "FEES": {                  # none: fees are not compared
                "capture": {"KRW": {"percent": "2.9", "fixed": "0"}},
            },
        },
    }
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.utils import timezone

from backoffice.money import Money
from payments.gateways.base import MovementKind

_KEYS = frozenset({"ZONE", "LAG_DAYS", "FEES"})
_LONGEST_LAG = 30
_WHOLE = 100
_HINT = "See payments/gateways/settling.py."


@dataclass(frozen=True, slots=True)
class Fee:
    """What was agreed for a movement: a part of its amount, in percent, and a fixed sum."""

    percent: Decimal
    fixed: Money

    def of(self, amount: Money) -> Money:
        """Return the fee for an amount, rounded half up to minor units."""
        part = abs(amount.amount) * self.percent / _WHOLE
        return Money.rounded(part + self.fixed.amount, amount.currency)


@dataclass(frozen=True, slots=True)
class Settling:
    """How one gateway settles. `fees` is (kind of movement, currency) -> what was agreed."""

    zone: ZoneInfo
    lag: timedelta
    fees: Mapping[tuple[str, str], Fee]

    def day(self, moment: datetime) -> date:
        """Return the gateway's day of a moment."""
        return moment.astimezone(self.zone).date()

    def today(self) -> date:
        """Return the gateway's day now."""
        return self.day(timezone.now())

    def begin(self, day: date) -> datetime:
        """Return the moment at which a day begins there."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone)

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """Return when a day begins, and when the next one does."""
        return self.begin(day), self.begin(day + timedelta(days=1))

    def expected_fee(self, kind: str, amount: Money) -> Money | None:
        """Return the fee that was agreed for a movement; None where none was."""
        fee = self.fees.get((kind, amount.currency))
        return fee.of(amount) if fee else None


def settling(gateway: str) -> Settling:
    """Return how a gateway settles; the defaults for one that is not set up any more.

    Raises ValueError for settings that mean nothing; `check_settling` finds them at start.
    """
    entry = getattr(settings, "GATEWAYS", {}).get(gateway, {})
    return _made(entry.get("SETTLING", {}))


def check_settling(**kwargs: object) -> list[CheckMessage]:
    """Return what is wrong with the settings, as a system check: `payments.E001`."""
    found: list[CheckMessage] = []
    for gateway, entry in getattr(settings, "GATEWAYS", {}).items():
        try:
            _made(entry.get("SETTLING", {}))
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            text = f"GATEWAYS[{gateway!r}]['SETTLING']: {error}"
            found.append(Error(text, hint=_HINT, id="payments.E001"))
    return found


def _made(entry: Mapping[str, Any]) -> Settling:
    if unknown := set(entry) - _KEYS:
        raise ValueError(f"{', '.join(sorted(unknown))} is not known")
    lag = entry.get("LAG_DAYS", 1)
    if type(lag) is not int or not 0 <= lag <= _LONGEST_LAG:
        raise ValueError(f"LAG_DAYS must be 0 to {_LONGEST_LAG}, not {lag!r}")
    return Settling(
        zone=_zone(entry.get("ZONE", "UTC")),
        lag=timedelta(days=lag),
        fees={
            (str(MovementKind(kind)), currency): _fee(fee, currency)
            for kind, fees in entry.get("FEES", {}).items()
            for currency, fee in fees.items()
        },
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"ZONE {name!r} is no time zone") from None


def _fee(fee: Mapping[str, str], currency: str) -> Fee:
    try:
        percent = Decimal(fee["percent"])
    except InvalidOperation:
        raise ValueError(f"{fee['percent']!r} is no percentage") from None
    if not 0 <= percent <= _WHOLE:
        raise ValueError(f"{fee['percent']!r} is no percentage")
    return Fee(percent, Money.of(fee["fixed"], currency))
