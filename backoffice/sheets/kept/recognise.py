"""What kind of column it is, decided by all of its cells; and its cells as that kind.

A column is numbers or dates only if every filled cell is. Identifiers stay text: leading zeros,
more digits than a number keeps, or a header that names a key. Dates that could be read in two ways
stay text as well, unless the file's own date order was confirmed.
"""

import re
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

from backoffice.money import exponent
from backoffice.sheets.kept import personal
from backoffice.sheets.kept.columns import EPOCH, Kind
from backoffice.sheets.kept.vault import LARGEST


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


type Raw = str | int | float | bool | Mapping[str, str] | None

CODES: Final = _set(
    "AED ARS AUD BDT BGN BHD BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS"
    " INR ISK JOD JPY KES KRW KWD MAD MXN MYR NGN NOK NZD OMR PEN PHP PKR PLN QAR RON RSD"
    " RUB SAR SEK SGD THB TND TRY TWD UAH USD UYU VND ZAR"
)
SYMBOLS: Final = {"£": "GBP", "€": "EUR", "$": "USD", "¥": "JPY", "₩": "KRW", "R$": "BRL"}
_MONEY_WORDS: Final = _set(
    "amount total subtotal price cost value freight payment paid fee revenue sales sum"
    " net gross tax vat discount balance refund shipping turnover betrag preis summe"
    " montant prix importe precio 금액 가격 合計 金額 価格"
)
_CURRENCY_WORDS: Final = frozenset(
    {"currency", "curr", "währung", "devise", "moneda", "통화", "通貨"}
)
# A header that ends so names a key; one with a word of the second list does wherever it stands.
_LAST_WORDS: Final = _set(
    "code codes number no nr num ref reference key invoice order customer 번호 코드 番号"
)
_KEY_WORDS: Final = _set(
    "id ids sku ean gtin isbn zip postcode postalcode plz invoiceno stockcode barcode serial"
)
_WORD: Final = re.compile(r"[^\W_]+")
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_POINT: Final = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?")
_COMMA: Final = re.compile(r"[+-]?(\d{1,3}([. ]\d{3})+|\d+)?(,\d*)?")
_MONEY: Final = re.compile(
    r"(?P<minus>-)?\s*(?P<before>R\$|[£€$¥₩]|[A-Z]{3})?\s*(?P<number>[+-]?\d[\d., ]*)\s*"
    r"(?P<after>[£€$¥₩]|[A-Z]{3})?"
)
_DAY: Final = re.compile(
    r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})(?:[ T](\d{1,2}):(\d\d)(?::(\d\d))?)?"
)
_MINUS: Final = str.maketrans({"\N{MINUS SIGN}": "-", "\N{NO-BREAK SPACE}": " "})
_LONGEST_NUMBER: Final = 15
_MOST_DECIMALS: Final = 15
_ORDERS: Final = ("ymd", "mdy", "dmy")


def text_of(raw: Raw) -> str:
    """Return a raw cell as text: 12437.0 is "12437", a date is ISO, an error cell is empty."""
    if raw is None:
        return ""
    if isinstance(raw, str):
        return raw.strip()
    if isinstance(raw, bool):
        return "TRUE" if raw else "FALSE"
    if isinstance(raw, Mapping):
        said = str(raw.get("d", ""))
        return said.removesuffix("T00:00:00").replace("T", " ")
    if isinstance(raw, float):
        # Fifteen digits, as spreadsheet programs show them: 2.9500000000000002 is 2.95.
        return format(Decimal(format(raw, ".15g")), "f")
    return str(raw)


def is_error(raw: Raw) -> bool:
    """Whether the cell held an error of the spreadsheet program."""
    return isinstance(raw, Mapping) and "d" not in raw


