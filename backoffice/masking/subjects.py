"""Where personal data of a person lies: each app says so for its own tables.

A person is a record of a model that is announced once ("customers.customer"). In `AppConfig.ready`:

    subjects.announce("customers.customer")
    subjects.belongs("orders.order", "customers.customer", orders_of)   # keys -> rows
    subjects.register(subjects.Place(
        "payments.refunds", _("Refunds"), "payments.refund",
        rows=lambda group: group.rows("payments.refund"),
        fields={"reason": subjects.TOMBSTONE},
        kept={"amount_minor": _("Bookkeeping: amounts stay")},
        everywhere=True,
    ))
    subjects.exempt("sellers.product", _("Says what is sold"))

`fields` says how each column is erased. With `everywhere` the same columns of all other rows are
searched for the person's full name, address and numbers too (`Group.elsewhere`), which are taken
out of the text. Whoever exports or erases a person goes through `places()`; see `erasing` and
`collecting`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import models
from django.db.models import QuerySet
from django.utils import translation
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from backoffice.masking import standing
from backoffice.masking.fields import MaskedMixin, masked_fields
from backoffice.masking.mentions import Elsewhere, Mentions, Value, identifies, is_full_name

if TYPE_CHECKING:
    from backoffice.masking.erasing import Erasure, Step

type Text = str | Promise
type Rows = QuerySet[Any]
# Erases at most so many rows behind a key, and says where the next batch begins.
type Steps = Callable[["Place", "Erasure", Any, int], "Step"]

# How a column is erased: emptied, overwritten by a word (where it must not be empty), or searched
# for the person and else left alone.
BLANK: Final = "blank"
TOMBSTONE: Final = "tombstone"
CLEAN: Final = "clean"
DELETE: Final = "delete"
TOMBSTONE_TEXT: Final = "(erased)"


@dataclass(frozen=True, slots=True)
class Place:
    """One place. `model` is its label ("payments.refund"), "" where it is no table.

    `rows(group)` are the rows that belong to the people; None where none do and all rows are
    searched. `delete` takes whole rows away. `kept` names columns that stay, each with the reason.
    `source` says that the people's own values stand here, so it is erased last. `step`, `count`,
    `others` and `export` stand in for what is done with a table.
    """

    name: str
    label: Text
    model: str = ""
    rows: "Callable[[Group], Rows] | None" = None
    fields: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, Text] = field(default_factory=dict)
    everywhere: bool = False
    delete: bool = False
    source: bool = False
    private: Collection[str] = ()
    step: Steps | None = None
    others: "Callable[[Group, int], int] | None" = None
    count: "Callable[[Group], int] | None" = None
    export: "Callable[[Group], Iterable[Mapping[str, Any]]] | None" = None

    def table(self) -> type[models.Model]:
        """Return the model. Raises LookupError for a place that is no table."""
        return apps.get_model(self.model)

    def columns(self) -> dict[str, str]:
        """Return column -> how it is erased; masked ones that are not named are emptied."""
        if not self.model:
            return {}
        known = {one.name: BLANK for one in masked_fields(self.table())} if self.rows else {}
        return {**known, **self.fields}


@dataclass(frozen=True, slots=True)
class Blocker:
    """Something open that still needs the person; `key` tells one from the other."""

    text: str
    label: str
    key: str


class Group:
    """People whose data is exported or erased in one go: rows of one announced model."""

    def __init__(self, label: str, keys: Iterable[Any]) -> None:
        self.label = label
        self._keys: dict[str, list[Any]] = {label: list(keys)}

    def keys(self, label: str) -> list[Any]:
        """Return the keys of the rows of a model that belong to the people; [] where none can."""
        if label not in self._keys:
            owner = _owners.get(label)
            found = owner[1](self.keys(owner[0])) if owner and self.keys(owner[0]) else None
            self._keys[label] = [] if found is None else list(found.values_list("pk", flat=True))
        return self._keys[label]

    def rows(self, label: str) -> Rows:
        """Return the rows of a model that belong to the people."""
        found: Rows = apps.get_model(label)._default_manager.filter(pk__in=self.keys(label))
        return found

    def past(self, label: str) -> Rows:
        """Return the rows of a model's history that belong to the people."""
        model = apps.get_model(label)
        past = model.history.model
        mine = {f"{model._meta.pk.attname}__in": self.keys(label)}
        found: Rows = past._default_manager.filter(**mine)
        return found

    def own_records(self) -> dict[str, list[str]]:
        """Return model label -> keys as text, of every model whose rows belong to people."""
        labels = [self.label, *(label for label in _owners if _installed(label))]
        return {label: [str(key) for key in self.keys(label)] for label in labels}

    def records(self) -> dict[str, list[str]]:
        """Return them with what is about one of them (a request for approval, say)."""
        own = self.own_records()
        about = {
            label: [str(key) for key in rows(self).values_list("pk", flat=True)]
            for label, rows in _about.items()
        }
        return {**own, **about}

    @cached_property
    def mentions(self) -> Mentions:
        """The people's values of today and of their history, clear, for this process alone.

        For texts about the people; about anybody else look for `elsewhere`.
        """
        return Mentions(self._values())

    @cached_property
    def identifiers(self) -> Mentions:
        """Of these the whole e-mail addresses, phone and account numbers."""
        return Mentions(value for value in self._values() if identifies(*value))

    @cached_property
    def elsewhere(self) -> Elsewhere:
        """What texts about others are searched for: identifiers, and full names that stood."""
        labels = _labels()
        names = (value for value in self._standing() if is_full_name(value[1], labels))
        alone = [*names, *(value for value in self._values() if identifies(*value))]
        return Elsewhere(alone, self.mentions)

    def _sources(self) -> "Iterator[tuple[Rows, list[MaskedMixin]]]":
        for place in places():
            if place.source and place.rows:
                yield place.rows(self), masked_fields(place.table())

    def _values(self) -> Iterator[Value]:
        for rows, columns in self._sources():
            yield from standing.values(rows, columns)

    def _standing(self) -> Iterator[Value]:
        for rows, columns in self._sources():
            is_past = hasattr(rows.model, "instance_type")
            yield from (standing.stood if is_past else standing.values)(rows, columns)


