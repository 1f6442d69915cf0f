"""Personal data whose time is over (GDPR, Article 5(1)(e)): who falls due, and clearing it.

    BACKOFFICE_RETENTION = {"without_order": 120, "former_values": 24}

are months. `without_order`: customers who neither came nor ordered for so long are erased.
`former_values`: values that a customer no longer has are emptied in the history so long after they
were written.
Orders, amounts and the record of activity are not touched.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.exceptions import ValidationError
from django.db.models import F, Max, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals.canonical import digest
from backoffice.approvals.models import ApprovalRequest
from backoffice.approvals.registry import Effect
from backoffice.audit.services import record
from backoffice.jobs import registry
from backoffice.jobs.run import JobError, JobRun
from backoffice.masking import erasing, subjects
from backoffice.masking.erasing import Erasure, Step
from backoffice.masking.fields import masked_fields
from backoffice.masking.subjects import BLANK, Group, Place
from customers.models import Customer, CustomerMerge, PrivacyCase
from customers.places import LABEL, person
from customers.services import erased, erasure, privacy

_Kind, _State = PrivacyCase.Kind, PrivacyCase.State
WITHOUT_ORDER: Final = "without_order"
FORMER_VALUES: Final = "former_values"
LABELS: Final[dict[str, str | Promise]] = {
    WITHOUT_ORDER: gettext_lazy("Customers without an order"),
    FORMER_VALUES: gettext_lazy("Former values in the history of customers"),
}
# People who are erased in one pass over all texts.
CHUNK: Final = 50
SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Due:
    """What of one kind falls due: how many, the oldest, and the first ones by age."""

    kind: str
    label: str
    months: int
    before: dt.date
    count: int
    oldest: dt.datetime | None
    rows: "list[Any]"


def periods() -> dict[str, int]:
    """Return the periods of the settings: kind -> months."""
    found: dict[str, int] = getattr(settings, "BACKOFFICE_RETENTION", {})
    return {kind: months for kind, months in found.items() if kind in LABELS and months}


def check_periods(app_configs: object, **kwargs: object) -> list[checks.CheckMessage]:
    """Report periods of the settings that are none."""
    wrong = [
        f"{kind!r}: {months!r}"
        for kind, months in getattr(settings, "BACKOFFICE_RETENTION", {}).items()
        if kind not in LABELS or not isinstance(months, int) or months < 1
    ]
    text = "BACKOFFICE_RETENTION holds what is no period: {}."
    hint = f"Whole months from 1 on, for {', '.join(LABELS)}."
    return [checks.Error(text.format(", ".join(wrong)), hint=hint, id="customers.E001")] * bool(
        wrong
    )


def before(months: int, today: dt.date) -> dt.date:
    """Return the day so many months ago (the month's last day where it has no such one)."""
    count = today.year * 12 + today.month - 1 - months
    year, month = divmod(count, 12)
    following = dt.date(year + (month == 11), (month + 1) % 12 + 1, 1)  # noqa: PLR2004 - December
    return dt.date(year, month + 1, min(today.day, (following - dt.timedelta(days=1)).day))


def terms(today: dt.date | None = None) -> dict[str, str]:
    """Return kind -> the day before which it is due, as text: what is asked and approved."""
    now = today or timezone.localdate()
    return {kind: before(months, now).isoformat() for kind, months in periods().items()}


def _start(day: str | dt.date) -> dt.datetime:
    date = dt.date.fromisoformat(day) if isinstance(day, str) else day
    return timezone.make_aware(dt.datetime.combine(date, dt.time.min))


def customers_due(day: str | dt.date) -> QuerySet[Any]:
    """Return the customers, none of whose rows was used since the day; oldest first.

    A customer is used by being added (imported, say, with orders of long ago) and by each order;
    one who was merged counts with the other.
    """
    start = _start(day)
    rows: QuerySet[Any] = Customer.objects.filter(erased_at=None, merged_into=None)
    last: Any = F("created_at")
    if any(relation.name == "orders" for relation in Customer._meta.related_objects):
        # Not the plain maximum: SQLite's greatest of a value and NULL is NULL.
        last = Greatest(last, Coalesce(Max("orders__placed_at"), last))
    rows = rows.annotate(last_used=last).filter(last_used__lt=start)
    return rows.exclude(pk__in=_stand_for_newer(start)).order_by("last_used", "pk")


def _stand_for_newer(start: dt.datetime) -> set[int]:
    """Return the customers into whom one was merged, at any remove, who was added since."""
    merged = Customer.objects.exclude(merged_into=None).values_list("merged_into", flat=True)
    found: set[int] = set()
    more = set(merged.filter(created_at__gte=start))
    while more:
        found.update(key for key in more if key is not None)
        more = set(merged.filter(pk__in=found)) - found
    return found


def former_due(day: str | dt.date) -> QuerySet[Any]:
    """Return the rows of history from before the day that are not a customer's newest."""
    model = Customer.history.model
    newest = model.objects.order_by().values("id").annotate(newest=Max("history_id"))
    past: QuerySet[Any] = model.objects.filter(history_date__lt=_start(day))
    return past.exclude(history_id__in=newest.values("newest")).order_by("history_date", "pk")


def _still_held(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Leave the rows that are known to hold something: a birth date, an indexed value, a reason.

    A value without an index cannot be asked for; the job looks at every row.
    """
    held = Q(born__isnull=False) | ~Q(history_change_reason=None)
    for column in rows.model._meta.concrete_fields:
        if column.name.endswith("_index"):
            held |= ~Q(**{column.name: ""}) & Q(**{f"{column.name}__isnull": False})
    return rows.filter(held)


def due() -> list[Due]:
    """Return what falls due today, by the periods of the settings."""
    found = []
    for kind, months in periods().items():
        day = before(months, timezone.localdate())
        rows = customers_due(day) if kind == WITHOUT_ORDER else _still_held(former_due(day))
        column = "last_used" if kind == WITHOUT_ORDER else "history_date"
        first = list(rows[:SHOWN])
        oldest = getattr(first[0], column) if first else None
        found.append(Due(kind, str(LABELS[kind]), months, day, rows.count(), oldest, first))
    return found


def ask(*, actor: User, reason: str) -> PrivacyCase:
    """Ask a second person to clear what is due today.

    Raises PermissionDenied, ValidationError without a period or while one is open.
    """
    privacy.require(actor)
    found = terms()
    if not found:
        raise ValidationError(_("No period is set: BACKOFFICE_RETENTION is empty."))
    if open_case() is not None:
        raise ValidationError(_("A retention is open already."))
    case = _made(actor, found, _State.OPEN)
    privacy.ask(case, actor=actor, reason=reason)
    return case


def open_case() -> PrivacyCase | None:
    """Return the retention that is not over yet; there is one at most."""
    found = PrivacyCase.objects.filter(kind=_Kind.RETENTION, state__in=privacy.unfinished())
    return found.order_by("pk").first()


def _made(actor: User | None, found: dict[str, str], state: str) -> PrivacyCase:
    today = timezone.localdate()
    return PrivacyCase.objects.create(
        kind=_Kind.RETENTION,
        ground=PrivacyCase.Ground.PERIOD,
        state=state,
        received_on=today,
        due_on=privacy.due(today),
        asked_by=actor,
        terms=found,
    )


@registry.handler(privacy.JOBS[_Kind.RETENTION])
def clear(run: JobRun) -> dict[str, Any]:
    """Clear what is due: of an approved request, or (without one) by the schedule."""
    case = _case(run)
    if case.state != _State.RUNNING:
        return {"case": case.pk}
    if FORMER_VALUES in case.terms and not run.checkpoint.get("former_done"):
        _clear_former(run, case)
    while WITHOUT_ORDER in case.terms and _next_people(run, case):
        erasure.erase_group(run, case, run.checkpoint["keys"])
        with run.effect() as checkpoint:
            _note_people(checkpoint)
    with run.effect() as checkpoint:
        _finish(case, checkpoint)
    return {"case": case.pk, "customers": run.checkpoint.get("people", 0)}


def _case(run: JobRun) -> PrivacyCase:
    """Return the request; one of its own where the schedule started the job."""
    key = run.params.get("case") or run.checkpoint.get("case")
    if key is None:
        if not settings.BACKOFFICE_RETENTION_UNATTENDED:
            raise JobError(_("Retention by schedule is switched off. Ask for it on its page."))
        if not terms():
            raise JobError(_("No period is set: BACKOFFICE_RETENTION is empty."))
        with run.effect() as checkpoint:
            key = checkpoint["case"] = _made(None, terms(), _State.RUNNING).pk
    return PrivacyCase.objects.select_related("asked_by").get(pk=key)


def _next_people(run: JobRun, case: PrivacyCase) -> bool:
    """Begin with the next people, or go on with those that were begun; False when none is left.

    Whoever is needed still (an open refund) is left alone and counted.
    """
    if run.checkpoint.get("event"):
        return True
    with run.effect() as checkpoint:
        skipped: list[int] = checkpoint.get("skipped", [])
        keys = []
        for customer in customers_due(case.terms[WITHOUT_ORDER]).exclude(pk__in=skipped)[:CHUNK]:
            group = person(customer)
            if subjects.blockers(group):
                skipped = [*skipped, customer.pk]
            else:
                keys += group.keys(LABEL)
        checkpoint.update(keys=keys, skipped=skipped)
        if keys:
            checkpoint.update(erasure.begin(case, keys, case.asked_by))
        more = (
            bool(keys) or customers_due(case.terms[WITHOUT_ORDER]).exclude(pk__in=skipped).exists()
        )
    return more if keys or not more else _next_people(run, case)


def _note_people(checkpoint: dict[str, Any]) -> None:
    """Add what one pass did to the sums; who was erased stands on the list outside by then."""
    counts = checkpoint.pop("counts")
    sums = checkpoint.get("sums", {})
    rows = Customer.objects.filter(pk__in=checkpoint["keys"])
    erased.note(rows, digest(counts))
    checkpoint["sums"] = {
        name: sums.get(name, 0) + counts.get(name, 0) for name in sums.keys() | counts.keys()
    }
    checkpoint["people"] = checkpoint.get("people", 0) + len(checkpoint["keys"])
    checkpoint.update(event=None, keys=[], place="", after=None)


def _former_place(case: PrivacyCase) -> Place:
    day = case.terms[FORMER_VALUES]
    columns = {column.name: BLANK for column in masked_fields(Customer)}
    return Place(
        "customers.former",
        LABELS[FORMER_VALUES],
        Customer.history.model._meta.label_lower,
        rows=lambda _group: former_due(day),
        fields={**columns, "history_change_reason": BLANK},
    )


def _clear_former(run: JobRun, case: PrivacyCase) -> None:
    """Empty former values batch by batch; the rows of history stay."""
    place = _former_place(case)
    event = _former_event(run, case)
    work = Erasure(Group(LABEL, []), case.asked_by, event)
    done = Step(0, run.checkpoint.get("former_after"))
    while True:
        with run.effect() as checkpoint:
            _forget_way_back(case.terms[FORMER_VALUES])
            done = erasing.step(place, work, done.after)
            checkpoint["former"] = checkpoint.get("former", 0) + done.changed
            checkpoint.update(former_after=done.after, former_done=done.after is None)
        if done.after is None:
            return


def _forget_way_back(day: str) -> None:
    """Let no undo of a merge bring back what is emptied: it would write blanks over values."""
    rows = former_due(day).order_by().values("history_id")
    merges = CustomerMerge.objects.filter(state=CustomerMerge.State.MERGED)
    merges.filter(Q(before__in=rows) | Q(after__in=rows)).update(before=None, after=None)


def _former_event(run: JobRun, case: PrivacyCase) -> Any:
    facts = {"case": case.pk, "kind": case.kind, "what": FORMER_VALUES}
    with run.effect():
        return record(privacy.BEGUN, actor=case.asked_by, subject=case, context=facts)


def _finish(case: PrivacyCase, checkpoint: dict[str, Any]) -> None:
    counts = dict(checkpoint.get("sums", {}))
    if FORMER_VALUES in case.terms:
        counts["customers.former"] = checkpoint.get("former", 0)
    receipt = erasure.receipt_of(
        case,
        counts,
        before=case.terms,
        customers=checkpoint.get("people", 0),
        left=len(checkpoint.get("skipped", [])),
    )
    privacy.finish(case, receipt, counted=sum(counts.values()))


def effects(request: ApprovalRequest) -> Iterator[Effect]:
    """Yield what approvers see: how many fall due of which kind, before which day."""
    for kind, day in request.payload.items():
        if kind in LABELS:
            rows = customers_due(day) if kind == WITHOUT_ORDER else _still_held(former_due(day))
            text = _("erased, as of before %(day)s") % {"day": day}
            yield Effect(LABELS[kind], str(rows.count()), text)


privacy.register_rule(_Kind.RETENTION, lambda request: list(effects(request)))
