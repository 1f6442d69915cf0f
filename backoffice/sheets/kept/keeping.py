"""Keeping a sheet as a table: the verbs. `loading` is the job that reads the file."""

from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import acting, sealed
from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.files import sealing
from backoffice.jobs import registry
from backoffice.jobs import services as jobs
from backoffice.jobs.models import Job
from backoffice.policy import register_scope
from backoffice.policy.registry import STAFF
from backoffice.sheets import answers
from backoffice.sheets.kept.columns import Column, Kind
from backoffice.sheets.models import ImportJob, KeptBlock, KeptChart, KeptJoin, KeptSheet
from backoffice.sheets.reading import dialects

KEEP: Final = "sheets.keep"
KEPT = verbs.register("sheets.kept", gettext_lazy("Sheet kept as a table"))
SHARED = verbs.register("sheets.shared", gettext_lazy("Kept sheet shared, or shared no more"))
MASKED = verbs.register("sheets.masked", gettext_lazy("Column of a kept sheet masked"))
DROPPED = verbs.register("sheets.dropped", gettext_lazy("Kept sheet deleted"))
ADD, VIEW, OVERSEE, EXPORT = (
    f"sheets.{name}_keptsheet" for name in ("add", "view", "oversee", "export")
)
LASTS: Final = {
    30: gettext_lazy("30 days"),
    365: gettext_lazy("A year"),
    0: gettext_lazy("Until deleted"),
}


