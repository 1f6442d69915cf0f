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
    past = get_history_manager_for_model(model).model
    before = past._default_manager.aggregate(Max("history_id"))["history_id__max"] or 0
    yield
    mine = past._default_manager.filter(
        history_id__gt=before, history_change_reason=job.change_reason
    )
    found = mine.order_by().aggregate(
        first=Min("history_id"), last=Max("history_id"), rows=Count("pk")
    )
    write(job, dataset, model, found)


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