@dataclass(slots=True)
class Guess:
    """What the cells of a column seen so far leave possible."""

    header: str
    decimals: str = ""
    dates: str = ""
    _open: set[str] = field(default_factory=lambda: {"point", "comma", "money", *_ORDERS})
    _scales: dict[str, int] = field(default_factory=dict)
    _real: bool = False
    _phones: int = 0
    _emails: bool = False
    _accounts: int = 0
    _cards: int = 0
    _seen: int = 0
    _money: set[str] = field(default_factory=set)
    _codes: bool = True
    codes: set[str] = field(default_factory=set)

    def see(self, cells: Iterable[Raw]) -> None:
        """Look at the cells of a block, each different one once."""
        texts = {raw for raw in cells if isinstance(raw, str)}
        for raw in {raw for raw in cells if isinstance(raw, int | float)}:
            self._number(raw)
        if any(isinstance(raw, Mapping) and "d" in raw for raw in cells):
            self._open &= {*_ORDERS}
            self._real, self._codes = True, False
            self._seen += 1
        for text in texts:
            if plain := text.strip():
                self._text(plain)

    def _number(self, raw: float) -> None:
        self._seen += 1
        self._codes = False
        if isinstance(raw, bool):
            self._open.clear()
            return
        self._open &= {"point", "comma"}
        self._cards += personal.is_card(text_of(raw))
        sized = [self._sized(text_of(raw), name) for name in ("point", "comma")]
        if not all(sized):
            self._open.clear()

    def _text(self, text: str) -> None:
        self._seen += 1
        self._emails = self._emails or personal.is_email(text)
        self._phones += personal.is_phone(text)
        self._accounts += personal.is_account(text)
        self._cards += personal.is_card(text)
        self._codes = self._codes and text in CODES
        if self._codes:
            self.codes.add(text)
        plain = text.translate(_MINUS)
        for name in list(self._open):
            if not _FITS[name](self, plain):
                self._open.discard(name)

    def _sized(self, number: str, name: str) -> bool:
        """Note how many decimals a number has; False for one that is an identifier."""
        whole, _point, rest = number.lstrip("+-").partition(".")
        if len(whole) > _LONGEST_NUMBER or len(rest) > _MOST_DECIMALS:
            return False
        self._scales[name] = max(self._scales.get(name, 0), len(rest))
        return len(whole) <= 1 or not whole.startswith("0")

    def fits_point(self, text: str) -> bool:
        """Whether it is a number with a decimal point."""
        fits = bool(_POINT.fullmatch(text)) and any(map(str.isdigit, text))
        return fits and self._sized(text.replace(",", ""), "point")

    def fits_comma(self, text: str) -> bool:
        """Whether it is a number with a decimal comma."""
        fits = bool(_COMMA.fullmatch(text)) and any(map(str.isdigit, text))
        return fits and self._sized(_with_point(text), "comma")

    def fits_money(self, text: str) -> bool:
        """Whether it is an amount with its currency."""
        found = money_of(text)
        if found is None:
            return False
        self._money.add(found[1])
        return self._sized(found[0], "money")

    @property
    def mask(self) -> str:
        """The mask that the column needs, by its header first; "" for none."""
        if found := personal.mask_by_header(self.header):
            return found
        if self._emails:
            return "email"
        if self._accounts and self._accounts * personal.CARDS >= self._seen:
            return "bank_account"
        if self._cards and self._cards * personal.CARDS >= self._seen:
            return "card"
        return "phone" if self._phones and self._phones * personal.PHONES >= self._seen else ""

    def is_paid_in(self, codes: set[str]) -> "Reading | None":
        """Return how amounts are read whose currencies stand in another column; None of others."""
        plain = self.decide()
        if plain.kind not in {Kind.WHOLE, Kind.DECIMAL} or not _MONEY_WORDS & words(self.header):
            return None
        scale = max(plain.scale, *(exponent(code) for code in codes))
        only = next(iter(codes)) if len(codes) == 1 else ""
        return replace(plain, kind=Kind.MONEY, scale=scale, currency=only)

    @property
    def is_currency(self) -> bool:
        """Whether it says the currency of the amounts beside it."""
        return self._codes and self._seen > 0 and bool(_CURRENCY_WORDS & words(self.header))

    def decide(self) -> "Reading":
        """Return how the cells are read."""
        order = self._order()
        if self.mask or not self._seen:
            return Reading(Kind.TEXT)
        if order:
            return Reading(Kind.DATE, order=order)
        if not {"point", "comma", "money"} & self._open or is_key(self.header):
            return Reading(Kind.TEXT)
        return self._numbers()

    def _numbers(self) -> "Reading":
        number = {"point", "comma"} & self._open
        if not number:
            only = next(iter(self._money)) if len(self._money) == 1 else ""
            scale = max(self._scales["money"], *(exponent(code) for code in self._money))
            return Reading(Kind.MONEY, scale=scale, currency=only)
        comma = number == {"comma"} or ("comma" in number and self.decimals == ",")
        scale = self._scales["comma" if comma else "point"]
        currency = currency_in(self.header)
        if currency:
            most = max(scale, exponent(currency))
            return Reading(Kind.MONEY, scale=most, currency=currency, comma=comma)
        return Reading(Kind.DECIMAL if scale else Kind.WHOLE, scale=scale, comma=comma)

    def _order(self) -> str:
        """Return the one order of day and month that all dates allow; "" for none or several."""
        found = [order for order in _ORDERS if order in self._open]
        if self._real and not self._seen_texts:
            return "ymd"
        return found[0] if len(found) == 1 else (self.dates if self.dates in found else "")

    @property
    def _seen_texts(self) -> bool:
        """Whether texts took an order away, so that a real date does not decide alone."""
        return len(self._open & {*_ORDERS}) < len(_ORDERS)


