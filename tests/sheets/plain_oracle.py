"""What an import of a plain format has to leave, worked out with dicts: no code of ours.

Each column has cells that a file may hold, with what each means written beside it by hand. From
them the rows of a file are drawn, and from their meanings follows what becomes of each row.
"""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from customers.models import Customer
from sellers.models import Product
from tests.sheets import supplies

BAD: Final = object()
"""The cell cannot be taken."""
LATE: Final = object()
"""The database refuses the value; the check cannot know."""

type Key = tuple[Any, ...]
type Record = dict[str, Any]
type Cells = Sequence[tuple[Any, Any]]

_AT = datetime(2011, 7, 1, 12)  # noqa: DTZ001 - a sheet has no zones
_SUMMER, _WINTER = datetime(2011, 7, 1, 11, tzinfo=UTC), datetime(2011, 1, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Kind:
    """A plain format: its columns with cells that mean something, or are BAD.

    `needed` are the columns without which no new record is made, `fills` what it holds in those
    that are not brought. `read` returns what a row means as it is stored, or BAD; `takes` says
    whether a record may stand so.
    """

    key: str
    model: Any
    keys: tuple[str, ...]
    cells: Mapping[str, Cells]
    needed: frozenset[str]
    fills: Mapping[str, Any]
    read: Callable[[Record], Any] = dict
    takes: Callable[[Record], bool] = bool
    by_row: bool = False
    hidden: frozenset[str] = frozenset()
    """The columns whose values the check keeps from whoever imports."""


@dataclass(frozen=True)
class Line:
    """A row of the file: its cells, and what they mean (None for BAD)."""

    cells: dict[str, Any]
    record: Record | None


@dataclass
class Outcome:
    """What becomes of the rows: words by index, and the records that are there then."""

    words: list[str]
    records: dict[Key, Record] = field(default_factory=dict)

    @property
    def counts(self) -> Counter[str]:
        """Return how many rows became what."""
        return Counter(self.words)


def draw(kind: Kind, names: Sequence[str], lot: random.Random) -> Line:
    """Return a row of these columns; most of its cells can be taken."""
    cells, record = dict[str, Any](), dict[str, Any]()
    for name in names:
        known = kind.cells[name]
        good = [one for one in known if one[1] is not BAD and one[1] is not LATE]
        cells[name], record[name] = lot.choice(known if lot.random() < 0.08 else good)
    meant: Any = BAD if BAD in record.values() else kind.read(record)
    return Line(cells, None if meant is BAD else meant)


def record_of(kind: Kind, lot: random.Random) -> Record:
    """Return a record that may be there before."""
    while True:
        found = draw(kind, list(kind.cells), lot).record
        if found is not None and LATE not in found.values() and kind.takes(found):
            return found


def key_of(kind: Kind, record: Record) -> Key:
    """Return what a record is found by."""
    return tuple(record[name] for name in kind.keys)


def outcome(
    kind: Kind,
    lines: Sequence[Line],
    before: Mapping[Key, Record],
    mode: str,
    checked: Sequence[str] | None = None,
) -> Outcome:
    """Return what becomes of rows; `checked` is what a check said of them earlier.

    The check itself takes a row with a LATE value for one that can be written.
    """
    now = {key: dict(record) for key, record in before.items()}
    seen, words = set[Key](), list[str]()
    for index, line in enumerate(lines):
        said = checked[index] if checked else ""
        if said == "skipped" or (said == "failed" and not kind.by_row):
            words.append(said)
            continue
        word = _one(kind, line, now, mode, seen, runs=checked is not None)
        words.append(word)
    return Outcome(words, now)


def _one(
    kind: Kind,
    line: Line,
    now: dict[Key, Record],
    mode: str,
    seen: set[Key],
    *,
    runs: bool,
) -> str:
    key = key_of(kind, line.record) if line.record is not None else ()
    if line.record is None or (key in seen and not kind.by_row):
        return "failed"
    old = now.get(key)
    new = _joined(kind, line.record, old)
    # Row by row the model is asked for all that the database would refuse.
    if new is BAD or (kind.by_row and LATE in new.values()):
        return "failed"
    seen.add(key)
    changed = old is not None and new != old
    hides = old is not None and not runs and any(line.record.get(one) for one in kind.hidden)
    if (mode == "create" and (changed or hides)) or (mode == "update" and old is None):
        return "skipped"
    if LATE in new.values():
        return "failed" if runs else "created" if old is None else "updated"
    now[key] = new
    return "created" if old is None else "updated" if changed else "unchanged"


def _joined(kind: Kind, record: Record, old: Record | None) -> Any:
    """Return the record with what it had, or what a new one begins with; BAD where it may not."""
    if old is None and not kind.needed <= record.keys():
        return BAD
    joined = {**(kind.fills if old is None else old), **record}
    return joined if joined == old or kind.takes(joined) else BAD


def _is_not_too_much(record: Record) -> bool:
    return not (record["status"] == "closed" and record["amount"] > 1_000_000)


_SUPPLY: Final[dict[str, Cells]] = {
    "ext_id": [
        *((number, number) for number in range(1, 9)), ("3", 3), (4.0, 4),
        ("x", BAD), (None, BAD), ("  ", BAD), (2**70, BAD),
    ],
    "name": [
        ("Cup", "Cup"), (" Cup ", " Cup "), ("x" * 100, "x" * 100), (5, "5"), (2.5, "2.5"),
        ("007", "007"), ("\U0001f600 é", "\U0001f600 é"), ("a\nb", "a\nb"), ('q"\'', 'q"\''),
        ("\\N", "\\N"), ("a\tb", "a\tb"), ("x" * 101, BAD), (None, BAD),
    ],
    "email": [("a@b.c", "a@b.c"), (None, ""), ("x" * 100, "x" * 100), ("x" * 101, BAD)],
    "country": [("KR", "KR"), ("FR", "FR"), ("KOR", BAD), (None, BAD)],
    "status": [
        ("new", "new"), ("active", "active"), ("closed", "closed"), ("New", BAD), (None, BAD),
    ],
    "amount": [
        (1.5, Decimal("1.5")), ("2.25", Decimal("2.25")), (0, Decimal(0)), (-3, Decimal(-3)),
        (99999999.99, Decimal("99999999.99")), ("-0", Decimal(0)), (0.1, Decimal("0.1")),
        (1.005, BAD), ("x", BAD), (None, BAD), (100000000, BAD), ("nan", BAD), ("1,50", BAD),
    ],
    "ordered_at": [
        (_AT, _SUMMER), (datetime(2011, 1, 2), _WINTER), ("2011-07-01 12:00", _SUMMER),  # noqa: DTZ001
        ("2011-13-45", BAD), ("soon", BAD), (None, BAD),
    ],
    "note": [("n1", "n1"), ("n2", "n2"), (None, ""), ("x" * 201, BAD)],
}  # fmt: skip
_NEEDED: Final = frozenset(_SUPPLY) - {"email", "note"}
_BLANK: Final = {"email": "", "note": ""}


def _priced(record: Record) -> Any:
    """Return the record with its price in minor units."""
    price, is_said = record.get("price"), record.get("currency") != ""
    if not is_said:
        record = record | {"currency": "GBP"}  # the model's own, but no price goes by it
    if price is None or not is_said:
        return record if price is None else BAD
    if record["currency"] == "KRW" and price % 1:
        return BAD
    minor = int(price * (1 if record["currency"] == "KRW" else 100))
    return record | {"price": LATE if minor < 0 else minor}


_PRODUCT: Final[dict[str, Cells]] = {
    "seller": [("s-1", "s-1"), ("s-2", "s-2"), ("s-9", BAD), (None, BAD)],
    "code": [
        ("1", "1"), (1, "1"), ("007", "007"), ("A b", "A b"), ("7", "7"), ("a b", "a b"),
        ("x" * 40, "x" * 40), ("x" * 41, BAD), (None, BAD),
    ],
    "name": [("Cup", "Cup"), ("Pot é", "Pot é"), ("x" * 200, "x" * 200), ("x" * 201, BAD)],
    "category": [("A", "A"), (None, ""), ("x" * 61, BAD)],
    "price": [
        (2.5, Decimal("2.5")), ("3", Decimal(3)), (None, None), (0, Decimal(0)), (12, Decimal(12)),
        (-1, Decimal(-1)), (1.005, BAD), ("x", BAD), ("inf", BAD),
    ],
    "currency": [("GBP", "GBP"), ("KRW", "KRW"), (None, ""), ("POUND", BAD)],
    "status": [
        ("active", "active"), ("Active", "active"), ("retired", "retired"), ("Draft", "draft"),
        ("gone", BAD), (None, BAD),
    ],
}  # fmt: skip
_NAMED: Final = frozenset({"seller", "code", "name"})
_FRESH: Final = {"category": "", "price": None, "currency": "GBP", "status": "active"}
_CUSTOMER: Final[dict[str, Cells]] = {
    "number": [
        ("C-1", "C-1"), ("C-2", "C-2"), (12, "12"), ("012", "012"), ("c-1", "c-1"), ("C-3", "C-3"),
        (None, BAD), ("x" * 41, BAD),
    ],
    "name": [("Ann Bell", "Ann Bell"), ("Bo Ek", "Bo Ek"), (None, ""), ("x" * 201, BAD)],
    "email": [("a@b.example", "a@b.example"), ("c@d.example", "c@d.example"), (None, ""),
        ("no mail", BAD)],
    "phone": [("+44 20 7946 0018", "+44 20 7946 0018"), (None, ""), ("call me", BAD)],
    "address": [("1 High Street", "1 High Street"), (None, ""), ("2 Low Lane", "2 Low Lane")],
    "country": [("France", "France"), ("Korea", "Korea"), (None, ""), ("x" * 81, BAD)],
}  # fmt: skip

KINDS: Final = (
    Kind("test-supplies", supplies.Supply, ("ext_id",), _SUPPLY, _NEEDED, _BLANK),
    Kind(
        "test-ruled", supplies.Ruled, ("ext_id",), _SUPPLY, _NEEDED, _BLANK,
        takes=_is_not_too_much,
    ),
    Kind("products", Product, ("seller", "code"), _PRODUCT, _NAMED, _FRESH, _priced),
    Kind(
        "test-product-rows", Product, ("seller", "code"), _PRODUCT, _NAMED, _FRESH, _priced,
        by_row=True,
    ),
    Kind(
        "customers", Customer, ("number",), _CUSTOMER, frozenset({"number"}),
        dict.fromkeys(_CUSTOMER, ""),
        hidden=frozenset({"name", "email", "phone", "address"}),
    ),
)  # fmt: skip
