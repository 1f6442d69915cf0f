"""Files with clear values: asked for with a reason, approved by another person, made by a job.

What is approved are these very rows with these very values: when one of them changes, goes, or
leaves the asker's scope before the file is made, the request is void. Each record is an event of
its own before the file is there. The file is csv, which is written without a clear byte on the
disk; it lies encrypted, opens for the asker alone and with fresh proof, and expires after a day.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice import policy
from backoffice.accounts import acting
from backoffice.accounts.models import User
from backoffice.approvals import registry as rules
from backoffice.approvals import services as approvals
from backoffice.approvals import voters
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit import verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record, record_each
from backoffice.files import rights
from backoffice.files import services as files
from backoffice.files.models import KeptFile
from backoffice.jobs import registry
from backoffice.jobs import services as jobs
from backoffice.jobs.run import JobError, JobRun
from backoffice.masking import clear, fingerprints, purposes
from backoffice.masking.fields import MaskedMixin
from backoffice.masking.services import Reason
from backoffice.sheets.exporting.exports import csv_lines
from backoffice.sheets.models import ClearExport

KIND: Final = "sheets.clear_export"
RIGHT: Final = "export_clear"
ASKED = verbs.register("sheets.clear_export_asked", gettext_lazy("Clear export asked for"))
MADE = verbs.register(
    "sheets.clear_exported", gettext_lazy("Clear values exported"), personal="exported"
)
IN_FILE = verbs.register(
    "sheets.in_clear_export", gettext_lazy("Clear values left in a file"), personal="in_file"
)
PURPOSE = purposes.register(KIND, gettext_lazy("Write a clear export that was approved"))
LASTS: Final = timedelta(hours=24)
_LOST: Final = gettext_lazy("Who asked for it lost the right to a clear export.")
# Events of one transaction, and rows of one query.
_BATCH: Final = 1000


def cap() -> int:
    """Return how many rows one file may have."""
    return int(getattr(settings, "BACKOFFICE_CLEAR_EXPORT_ROWS", 10_000))


def ask(
    rows: QuerySet[Any],
    names: Sequence[str],
    *,
    told: dict[str, str],
    reason: Reason,
    actor: User,
) -> ClearExport:
    """Ask for a file of the masked fields `names` of `rows`; somebody else decides.

    `told` is the filter in words, for approvers and the record. Rows that the policy denies (an
    erased customer) are left out. Raises PermissionDenied (on the
    record) without `export_clear_<model>`, ValidationError without a reason, for no rows and for
    more than the cap (on the record), ValueError for fields that are not masked.
    """
    acting.refuse()
    model = rows.model
    _require_masked(model, names)
    facts = {"fields": list(names), "filter": told, "purpose": reason.chosen}
    if not (decision := policy.may(actor, RIGHT, model)):
        _note_refusal(model, actor, reason, {**facts, "rule": decision.rule})
        raise PermissionDenied
    reason.clean()
    keys = _keys(rows, actor)
    if not keys:
        raise ValidationError(_("There are no rows to export."))
    if len(keys) > cap():
        _note_refusal(model, actor, reason, {**facts, "rule": "rows", "cap": cap()})
        raise ValidationError(_("A clear export has at most %s rows. Narrow the list.") % cap())
    export = ClearExport(
        owner=actor,
        model=model._meta.label_lower,
        names=list(names),
        filter=told,
        purpose=reason.purpose,
        keys=keys,
        ids=hashlib.sha256(" ".join(keys).encode()).hexdigest(),
        rows=len(keys),
    )
    return _asked(export, actor, reason, facts)


def _asked(export: ClearExport, actor: User, reason: Reason, facts: dict[str, Any]) -> ClearExport:
    with transaction.atomic():
        export.save()
        record(ASKED, actor=actor, subject=export, reason=str(reason),
               context={**facts, "rows": export.rows, "ids": export.ids})  # fmt: skip
        request = approvals.ask(
            KIND,
            subject=export,
            payload={
                "model": export.model,
                "fields": export.names,
                "filter": export.filter,
                "rows": export.rows,
                "ids": export.ids,
            },
            summary=summary(export),
            reason=str(reason),
            actor=actor,
        )
        export.request_id = request.pk
        export.save(update_fields=["request_id"])
    return export


def _require_masked(model: type[Model], names: Sequence[str]) -> None:
    columns = [model._meta.get_field(name) for name in names]
    if not columns or not all(isinstance(column, MaskedMixin) for column in columns):
        msg = f"{model._meta.label}: a clear export is of masked fields"
        raise ValueError(msg)


def _note_refusal(model: type[Model], actor: User, reason: Reason, facts: dict[str, Any]) -> None:
    record(ASKED, actor=actor, subject=model, reason=str(reason), outcome=Outcome.REFUSED,
           context=facts)  # fmt: skip


def summary(export: ClearExport) -> str:
    """Return what it is in a line, without a personal value."""
    kind = model_of(export)._meta.verbose_name_plural
    text = ngettext(
        "File with clear values of %(count)s record: %(kind)s",
        "File with clear values of %(count)s records: %(kind)s",
        export.rows,
    )
    return text % {"count": export.rows, "kind": kind}


def model_of(export: ClearExport) -> type[Model]:
    """Return the model of the rows. Raises LookupError when its app is not installed."""
    return apps.get_model(export.model)


def may_have(user: Any, export: ClearExport) -> bool:
    """Say whether the person may have the file now: it is theirs, and so is the right still."""
    try:
        model = model_of(export)
    except LookupError:
        return False
    return export.owner_id == user.pk and bool(policy.may(user, RIGHT, model))


def _may_have_file(user: Any, kept: KeptFile) -> bool:
    export = ClearExport.objects.filter(file=kept).first()
    return export is not None and may_have(user, export)


rights.register(KIND, _may_have_file)


def labels(export: ClearExport) -> list[str]:
    """Return the names of the clear fields in words."""
    meta = model_of(export)._meta
    return [capfirst(str(meta.get_field(name).verbose_name)) for name in export.names]  # type: ignore[union-attr]


def _rows(export: ClearExport) -> Iterator[Any]:
    """Yield the rows in the order of `keys`, as far as the owner may have them in a file now."""
    scoped = policy.scope(export.owner, model_of(export)._default_manager.all())
    for start in range(0, len(export.keys), _BATCH):
        keys = export.keys[start : start + _BATCH]
        found = {str(row.pk): row for row in _allowed(export.owner, scoped.filter(pk__in=keys))}
        yield from (found[key] for key in keys if key in found)


def _allowed(owner: User, rows: QuerySet[Any]) -> list[Any]:
    """Return the rows whose clear values the person may have: a denial is of single records."""
    found = list(rows)
    decisions = policy.may_many(owner, RIGHT, found)
    return [row for row in found if decisions[row.pk]]


def _keys(rows: QuerySet[Any], actor: User) -> list[str]:
    """Return the keys of the rows that may be in the file, in their order; too many as they are."""
    found = list(rows.values_list("pk", flat=True)[: cap() + 1])
    if len(found) > cap():
        return [str(key) for key in found]
    every = rows.model._default_manager.all()
    allowed = {
        row.pk
        for start in range(0, len(found), _BATCH)
        for row in _allowed(actor, every.filter(pk__in=found[start : start + _BATCH]))
    }
    return [str(key) for key in found if key in allowed]


def _facts(request: ApprovalRequest) -> dict[str, Any]:
    """Return what the approval rests on: the rows and a keyed digest of their values."""
    export = request.record()
    if not isinstance(export, ClearExport):
        return {"rows": "", "values": ""}
    return state_of(export)


def state_of(export: ClearExport) -> dict[str, str]:
    """Return the rows as they are now: the hash of their keys, the digest of their values."""
    keys: list[str] = []

    def noted() -> Iterator[Any]:
        for row in _rows(export):
            keys.append(str(row.pk))
            yield row

    values = fingerprints.of_rows(noted(), export.names)
    return {"rows": hashlib.sha256(" ".join(keys).encode()).hexdigest(), "values": values}


def _effects(request: ApprovalRequest) -> list[rules.Effect]:
    export = request.record()
    if not isinstance(export, ClearExport):
        return []
    told = ", ".join(f"{name}={value}" for name, value in export.filter.items())
    file = _("csv, encrypted, for %(person)s alone, for a day") % {"person": export.owner}
    return [
        rules.Effect(
            _("Records"), "", f"{export.rows} {model_of(export)._meta.verbose_name_plural}"
        ),
        rules.Effect(_("Values"), str(_("masked")), ", ".join(labels(export))),
        rules.Effect(_("Filter"), "", told or str(_("none"))),
        rules.Effect(_("File"), "", file),
    ]


def _start(request: ApprovalRequest) -> None:
    """Start the job that makes the file, in the transaction that ends the request.

    An owner who lost the right has no rows any more, so the request is void before this is called.
    """
    export = request.record()
    if not isinstance(export, ClearExport):
        raise approvals.VoidError(_("This export is not there any more."))
    params = {"export": export.pk, "values": request.snapshot["values"]}
    export.job = jobs.start(KIND, actor=request.maker, title=request.summary, params=params)
    export.save(update_fields=["job"])


rules.register(
    rules.Rule(
        kind=KIND,
        label=gettext_lazy("Clear export"),
        permission="sheets.approve_clearexport",
        snapshot=_facts,
        effects=_effects,
        execute=_start,
        excluded=voters.hosts,
        excluded_label=gettext_lazy("Who invited whoever asks"),
        delegable=False,
    )
)


@registry.handler(KIND, again=False)
def make(run: JobRun) -> dict[str, Any]:
    """Put each record on the record, then make the file, unless something changed meanwhile."""
    export = ClearExport.objects.select_related("owner").get(pk=run.params["export"])
    if export.made_at is not None:
        return {"rows": export.rows}
    if not policy.may(export.owner, RIGHT, model_of(export)):
        raise JobError(_LOST)
    _require_same(export, run.params["values"])
    _note_each(run, export)
    with run.effect() as checkpoint:
        _require_same(export, run.params["values"])
        content = (line.encode() for line in csv_lines(_heads(export), _lines(export)))
        export.file = files.keep(
            content,
            name=f"{model_of(export)._meta.model_name}-clear.csv",
            kind="csv",
            purpose=KIND,
            owner=export.owner,
            lasts=LASTS,
            proof=True,
        )
        export.made_at = timezone.now()
        export.save(update_fields=["file", "made_at"])
        facts = {"rows": export.rows, "fields": export.names, "request": export.request_id,
                 "sha256": export.file.sha256}  # fmt: skip
        record(MADE, actor=export.owner, subject=export, context=facts)
        checkpoint["made"] = True
    return {"rows": export.rows}


def _require_same(export: ClearExport, values: str) -> None:
    if state_of(export)["values"] != values:
        raise JobError(_("The rows changed after the approval. Ask again."))


def _note_each(run: JobRun, export: ClearExport) -> None:
    """Write an event for each record; a job that is taken up again goes on where it stopped."""
    facts = {"export": export.pk, "fields": export.names, "purpose": export.purpose,
             "request": export.request_id}  # fmt: skip
    rows = list(_rows(export))
    while (done := int(run.checkpoint.get("noted", 0))) < len(rows):
        part = rows[done : done + _BATCH]
        with run.effect() as checkpoint:
            record_each(IN_FILE, actor=export.owner, subjects=part, context=facts)
            checkpoint["noted"] = done + len(part)
        run.progress(done + len(part), len(rows))


def _heads(export: ClearExport) -> list[str]:
    return [capfirst(str(model_of(export)._meta.verbose_name)), *labels(export)]


def _lines(export: ClearExport) -> Iterable[list[str]]:
    """Yield public number (or key) and clear values of each row."""
    for row in _rows(export):
        values = (str(clear(getattr(row, name), purpose=PURPOSE)) for name in export.names)
        yield [str(getattr(row, "number", row.pk)), *values]
