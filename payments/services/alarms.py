"""What people have to be told of: it becomes a difference of the desk, with a mail, once.

The books disagree, a gateway says what they cannot follow, or an event could not be worked on.
Nothing corrects itself: two people solve the difference, and its day cannot be closed before.
"""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import history, verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record, update_where
from backoffice.mail import registry as mails
from backoffice.mail import services as mail
from payments.models import Break, Payment
from payments.services import ledger

logger = logging.getLogger("payments")
FOUND = verbs.register("payments.break_found", gettext_lazy("Difference found"))
HEALED = verbs.register("payments.break_healed", gettext_lazy("Difference healed by itself"))
DISAGREE = verbs.register("payments.books_disagree", gettext_lazy("The books disagree"))
MAIL = "payments.books_disagree"
mails.register(
    MAIL,
    label=gettext_lazy("The books disagree"),
    subject=gettext_lazy("The books disagree: %(count)s found"),
    fields=("count",),
)
# So many rows that are wrong become breaks of their own; more are one and the same trouble.
MOST = 100
# Characters of a key, before the colon and how often it was so.
KEY = 180


@dataclass(frozen=True, slots=True)
class Wrong:
    """A row for which a rule does not hold: `row` as "payment 7", `text` with both sides.

    `payment` and `refund` are keys; `gateway` counts where there is no payment.
    """

    rule: str
    row: str
    text: str
    payment: int | None = None
    refund: int | None = None
    gateway: str = "books"


def alarm(
    found: Iterable[Wrong], *, kind: Break.Kind = Break.Kind.BOOKS, mailed: bool = True
) -> int:
    """Make a break of each thing that is wrong, once, and tell who solves breaks; return how many.

    A day with such a break cannot be closed. Without `mailed` it only stands at the desk.
    """
    count, new = 0, 0
    for wrong in found:
        count += 1
        if count <= MOST:
            new += _book_break(wrong, kind)
    if new:
        record(DISAGREE, actor=None, outcome=Outcome.FAILED, context={"found": count})
        for person in solvers() if mailed else ():
            _tell(person, count)
    return count


def call(wrong: Wrong, *, mailed: bool = True) -> None:
    """Call people to one thing that the machine cannot follow."""
    alarm([wrong], kind=Break.Kind.PERSON, mailed=mailed)


def over(rule: str, row: str) -> None:
    """End the call to a thing that is worked on again; what a second person decides on stays."""
    calls = Break.objects.filter(key__startswith=_key(f"books:{rule}:{row}"), state="open")
    for found in calls:
        changes = {"state": Break.State.HEALED, "solved_at": timezone.now()}
        with transaction.atomic():
            if update_where(found, Q(state=Break.State.OPEN), actor=None, changes=changes):
                record(HEALED, actor=None, subject=found, context={"rule": rule, "row": row})


def solvers() -> list[User]:
    """Return the people who agree to solutions, fifty at most."""
    held = User.objects.with_perm(
        "payments.solve_break",
        is_active=True,
        include_superusers=False,
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return list(held.filter(is_staff=True).order_by("pk")[:50])


def why(found: Break) -> str:
    """Return in words what was wrong; "" where both sides say it."""
    if found.kind not in {Break.Kind.BOOKS, Break.Kind.PERSON}:
        return ""
    first = found.history.order_by("history_date", "history_id").first()
    return (first.history_change_reason or "") if first else ""


@transaction.atomic
def _book_break(wrong: Wrong, kind: Break.Kind) -> int:
    """Write the break; 0 where it is known and open."""
    key = _key(f"books:{wrong.rule}:{wrong.row}")
    known = Break.objects.filter(key__startswith=key)
    if known.filter(state__in=("open", "proposed")).exists():
        return 0
    payment = Payment.objects.filter(pk=wrong.payment).first() if wrong.payment else None
    gateway = payment.gateway if payment else wrong.gateway
    row = Break(
        key=f"{key}{known.count() + 1}",
        gateway=gateway,
        day=ledger.open_day(gateway, timezone.now().date()),
        kind=kind,
        payment=payment,
        refund_id=wrong.refund,
        currency=payment.currency if payment else "XXX",
    )
    history.bulk_create([row], actor=None, reason=wrong.text)
    facts = {"kind": row.kind, "rule": wrong.rule, "row": wrong.row, "text": wrong.text}
    record(FOUND, actor=None, subject=row, context=facts)
    return 1


def _key(key: str) -> str:
    """Return how the keys of all breaks of one thing begin; what is too long ends in a digest."""
    if len(key) > KEY:
        key = f"{key[: KEY - 33]}-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    return f"{key}:"


def _tell(person: User, count: int) -> None:
    """Put the mail into the outbox; the difference stands there whether or not that can be done."""
    try:
        link = {"link": reverse("admin:payments_break_changelist")}
    except NoReverseMatch:  # an installation without the staff site
        link = {}
    reason = _("You solve differences of money.")
    try:
        with transaction.atomic():
            mail.queue(MAIL, to=person, actor=None, reason=reason, context={"count": count, **link})
    except Exception:
        logger.exception("somebody could not be told of differences")
