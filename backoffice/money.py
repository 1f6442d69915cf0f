"""Money as whole minor units of one currency: no float, nothing lost in rounding."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Self

# ISO 4217: minor digits where they are not two.
_EXPONENTS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
_CODE = re.compile(r"[A-Z]{3}")
_SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "KRW": "₩"}
MINUS = "\N{MINUS SIGN}"


class CurrencyMismatchError(TypeError):
    """Two currencies met in one sum."""


def exponent(currency: str) -> int:
    """Return the minor digits of `currency` by ISO 4217 (GBP 2, KRW 0, BHD 3)."""
    return _EXPONENTS.get(currency, 2)


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount: `minor` whole minor units (pence) of the ISO 4217 `currency`."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        # A bool is an int to Python, and no amount.
        if type(self.minor) is not int:
            msg = f"minor units must be an int, not {type(self.minor).__name__}"
            raise TypeError(msg)
        if not _CODE.fullmatch(self.currency):
            msg = f"a currency is three capital letters, not {self.currency!r}"
            raise ValueError(msg)

    @classmethod
    def of(cls, amount: str | Decimal | int, currency: str) -> Self:
        """Return the exact amount of major units; ValueError when digits would be lost."""
        try:
            scaled = Decimal(amount).scaleb(exponent(currency))
        except InvalidOperation as error:
            msg = f"{amount!r} is not an amount"
            raise ValueError(msg) from error
        if not scaled.is_finite() or scaled != scaled.to_integral_value():
            msg = f"{currency} has {exponent(currency)} decimals; {amount} has more"
            raise ValueError(msg)
        return cls(int(scaled), currency)

    @classmethod
    def rounded(cls, amount: Decimal, currency: str) -> Self:
        """Return the amount of major units, rounded half away from zero to minor units."""
        scaled = amount.scaleb(exponent(currency)).quantize(Decimal(1), rounding=ROUND_HALF_UP)
        return cls(int(scaled), currency)

    @property
    def amount(self) -> Decimal:
        """The amount in major units (pounds)."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return self + -other

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __mul__(self, factor: int) -> "Money":
        return Money(self.minor * factor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        self._same(other)
        return self.minor < other.minor

    def __le__(self, other: "Money") -> bool:
        self._same(other)
        return self.minor <= other.minor

    def __bool__(self) -> bool:
        return self.minor != 0

    def __str__(self) -> str:
        number = f"{abs(self.amount):,.{exponent(self.currency)}f}"
        sign = MINUS if self.minor < 0 else ""
        symbol = _SYMBOLS.get(self.currency)
        return f"{sign}{symbol}{number}" if symbol else f"{sign}{self.currency} {number}"

    def split(self, weights: Sequence[int]) -> list["Money"]:
        """Return parts in proportion to `weights` that add up to the whole (largest remainder).

        Raises ValueError when no weight is positive or one is negative.
        """
        whole = sum(weights)
        if whole <= 0 or min(weights) < 0:
            msg = "weights must be zero or more, and one of them positive"
            raise ValueError(msg)
        sign = -1 if self.minor < 0 else 1
        shares = [divmod(abs(self.minor) * weight, whole) for weight in weights]
        left = abs(self.minor) - sum(share for share, _ in shares)
        order = sorted(range(len(shares)), key=lambda i: (-shares[i][1], i))
        extra = set(order[:left])
        return [
            Money(sign * (share + (i in extra)), self.currency)
            for i, (share, _) in enumerate(shares)
        ]

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            msg = f"{self.currency} and {other.currency} cannot be compared or added"
            raise CurrencyMismatchError(msg)
