"""The privacy desk: what people ask for about their own data, from the letter to the receipt.

A request is opened, put before a second person, and done by a job. Nobody approves their own.
"""

import calendar
import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals import registry as rules
from backoffice.approvals import services as approvals
from backoffice.approvals import voters
from backoffice.approvals.canonical import digest
from backoffice.approvals.models import ApprovalRequest
from backoffice.approvals.places import LABEL as APPROVAL
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.jobs import services as jobs
from backoffice.masking import erasing, subjects
from backoffice.masking.subjects import Blocker
from backoffice.policy import may
from customers.models import Customer, PrivacyCase
from customers.places import person

VIEW: Final = "customers.view_privacycase"
OPENED = verbs.register("privacy.opened", gettext_lazy("Personal data request opened"), right=VIEW)
REFUSED = verbs.register(
    "privacy.refused", gettext_lazy("Personal data request refused"), right=VIEW
)
BEGUN = verbs.register("privacy.begun", gettext_lazy("Personal data request begun"), right=VIEW)
DONE = verbs.register("privacy.done", gettext_lazy("Personal data request done"), right=VIEW)
MANAGE: Final = "customers.manage_privacycase"
APPROVE: Final = "customers.approve_privacycase"

_Kind, _State = PrivacyCase.Kind, PrivacyCase.State
# What the job of a kind is called; and what the rule is called that lets it start.
JOBS: Final = {
    _Kind.EXPORT: "customers.privacy_export",
    _Kind.ERASURE: "customers.privacy_erasure",
    _Kind.RETENTION: "customers.privacy_retention",
}
_LABELS: Final = {
    _Kind.EXPORT: gettext_lazy("Give a person all that is stored"),
    _Kind.ERASURE: gettext_lazy("Erase a person"),
    _Kind.RETENTION: gettext_lazy("Clear personal data whose time is over"),
}


# Key of a request's payload: place -> how many texts about others name the person.
ELSEWHERE: Final = "elsewhere"


class BlockedError(ValidationError):
    """Something open needs the person still; the messages name it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked for: `received_on` is the day on which their request came in."""

    ground: str
    note: str
    received_on: dt.date


def due(received: dt.date) -> dt.date:
    """Return the day on which an answer is due: one month later (GDPR, Article 12(3)).

    A month ends on the day of the same number, or on the month's last where there is none
    (Regulation (EEC, Euratom) No 1182/71, Article 3(2)(c)).
    """
    year, month = received.year + received.month // 12, received.month % 12 + 1
    return dt.date(year, month, min(received.day, calendar.monthrange(year, month)[1]))


def open_case(customer: Customer, kind: str, asked: Asked, *, actor: User) -> PrivacyCase:
    """Note that a person asked for something. Nothing is exported or erased by it.

    Raises PermissionDenied, ValidationError for a day that is to come, a customer who is erased
    already, or while one of the kind is open.
    """
    require(actor)
    if asked.received_on > timezone.localdate():
        raise ValidationError({"received_on": _("This day is to come.")})
    _refuse_erased(customer, kind)
    if PrivacyCase.objects.filter(customer=customer, kind=kind, state__in=unfinished()).exists():
        raise ValidationError(_("A request of this kind is open for this customer."))
    with transaction.atomic():
        case = _made(kind=kind, customer=customer, asked_by=actor, **_facts(asked))
        record(
            OPENED,
            actor=actor,
            subject=customer,
            also=[case],
            reason=asked.note,
            context={"case": case.pk, "kind": kind, "ground": asked.ground},
        )
    return case


def is_being_erased(customer: Customer | None) -> bool:
    """Say whether the person was erased (one of their rows is enough), or a job does it now."""
    if customer is None:
        return False
    rows = person(customer).rows(Customer._meta.label_lower)
    running = PrivacyCase.objects.filter(kind=_Kind.ERASURE, state=_State.RUNNING)
    return bool(rows.exclude(erased_at=None).exists() or running.filter(customer__in=rows).exists())


