"""Erasing a person (GDPR, Article 17): a job that goes from place to place, in small batches.

Every batch commits together with where it ended, so a worker that is killed loses nothing and does
nothing twice. The person's own values go last: until then they are what other texts are searched
for. Orders and amounts stay; they name nobody any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.accounts.models import User
from backoffice.approvals.canonical import digest
from backoffice.approvals.models import ApprovalRequest
from backoffice.approvals.registry import Effect
from backoffice.audit import history, verbs
from backoffice.audit.models import Event
from backoffice.audit.services import record
from backoffice.jobs import registry
from backoffice.jobs.run import JobError, JobRun
from backoffice.masking import erasing, subjects
from backoffice.masking.erasing import Erasure
from backoffice.masking.fields import masked_fields
from backoffice.masking.subjects import Group, Place
from customers.models import Customer, PrivacyCase
from customers.places import LABEL, person
from customers.services import erased, privacy

_Kind, _State = PrivacyCase.Kind, PrivacyCase.State


@dataclass(frozen=True, slots=True)
class Line:
    """One place as the preview shows it: rows that belong to the person, and what stays of them.

    `goes` says that their values are erased, `searched` that texts are searched for the person.
    """

    label: str
    rows: int
    goes: bool
    searched: bool
    kept: "list[str]"


def preview(customer: Customer) -> tuple[list[Line], list[str]]:
    """Return what an erasure would do where rows belong to the person, their own ones first.

    Beside it the names of the places all of which the job searches; a page would take too long.
    """
    group = person(customer)
    places = sorted(subjects.places(), key=lambda place: not place.source)
    counted = [(place, erasing.count(place, group)) for place in places]
    also = [str(place.label) for place, rows in counted if not rows and not place.rows]
    return [_line(place, rows) for place, rows in counted if rows], also


def _line(place: Place, rows: int) -> Line:
    ways = set(place.columns().values())
    kept = [] if place.name.endswith(".past") else {str(why): None for why in place.kept.values()}
    return Line(
        label=str(place.label),
        rows=rows,
        goes=bool(ways - {subjects.CLEAN}) or place.delete,
        searched=subjects.CLEAN in ways,
        kept=list(kept),
    )


@registry.handler(privacy.JOBS[_Kind.ERASURE])
def erase(run: JobRun) -> dict[str, Any]:
    """Erase one person. Raises JobError while something open needs them."""
    case = PrivacyCase.objects.select_related("customer", "asked_by").get(pk=run.params["case"])
    if case.customer is None or case.state != _State.RUNNING:
        return {"case": case.pk}
    if not run.checkpoint:
        _refuse_blocked(case, run)
    erase_group(run, case, person(case.customer).keys(LABEL))
    with run.effect() as checkpoint:
        _finish(case, checkpoint)
    return {"case": case.pk, "rows": sum(run.checkpoint["counts"].values())}


def _refuse_blocked(case: PrivacyCase, run: JobRun) -> None:
    found = privacy.blockers(case)
    if not found:
        return
    with run.effect():
        PrivacyCase.objects.filter(pk=case.pk, state=_State.RUNNING).update(state=_State.OPEN)
    raise JobError("; ".join(one.text for one in found))


def erase_group(run: JobRun, case: PrivacyCase, keys: Sequence[int]) -> None:
    """Erase these customers; begins, or goes on where the checkpoint says."""
    with run.effect() as checkpoint:
        if not checkpoint.get("event"):
            checkpoint.update(begin(case, keys, case.asked_by))
    saved = run.checkpoint
    erasure = _erasure(case, saved["keys"], Event.objects.get(pk=saved["event"]))
    names = [place.name for place in subjects.places()]
    for name in names[names.index(saved["place"]) if saved["place"] else 0 :]:
        _erase_place(run, subjects.find(name), erasure)


def _erasure(case: PrivacyCase, keys: Sequence[int], event: Event) -> Erasure:
    return Erasure(Group(LABEL, keys), case.asked_by, event)


def begin(case: PrivacyCase, keys: Sequence[int], actor: User | None) -> dict[str, Any]:
    """Mark the rows, from now on nobody changes them; return the first checkpoint."""
    rows = Customer.objects.filter(pk__in=keys)
    changes = {"erased_at": timezone.now()}
    history.update(rows.filter(erased_at=None), actor=actor, changes=changes)
    subject, *more = list(rows.order_by("pk"))
    about: dict[str, Any] = {"actor": actor, "subject": subject, "also": [*more, case]}
    facts = {"case": case.pk, "kind": case.kind}
    record(privacy.BEGUN, **about, context=facts)
    event = record(verbs.REASONS_ERASED, **about, context=facts)
    erasing.note_use(len(keys))
    return {"event": event.pk, "keys": list(keys), "place": "", "after": None, "counts": {}}


def _erase_place(run: JobRun, place: Place, erasure: Erasure) -> None:
    """Erase one place batch by batch, from where its last batch ended."""
    saved = run.checkpoint
    after = saved["after"] if saved["place"] == place.name else None
    while True:
        with run.effect() as checkpoint:
            done = erasing.step(place, erasure, after)
            counts = checkpoint["counts"]
            checkpoint["counts"] = {**counts, place.name: counts.get(place.name, 0) + done.changed}
            where = after if done.after is None else done.after
            checkpoint.update(place=place.name, after=where)
        after = done.after
        _show(run, place)
        if after is None:
            return


def _show(run: JobRun, place: Place) -> None:
    names = [one.name for one in subjects.places()]
    run.progress(names.index(place.name), len(names), str(place.label))


def receipt_of(case: PrivacyCase, counts: dict[str, int], **more: Any) -> dict[str, Any]:
    """Return the receipt: counts by place and what stays, without any value of the person."""
    return {
        "case": case.pk,
        "kind": case.kind,
        "customer": case.customer_id,
        "rows": dict(sorted(counts.items())),
        "kept": kept(),
        **more,
    }


def kept() -> list[dict[str, str]]:
    """Return what stays after an erasure, each with its reason."""
    return [
        {"place": str(place.label), "what": name, "why": str(why)}
        for place in subjects.places()
        if place.rows is not None
        for name, why in place.kept.items()
        if not place.name.endswith(".past")
    ]


def _finish(case: PrivacyCase, checkpoint: dict[str, Any]) -> None:
    """Put the person on the list outside first: it may be there twice, but never missing."""
    counts = checkpoint["counts"]
    receipt = receipt_of(case, counts, customers=checkpoint["keys"])
    erased.note(Customer.objects.filter(pk__in=checkpoint["keys"]), digest(receipt))
    privacy.finish(case, receipt, counted=sum(counts.values()))


def is_clean(customer: Customer) -> bool:
    """Say whether row and history hold no value of the person any more."""
    if customer.erased_at is None:
        return False
    names = [column.name for column in masked_fields(Customer)]
    rows = [*Customer.objects.filter(pk=customer.pk).values_list(*names),
            *Customer.history.filter(id=customer.pk).values_list(*names)]  # fmt: skip
    return not any(value for row in rows for value in row)


def reapply(*, actor: User, entries: Sequence[erased.Entry]) -> list[PrivacyCase]:
    """Erase again, after a restore, who is on the list and stands in the database with values.

    Runs here and now, every batch committed by itself. Returns a done request for each.
    """
    cases = []
    for entry in entries:
        customer = Customer.objects.filter(pk=entry.customer).first()
        if customer is None or erased.print_of(customer) != entry.print or is_clean(customer):
            continue
        cases.append(_erase_again(customer, actor))
    return cases


def _erase_again(customer: Customer, actor: User) -> PrivacyCase:
    keys = [customer.pk]
    with transaction.atomic():
        PrivacyCase.objects.filter(customer=customer, kind=_Kind.ERASURE).exclude(
            state__in=[_State.DONE, _State.REFUSED]
        ).update(state=_State.REFUSED, done_at=timezone.now())
        today = timezone.localdate()
        case = PrivacyCase.objects.create(
            kind=_Kind.ERASURE, customer=customer, ground=PrivacyCase.Ground.LAW,
            state=_State.RUNNING, received_on=today, due_on=privacy.due(today), asked_by=actor,
        )  # fmt: skip
        begun = begin(case, keys, actor)
    erasure = _erasure(case, keys, Event.objects.get(pk=begun["event"]))
    counts = {place.name: erasing.run(place, erasure) for place in subjects.places()}
    with transaction.atomic():
        _finish(case, {"counts": counts, "keys": keys})
    return case


def effects(request: ApprovalRequest) -> list[Effect]:
    """Return what approvers see: how many rows of which place lose their values."""
    customer = Customer.objects.filter(pk=request.subject_id).first()
    if customer is None:
        return []
    gone, stays = _("erased"), _("stays, names nobody")
    lines, _also = preview(customer)
    own = [Effect(line.label, str(line.rows), gone if line.goes else stays) for line in lines]
    return [*own, *privacy.others_effects(request, _("the person is taken out"))]


privacy.register_rule(_Kind.ERASURE, effects)
