"""Simple changes of cells before they are read: capitals, digits only, a part, a join, a scale.

A column of a mapping has a list of steps, each a list of a name and its arguments
(`["before", ","]`). Steps are plain functions of texts that take time in proportion to the text:
nobody can write a pattern or a program. Blanks around a text are always cut off. What is no text
or number (a date, true, an error cell) passes unchanged, and an empty cell stays empty.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.sheets import problems
from backoffice.sheets.problems import Text
from backoffice.sheets.reading.reader import CellError, Value

MOST_STEPS: Final = 5
MOST_WORDS: Final = 50
LONGEST_WORD: Final = 60
LONGEST_MARK: Final = 10
LONGEST_PADDED: Final = 30
LARGEST_POWER: Final = 9
LONGEST_TEXT: Final = 32_767
"""Characters a cell of the usual programs can hold; longer texts are a problem of their row."""
TOO_LONG: Final = "too-long-to-change"
_LONGEST_NUMBER: Final = 60

problems.register(
    {
        TOO_LONG: Text(
            gettext_lazy("The text is too long to be changed"),
            gettext_lazy("Left out. Shorten the text."),
        )
    }
)
_NUMBERS: Final = {
    mark: re.compile(
        rf"(?P<sign>[+-]?)(?P<whole>[0-9]{{1,3}}(?:[{other}' ][0-9]{{3}})+|[0-9]+|(?=[{mark}]))"
        rf"(?:[{mark}](?P<rest>[0-9]+))?"
    )
    for mark, other in ((".", ","), (",", "."))
}

Step = Sequence[Any]
Cells = tuple[Value, ...]
Change = Callable[[Value, Cells], Value]


class Kind(StrEnum):
    """What an argument is."""

    MARK = "mark"
    """A few characters, blanks among them."""
    COUNT = "count"
    """A whole number from 1 on."""
    POWER = "power"
    """A power of ten, also a negative one."""
    COLUMN = "column"
    """The index from 0 of another column of the sheet."""
    WORDS = "words"
    """Pairs of a word and what stands for it."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a step; `optional` ones may be empty."""

    kind: Kind
    label: str | Promise
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Transform:
    """A kind of step; `change` gets the text, then the arguments."""

    name: str
    label: str | Promise
    arguments: tuple[Argument, ...]
    change: Callable[..., str]


def _digits(text: str) -> str:
    """Return the digits of any script as 0 to 9."""
    found = (unicodedata.decimal(sign, None) for sign in text)
    return "".join(str(one) for one in found if one is not None)


def _before(text: str, mark: str) -> str:
    return text.partition(mark)[0]


def _after(text: str, mark: str) -> str:
    before, found, after = text.partition(mark)
    return after if found else before


def _part(text: str, mark: str, number: int) -> str:
    parts = text.split(mark, number)
    return parts[number - 1] if number <= len(parts) else ""


def _replaced(text: str, words: Sequence[Sequence[str]]) -> str:
    """Replace the whole text where it stands in the table, else each of its words that does."""
    table = {old.casefold(): new for old, new in words}
    whole = table.get(text.casefold())
    if whole is not None:
        return whole
    return " ".join(table.get(word.casefold(), word) for word in text.split())


def _without_prefix(text: str, prefix: str) -> str:
    return text.removeprefix(prefix)


def _behind(text: str, beginning: str) -> str:
    return beginning + text


def _padded(text: str, length: int) -> str:
    return text.rjust(length, "0")


def _joined(text: str, other: str, mark: str = "") -> str:
    return mark.join(part for part in (text, other) if part)


def _scaled(text: str, power: int, mark: str = ".") -> str:
    """Return the number moved by powers of ten; what is no number stays for its reader to say."""
    number = _number(text, mark)
    if number is None:
        return text
    written = f"{number.scaleb(power):f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return written.replace(".", mark)


def _number(text: str, mark: str) -> Decimal | None:
    """Return the number written with this decimal mark; None for any other way to write it."""
    if len(text) > _LONGEST_NUMBER:
        return None
    plain = text.replace("\N{MINUS SIGN}", "-").replace("\N{NO-BREAK SPACE}", " ")
    match = _NUMBERS[mark].fullmatch(plain)
    if match is None:
        return None
    whole = "".join(sign for sign in match["whole"] if sign.isdigit())
    return Decimal(f"{match['sign']}{whole or 0}.{match['rest'] or 0}")


