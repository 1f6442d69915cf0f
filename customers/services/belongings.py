"""What belongs to a customer in the apps above: it goes along when two customers become one.

An app says so in `AppConfig.ready`:

    belongings.register(Order, "customer")                      rows that point to a customer
    belongings.come_along(_("Refunds"), queries.refunds_count)  rows behind those, only counted
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet
from django.utils.functional import Promise
from django.utils.text import capfirst

from backoffice.audit import history
from customers.models import Customer

type Keys = dict[str, list[Any]]
# How many rows of a customer there are behind those that point to them.
type Counting = Callable[[Customer], int]


@dataclass(frozen=True, slots=True)
class Belonging:
    """Rows of `model` that point to a customer by `field`."""

    model: type[Model]
    field: str

    @property
    def label(self) -> str:
        """The rows in words ("Orders")."""
        return capfirst(str(self.model._meta.verbose_name_plural))

    def rows(self, customer: Customer) -> QuerySet[Any]:
        """Return the rows of one customer."""
        return self.model._default_manager.filter(**{self.field: customer}).order_by("pk")

    def give(self, rows: QuerySet[Any], to: Customer, *, actor: Any, reason: str) -> None:
        """Point the rows to another customer, each with its history row."""
        changes = {self.field: to}
        if history.is_tracked(self.model):
            history.update(rows, actor=actor, changes=changes, reason=reason)
        else:
            rows.update(**changes)


_belongings: dict[str, Belonging] = {}
_along: list[tuple[str | Promise, Counting]] = []


def register(model: type[Model], field: str) -> None:
    """Let the rows of `model` go along; once for each model."""
    _belongings[model._meta.label_lower] = Belonging(model, field)


def come_along(label: str | Promise, count: Counting) -> None:
    """Show how many rows go along because what they point to does."""
    _along.append((label, count))


def registered() -> list[Belonging]:
    """Return what was registered."""
    return list(_belongings.values())


def counts(customer: Customer) -> list[tuple[str, int]]:
    """Return (words, how many) of all that belongs to a customer."""
    own = [(belonging.label, belonging.rows(customer).count()) for belonging in registered()]
    return [*own, *((str(label), count(customer)) for label, count in _along)]


def move(gone: Customer, kept: Customer, *, actor: Any, reason: str) -> Keys:
    """Give everything of the one to the other; return the label of each model -> keys moved."""
    moved: Keys = {}
    for label, belonging in _belongings.items():
        keys = list(belonging.rows(gone).values_list("pk", flat=True))
        if keys:
            belonging.give(belonging.rows(gone), kept, actor=actor, reason=reason)
            moved[label] = keys
    return moved


def move_back(
    moved: Mapping[str, list[Any]], *, gone: Customer, kept: Customer, actor: Any, reason: str
) -> Keys:
    """Give back exactly what was moved; return what is not with `kept` any more and stays."""
    stayed: Keys = {}
    for label, keys in moved.items():
        belonging = _belongings.get(label)
        there = _still_with(belonging, kept, keys) if belonging else []
        if belonging and there:
            rows = belonging.model._default_manager.filter(pk__in=there)
            belonging.give(rows, gone, actor=actor, reason=reason)
        if left := sorted(set(keys) - set(there)):
            stayed[label] = left
    return stayed


def _still_with(belonging: Belonging, kept: Customer, keys: list[Any]) -> list[Any]:
    return list(belonging.rows(kept).filter(pk__in=keys).values_list("pk", flat=True))


def words(keys: Mapping[str, list[Any]]) -> list[tuple[str, int]]:
    """Return (words, how many) of what moved or stayed; a model that is not installed by name."""
    return [(_word(label), len(found)) for label, found in keys.items()]


def _word(label: str) -> str:
    try:
        return capfirst(str(apps.get_model(label)._meta.verbose_name_plural))
    except LookupError:
        return label
