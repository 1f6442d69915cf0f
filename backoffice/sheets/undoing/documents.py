"""Records that mean something together only, as an order, its lines and its charges do.

An undo takes such a document back as a whole, in one transaction, or leaves it as a whole: with
one line edited since, the order would not be the sum of its lines any more. What a document
consists of is said by the settlement that adds it up (`Settlement.parts`).
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Model

from backoffice.sheets import formats
from backoffice.sheets.models import ImportJob, UndoLeft
from backoffice.sheets.undoing import backwards
from backoffice.sheets.undoing.backwards import Part, Past

Verdict = tuple[Past, Part]
_Why = UndoLeft.Why


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of documents: the model of its head, and of each part the foreign key to it."""

    root: type[Model]
    parts: tuple[tuple[type[Model], str], ...]

    @property
    def columns(self) -> Iterator[tuple[type[Model], str]]:
        """Yield (model, the field that names the document), the head first."""
        yield self.root, "pk"
        yield from self.parts


def kinds(job: ImportJob) -> dict[int, Kind]:
    """Return phase of a settlement -> the kind of documents that it adds up."""
    try:
        steps: Any = formats.get(job.format).steps
    except KeyError:
        return {}
    return {
        phase: Kind(step.model, tuple(step.parts))
        for phase, step in enumerate(steps)
        if getattr(step, "parts", ())
    }


def homes(kind: Kind, model: type[Model], keys: Collection[Any]) -> dict[Any, Any]:
    """Return key of a row -> key of its document, for those of the rows that belong to one."""
    found: dict[Any, Any] = {}
    for one, name in kind.columns if keys else ():
        if one is model:
            rows = model._base_manager.filter(pk__in=keys).exclude(**{name: None})
            found.update(rows.order_by().values_list("pk", name))
    return found


def sizes(kind: Kind, roots: Collection[Any]) -> Counter[Any]:
    """Return how many rows each document has."""
    found: Counter[Any] = Counter(roots)
    for model, name in kind.parts if roots else ():
        rows = model._base_manager.filter(**{f"{name}__in": roots}).order_by()
        found.update(dict(rows.values_list(name).annotate(Count("pk"))))
    return found


def judge(
    kind: Kind,
    pasts: Mapping[type[Model], Past],
    roots: Collection[Any],
    nameless: Mapping[type[Model], Collection[Any]],
) -> list[Verdict]:
    """Say what becomes of all that the import wrote of these documents, the parts first.

    Locks the rows as `backwards.judge` does. `nameless` are rows that it wrote and of which the
    history does not tell so any more.
    """
    found: dict[type[Model], Part] = {}
    home: dict[type[Model], dict[Any, Any]] = {}
    for model, name in kind.columns:
        if model not in pasts:
            continue
        rows = model._base_manager.filter(**{f"{name}__in": roots}).order_by()
        home[model] = dict(rows.values_list("pk", name))
        found[model] = backwards.own(pasts[model], pasts[model].firsts_of(home[model]))
        empty = home[model].keys() & set(nameless.get(model, ()))
        found[model].leave(empty, _Why.UNKNOWN)
    _leave_whole(found, home)
    return [(pasts[model], found[model]) for model in reversed(found)]


def _leave_whole(
    found: Mapping[type[Model], Part], home: Mapping[type[Model], Mapping[Any, Any]]
) -> None:
    """Leave each document of which a row is left; rows that go together may use each other."""
    torn = {home[model][key] for model, part in found.items() for key in part.left}
    while True:
        for model, part in found.items():
            going = [*part.back, *part.away]
            part.leave([key for key in going if home[model][key] in torn], _Why.WITH)
        away = {model: part.away for model, part in found.items()}
        used = {model: backwards.used(model, keys, away) for model, keys in away.items()}
        if not any(used.values()):
            return
        for model, keys in used.items():
            found[model].leave(keys, _Why.USED)
            torn |= {home[model][key] for key in keys}