_MARK: Final = Argument(Kind.MARK, gettext_lazy("mark"))
TRANSFORMS: Final = {
    one.name: one
    for one in (
        Transform("upper", gettext_lazy("Capital letters"), (), str.upper),
        Transform("lower", gettext_lazy("Small letters"), (), str.lower),
        Transform("digits", gettext_lazy("Only the digits"), (), _digits),
        Transform("before", gettext_lazy("What stands before a mark"), (_MARK,), _before),
        Transform("after", gettext_lazy("What stands after a mark"), (_MARK,), _after),
        Transform(
            "part",
            gettext_lazy("Split at a mark, take one part"),
            (_MARK, Argument(Kind.COUNT, gettext_lazy("number of the part"))),
            _part,
        ),
        Transform(
            "replace",
            gettext_lazy("Replace words"),
            (Argument(Kind.WORDS, gettext_lazy("old = new; old = new")),),
            _replaced,
        ),
        Transform(
            "prefix",
            gettext_lazy("Cut off a beginning"),
            (Argument(Kind.MARK, gettext_lazy("beginning")),),
            _without_prefix,
        ),
        Transform(
            "front",
            gettext_lazy("Put in front"),
            (Argument(Kind.MARK, gettext_lazy("beginning")),),
            _behind,
        ),
        Transform(
            "pad",
            gettext_lazy("Fill up with zeros in front"),
            (Argument(Kind.COUNT, gettext_lazy("length")),),
            _padded,
        ),
        Transform(
            "scale",
            gettext_lazy("Move the decimal point (2 is times 100, -2 a hundredth)"),
            (Argument(Kind.POWER, gettext_lazy("places")),),
            _scaled,
        ),
        Transform(
            "join",
            gettext_lazy("Join with another column"),
            (
                Argument(Kind.COLUMN, gettext_lazy("letter of the column")),
                Argument(Kind.MARK, gettext_lazy("mark between"), optional=True),
            ),
            _joined,
        ),
    )
}


def checked(steps: Sequence[Step], columns: int) -> list[list[Any]]:
    """Return the steps as they may be kept; ValueError says in words what is wrong with them.

    `columns` is how many the sheet has.
    """
    if len(steps) > MOST_STEPS:
        raise ValueError(_("At most %s changes a column.") % MOST_STEPS)
    return [_checked(step, columns) for step in steps]


def _checked(step: Step, columns: int) -> list[Any]:
    known = TRANSFORMS.get(str(step[0])) if step else None
    if known is None:
        raise ValueError(_("There is no such change of a column."))
    given = [*step[1:], *([""] * (len(known.arguments) - len(step) + 1))]
    if len(given) != len(known.arguments):
        raise ValueError(_("%s: too many values.") % known.label)
    kept = [
        _argument(known, argument, value, columns)
        for argument, value in zip(known.arguments, given, strict=True)
    ]
    return [known.name, *kept]


def _argument(known: Transform, argument: Argument, value: Any, columns: int) -> Any:
    if value is None or value == "":
        if argument.optional:
            return ""
        raise ValueError(_("%(change)s: say the %(what)s.") % _words(known, argument))
    if not _fits(argument.kind, value, columns):
        raise ValueError(_("%(change)s: this is no %(what)s.") % _words(known, argument))
    return [list(pair) for pair in value] if argument.kind == Kind.WORDS else value


def _fits(kind: Kind, value: Any, columns: int) -> bool:
    if kind == Kind.MARK:
        return isinstance(value, str) and len(value) <= LONGEST_MARK
    if kind == Kind.WORDS:
        return _are_words(value)
    lowest, highest = {
        Kind.COUNT: (1, LONGEST_PADDED),
        Kind.POWER: (-LARGEST_POWER, LARGEST_POWER),
        Kind.COLUMN: (0, columns - 1),
    }[kind]
    return isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest


def _words(known: Transform, argument: Argument) -> dict[str, Any]:
    return {"change": known.label, "what": argument.label}


def _are_words(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and 0 < len(value) <= MOST_WORDS
        and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value)  # noqa: PLR2004
        and all(
            isinstance(word, str) and len(word) <= LONGEST_WORD for pair in value for word in pair
        )
        and all(pair[0] for pair in value)
    )


def columns_of(steps: Sequence[Step]) -> list[int]:
    """Return the indexes of the other columns that the steps read."""
    return [step[1] for step in steps if step[0] == "join"]


def compiled(steps: Sequence[Step], *, mark: str = ".") -> Change:
    """Return the steps as one function of a cell and all cells of its row.

    `mark` is the decimal mark of the file's texts.
    """
    made = [_single(step, mark) for step in steps]

    def change(value: Value, cells: Cells) -> Value:
        text = _text(value)
        if text is None:
            return value
        for one in made:
            text = one(text, cells)
            if len(text) > LONGEST_TEXT:
                return CellError(TOO_LONG)
        return text or None

    return change


def _single(step: Step, mark: str) -> Callable[[str, Cells], str]:
    name, *arguments = step
    change = TRANSFORMS[name].change
    if name == "join":
        place, between = arguments
        return lambda text, cells: _joined(text, _beside(cells, place), between)
    if name == "scale":
        return lambda text, _cells: _scaled(text, arguments[0], mark) if text else text
    # An empty text stays empty: no zeros are made of nothing.
    return lambda text, _cells: change(text, *arguments).strip() if text else text


def _beside(cells: Cells, place: int) -> str:
    return (_text(cells[place]) or "") if place < len(cells) else ""


def _text(value: Value) -> str | None:
    """Return the text of a cell without blanks around it; None for what steps do not change."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(int(value)) if value == int(value) else repr(value)