def visible(user: Any, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the kept things that a person may see: their own, shared ones, all to overseers."""
    if user.has_perm(OVERSEE):
        return rows
    return rows.filter(Q(owner=user.pk) | Q(shared=True))


register_scope(KeptSheet, STAFF, visible)
register_scope(KeptJoin, STAFF, visible)


def must(actor: User, *rights: str) -> None:
    """Raise PermissionDenied for who lacks one of the rights, and while one acts for them."""
    acting.refuse()
    if not all(actor.has_perm(right) for right in rights):
        raise PermissionDenied


def must_own(thing: KeptSheet | KeptJoin | KeptChart, actor: User) -> None:
    """Raise PermissionDenied unless the person may write and it is theirs."""
    must(actor, ADD)
    if thing.owner_id != actor.pk:
        raise PermissionDenied


def keep(
    source: ImportJob,
    *,
    actor: User,
    name: str,
    sheet: str,
    header_row: int,
    shared: bool = False,
    days: int = 30,
) -> KeptSheet:
    """Begin to keep a sheet of an uploaded file as a table; a job reads it.

    Raises PermissionDenied, ValidationError for a name that is taken or a sheet that is not there.
    """
    must(actor, ADD)
    if source.owner_id != actor.pk:
        raise PermissionDenied
    if not source.file or sheet not in {one["name"] for one in source.sheets}:
        raise ValidationError(_("Upload the file again and choose one of its sheets."))
    if must_say(source):
        raise ValidationError(_("Say first how the text of the file is written."))
    _free_name(name, actor)
    kept = KeptSheet(
        owner=actor,
        name=name.strip(),
        shared=shared,
        file_name=source.original_name,
        sheet=sheet,
        header_row=header_row,
        source=source,
        expires_at=timezone.now() + timedelta(days=days) if days else None,
    )
    kept.sealed_key = sealing.new_key(kept.use)
    with transaction.atomic():
        kept.save()
        kept.job = jobs.start(
            KEEP, actor=actor, title=source.original_name, params={"kept": kept.pk}
        )
        kept.save(update_fields=["job"])
        facts = {"sha256": source.sha256, "shared": shared, "days": days}
        record(KEPT, actor=actor, subject=kept, context=facts)
    return kept


def must_say(source: ImportJob) -> bool:
    """Whether somebody has to say first how a csv file is written.

    Marks of decimals and the order of dates are read off whole columns here; those that may be
    read in two ways stay text.
    """
    if not answers.must_say_dialect(source):
        return False
    guess = dialects.guess(source)
    return guess is None or not set(guess.unsure) <= {"decimal", "thousands", "dates"}


def _free_name(name: str, actor: User) -> None:
    if not name.strip():
        raise ValidationError({"name": _("Give the table a name.")})
    if KeptSheet.objects.filter(owner=actor, name=name.strip()).exists():
        raise ValidationError({"name": _("You keep a sheet of this name already.")})


def share(kept: KeptSheet | KeptJoin, shared: bool, *, actor: User) -> None:  # noqa: FBT001
    """Let everybody with the right to view kept sheets see it, or only its owner."""
    must_own(kept, actor)
    with transaction.atomic():
        type(kept)._default_manager.filter(pk=kept.pk).update(shared=shared)
        record(SHARED, actor=actor, subject=kept, context={"shared": shared})
    kept.shared = shared


def mask(kept: KeptSheet, ref: str, *, actor: User) -> None:
    """Mask a further column for everybody. Raises ValidationError for one that is none.

    Its order goes, and with it joins and charts that would go on telling of its values.
    """
    must_own(kept, actor)
    found = next((one for one in columns_of(kept) if one.ref == ref and not one.mask), None)
    if found is None or found.kind is not Kind.TEXT:
        raise ValidationError(_("Only a column of text can be masked."))
    with transaction.atomic():
        columns = [
            {**values, "mask": "text"} if values["index"] == found.index else values
            for values in kept.columns
        ]
        KeptSheet.objects.filter(pk=kept.pk).update(columns=columns)
        kept.blocks.filter(kind=KeptBlock.Kind.ORDER, column=found.index).delete()
        kept.joins.filter(left_column=found.index).delete()
        kept.joins_as_right.filter(right_column=found.index).delete()
        _charts_of(kept, found).delete()
        record(MASKED, actor=actor, subject=kept, context={"column": found.index})
    kept.columns = columns


def _charts_of(kept: KeptSheet, column: Column) -> QuerySet[KeptChart]:
    ref = column.ref
    return KeptChart.objects.filter(
        Q(sheet=kept, group=ref)
        | Q(join__left=kept, group=f"l.{ref}")
        | Q(join__right=kept, group=f"r.{ref}")
    )


def drop(thing: KeptSheet | KeptJoin | KeptChart, *, actor: User) -> None:
    """Delete it, with what was made of it. Raises PermissionDenied."""
    must_own(thing, actor)
    with transaction.atomic():
        context = {"kind": thing._meta.model_name, "rows": getattr(thing, "rows", 0)}
        record(DROPPED, actor=actor, subject=thing, context=context)
        thing.delete()


@registry.every(
    seconds=3600, name="sheets.expire", label=gettext_lazy("Delete expired kept sheets")
)
def expire() -> int:
    """Delete the kept sheets whose time is over; return how many."""
    due = KeptSheet.objects.filter(expires_at__lte=timezone.now()).order_by("pk")
    for kept in due:
        with transaction.atomic():
            record(
                DROPPED, actor=None, subject=kept, context={"kind": "keptsheet", "expired": True}
            )
            kept.delete()
    return len(due)


@registry.every(seconds=30, name="sheets.kept_tidy", label=gettext_lazy("Tidy up kept sheets"))
def tidy() -> None:
    """Say of sheets whose job ended without them (stopped, or lost for good) that they failed."""
    ended = [Job.State.CANCELLED, Job.State.FAILED]
    loading = KeptSheet.objects.filter(state=KeptSheet.State.LOADING, job__state__in=ended)
    for kept in loading.select_related("job"):
        assert kept.job is not None  # noqa: S101 - the filter asks for one
        failed = {"state": KeptSheet.State.FAILED, "message": kept.job.message}
        with transaction.atomic():
            mine = KeptSheet.objects.filter(pk=kept.pk, state=KeptSheet.State.LOADING)
            if mine.update(**failed):
                kept.blocks.all().delete()


def columns_of(kept: KeptSheet) -> list[Column]:
    """Return the columns in the order of the sheet."""
    return [Column.from_json(values) for values in kept.columns]


def _rewrite(row: KeptSheet, change: sealed.Change) -> dict[str, Any]:
    return {"sealed_key": change(row.sealed_key, row.use)}


sealed.register("kept sheets", KeptSheet, _rewrite, lambda: ~Q(sealed_key=""))
