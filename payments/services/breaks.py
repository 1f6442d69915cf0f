"""Solving what differs: one person proposes, another agrees, and only then something is booked.

A solution is one of a list. "Book it" takes the gateway's word into the ledger, through the account
of differences; "take it in" adds a refund that was made at the gateway. Both want evidence.
"""

from collections.abc import Collection, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model, Q, TextChoices
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.approvals import registry as rules
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit import verbs
from backoffice.audit.services import record, update_where
from backoffice.money import Money
from payments.gateways.base import MovementKind, Outcome
from payments.gateways.settling import settling
from payments.models import Break, Evidence
from payments.services import corrections, external, ledger, matching
from payments.states import OPEN

PROPOSED = verbs.register("payments.break_proposed", gettext_lazy("Solution proposed"))
SOLVED = verbs.register("payments.break_solved", gettext_lazy("Difference solved"))
BACK = verbs.register("payments.break_open_again", gettext_lazy("Solution not agreed to"))
_K = Break.Kind
_S = Break.State
_M = MovementKind


class Solution(TextChoices):
    """How a break is solved."""

    EXPLAINED = "explained", gettext_lazy("Explained, nothing to book")
    GATEWAY = "gateway", gettext_lazy("The gateway corrects it, nothing to book")
    BOOK = corrections.BOOK, gettext_lazy("Book what the gateway says")
    EXTERNAL = "external", gettext_lazy("Take it in as a refund made at the gateway")


MOVES_MONEY = frozenset({Solution.BOOK, Solution.EXTERNAL})
"""Solutions that change the books: they want evidence."""


def solutions(found: Break) -> list[Solution]:
    """Return which solutions there are for a break."""
    offered = [Solution.EXPLAINED, Solution.GATEWAY]
    if found.kind not in {_K.BOOKS, _K.PERSON} and not _is_ours_and_open(found):
        offered.append(Solution.BOOK)
    if _is_strange_refund(found):
        offered.append(Solution.EXTERNAL)
    return offered


def _is_ours_and_open(found: Break) -> bool:
    """Say whether it is about a refund of ours that is not over: its own end books it."""
    return found.kind == _K.MISSING_HERE and _of_ours(found, OPEN)


def _of_ours(found: Break, states: Collection[str]) -> bool:
    """Say whether it is about a refund of ours in one of these states, by what is known now."""
    entry, refund = found.entry, found.refund
    if refund is None and entry is not None and entry.kind in {_M.REFUND, _M.REVERSAL}:
        refund = entry.refund or external.ours(found.gateway, entry.number, entry.reference)
    return refund is not None and refund.state in states


def _is_strange_refund(found: Break) -> bool:
    """Say whether it is a refund, of a payment of ours, that nobody here asked for."""
    entry = found.entry
    return (
        found.kind == _K.MISSING_HERE
        and entry is not None
        and entry.kind == MovementKind.REFUND
        and found.payment is not None
        and found.refund is None
        and not _is_ours_and_open(found)
    )


def propose(
    found: Break,
    solution: Solution,
    *,
    note: str,
    actor: User,
    evidence: Evidence | None = None,
) -> ApprovalRequest:
    """Ask a second person to agree to a solution.

    Raises PermissionDenied, ValidationError (nothing said, no evidence, solved meanwhile).
    """
    if not actor.is_active or not actor.has_perm("payments.propose_break"):
        raise PermissionDenied
    _check(found, solution, note, evidence)
    with transaction.atomic():
        changes: dict[str, Any] = {
            "state": _S.PROPOSED,
            "solution": solution,
            "note": note,
            "evidence": evidence,
        }
        if not update_where(found, Q(state=_S.OPEN), actor=actor, reason=note, changes=changes):
            raise ValidationError(_("Somebody proposed a solution, or it is solved already."))
        approval = approvals.ask(
            SOLVE_RULE.kind,
            subject=found,
            payload=_payload(found),
            summary=_summary(found, solution),
            reason=note,
            actor=actor,
        )
        update_where(found, Q(), actor=actor, changes={"approval": approval})
        facts = {"solution": str(solution), "kind": found.kind, "gateway": found.gateway}
        record(PROPOSED, actor=actor, subject=found, reason=note, context=facts)
    return approval


def denials(user: Any, permission: str, rows: Sequence[Model]) -> dict[Any, str]:
    """Return which proposals a person must not decide: their own.

    For the policy, so that no page offers it; the approvals service refuses on its own.
    """
    if permission != "payments.solve_break":
        return {}
    why = "who proposed a solution does not decide it"
    return {
        row.pk: why
        for row in rows
        if isinstance(row, Break) and row.approval and row.approval.maker_id == user.pk
    }


def _check(found: Break, solution: Solution, note: str, evidence: Evidence | None) -> None:
    if not note.strip():
        raise ValidationError({"note": _("Say what was found out.")})
    if solution not in solutions(found):
        raise ValidationError({"solution": _("This solution does not fit this difference.")})
    if solution in MOVES_MONEY and evidence is None:
        raise ValidationError({"evidence": _("What changes the books needs evidence.")})


def _summary(found: Break, solution: Solution) -> str:
    text = _("%(kind)s at %(gateway)s, %(day)s: %(solution)s")
    return text % {
        "kind": found.get_kind_display(),
        "gateway": found.gateway,
        "day": found.day,
        "solution": solution.label,
    }