def _refuse_erased(customer: Customer | None, kind: str) -> None:
    """Raise ValidationError for a person of whom nothing is left, or is about to be."""
    if kind != _Kind.RETENTION and is_being_erased(customer):
        raise ValidationError(_("This customer is erased already, or is being erased now."))


def unfinished() -> list[str]:
    """Return the states in which something has to be done still."""
    return [_State.OPEN, _State.WAITING, _State.RUNNING]


def _facts(asked: Asked) -> dict[str, Any]:
    return {
        "ground": asked.ground,
        "note": asked.note,
        "received_on": asked.received_on,
        "due_on": due(asked.received_on),
    }


def _made(**values: Any) -> PrivacyCase:
    try:
        with transaction.atomic():
            return PrivacyCase.objects.create(**values)
    except IntegrityError:  # somebody else was faster
        raise ValidationError(_("A request of this kind is open for this customer.")) from None


def blockers(case: PrivacyCase) -> list[Blocker]:
    """Return what is open and needs the person still; the request's own approval does not count."""
    if case.customer is None:
        return []
    own = {(APPROVAL, str(case.approval_id)), (case._meta.label_lower, str(case.pk))}
    found = subjects.blockers(person(case.customer))
    return [one for one in found if (one.label, one.key) not in own]


def ask(case: PrivacyCase, *, actor: User, reason: str) -> ApprovalRequest:
    """Put it before a second person.

    Raises PermissionDenied, ValidationError without a reason or when it is not open, BlockedError.
    """
    require(actor)
    if case.kind == _Kind.ERASURE:
        refuse_blocked(case)
    if case.kind == _Kind.EXPORT:
        _refuse_erased(case.customer, case.kind)
    with transaction.atomic():
        if not _move(case, _State.OPEN, _State.WAITING, asked_by=actor):
            raise ValidationError(_("This request is not open any more."))
        request = approvals.ask(
            JOBS[_Kind(case.kind)],
            subject=case.customer or case,
            payload={"case": case.pk, "kind": case.kind, **case.terms, ELSEWHERE: _others(case)},
            summary=_summary(case),
            reason=reason,
            actor=actor,
        )
        PrivacyCase.objects.filter(pk=case.pk).update(approval=request)
    case.refresh_from_db()
    return request


def _others(case: PrivacyCase) -> dict[str, int]:
    """Return place -> how many texts about others name the person; bounded, and counted once."""
    if case.customer is None:
        return {}
    group = person(case.customer)
    # What a place exports its own way holds nothing about others (see masking.collecting).
    places = [place for place in subjects.places()
              if case.kind == _Kind.ERASURE or place.export is None]  # fmt: skip
    found = {place.name: erasing.others(place, group) for place in places}
    return {name: count for name, count in found.items() if count}


def others_effects(request: ApprovalRequest, outcome: str) -> Iterator[rules.Effect]:
    """Yield a line for each place in which texts about others name the person."""
    text = _("%(place)s: texts about others that name the person")
    for name, count in request.payload.get(ELSEWHERE, {}).items():
        yield rules.Effect(text % {"place": subjects.find(name).label}, str(count), outcome)


def _summary(case: PrivacyCase) -> str:
    return f"{_LABELS[_Kind(case.kind)]}: {case}"


def refuse_blocked(case: PrivacyCase) -> None:
    """Raise BlockedError while something open needs the person."""
    found = blockers(case)
    if found:
        raise BlockedError([one.text for one in found])


def refuse(case: PrivacyCase, *, actor: User, reason: str) -> None:
    """Close it without doing it, and say why (GDPR, Article 12(4) and (6)).

    Raises PermissionDenied, ValidationError without a reason or when it is not open.
    """
    require(actor)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    with transaction.atomic():
        if not _move(case, _State.OPEN, _State.REFUSED, done_at=timezone.now()):
            raise ValidationError(_("This request is not open any more."))
        record(
            REFUSED,
            actor=actor,
            subject=case.customer,
            also=[case],
            reason=reason,
            context={"case": case.pk, "kind": case.kind},
        )