def _fits_order(order: str) -> Callable[[Guess, str], bool]:
    return lambda _guess, text: seconds_of(text, order) is not None


_FITS: Final[dict[str, Callable[[Guess, str], bool]]] = {
    "point": Guess.fits_point,
    "comma": Guess.fits_comma,
    "money": Guess.fits_money,
    **{order: _fits_order(order) for order in _ORDERS},
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How the cells of a column are read."""

    kind: Kind
    scale: int = 0
    currency: str = ""
    comma: bool = False
    order: str = "ymd"

    def cell(self, raw: Raw) -> int | str | None:
        """Return the cell; None (or "" of a text) for an empty one."""
        if self.kind is Kind.TEXT:
            return text_of(raw)
        plain = text_of(raw).translate(_MINUS)
        if not plain:
            return None
        if self.kind is Kind.DATE:
            return seconds_of(plain, "ymd" if isinstance(raw, Mapping) else self.order)
        return self._number(plain, typed=isinstance(raw, str))

    def currency_of(self, raw: Raw) -> str:
        """Return the currency that stands in the cell of an amount; "" for none."""
        found = money_of(text_of(raw).translate(_MINUS))
        return found[1] if found else ""

    def _number(self, plain: str, *, typed: bool) -> int:
        found = money_of(plain) if self.kind is Kind.MONEY else None
        if found:
            plain = found[0]
        elif typed:
            plain = _with_point(plain) if self.comma else plain.replace(",", "")
        return int(Decimal(plain).scaleb(self.scale))


def _listed(header: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(_HUMP.sub(" ", header))]


def words(header: str) -> set[str]:
    """Return the words of a header."""
    return set(_listed(header))


def is_key(header: str) -> bool:
    """Whether a header names a key, whose values are no amounts even where they are numbers."""
    listed = _listed(header)
    return bool(listed) and (
        listed[-1] in _LAST_WORDS or bool(_KEY_WORDS & {*listed, header.casefold()})
    )


def currency_in(header: str) -> str:
    """Return the currency that a header names ("price_eur", "Total (£)"); "" for none."""
    for word in map(str, _WORD.findall(header)):
        # "try" and "pen" are words too: a code in small letters needs a word of money beside it.
        if word.upper() in CODES and (word.isupper() or _MONEY_WORDS & words(header)):
            return word.upper()
    return next((code for sign, code in SYMBOLS.items() if sign in header), "")


def money_of(text: str) -> tuple[str, str] | None:
    """Return an amount with its currency as (number with a point, code); None for anything else."""
    found = _MONEY.fullmatch(text)
    sign = (found["before"] or found["after"] or "") if found else ""
    code = SYMBOLS.get(sign, sign)
    if found is None or code not in CODES or (found["before"] and found["after"]):
        return None
    number = found["number"].strip()
    if _POINT.fullmatch(number):
        number = number.replace(",", "")
    elif _COMMA.fullmatch(number):
        number = _with_point(number)
    else:
        return None
    return f"{found['minus'] or ''}{number}", code


def _with_point(text: str) -> str:
    return text.replace(".", "").replace(" ", "").replace(",", ".")


def seconds_of(text: str, order: str) -> int | None:
    """Return a date without a zone as seconds since 1970; None where it is none in this order."""
    found = _DAY.fullmatch(text)
    if found is None:
        return None
    parts = (found[1], found[3], found[4])
    named = dict(zip(order, parts, strict=True))
    if len(named["y"]) != 4 or len(named["m"]) > 2 or len(named["d"]) > 2:  # noqa: PLR2004
        return None
    hour, minute, second = (int(part or 0) for part in found.groups()[4:])
    try:
        day = date(int(named["y"]), int(named["m"]), int(named["d"]))
        when = datetime.combine(day, time(hour, minute, second), UTC)
    except ValueError:
        return None
    return int((when - EPOCH).total_seconds())


def in_order(cells: list[Any]) -> "array[int]":
    """Return the places of the rows by the order of their cells, empty ones (None) last."""
    filled = [place for place, cell in enumerate(cells) if cell is not None]
    empty = [place for place, cell in enumerate(cells) if cell is None]
    filled.sort(key=cells.__getitem__)
    return array("i", filled + empty)


def is_small(cells: Iterable[int | None]) -> bool:
    """Whether each number fits into 64 bits with room for doing sums."""
    return all(cell is None or -LARGEST < cell < LARGEST for cell in cells)
