"""Staged records as the difference shows them: a constant number of queries a page.

Values of masked fields are masks on both sides, also for whoever uploaded the file. A row that the
person may not see is named by nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, Q
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.masking.fields import MaskedMixin
from backoffice.money import Money
from backoffice.policy import may, may_many, scope
from backoffice.sheets.differences import Part, Shape
from backoffice.sheets.models import ImportJob, Status
from backoffice.sheets.staging import Staged
from backoffice.sheets.writing import closed
from backoffice.site import Badge
from backoffice.site.cells import markup, mask_markup

ORDER = (
    Status.NEW,
    Status.CHANGED,
    Status.BRINGS,
    Status.UNCHANGED,
    Status.FAILED,
    Status.SKIPPED,
)
BADGES = {
    Status.NEW: Badge("done", gettext_lazy("New")),
    Status.CHANGED: Badge("move", gettext_lazy("Changed")),
    Status.BRINGS: Badge("move", gettext_lazy("Brings masked values")),
    Status.UNCHANGED: Badge("rest", gettext_lazy("Unchanged")),
    Status.FAILED: Badge("fail", gettext_lazy("Failed")),
    Status.SKIPPED: Badge("rest", gettext_lazy("Skipped")),
}
_EMPTY = "\N{EN DASH}"
_MINOR = "_minor"


@dataclass(slots=True)
class Value:
    """A field with its old and new value as markup; `url` leads to a related row."""

    label: str
    old: str
    new: str
    masked: bool = False
    url: str = ""


@dataclass(slots=True)
class Line:
    """One record: its place in the file, what becomes of it, and its values."""

    staged: Staged
    title: str
    badge: Badge
    url: str = ""
    changes: list[Value] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    problems: list[Any] = field(default_factory=list)
    note: str = ""


class Lines:
    """Makes the lines of one page for one person."""

    def __init__(self, page: Any, request: HttpRequest, job: ImportJob, shape: Shape) -> None:
        self.site, self.user, self.job, self.shape = page.site, request.user, job, shape
        self._closed = closed.fields(self.user, shape.model)
        self._old: dict[str, dict[str, Any]] = {}
        self._seen: set[str] = set()
        self._related: dict[str, dict[str, str]] = {}
        self._problems: dict[tuple[str, int], list[Any]] = {}
        form = page.form(job)
        self._columns = {one.key: one.label for one in form.columns} if form else {}

    def of(self, staged: Sequence[Staged]) -> list[Line]:
        """Return the lines, in the same order."""
        self._read(staged)
        return [self._line(one) for one in staged]

    def _read(self, staged: Sequence[Staged]) -> None:
        """Read what the page needs of rows, related rows and problems."""
        keys = [one.pk for one in staged if one.pk is not None]
        if keys:
            self._read_rows(keys)
        for part in (*self.shape.keys, *self.shape.fields):
            if part.natural:
                self._related[part.name] = self._addresses(part, staged)
        self._read_problems([one for one in staged if one.status == Status.FAILED])

    def _read_rows(self, keys: list[Any]) -> None:
        rows = scope(self.user, self.shape.model._default_manager.all())
        records = list(rows.filter(pk__in=keys))
        if self.shape.seen_with:
            self._seen = {str(row.pk) for row in records}
        else:
            allowed = may_many(self.user, "view", records)
            self._seen = {str(row.pk) for row in records if allowed[row.pk]}
        found = self.shape.old_values(rows, self._seen)
        self._old = {str(key): values for key, values in found.items()}

    def _addresses(self, part: Part, staged: Sequence[Staged]) -> dict[str, str]:
        """Return natural key -> address of the related row, of those that the person may view."""
        model: type[Model] = part.stored.related_model
        named = {one.values.get(part.name) for one in staged} - {None}
        named |= {old.get(part.path) for old in self._old.values()} - {None}
        if isinstance(part.shown, MaskedMixin) or not named or not may(self.user, "view", model):
            return {}
        if not self._address(model, 0):
            return {}
        rows = scope(self.user, model._default_manager.filter(**{f"{part.natural}__in": named}))
        found = list(rows)
        allowed = may_many(self.user, "view", found)
        return {
            str(getattr(row, part.natural)): self._address(model, row.pk)
            for row in found
            if "__" not in part.natural and allowed[row.pk]
        }

    def _read_problems(self, failed: Sequence[Staged]) -> None:
        found: dict[tuple[str, int], list[Any]] = defaultdict(list)
        if failed:
            at = Q(sheet__in={one.sheet for one in failed}, row__in=[one.row for one in failed])
            for one in self.job.problems.filter(at, from_run=False):
                told = {"column": self._columns.get(one.column, one.column)}
                told |= {"wrong": one.wrong, "what_to_do": one.what_to_do}
                found[one.sheet, one.row].append(told)
        self._problems = found

    def _address(self, model: type[Model], pk: Any) -> str:
        name = f"{model._meta.app_label}_{model._meta.model_name}_change"
        try:
            return reverse(f"{self.site.name}:{name}", args=[pk])
        except NoReverseMatch:
            return ""

    def _line(self, staged: Staged) -> Line:
        line = Line(staged, self._title(staged), BADGES[staged.status])
        if staged.pk is not None and str(staged.pk) not in self._seen:
            line.title = _("a record that you may not see")
            return line
        if staged.pk is not None:
            line.url = self._address(self.shape.model, staged.pk)
        if staged.status == Status.NEW:
            line.values = self._brought(staged)
        elif staged.status == Status.CHANGED:
            line.changes = self._changes(staged)
            line.note = "" if line.changes else _("The row is as the file has it by now.")
        elif staged.status == Status.BRINGS:
            line.changes = self._changes(staged)
            line.note = _("Whether a masked value is another one, the run finds out.")
        elif staged.status == Status.FAILED:
            line.title = ""
            line.problems = self._problems.get((staged.sheet, staged.row), [])
        return line

    def _title(self, staged: Staged) -> str:
        """Return the natural key of the record, masked where it is masked."""
        said = ((self._shown(one, staged.values, staged.values),) for one in self.shape.keys)
        return format_html_join(" · ", "{}", said)

    def _brought(self, staged: Staged) -> list[Value]:
        return [
            self._value(one, "", self._shown(one, staged.values, staged.values), staged)
            for one in self.shape.fields
            if staged.values.get(one.name) not in {None, ""}
        ]

    def _changes(self, staged: Staged) -> list[Value]:
        old = self._old[str(staged.pk)]
        before = {one.name: old[one.path] for one in self.shape.fields}
        before["currency"] = old.get("currency")
        after = {**before, **{k: v for k, v in staged.values.items() if v is not None}}
        return [
            self._value(
                one,
                self._shown(one, before, before),
                self._shown(one, staged.values, after),
                staged,
            )
            for one in (
                *self.shape.changes(old, staged.values, self._closed),
                *self.shape.brings(staged.values, self._closed),
            )
        ]

    def _value(self, part: Part, old: str, new: str, staged: Staged) -> Value:
        url = self._related.get(part.name, {}).get(str(staged.values.get(part.name)), "")
        if url:
            new = format_html('<a href="{}">{}</a>', url, new)
        return Value(part.label, old, new, part.is_masked, url)

    def _shown(self, part: Part, values: dict[str, Any], row: dict[str, Any]) -> str:
        """Return a value as markup; `row` says the currency of an amount."""
        value = values.get(part.name)
        if part.is_masked:
            return mask_markup(part.sealed(value)) or _EMPTY
        currency = row.get("currency")
        if part.name.endswith(_MINOR) and isinstance(value, int) and currency:
            return markup(Money(value, currency), None, None, _EMPTY)
        if part.stored.choices:
            return format_html("{}", dict(part.stored.flatchoices).get(value, value))
        field_of = None if part.natural else part.stored
        return markup(value, field_of, None, _EMPTY)