def finish(case: PrivacyCase, receipt: Mapping[str, Any], *, counted: int, **values: Any) -> None:
    """Write the receipt, its hash into the row and onto the record; in the running transaction."""
    seal = digest(receipt)
    now = timezone.now()
    changes = {"receipt": dict(receipt), "digest": seal, "done_at": now, **values}
    if not _move(case, _State.RUNNING, _State.DONE, **changes):
        return
    record(
        DONE,
        actor=case.asked_by,
        subject=case.customer,
        also=[case],
        context={"case": case.pk, "kind": case.kind, "receipt": seal, "rows": counted},
    )


def _move(case: PrivacyCase, before: str, after: str, **values: Any) -> bool:
    """Move the case if it stands where it is thought to; only one of two wins."""
    moved = PrivacyCase.objects.filter(pk=case.pk, state=before).update(state=after, **values)
    case.refresh_from_db()
    return bool(moved)


def require(actor: User) -> None:
    """Raise PermissionDenied for who may not work on requests."""
    if not may(actor, MANAGE, None):
        raise PermissionDenied


def denials(user: Any, permission: str, rows: Sequence[Model]) -> dict[Any, str | Promise]:
    """Return which customers nobody changes, looks into or merges any more: who was erased."""
    if permission not in _NOT_ERASED:
        return {}
    customers = [row for row in rows if isinstance(row, Customer)]
    return {row.pk: DENIED for row in customers if row.erased_at is not None}


DENIED: Final = gettext_lazy("this customer was erased")
_NOT_ERASED: Final = frozenset(
    f"customers.{name}_customer"
    for name in ("change", "reveal", "unmask_page", "merge", "export_clear")
)


def _case_of(request: ApprovalRequest) -> PrivacyCase:
    return PrivacyCase.objects.select_related("customer").get(pk=request.payload["case"])


def _approved(request: ApprovalRequest) -> None:
    """Start the job. Raises approvals' VoidError, BlockedError."""
    case = _case_of(request)
    if case.kind == _Kind.ERASURE:
        refuse_blocked(case)
    if case.kind == _Kind.EXPORT and is_being_erased(case.customer):
        raise approvals.VoidError(_("This customer was erased since this was asked for."))
    if case.approval_id != request.pk or not _move(case, _State.WAITING, _State.RUNNING):
        raise approvals.VoidError(_("This request does not wait any more."))
    job = jobs.start(
        JOBS[_Kind(case.kind)],
        actor=case.asked_by,
        title=f"{_LABELS[_Kind(case.kind)]}: {case}",
        params={"case": case.pk},
    )
    PrivacyCase.objects.filter(pk=case.pk).update(job=job)


def _not_approved(request: ApprovalRequest) -> None:
    """Let it be asked for again."""
    _move(_case_of(request), _State.WAITING, _State.OPEN)


def _snapshot(request: ApprovalRequest) -> dict[str, Any]:
    """Return what approvers rely on: whose data it is, and of which kind the request is."""
    case = _case_of(request)
    keys = person(case.customer).keys("customers.customer") if case.customer else []
    return {"kind": case.kind, "customers": keys, "terms": case.terms}


def register_rule(kind: str, effects: Callable[[ApprovalRequest], Any]) -> None:
    """Let a second person decide about requests of this kind."""
    rules.register(
        rules.Rule(
            kind=JOBS[_Kind(kind)],
            label=_LABELS[_Kind(kind)],
            permission=APPROVE,
            execute=_approved,
            on_reject=_not_approved,
            snapshot=_snapshot,
            effects=effects,
            excluded=voters.hosts,
            excluded_label=gettext_lazy("Who invited whoever asks"),
            expires=dt.timedelta(days=7),
        )
    )
