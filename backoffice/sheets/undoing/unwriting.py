"""The walk through the journal of an import by which it is undone, a chunk at a time.

It goes from the newest part of the journal to the oldest, so that what uses others goes first.
Rows of a document (`documents`) are met with the first of them that comes, and done together.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.db import transaction
from django.db.models import Count, Max, Min, Model, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from backoffice import refusals
from backoffice.audit import history
from backoffice.jobs.run import JobRun, LostError
from backoffice.sheets import formats
from backoffice.sheets.models import ImportJob, ImportSpan, Undo, UndoLeft
from backoffice.sheets.undoing import backwards, documents
from backoffice.sheets.undoing.backwards import Part, Past
from backoffice.sheets.undoing.documents import Kind, Verdict

CHUNK: Final = 1_000
"""Rows a transaction; short enough that nobody else waits for the lock of SQLite."""
SINGLY: Final = 100
_DOCUMENTS: Final = 10
"""Rows a transaction, whose documents are tried one by one."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one phase of the import wrote of one model: the spans from `oldest` on, as one.

    `first` and `last` are ids of history rows; those of others may lie between.
    """

    phase: int
    model: str
    dataset: str
    oldest: int
    first: int
    last: int
    rows: int


def parts_of(job: ImportJob, settling: Collection[int] = ()) -> list[Written]:
    """Return the journal of an import, the newest part first.

    Phases that only added up documents come last: these are done with their parts.
    """
    spans = job.spans.order_by().values_list("phase", "model", "dataset")
    found = spans.annotate(Min("pk"), Min("first"), Max("last"), Sum("rows"))
    parts = [Written(*one) for one in found]
    return sorted(parts, key=lambda part: (part.phase in settling, -part.oldest))


class Walk:
    """One try at an undo."""

    def __init__(self, undo: Undo, run: JobRun) -> None:
        self.undo, self.run = undo, run
        self.job = undo.import_job
        self.signed: dict[str, Any] = {"actor": undo.owner, "reason": undo.change_reason}
        settling = documents.kinds(self.job)
        self.settling = set(settling)
        self.kinds: list[Kind] = list(dict.fromkeys(settling.values()))
        self.bound = {model for kind in self.kinds for model, _name in kind.columns}
        self.parts: list[Written] = []
        self.pasts: dict[type[Model], Past] = {}
        self.nameless: dict[type[Model], set[Any]] = {}
        self.total = self.done = 0

    def all(self) -> None:
        """Go through the journal from its newest part to its oldest."""
        self._journal()
        self.parts = parts_of(self.job, self.settling)
        self._look_back()
        self.total = sum(part.rows for part in self.parts)
        begun = [part.oldest for part in self.parts]
        first = begun.index(self.undo.span) if self.undo.span else 0
        for place, part in enumerate(self.parts):
            if place >= first:
                self._part(part)
            self.done += part.rows
        self._once_more()

    def _journal(self) -> None:
        """Make the journal of an import from before there was one, from the histories."""
        if self.job.spans.exists():
            return
        made = list(_from_histories(self.job))
        with self.run.effect():
            ImportSpan.objects.bulk_create(made)

    def _look_back(self) -> None:
        """Know the history of each model, and its rows that do not tell any more whose they are."""
        for label in {part.model for part in self.parts}:
            mine = [part for part in self.parts if part.model == label]
            newest, oldest = max(one.last for one in mine), min(one.first for one in mine)
            model = apps.get_model(label)
            past = self.pasts[model] = Past(model, self.job.change_reason, newest, oldest)
            if model in self.bound:
                self.nameless[model] = {key for one in mine for key in _nameless(one, past)}

    def _part(self, part: Written) -> None:
        past = self.pasts[apps.get_model(part.model)]
        place = self.undo.place if self.undo.span == part.oldest else 0
        done, before = self.done, self._rows_done(part.dataset)
        while place != part.first:
            so_far = done + self._rows_done(part.dataset) - before
            self.run.progress(min(so_far, self.total), self.total, _("Taking rows back"))
            # What the import wrote cannot change any more: this needs no lock.
            until = place - 1 if place else part.last
            firsts = past.firsts(part.first, until).order_by("-history_id")
            found = list(firsts.values_list("history_id", flat=True)[:CHUNK])
            ids = self._portion(past, found) if past.model in self.bound else found
            is_last = len(ids) == len(found) < CHUNK
            place = part.first if is_last else ids[-1]
            self._chunk(part, past, ids, place)

    def _rows_done(self, dataset: str) -> int:
        return sum(self.undo.counters.get(dataset, {}).values())

    def _portion(self, past: Past, ids: list[int]) -> list[int]:
        """Return the first of these history rows, as many as a transaction takes documents of."""
        keys = dict(past.rows.filter(history_id__in=ids).values_list("history_id", past.key))
        homes, sizes = self._documents(past.model, set(keys.values()))
        taken, rows = 0, 0
        for count, one in enumerate(ids):
            home = homes.get(keys[one])
            rows += sizes.pop(home, 0) if home else 1
            if rows > CHUNK and count:
                break
            taken = count + 1
        return ids[:taken]

    def _documents(
        self, model: type[Model], keys: set[Any]
    ) -> tuple[dict[Any, tuple[Kind, Any]], dict[tuple[Kind, Any], int]]:
        """Return key of row -> its document, and how many rows each document has."""
        homes: dict[Any, tuple[Kind, Any]] = {}
        sizes: dict[tuple[Kind, Any], int] = {}
        for kind in self.kinds:
            found = documents.homes(kind, model, keys - homes.keys())
            homes |= {key: (kind, root) for key, root in found.items()}
            counted = documents.sizes(kind, set(found.values()))
            sizes |= {(kind, root): count for root, count in counted.items()}
        return homes, sizes

    def _chunk(self, of: Written, past: Past, ids: Sequence[int], place: int) -> None:
        nameless = _nameless(of, past) if place == of.first else set()
        try:
            with self.run.effect():
                verdicts = self._judged(past, self._not_done(past, ids))
                for verdict in verdicts:
                    backwards.carry_out(*verdict, **self.signed)
                moved = self._note(of, past, verdicts, nameless, place)
        except refusals.REFUSED:
            self._singly(of, past, ids, place, nameless)
        else:
            self._keep(moved)

    def _not_done(self, past: Past, ids: Sequence[int]) -> list[int]:
        """Leave out rows that were done or listed with their document before."""
        if past.model not in self.bound:
            return list(ids)
        firsts = past.not_undone(past.rows.filter(history_id__in=ids))
        keys = dict(firsts.values_list("history_id", past.key))
        listed = self._listed(past.model, keys.values())
        return [one for one, key in keys.items() if str(key) not in listed]

    def _listed(self, model: type[Model], keys: Collection[Any]) -> dict[str, UndoLeft]:
        """Return key -> what says that the row is left."""
        names = [str(key) for key in keys]
        rows = self.undo.left.filter(model=model._meta.label, object_id__in=names)
        return {one.object_id: one for one in rows.order_by()}

    def _judged(self, past: Past, ids: Sequence[int]) -> list[Verdict]:
        """Say what becomes of these rows, and of all that belongs together with them."""
        if past.model not in self.bound:
            return [(past, backwards.judge(past, ids))]
        keys = dict(past.rows.filter(history_id__in=ids).values_list(past.key, "history_id"))
        verdicts: list[Verdict] = []
        for kind in self.kinds:
            homes = documents.homes(kind, past.model, keys)
            roots = set(homes.values())
            verdicts += documents.judge(kind, self.pasts, roots, self.nameless) if roots else []
            keys = {key: one for key, one in keys.items() if key not in homes}
        return [*verdicts, (past, backwards.judge(past, list(keys.values())))]

    def _singly(
        self, of: Written, past: Past, ids: Sequence[int], place: int, nameless: set[Any]
    ) -> None:
        """Do the same in small transactions, row by row, or document by document."""
        size = _DOCUMENTS if past.model in self.bound else SINGLY
        for start in range(0, len(ids), size):
            some, is_last = ids[start : start + size], start + size >= len(ids)
            with self.run.effect():
                verdicts = list(self._tried(past, self._not_done(past, some)))
                empty = nameless if is_last else set()
                moved = self._note(of, past, verdicts, empty, place if is_last else some[-1])
            self._keep(moved)

    def _tried(self, past: Past, ids: Sequence[int]) -> Iterator[Verdict]:
        """Carry out what the database takes; yield what became of the rows."""
        if past.model not in self.bound:
            part = backwards.judge(past, ids)
            backwards.carry_out_singly(past, part, **self.signed)
            yield past, part
            return
        for one in ids:
            # Another row of its document may have been met just before.
            verdicts = self._judged(past, [one]) if self._not_done(past, [one]) else []
            if not self._is_taken(verdicts):
                for _past, part in verdicts:
                    part.leave([*part.back, *part.away], UndoLeft.Why.REFUSED)
            yield from verdicts

    def _is_taken(self, verdicts: Sequence[Verdict]) -> bool:
        try:
            with transaction.atomic():
                for verdict in verdicts:
                    backwards.carry_out(*verdict, **self.signed)
        except refusals.REFUSED:
            return False
        return True

    def _note(
        self,
        of: Written,
        past: Past,
        verdicts: Sequence[Verdict],
        nameless: Collection[Any],
        place: int,
    ) -> dict[str, Any]:
        """Write down what was left and how far it came, in the transaction of the rows."""
        empty = Part(left=dict.fromkeys(nameless, UndoLeft.Why.UNKNOWN))
        counts = self._list([*verdicts, (past, empty)], of.dataset)
        return self._move(counts, span=of.oldest, place=place)

    def _list(self, verdicts: Sequence[Verdict], dataset: str) -> dict[str, Counter[str]]:
        """List the rows that are left, each once; return data set -> what became of how many."""
        counts: dict[str, Counter[str]] = {dataset: Counter()}
        fates: dict[type[Model], dict[Any, Fate]] = {}
        for past, part in verdicts:
            of = fates.setdefault(past.model, {})
            for key in (*part.back, *part.away, *part.left):
                of.setdefault(key, self._fate(past, part, key, dataset))
        for model, found in fates.items():
            known = self._listed(model, found)
            for key, fate in found.items():
                count = counts.setdefault(fate.dataset, Counter())
                count[fate.what] += 1
                count["left"] -= str(key) in known
            self._write_down(model, found, known)
        return counts

    def _fate(self, past: Past, part: Part, key: Any, dataset: str) -> "Fate":
        label, at = past.model._meta.label, part.at.get(key, 0)
        mine = (one for one in self.parts if one.model == label and one.first <= at <= one.last)
        of = next(mine, None)
        what = "back" if key in part.back else "left" if key in part.left else "deleted"
        return Fate(what, part.left.get(key, ""), of.dataset if of else dataset)

    def _write_down(
        self, model: type[Model], fates: dict[Any, "Fate"], known: dict[str, UndoLeft]
    ) -> None:
        label, undo = model._meta.label, self.undo
        went = [known[str(key)].pk for key, of in fates.items() if not of.why and str(key) in known]
        UndoLeft.objects.filter(pk__in=went).delete()
        UndoLeft.objects.bulk_create(
            UndoLeft(undo=undo, dataset=of.dataset, model=label, object_id=key, why=of.why)
            for key, of in fates.items()
            if of.why and str(key) not in known
        )

    def _move(self, counts: dict[str, Counter[str]], **place: int) -> dict[str, Any]:
        """Write counters and place; LostError when another worker goes on with this undo."""
        undo = self.undo
        counters = {name: dict(of) for name, of in undo.counters.items()}
        for dataset, of in counts.items():
            mine = counters.setdefault(dataset, {"back": 0, "deleted": 0, "left": 0})
            for name, count in of.items():
                mine[name] += count
        still = Undo.objects.filter(pk=undo.pk, step=undo.step, state=Undo.State.RUNNING)
        values = {"counters": counters, "step": undo.step + 1, **place}
        if not still.update(**values):
            raise LostError
        return values

    def _keep(self, moved: dict[str, Any]) -> None:
        """Know what is committed."""
        for name, value in moved.items():
            setattr(self.undo, name, value)

    def _once_more(self) -> None:
        """Look again at made rows that were used: what used them may have gone since."""
        went = True
        while went:
            went = False
            used = self.undo.left.filter(why=UndoLeft.Why.USED).order_by()
            for label, dataset in used.values_list("model", "dataset").distinct():
                rows = used.filter(model=label, dataset=dataset).order_by("pk")
                went = self._again(self.pasts[apps.get_model(label)], dataset, rows) or went

    def _again(self, past: Past, dataset: str, rows: QuerySet[UndoLeft]) -> bool:
        went, last = 0, 0
        size = _DOCUMENTS if past.model in self.bound else CHUNK
        while some := dict(rows.filter(pk__gt=last).values_list("object_id", "pk")[:size]):
            last = max(some.values())
            went += self._some_again(past, dataset, list(some))
        return bool(went)

    def _some_again(self, past: Past, dataset: str, keys: Sequence[str]) -> int:
        """Take back those of the rows that nobody uses any more, and what stayed with them."""
        try:
            with self.run.effect():
                verdicts = self._judged(past, past.firsts_of(keys))
                for verdict in verdicts:
                    backwards.carry_out(*verdict, **self.signed)
                moved = self._move(self._list(verdicts, dataset))
        except refusals.REFUSED:
            return 0
        self._keep(moved)
        return sum(len(part.back) + len(part.away) for _past, part in verdicts)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a row, why it is left ("" when it is not), and of which data set it is."""

    what: str
    why: str
    dataset: str


def _nameless(of: Written, past: Past) -> set[Any]:
    """Return rows of the part whose history does not tell any more whose it is.

    An erasure takes the reasons of a person's history; what it emptied must not come back.
    """
    within = past.rows.filter(history_id__range=(of.first, of.last))
    if within.filter(past.mine).count() >= of.rows:
        return set()
    empty = Q(history_change_reason=None) | Q(history_change_reason="")
    return set(within.filter(empty).values_list(past.key, flat=True))


def _from_histories(job: ImportJob) -> Iterator[ImportSpan]:
    """Yield one span for each model that the import wrote, in the order of its format."""
    seen: set[Any] = set()
    for phase, step in enumerate(formats.get(job.format).steps):
        meta: Any = getattr(step, "_meta", None)
        model = meta.model if meta else step.model  # type: ignore[attr-defined]
        if model in seen or not history.is_tracked(model):
            continue
        seen.add(model)
        rows = Past(model, job.change_reason, 0).rows.filter(
            history_change_reason=job.change_reason
        )
        found = rows.aggregate(first=Min("history_id"), last=Max("history_id"), rows=Count("pk"))
        if found["rows"]:
            yield ImportSpan(
                import_job=job, dataset=step.dataset, phase=phase, model=model._meta.label, **found
            )