_announced: list[str] = []
# model -> (the model that it belongs to, keys of that -> rows)
_owners: "dict[str, tuple[str, Callable[[list[Any]], Rows]]]" = {}
# model whose rows are about any record -> those about the people's records
_about: "dict[str, Callable[[Group], Rows]]" = {}
_places: dict[str, Place] = {}
_exempt: dict[str, Text] = {}
_words: "list[Callable[[], Iterable[Text]]]" = []
_blockers: "list[Callable[[Group], Iterable[Blocker]]]" = []


def announce(label: str) -> None:
    """Say that the rows of a model are people whose data may be exported and erased."""
    if label not in _announced:
        _announced.append(label)


def announced() -> list[str]:
    """Return the labels of models whose rows are people."""
    return list(_announced)


def belongs(label: str, owner: str, rows: Callable[[list[Any]], Rows]) -> None:
    """Say which rows of `label` belong to rows of `owner`; another answer later is an error."""
    if _owners.setdefault(label, (owner, rows))[0] != owner:
        msg = f"{label} belongs to {_owners[label][0]} already"
        raise ValueError(msg)


def about(label: str, rows: "Callable[[Group], Rows]") -> None:
    """Say which rows of `label` are about the people's records (`Group.own_records`)."""
    _about[label] = rows


def register(place: Place) -> Place:
    """Put a place in force; a second one of the same name is an error.

    `with_past` registers the history of its model beside it.
    """
    if place.name in _places:
        msg = f"the place {place.name} is registered already"
        raise ValueError(msg)
    _places[place.name] = place
    return place


def exempt(label: str, why: Text) -> None:
    """Say that the text columns of a model hold nothing of such people, and why."""
    _exempt[label] = why


def exempted() -> dict[str, Text]:
    """Return label -> why nothing of people stands there."""
    return dict(_exempt)


def register_blocker(blocker: Callable[[Group], Iterable[Blocker]]) -> None:
    """Let `blocker(group)` name what is open and needs the people still."""
    if blocker not in _blockers:
        _blockers.append(blocker)


def reserve(words: Callable[[], Iterable[Text]]) -> None:
    """Say which words of ours (choices of a reason, say) are nobody's name."""
    if words not in _words:
        _words.append(words)


def _labels() -> list[str]:
    """Return the words of ours in every language that people work in."""
    found = []
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            found += [str(word) for words in _words for word in words()]
    return found


def blockers(group: Group) -> list[Blocker]:
    """Return what is open and needs the people still."""
    return [found for blocker in _blockers for found in blocker(group)]


def places() -> list[Place]:
    """Return the places whose app is installed, those with the people's own values last.

    History follows its table: erasing a row writes one more row of history.
    """
    found = [place for place in _places.values() if not place.model or _installed(place.model)]
    return sorted(found, key=lambda place: place.source)


def find(name: str) -> Place:
    """Return the place. Raises KeyError."""
    return _places[name]


def with_past(place: Place, *, reason: bool = True) -> Place:
    """Register a table's place and that of its history, whose typed reasons go as well."""
    register(place)
    label = place.model
    past = place.table().history.model  # type: ignore[attr-defined]
    columns = {"history_change_reason": BLANK} if reason else {}
    return register(
        Place(
            f"{place.name}.past",
            format_lazy(_("{place}, history"), place=place.label),
            past._meta.label_lower,
            rows=(lambda group: group.past(label)) if place.rows else None,
            fields={**place.fields, **columns},
            kept=place.kept,
            everywhere=place.everywhere,
            source=place.source,
            private=("history_user", "history_real_actor"),
        )
    )


def uncovered() -> list[MaskedMixin]:
    """Return the masked fields of models that lead to a person and stand in no place."""
    covered = {(place.model, name) for place in places() for name in place.columns()}
    people = {apps.get_model(label) for label in _announced if _installed(label)}
    return [
        column
        for model in apps.get_models()
        if _leads_to(model, people) and model._meta.label_lower not in _exempt
        for column in masked_fields(model)
        if (model._meta.label_lower, column.name) not in covered
    ]


def check_places(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Report masked fields that an erasure or an export of a person would miss."""
    return [
        checks.Error(
            f"{column.model._meta.label}.{column.name} is in no place of personal data.",
            hint="Register a masking.subjects.Place for it in AppConfig.ready, or exempt it.",
            obj=column.model,
            id="masking.E020",
        )
        for column in uncovered()
    ]


def _leads_to(model: type[models.Model], people: set[type[models.Model]], depth: int = 4) -> bool:
    """Say whether a chain of foreign keys leads from the model to one of people."""
    if model in people or getattr(model, "instance_type", None) in people:
        return True
    targets = {
        target.related_model
        for target in model._meta.concrete_fields
        if target.is_relation and isinstance(target.related_model, type)
    }
    return depth > 0 and any(_leads_to(target, people, depth - 1) for target in targets - {model})


def _installed(label: str) -> bool:
    return label.split(".", maxsplit=1)[0] in apps.app_configs
