"""Exports of lists that are too long to be waited for: a job writes the file, for the asker alone.

Rights and filter are asked again when the job runs, and the right once more at each download: who
lost it meanwhile gets nothing. The file is written outside of any transaction, encrypted part by
part, then linked in one short write; a worker that is killed leaves a file without a row, which the
next one writes anew. Files expire after a day.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.apps import apps
from django.db import transaction
from django.db.models import Model, Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice import keyring
from backoffice.accounts import acting, sealed
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from backoffice.files import rights
from backoffice.files import services as files
from backoffice.files.models import KeptFile
from backoffice.jobs import registry
from backoffice.jobs import services as jobs
from backoffice.jobs.run import JobError, JobRun
from backoffice.sheets.exporting import exports
from backoffice.sheets.models import ExportJob

KIND: Final = "sheets.export"
ASKED = verbs.register("sheets.export_asked", gettext_lazy("Export of a long list asked for"))
LASTS: Final = timedelta(hours=24)
_LOST: Final = gettext_lazy("Who asked for it lost the right to this export.")
_GONE: Final = gettext_lazy("This list, or a column of it, is not there any more.")


class LostRightError(Exception):
    """Whoever asked may not export this list (any more)."""


class GoneError(Exception):
    """The list, a column or the filter is not there any more."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asked for; see the columns of ExportJob."""

    site: str
    model: type[Model]
    kind: str
    names: Sequence[str]
    as_words: bool
    query: str
    told: dict[str, str]
    rows: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A list as its owner sees it now: heads, rows, and how many there are."""

    name: str
    heads: list[str]
    rows: Iterable[Any]
    count: int


# The lists are pages, which stand above: they put in here how to read one, and who may.
Reader = Callable[[ExportJob, str], AbstractContextManager[Source]]
Right = Callable[[ExportJob, Any], bool]
_readers: dict[str, tuple[Reader, Right]] = {}


def read_with(reader: Reader, right: Right) -> None:
    """Let `reader(export, query)` open lists: it raises LostRightError and GoneError.

    `right(export, user)` says whether the person may have the file now.
    """
    _readers[KIND] = reader, right


def ask(wanted: Wanted, *, actor: User) -> ExportJob:
    """Start the job that writes the file. Raises PermissionDenied while acting for somebody."""
    acting.refuse()
    export = ExportJob(
        owner=actor,
        site=wanted.site,
        model=wanted.model._meta.label_lower,
        kind=wanted.kind,
        names=list(wanted.names),
        as_words=wanted.as_words,
        language=translation.get_language() or "",
        zone=timezone.get_current_timezone_name(),
        filter=wanted.told,
        asked=wanted.rows,
    )
    export.sealed_query = keyring.seal(wanted.query, use=export.use)
    facts = {"format": wanted.kind, "fields": list(wanted.names), "filter": wanted.told,
             "rows": wanted.rows}  # fmt: skip
    with transaction.atomic():
        export.save()
        record(ASKED, actor=actor, subject=wanted.model, reason=wanted.reason, context=facts)
        params = {"export": export.pk}
        export.job = jobs.start(KIND, actor=actor, title=summary(export), params=params)
        export.save(update_fields=["job"])
    return export


def summary(export: ExportJob) -> str:
    """Return what it is in a line, without a personal value."""
    text = ngettext(
        "Export of %(count)s record: %(kind)s", "Export of %(count)s records: %(kind)s",
        export.asked,
    )  # fmt: skip
    return text % {"count": f"{export.asked:,}", "kind": kind_of(export)}


def kind_of(export: ExportJob) -> str:
    """Return what the rows are, in words."""
    try:
        return str(apps.get_model(export.model)._meta.verbose_name_plural)
    except LookupError:
        return export.model


def may_have(user: Any, export: ExportJob) -> bool:
    """Say whether the person may have the file now: it is theirs, and so is the right still."""
    readers = _readers.get(KIND)
    return export.owner_id == user.pk and readers is not None and readers[1](export, user)


def _may_have_file(user: Any, kept: KeptFile) -> bool:
    export = ExportJob.objects.filter(file=kept).first()
    return export is not None and may_have(user, export)


rights.register(KIND, _may_have_file)


@registry.handler(KIND)
def make(run: JobRun) -> dict[str, Any]:
    """Write the file as the list is now, then link it; a second call finds it linked."""
    export = ExportJob.objects.select_related("owner").get(pk=run.params["export"])
    if export.made_at is not None:
        return {"rows": export.rows or 0}
    with translation.override(export.language or None), timezone.override(export.zone):
        try:
            return _made(run, export)
        except LostRightError:
            _note_loss(export)
            raise JobError(str(_LOST)) from None
        except GoneError:
            raise JobError(str(_GONE)) from None


def _made(run: JobRun, export: ExportJob) -> dict[str, Any]:
    if not export.sealed_query:
        raise JobError(_("This export is too old to be made. Ask for it again."))
    query = keyring.open_sealed(export.sealed_query, use=export.use)
    with _readers[KIND][0](export, query) as source:
        rows = _Counted(source.rows)
        parts = exports.PARTS[export.kind](source.name, source.heads, rows)
        kept = files.lay(
            _watched(parts, rows, run, source.count),
            name=f"{source.name}.{export.kind}",
            kind=export.kind,
            purpose=KIND,
            owner=export.owner,
            lasts=LASTS,
        )
    try:
        _link(run, export, kept, rows.done)
    except BaseException:
        kept.file.delete(save=False)
        raise
    return {"rows": rows.done}


def _link(run: JobRun, export: ExportJob, kept: KeptFile, rows: int) -> None:
    """Put the file, its row and the event into the database, all or nothing."""
    facts = {"format": export.kind, "fields": export.names, "filter": export.filter, "rows": rows,
             "sha256": kept.sha256, "export": export.pk}  # fmt: skip
    with run.effect() as checkpoint:
        kept.save()
        export.file, export.rows, export.made_at = kept, rows, timezone.now()
        export.sealed_query = ""
        export.save(update_fields=["file", "rows", "made_at", "sealed_query"])
        record(verbs.EXPORTED, actor=export.owner, subject=apps.get_model(export.model),
               context=facts)  # fmt: skip
        checkpoint["made"] = True


def _note_loss(export: ExportJob) -> None:
    facts = {"format": export.kind, "export": export.pk}
    record(verbs.EXPORTED, actor=export.owner, subject=apps.get_model(export.model),
           outcome=Outcome.REFUSED, context=facts)  # fmt: skip


class _Counted:
    """Passes rows on and counts them, also those that COPY writes past it."""

    # Another connection than the one on which the job says how far it is.
    apart = True

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows = rows
        self.done = 0

    def __getattr__(self, name: str) -> Any:
        """Let the rows themselves say how the database would write them."""
        return getattr(self._rows, name)

    def __iter__(self) -> Iterator[Any]:
        for row in self._rows:
            self.done += 1
            yield row

    def passed(self, rows: int) -> None:
        """Take note of rows that did not come through here."""
        self.done += rows


def _watched(parts: Iterable[bytes], rows: _Counted, run: JobRun, total: int) -> Iterator[bytes]:
    """Pass the parts on and show the progress; ends with CancelledError when asked to stop."""
    for part in parts:
        yield part
        # More may have come since they were counted; the end is shown when it is there.
        run.progress(rows.done, max(total, rows.done + 1))


def _rewrite(row: ExportJob, change: sealed.Change) -> dict[str, Any]:
    return {"sealed_query": change(row.sealed_query, row.use)}


sealed.register("exports", ExportJob, _rewrite, lambda: ~Q(sealed_query=""))


@registry.every(seconds=3600, name="sheets.forget_queries", label=gettext_lazy("Tidy up exports"))
def forget_queries() -> int:
    """Drop the sealed filters of exports that nobody will make any more; return how many."""
    old = ExportJob.objects.filter(asked_at__lt=timezone.now() - LASTS).exclude(sealed_query="")
    return old.update(sealed_query="")
