"""Acting for somebody: support does for a seller's member what that person could do, and no more.

It lasts half an hour at most, has a reason, is announced to the person and names both in every
event and every change. It stands on the session of whoever acts, so that it ends with it. It is
never for deciding, factors, passwords, tokens, revealing or exports: whoever is asked for proof of
who they are is refused while acting, and `refuse()` stands in those services.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import post
from backoffice.accounts.models import Acting, User
from backoffice.audit import context, verbs
from backoffice.audit.models import Outcome
from backoffice.audit.services import record

RIGHT = "accounts.act_for_seller"
LONGEST = timedelta(minutes=30)
KEY = "acting"
SITE = "seller"
BEGAN = verbs.register("accounts.acting_began", _("Began to act for somebody"))
ENDED = verbs.register("accounts.acting_ended", _("Ended acting for somebody"))
REFUSED = verbs.register("accounts.acting_refused", _("Refused while acting for somebody"))
MAIL = post.register(
    "accounts.acted_for",
    label=_("Somebody acts for you"),
    subject=_("%(who)s acts for you"),
    fields=("who", "why", "minutes"),
)

Test = Callable[[User], bool]
_tests: list[Test] = []


def allow(test: Test) -> None:
    """Let people of whom `test(user)` says yes be acted for (called in `AppConfig.ready`)."""
    if test not in _tests:
        _tests.append(test)


def may_be_acted_for(person: User) -> bool:
    """Say whether anybody may act for the person: never for staff, only for whom an app names."""
    if not person.is_active or person.is_staff or person.is_superuser:
        return False
    return any(test(person) for test in _tests)


def is_acting() -> bool:
    """Say whether what runs now runs in the name of another person."""
    return context.current().real_actor_id is not None


def refuse() -> None:
    """Raise PermissionDenied while somebody acts for another; for what is theirs alone to do."""
    if is_acting():
        raise PermissionDenied(gettext("Not while you act for somebody: this is theirs to do."))


def begin(person: User, *, actor: User, reason: str) -> Acting:
    """Begin to act for the person, on the record; they hear of it.

    Whatever the actor had begun before ends. Raises PermissionDenied without the right or while
    acting already, ValidationError for somebody nobody may act for, or no reason.
    """
    refuse()
    if not actor.has_perm(RIGHT) or not actor.is_staff:
        raise PermissionDenied
    if actor.pk == person.pk or not may_be_acted_for(person):
        raise ValidationError(_("Nobody can act for this person."))
    if not reason.strip():
        raise ValidationError({"reason": _("Say why.")})
    with transaction.atomic():
        for old in Acting.objects.filter(actor=actor, ended_at=None):
            end(old)
        row = Acting.objects.create(
            actor=actor, person=person, reason=reason, ends_at=timezone.now() + LONGEST
        )
        record(BEGAN, actor=actor, subject=person, also=[row], reason=reason)
        minutes = int(LONGEST.total_seconds()) // 60
        facts = {"who": str(actor), "why": reason, "minutes": minutes}
        why = gettext("Somebody of the staff acts in your name.")
        post.send(MAIL, to=person, actor=actor, reason=why, context=facts)
    return row


def end(row: Acting) -> None:
    """End it, on the record; once."""
    with transaction.atomic():
        if Acting.objects.filter(pk=row.pk, ended_at=None).update(ended_at=timezone.now()):
            record(ENDED, actor=row.actor, subject=row.person, also=[row])


def current(request: HttpRequest) -> Acting | None:
    """Return what the session's person is acting in now; ends what may not go on."""
    key = request.session.get(KEY)
    if key is None:
        return None
    found = Acting.objects.select_related("person", "actor").filter(
        pk=key, actor_id=request.user.pk, ended_at=None
    )
    row = found.first()
    if row is not None and row.ends_at > timezone.now() and _goes_on(row):
        return row
    request.session.pop(KEY)
    if row is not None:
        end(row)
    return None


def _goes_on(row: Acting) -> bool:
    return row.actor.has_perm(RIGHT) and may_be_acted_for(row.person)


def note_refusal(request: HttpRequest, row: Acting, what: Any) -> None:
    """Put on the record what was tried while acting and is not for it."""
    facts = {"page": str(what)}
    record(REFUSED, actor=row.person, subject=row, outcome=Outcome.REFUSED, context=facts)
