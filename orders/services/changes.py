"""Change requests: taking them down, deciding about them, and doing what was asked.

What may follow which state is `orders.states.CHANGE`. Nobody decides about a request that they
took down themselves: the policy says so (`denials`), `_decide` asks for it in its UPDATE, and a
CHECK stands behind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model, Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import history, verbs
from backoffice.audit.services import record, save_with_history, update_where
from backoffice.masking import purposes
from backoffice.masking.values import clear, is_mask
from backoffice.policy import may
from orders.models import ChangeLine, ChangeRequest, DeliveryAddress, Order, OrderLine
from orders.services import cancelling, limits
from orders.services.moves import MoveRefusedError, locked, need_reason, require
from orders.states import CHANGE, NOTE_NEEDED, REASONS, ChangeKind, ChangeState, before

ADD, DECIDE = "orders.add_changerequest", "orders.decide_changerequest"
_K, _S = ChangeKind, ChangeState
VERBS = {
    _S.REQUESTED: verbs.register("orders.change_requested", gettext_lazy("Change asked for")),
    _S.APPROVED: verbs.register("orders.change_approved", gettext_lazy("Change approved")),
    _S.REJECTED: verbs.register("orders.change_rejected", gettext_lazy("Change rejected")),
    _S.WITHDRAWN: verbs.register("orders.change_withdrawn", gettext_lazy("Change withdrawn")),
    _S.DONE: verbs.register("orders.change_done", gettext_lazy("Change done")),
    _S.FAILED: verbs.register("orders.change_failed", gettext_lazy("Change not done")),
}
"""State -> the verb of coming into it."""
ADDRESS_SET = verbs.register("orders.address_set", gettext_lazy("Delivery address set"))
SAME_ADDRESS = purposes.register(
    "orders.same_request", gettext_lazy("Notice a change request that is sent twice")
)
OWN = gettext_lazy("who took a request down does not decide about it")


class ReferenceTakenError(ValidationError):
    """The caller used this reference for another request before."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a customer asks for; `pieces` maps lines to how many (none: the whole order)."""

    kind: str
    why: str
    note: str = ""
    address: str = ""
    reference: str = ""
    pieces: Mapping[OrderLine, int] = field(default_factory=dict)


def ask_change(order: Order, asked: Asked, *, actor: User) -> ChangeRequest:
    """Take a request down; somebody else decides about it.

    The same reference of the same caller once more returns the request that is there. Raises
    PermissionDenied, ReferenceTakenError, ValidationError or MoveRefusedError with what stands
    in the way.
    """
    require(actor, ADD)
    with transaction.atomic():
        locked(order)
        if known := _known(order, asked, actor):
            return known
        _refuse_incomplete(asked)
        limits.refuse_impossible(order, asked.kind, asked.pieces)
        return _made(order, asked, actor)


def approve_change(change: ChangeRequest, *, actor: User, comment: str = "") -> str:
    """Agree, and do what was asked; return what came of it, in words.

    A return or an exchange then waits for its goods (see `receipts`). Raises PermissionDenied,
    MoveRefusedError where it was decided already or cannot be done any more, and what asking for
    the refund raises; then nothing was decided and nothing done.
    """
    _may_decide(change, actor)
    with transaction.atomic():
        locked(change.order)
        amounts = limits.amounts(change)
        if change.state == _S.REQUESTED:
            limits.refuse_impossible(change.order, change.kind, amounts, apart=change)
        waits = change.kind in limits.WITH_GOODS
        _decide(change, _S.APPROVED if waits else _S.DONE, actor=actor, reason=comment)
        outcome = "" if waits else _do(change, amounts, actor=actor)
        if outcome:
            update_where(change, Q(), actor=actor, changes={"outcome": outcome[:200]})
    return outcome


def reject_change(change: ChangeRequest, *, actor: User, reason: str) -> None:
    """Refuse what was asked. Raises PermissionDenied, MoveRefusedError, ValidationError."""
    need_reason(reason)
    _may_decide(change, actor)
    with transaction.atomic():
        _decide(change, _S.REJECTED, actor=actor, reason=reason)


def withdraw_change(change: ChangeRequest, *, actor: User, reason: str) -> None:
    """Take a request back that nobody decided about yet: the customer thought again.

    Raises PermissionDenied, MoveRefusedError, ValidationError without a reason.
    """
    need_reason(reason)
    require(actor, ADD)
    with transaction.atomic():
        bring(change, _S.WITHDRAWN, actor=actor, reason=reason)


def close_change(change: ChangeRequest, *, actor: User, reason: str) -> None:
    """Wait no longer for goods: done with what came in, or failed where nothing did.

    Raises PermissionDenied, MoveRefusedError, ValidationError without a reason.
    """
    need_reason(reason)
    require(actor, "orders.receive_changerequest")
    with transaction.atomic():
        locked(change.order)
        if change.state != _S.APPROVED:
            raise _refused(change, _S.FAILED)
        came = change.lines.filter(received__gt=0).exists()
        bring(change, _S.DONE if came else _S.FAILED, actor=actor, reason=reason)


def denials(user: Any, permission: str, rows: Sequence[Model]) -> dict[Any, str | Promise]:
    """Return which requests a person must not decide about: those they took down themselves."""
    if permission != DECIDE:
        return {}
    changes = [row for row in rows if isinstance(row, ChangeRequest)]
    return {row.pk: OWN for row in changes if row.asked_by_id == user.pk}


