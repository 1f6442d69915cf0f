"""The answers of the mapping page, as its form shows and posts them: plain texts until they fit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from backoffice.sheets import mapping, transforms
from backoffice.sheets.formats import Format
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportJob
from backoffice.sheets.reading.guard import letters
from backoffice.sheets.transforms import Kind

# The name of a step and its first two arguments, as they are typed.
Typed = tuple[str, str, str]
_LONGEST = 4000


@dataclass(slots=True)
class Draft:
    """The answers for the sheets `names`, which have the same headers.

    `columns` is column key -> the index of the sheet's column as a text, or "".
    """

    index: int
    names: list[str]
    sheet: Mapping[str, Any]
    places: dict[str, int]
    """Sheet -> the number of its header row."""
    columns: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    steps: dict[str, list[Typed]] = field(default_factory=dict)

    @property
    def headers(self) -> list[str]:
        """The headers by position."""
        return list(self.sheet["headers"])

    def load(self, stored: SheetMapping) -> None:
        """Take the answers that are stored."""
        self.columns = {key: str(place) for key, place in stored.columns.items()}
        self.constants = dict(stored.constants)
        self.steps = {
            key: [typed(step) for step in steps] for key, steps in stored.transforms.items()
        }

    def post(self, data: QueryDict, form: Format) -> None:
        """Take the answers that are posted."""
        for column in form.columns:
            key = column.key
            self.columns[key] = data.get(self.name("column", key), "")
            self.constants[key] = data.get(self.name("constant", key), "")[:_LONGEST].strip()
            self.steps[key] = [
                step
                for number in range(transforms.MOST_STEPS)
                if (step := self._posted(data, key, number))[0]
            ]

    def _posted(self, data: QueryDict, key: str, number: int) -> Typed:
        name, first, second = (
            data.get(self.name(part, key, number), "")[:_LONGEST] for part in ("step", "a", "b")
        )
        return name, first, second

    def name(self, part: str, key: str, number: int | None = None) -> str:
        """Return the name of a field of the form."""
        name = f"{part}-{self.index}-{key}"
        return name if number is None else f"{name}-{number}"

    def mappings(self) -> dict[str, SheetMapping]:
        """Return sheet -> mapping. Raises ValueError for what cannot be understood."""
        columns = {key: _place(text, self.headers) for key, text in self.columns.items() if text}
        constants = {key: text for key, text in self.constants.items() if text}
        steps = {
            key: transforms.checked([understood(step) for step in steps], len(self.headers))
            for key, steps in self.steps.items()
            if steps
        }
        count = self.sheet.get("header_rows", 1)
        return {
            name: SheetMapping(place, dict(columns), count, dict(constants), dict(steps))
            for name, place in self.places.items()
        }


def drafts(job: ImportJob) -> list[Draft]:
    """Return one empty draft for each group of chosen sheets with equal headers."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for one in job.sheets:
        if one["name"] in job.chosen:
            key = (one.get("header_rows", 1), *one["headers"])
            groups.setdefault(key, []).append(one)
    return [
        Draft(
            index,
            [one["name"] for one in sheets],
            sheets[0],
            {one["name"]: one["header_row"] for one in sheets},
        )
        for index, sheets in enumerate(groups.values())
    ]


def loaded(job: ImportJob) -> list[Draft]:
    """Return the drafts with the answers that the import holds."""
    made = drafts(job)
    for draft in made:
        stored = job.mapping.get(draft.names[0])
        if stored:
            draft.load(SheetMapping.from_json(stored))
    return made


def posted(job: ImportJob, form: Format, data: QueryDict) -> list[Draft]:
    """Return the drafts with the answers of a form."""
    made = drafts(job)
    for draft in made:
        draft.post(data, form)
    return made


def mappings(made: Iterable[Draft]) -> dict[str, SheetMapping]:
    """Return sheet -> mapping of all drafts. Raises ValueError."""
    return {name: one for draft in made for name, one in draft.mappings().items()}


def _place(text: str, headers: Sequence[str]) -> int:
    if not text.isdecimal() or int(text) >= len(headers):
        raise ValueError(_("Choose one of the columns of the sheet."))
    return int(text)


def typed(step: Sequence[Any]) -> Typed:
    """Return a step as people type it: columns by letter, words as "old = new; old = new"."""
    kinds = transforms.TRANSFORMS[step[0]].arguments
    texts = [_shown(one.kind, value) for one, value in zip(kinds, step[1:], strict=True)]
    first, second = [*texts, "", ""][:2]
    return step[0], first, second


def _shown(kind: Kind, value: Any) -> str:
    if kind == Kind.COLUMN:
        return letters(value + 1)
    if kind == Kind.WORDS:
        return "; ".join(f"{old} = {new}" for old, new in value)
    return str(value)


def understood(step: Typed) -> list[Any]:
    """Return a step that was typed; what cannot be understood stays a text, to be refused."""
    known = transforms.TRANSFORMS.get(step[0])
    if known is None:
        return [step[0]]
    pairs = zip(known.arguments, step[1:], strict=False)
    return [step[0], *(_value(one.kind, text) for one, text in pairs)]


def _value(kind: Kind, text: str) -> Any:
    if kind in {Kind.COUNT, Kind.POWER}:
        return _number(text)
    if kind == Kind.COLUMN:
        return _letter(text)
    if kind == Kind.WORDS:
        pairs = [part.partition("=") for part in text.split(";") if part.strip()]
        return [[old.strip(), new.strip()] for old, _mark, new in pairs] if pairs else ""
    return text


def _number(text: str) -> int | str:
    plain = text.strip().replace("\N{MINUS SIGN}", "-")
    digits = plain.removeprefix("-").removeprefix("+")
    return int(plain) if digits.isascii() and digits.isdigit() and len(digits) < 4 else text  # noqa: PLR2004


def _letter(text: str) -> int | str:
    """Return the index of a column named by its letters ("A", "AB")."""
    plain = text.strip().upper()
    if not (plain.isascii() and plain.isalpha() and len(plain) <= 3):  # noqa: PLR2004
        return text
    number = 0
    for sign in plain:
        number = number * 26 + ord(sign) - ord("A") + 1
    return number - 1


def unread(draft: Draft) -> list[str]:
    """Return the columns of the sheet that are not read, as people know them."""
    try:
        taken = set().union(*(one.read() for one in draft.mappings().values()))
    except ValueError:
        taken = {int(place) for place in draft.columns.values() if place.isdecimal()}
    shown = mapping.shown(draft.headers)
    return [text for place, text in enumerate(shown) if place not in taken]


def nameless(draft: Draft) -> list[str]:
    """Return the columns without a header, and those whose header stands twice."""
    places = {*mapping.blank(draft.headers), *mapping.repeated(draft.headers)}
    shown = mapping.shown(draft.headers)
    return [shown[place] for place in sorted(places)]
