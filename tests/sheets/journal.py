"""Imports as the journal knows them, without a file: for tests of what comes after the writing."""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Model
from django.utils import timezone
from simple_history.utils import get_history_manager_for_model

from backoffice.accounts.models import User
from backoffice.audit import history
from backoffice.jobs.run import execute
from backoffice.sheets.models import ImportJob, ImportSpan, Undo
from backoffice.sheets.undoing import undo


def finished(owner: User, *, state: str = ImportJob.State.DONE) -> ImportJob:
    """Return an import that is over and has written nothing yet."""
    return ImportJob.objects.create(
        owner=owner,
        original_name="prices.csv",
        kind="csv",
        size=1,
        sha256="0" * 64,
        format="online-retail",
        state=state,
        started_at=timezone.now(),
        finished_at=timezone.now(),
    )


def make[M: Model](job: ImportJob, rows: Sequence[M], dataset: str = "rows") -> list[M]:
    """Let the import create rows: one chunk."""
    made = history.bulk_create(rows, actor=job.owner, reason=job.change_reason)
    _span(job, [row.pk for row in made], type(rows[0]), dataset, "created")
    return made


def change(job: ImportJob, rows: Sequence[Model], dataset: str = "rows", **values: Any) -> None:
    """Let the import give the rows these values: one chunk."""
    for row in rows:
        for name, value in values.items():
            setattr(row, name, value)
    history.bulk_update(rows, list(values), actor=job.owner, reason=job.change_reason)
    _span(job, [row.pk for row in rows], type(rows[0]), dataset, "updated")


def _span(job: ImportJob, keys: list[Any], model: type[Model], dataset: str, what: str) -> None:
    past = get_history_manager_for_model(model)
    newest = past.order_by("-history_id").values_list("history_id", flat=True)[: len(keys)]
    ImportSpan.objects.create(
        import_job=job,
        dataset=dataset,
        phase=0,
        model=model._meta.label,
        first=min(newest),
        last=max(newest),
        rows=len(keys),
    )
    counts = job.counters.setdefault(dataset, {"created": 0, "updated": 0})
    counts[what] += len(keys)
    job.save(update_fields=["counters"])


def take_back(job: ImportJob, actor: User | None = None, reason: str = "") -> Undo:
    """Undo the import in this process and return what came of it."""
    begun = undo.begin(job, actor=actor or job.owner, reason=reason)
    assert begun.job is not None
    execute(begun.job.pk)
    begun.refresh_from_db()
    job.refresh_from_db()
    return begun


def left(begun: Undo) -> set[tuple[str, str]]:
    """Return (key, why) of the rows that were left."""
    return set(begun.left.values_list("object_id", "why"))


def stored(model: type[Model]) -> dict[Any, tuple[Any, ...]]:
    """Return key -> the whole row of the table as the database holds it."""
    names = [str(one.column) for one in model._meta.concrete_fields]
    columns = ", ".join(connection.ops.quote_name(name) for name in names)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {model._meta.db_table}")  # noqa: S608 - our own names
        place = names.index(str(model._meta.pk.column))
        return {row[place]: tuple(map(str, row)) for row in cursor.fetchall()}