def bring(change: ChangeRequest, to: ChangeState, *, actor: User, reason: str = "") -> None:
    """Bring a request into a state, with history and event. Raises MoveRefusedError."""
    _bring(change, to, Q(), {}, actor=actor, reason=reason)


def _bring(
    change: ChangeRequest,
    to: ChangeState,
    only: Q,
    changes: dict[str, Any],
    *,
    actor: User,
    reason: str,
) -> None:
    now = timezone.now()
    ended = {} if CHANGE[to] else {"ended_at": now}
    moved = update_where(
        change,
        Q(state__in=before(CHANGE, to)) & only,
        actor=actor,
        reason=reason,
        changes={"state": to, **ended, **changes},
    )
    if not moved:
        raise _refused(change, to)
    facts = {"kind": change.kind}
    order = change.order
    record(VERBS[to], actor=actor, subject=change, also=[order], reason=reason, context=facts)


def _decide(change: ChangeRequest, to: ChangeState, *, actor: User, reason: str) -> None:
    """Note who decided; the row itself refuses who took it down."""
    changes = {"decided_by": actor, "decided_at": timezone.now()}
    only = Q(state=_S.REQUESTED) & ~Q(asked_by=actor)
    _bring(change, to, only, changes, actor=actor, reason=reason)


def _refused(change: ChangeRequest, to: ChangeState) -> MoveRefusedError:
    change.refresh_from_db()
    words = {"change": change, "state": change.get_state_display(), "after": to.label}
    text = _(
        "%(change)s is “%(state)s” and cannot become “%(after)s”. Somebody may have been faster."
    )
    return MoveRefusedError(text % words)


def _may_decide(change: ChangeRequest, actor: User) -> None:
    if not may(actor, DECIDE, change) or change.asked_by_id == actor.pk:
        raise PermissionDenied


def _do(change: ChangeRequest, amounts: Mapping[OrderLine, int], *, actor: User) -> str:
    """Do what needs no goods; return what came of it."""
    reason = str(REASONS[change.why])
    if change.kind == _K.CANCEL:
        return cancelling.cancel(change.order, amounts, actor=actor, reason=reason)
    set_address(change.order, change, actor=actor)
    return _("The order goes to the new address.")


def set_address(order: Order, change: ChangeRequest, *, actor: User) -> None:
    """Let the order go to the address of a request."""
    target = DeliveryAddress.objects.filter(order=order).first() or DeliveryAddress(order=order)
    target.address = change.address
    save_with_history(target, actor=actor)
    record(ADDRESS_SET, actor=actor, subject=order, also=[change, target])


def _known(order: Order, asked: Asked, actor: User) -> ChangeRequest | None:
    """Return the request of this reference, where it asks for the same; else raise."""
    if not asked.reference:
        return None
    found = ChangeRequest.objects.filter(asked_by=actor, reference=asked.reference).first()
    if found is not None and not _is_same(found, order, asked):
        raise ReferenceTakenError(
            {"reference": _("This reference was used for another request already.")}
        )
    return found


def _is_same(found: ChangeRequest, order: Order, asked: Asked) -> bool:
    known = (found.order_id, found.kind, found.why, found.note)
    if known != (order.pk, asked.kind, asked.why, asked.note):
        return False
    if clear(found.address, purpose=SAME_ADDRESS) != asked.address:
        return False
    lines = dict(found.lines.values_list("order_line_id", "quantity"))
    return lines == {line.pk: count for line, count in asked.pieces.items()}


def _refuse_incomplete(asked: Asked) -> None:
    """Raise ValidationError for what a request of the kind needs and lacks, or cannot have."""
    problems: dict[str, str] = {}
    if asked.kind not in _K.values:
        problems["kind"] = _("There is no such kind of request.")
    if asked.why not in REASONS:
        problems["why"] = _("Choose a reason.")
    elif asked.why in NOTE_NEEDED and not asked.note.strip():
        problems["note"] = _("Say more: this reason needs a note.")
    if (asked.kind == _K.ADDRESS) != bool(asked.address.strip()):
        problems["address"] = (
            _("Give the new address.") if not asked.address else _("Only a new address has one.")
        )
    if is_mask(asked.address, long=True):
        problems["address"] = _("Type the whole new address, not its mask.")
    if asked.kind in limits.WITH_GOODS and not asked.pieces:
        problems["lines"] = _("Say what comes back: lines and pieces.")
    if asked.kind == _K.ADDRESS and asked.pieces:
        problems["lines"] = _("A new address is for the whole order.")
    if problems:
        raise ValidationError(problems)


def _made(order: Order, asked: Asked, actor: User) -> ChangeRequest:
    change = ChangeRequest(
        order=order,
        kind=asked.kind,
        why=asked.why,
        note=asked.note,
        address=asked.address,
        reference=asked.reference,
        asked_by=actor,
    )
    try:
        with transaction.atomic():
            save_with_history(change, actor=actor)
    except IntegrityError:  # the same reference for another order, at the same moment
        if known := _known(order, asked, actor):
            return known
        raise
    rows = [
        ChangeLine(change=change, order_line=line, quantity=count)
        for line, count in asked.pieces.items()
    ]
    history.bulk_create(rows, actor=actor)
    facts = {"kind": change.kind, "why": change.why}
    record(VERBS[_S.REQUESTED], actor=actor, subject=change, also=[order], context=facts)
    return ChangeRequest.objects.get(pk=change.pk)
