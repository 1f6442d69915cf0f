"""Declares charts: what is asked, how it is drawn, who may see it, which list stands behind it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model, QuerySet

from backoffice import policy

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as LazyText

    from backoffice.accounts.models import User

    type Text = str | LazyText


class Kind(StrEnum):
    """How the marks are drawn."""

    LINE = "line"
    BAR = "bar"
    COLUMN = "column"
    PIE = "pie"


@dataclass(frozen=True)
class Scope:
    """Gives one person's rows: `scope(Order)` is every order that they may see on `site`.

    Charts drawn on one page share one scope, so a question that several of them ask
    (`scope.once(newest_day)`) reaches the database once. `options` are the page's own choices (a
    period), as its query string has them: text that the reader must check.
    """

    user: "User"
    site: str = policy.STAFF
    options: Mapping[str, str] = field(default_factory=dict)
    _answers: dict[Callable[..., Any], Any] = field(default_factory=dict, compare=False)

    def __call__[M: Model](self, model: type[M]) -> QuerySet[M]:
        return policy.scope(self.user, model._default_manager.all(), site=self.site)

    def once[T](self, question: "Callable[[Scope], T]") -> T:
        """Return `question(self)`, asked at most once in the life of this scope."""
        if question not in self._answers:
            self._answers[question] = question(self)
        answer: T = self._answers[question]
        return answer


@dataclass(frozen=True, slots=True)
class Row:
    """One mark: a label and its value.

    `minor` is in minor units of the ISO 4217 `currency`; with no currency it is a plain count.
    `places` is the number of decimals of `minor`, where it is not that of its currency (none for a
    plain number). `series` tells lines or groups of columns apart. `query` is the filter of the
    list behind the mark, as the query string of its page has it; without one the mark opens
    nothing. `drill` names another list than the chart's.
    """

    label: str
    currency: str
    minor: int
    series: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    drill: type[Model] | None = None
    places: int | None = None


type Rows = Iterable[Row] | Iterable[tuple[str, str, int]]
type Question = Callable[[Scope], Rows]


@dataclass(frozen=True, slots=True)
class Chart:
    """A registered chart; `ask` returns its rows in the order in which they are drawn.

    Marks that do not add up (averages) have neither total nor shares.
    """

    key: str
    title: "Text"
    kind: Kind
    permission: str
    ask: Question
    drill: type[Model] | None = None
    site: str = policy.STAFF
    note: "Text" = ""
    label: "Text" = ""
    adds_up: bool = True

    def allowed(self, user: "User") -> bool:
        """Tell whether `user` may see this chart at all."""
        return policy.may(user, self.permission, None).allowed

    def behind(self, scope: Scope, row: Row) -> QuerySet[Model]:
        """Return the rows of the list that the mark of `row` opens.

        Raises LookupError when the mark has no list behind it.
        """
        model = row.drill or self.drill
        if model is None or not row.query:
            msg = f"This mark of {self.key} opens no list."
            raise LookupError(msg)
        return scope(model).filter(**row.query)


_charts: dict[str, Chart] = {}


def chart(
    title: "Text",
    *,
    kind: str,
    permission: str,
    key: str = "",
    drill: type[Model] | None = None,
    site: str = policy.STAFF,
    note: "Text" = "",
    label: "Text" = "",
) -> Callable[[Question], Question]:
    """Register the decorated function as a chart and return it unchanged.

    `permission` is a full codename ("orders.view_order"). `drill` is the model whose list on the
    site called `site` opens when a mark is clicked. `note` says what is counted and stands below
    the chart; `label` heads the first column of the table beside it. The key is the app's name and
    the function's ("reports.revenue_by_month") unless given. Raises ImproperlyConfigured when
    another chart has that key, and ValueError for an unknown kind.
    """

    def register(ask: Question) -> Question:
        app = ask.__module__.rpartition(".charts")[0].rpartition(".")[2]
        name = key or f"{app}.{getattr(ask, '__name__', '')}"
        add(Chart(name, title, Kind(kind), permission, ask, drill, site, note, label))
        return ask

    return register


def add(item: Chart) -> None:
    """Put `item` into the registry; raises ImproperlyConfigured when its key is taken."""
    if item.key in _charts:
        msg = f"Two charts are called {item.key}."
        raise ImproperlyConfigured(msg)
    _charts[item.key] = item


def remove(key: str) -> None:
    """Take a chart out again; KeyError when there is none of that name."""
    del _charts[key]


def get(key: str) -> Chart:
    """Return the chart called `key`; KeyError when there is none."""
    return _charts[key]


def every() -> list[Chart]:
    """Return all charts, by key."""
    return [_charts[key] for key in sorted(_charts)]