def _payload(found: Break) -> dict[str, Any]:
    """Return what is agreed to; another solution or another amount is another proposal.

    The amount is what the solution books, without its sign; 0 where nothing is booked.
    """
    booked = adjustments(found) if found.solution == Solution.BOOK else []
    if found.solution == Solution.EXTERNAL and found.entry is not None:
        booked = [found.entry.amount]
    return {
        "break": found.pk,
        "solution": found.solution,
        "evidence": found.evidence.sha256 if found.evidence else "",
        "amount_minor": max((abs(amount.minor) for amount in booked), default=0),
        "currency": booked[0].currency if booked else found.currency,
    }


def _snapshot(request: ApprovalRequest) -> dict[str, Any]:
    found = request.record()
    if not isinstance(found, Break):
        return {"break": None}
    return {
        "key": found.key,
        "kind": found.kind,
        "ours_minor": found.ours_minor,
        "theirs_minor": found.theirs_minor,
        "currency": found.currency,
        "refund": found.refund_id,
    }


def _effects(request: ApprovalRequest) -> list[rules.Effect]:
    found = request.record()
    if not isinstance(found, Break):
        return []
    ours = str(_money(found.ours_minor, found.currency) or "-")
    theirs = str(_money(found.theirs_minor, found.their_currency or found.currency) or "-")
    lines = [
        rules.Effect(_("Ours and theirs"), ours, theirs),
        rules.Effect(_("Solution"), "-", str(Solution(found.solution).label)),
    ]
    if found.solution == Solution.BOOK:
        zero = "-"
        lines += [
            rules.Effect(_("Booked as a difference"), zero, str(one)) for one in adjustments(found)
        ]
    return lines


def _money(minor: int | None, currency: str) -> Money | None:
    return None if minor is None else Money(minor, currency)


def adjustments(found: Break) -> list[Money]:
    """Return what "book it" adds to the money at the gateway, without fees: theirs - ours.

    Of a fee that differs, and of a row that only came late, nothing but the fee is booked.
    """
    if found.kind in {_K.FEE, _K.LATE, _K.BOOKS, _K.PERSON}:
        return []
    ours = _money(found.ours_minor, found.currency)
    theirs = _money(found.theirs_minor, found.their_currency or found.currency)
    if ours is not None and theirs is not None and ours.currency == theirs.currency:
        return [theirs - ours]
    return [amount for amount in (-ours if ours else None, theirs) if amount]


def _solve(request: ApprovalRequest) -> None:
    """Book what was agreed on, and close the break."""
    found = Break.objects.select_related("entry", "payment", "refund").get(approval=request)
    if _payload(found) != request.payload:
        raise approvals.VoidError(_("The difference is not what was agreed on any more."))
    if found.solution in MOVES_MONEY and _is_outdated(found):
        raise approvals.VoidError(_("It is in our books by now, or will be. Match the day again."))
    actor = request.decided_by
    changes = {"state": _S.SOLVED, "solved_at": timezone.now()}
    if not update_where(found, Q(state=_S.PROPOSED), actor=actor, changes=changes):
        raise approvals.VoidError(_("The difference was solved in the meantime."))
    if found.solution == Solution.BOOK:
        _book(found)
    elif found.solution == Solution.EXTERNAL:
        _take_in(found)
    facts = {"solution": found.solution, "kind": found.kind, "gateway": found.gateway}
    about = [row for row in (found.refund, found.payment) if row is not None]
    record(SOLVED, actor=actor, subject=found, also=about, context=facts)


def _is_outdated(found: Break) -> bool:
    """Say whether our own books tell of what was missing here by now, or are about to."""
    if found.kind != _K.MISSING_HERE or found.entry is None:
        return False
    if _is_ours_and_open(found):
        return True
    (now,) = matching.judge([found.entry], settling(found.gateway))
    return now is None or now.kind != _K.MISSING_HERE


def _book(found: Break) -> None:
    for amount in adjustments(found):
        ledger.book_adjustment(
            corrections.key_of(found.pk, amount.currency),
            gateway=found.gateway,
            day=found.day,
            amount=amount,
            payment=found.payment,
            refund=found.refund,
        )
    if found.entry is not None:
        ledger.book_fee(found.entry)


def _take_in(found: Break) -> None:
    """Let the books follow the movement; the day's next matching finds it there."""
    entry, payment = found.entry, found.payment
    if entry is None or payment is None:
        raise approvals.VoidError(_("There is no refund to take in."))
    word = external.Word(entry.reference, entry.number, -entry.amount, Outcome.SUCCEEDED)
    reply = external.hear(payment, word)
    if reply.heard is not external.Heard.DONE:
        why = reply.why or _("The refund could not be taken in.")
        raise ValidationError(why)
    ledger.book_fee(entry)


def _not_agreed(request: ApprovalRequest) -> None:
    """Open the break again: the proposal was rejected, taken back, void, or nobody decided."""
    found = Break.objects.filter(approval=request, state=_S.PROPOSED).first()
    if found is None:
        return
    actor = request.decided_by
    changes = {"state": _S.OPEN, "solution": "", "note": "", "evidence": None}
    update_where(found, Q(state=_S.PROPOSED), actor=actor, changes=changes)
    facts = {"kind": found.kind, "gateway": found.gateway}
    record(BACK, actor=actor, subject=found, reason=request.comment, context=facts)


SOLVE_RULE = rules.register(
    rules.Rule(
        kind="payments.break",
        label=gettext_lazy("Solution of a difference"),
        permission="payments.solve_break",
        execute=_solve,
        on_reject=_not_agreed,
        snapshot=_snapshot,
        effects=_effects,
    )
)
