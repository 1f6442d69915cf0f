"""The journal of an import: which history rows each committed chunk wrote."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import Count, Max, Min, Model
from simple_history.utils import get_history_manager_for_model

from backoffice.audit import history
from backoffice.sheets.models import ImportJob, ImportSpan


@contextmanager
def noted(job: ImportJob, dataset: str, model: type[Model]) -> Iterator[None]:
    """Note the history rows of `model` that the block writes for this import.

    Runs inside the transaction of the rows. Keys of history rows only grow: what the block writes
    lies above the highest key before it, among rows of others that carry another reason.
    """
    if not history.is_tracked(model):
        yield
        return
    before = _top(model)
    yield
    write(job, dataset, model, _since(job, model, before))


@contextmanager
def noted_all(
    job: ImportJob, dataset: str, signer: history.Signer, model: type[Model]
) -> Iterator[None]:
    """Note the history rows of every model that the block writes for this import.

    `signer` is told by the block which models these are; `model` is written in any case.
    """
    before = {model: _top(model)} if history.is_tracked(model) else {}
    yield
    for one in sorted({*signer.touched, *before}, key=lambda found: found._meta.label):
        write(job, dataset, one, _since(job, one, before.get(one, _noted(job, one))))


def _noted(job: ImportJob, model: type[Model]) -> int:
    """Return the last history row of the model that the journal names."""
    found = job.spans.filter(model=model._meta.label).aggregate(Max("last"))
    return found["last__max"] or 0


def _top(model: type[Model]) -> int:
    past = get_history_manager_for_model(model).model
    return past._default_manager.aggregate(Max("history_id"))["history_id__max"] or 0


def _since(job: ImportJob, model: type[Model], before: int) -> dict[str, Any]:
    past = get_history_manager_for_model(model).model
    mine = past._default_manager.filter(
        history_id__gt=before, history_change_reason=job.change_reason
    )
    found: dict[str, Any] = mine.order_by().aggregate(
        first=Min("history_id"), last=Max("history_id"), rows=Count("pk")
    )
    return found


def write(job: ImportJob, dataset: str, model: type[Model], found: dict[str, Any]) -> None:
    """Keep a span: `first`, `last` and `rows` of history; nothing where there are no rows."""
    if found["rows"]:
        ImportSpan.objects.create(
            import_job=job, dataset=dataset, phase=job.phase, model=model._meta.label, **found
        )


def rows(job: ImportJob, model: type[Model]) -> int:
    """Return how many rows of the model the history says that the import wrote."""
    if not history.is_tracked(model):
        return sum(
            counts.get("created", 0) + counts.get("updated", 0) for counts in job.counters.values()
        )
    found = job.spans.filter(model=model._meta.label).aggregate(
        first=Min("first"), last=Max("last")
    )
    if found["first"] is None:
        return 0
    past = get_history_manager_for_model(model)
    mine = past.filter(history_id__gte=found["first"], history_id__lte=found["last"])
    return int(mine.filter(history_change_reason=job.change_reason).count())
