"""Where personal data lies in the apps below this one: the record, accounts, sessions, grants.

Texts that staff type about anybody stand here; what belongs to a person by a key is found through
the records that belong to them (`Group.records`).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backoffice.audit import verbs
from backoffice.audit.models import Event, EventReason
from backoffice.masking import purposes, subjects
from backoffice.masking.erasing import Erasure, Step, page
from backoffice.masking.models import Grant
from backoffice.masking.services import Purpose
from backoffice.masking.subjects import BLANK, CLEAN, TOMBSTONE, Group, Place, Rows

_ACCOUNTS = _("Accounts of staff and sellers, not of the people whose data is kept")
_STAFF = (
    "accounts.user",
    "accounts.counter",
    "accounts.device",
    "accounts.installation",
    "account.emailaddress",
    "account.emailconfirmation",
    "mfa.authenticator",
    "socialaccount.socialapp",
    "socialaccount.socialaccount",
    "socialaccount.socialtoken",
    "usersessions.usersession",
)
_NAMES = (
    "auth.permission",
    "auth.group",
    "contenttypes.contenttype",
    "masking.purposeuse",
)
_KEYS = ("guardian.userobjectpermission", "guardian.groupobjectpermission")


def events_about(group: Group) -> Rows:
    """Return the events about the people and about what belongs to them."""
    found: Rows = Event.objects.concerning_any(group.records()).select_related(None).order_by()
    return found


def _reasons(group: Group) -> Rows:
    return EventReason.objects.filter(event__in=events_about(group).values("pk"), erased_in=None)


def erase_typed(place: Place, erasure: Erasure, after: Any, limit: int) -> Step:
    """Erase typed reasons: of events about the people, and others that name them.

    The chain holds only their salted hash, and still verifies.
    """
    turn, key = after or ["own", None]
    group = erasure.group
    rows = _reasons(group) if turn == "own" else EventReason.objects.filter(erased_in=None)
    found = page(rows.exclude(event=erasure.event), key, limit, _TYPED)
    keys = [row[0] for row in found if turn == "own" or _is_named(group, *row[1:])]
    mine = EventReason.objects.filter(pk__in=keys, erased_in=None)
    changed = mine.update(text="", salt="", erased_in=erasure.event)
    if len(found) == limit:
        return Step(changed, [turn, found[-1][0]])
    return Step(changed, ["all", None] if turn == "own" and group.elsewhere else None)


_TYPED: Final = ("text", "event__subject_id")


def _is_named(group: Group, text: str, about: str) -> bool:
    """Say whether a reason names the people; of an event about somebody else no name alone does.

    A reason goes as a whole, so that a customer named like a reason would take the record away.
    """
    return (group.identifiers if about else group.elsewhere).find(text)


def _others_typed(group: Group, limit: int) -> int:
    """Return how many of the newest reasons of events about others would go."""
    rows = EventReason.objects.filter(erased_in=None).exclude(pk__in=_reasons(group).values("pk"))
    found = rows.order_by("-pk").values_list(*_TYPED)[:limit]
    return sum(_is_named(group, *row) for row in found)


def _words() -> Iterator[Any]:
    yield from (label for _verb, label in verbs.choices())
    yield from Purpose.labels
    yield from (purpose.text for purpose in purposes.registered())


def _told(group: Group) -> Iterator[Mapping[str, Any]]:
    """Yield the events about the people, without who of the staff it was and from where."""
    found = Event.objects.filter(pk__in=events_about(group).values("pk")).order_by("pk")
    for event in found.iterator():
        yield {
            "id": event.pk,
            "at": event.at,
            "what": verbs.label(event.verb),
            "about": f"{event.subject_type} {event.subject_id}".strip(),
            "outcome": str(event.get_outcome_display()),
            "reason": event.reason,
        }


def _grants(group: Group) -> Rows:
    """Return the grants for the people's records."""
    named = Q(pk__in=[])
    kinds = {f"{kind.app_label}.{kind.model}": kind.pk for kind in ContentType.objects.all()}
    for label, keys in group.own_records().items():
        named |= Q(content_type=kinds.get(label), object_id__in=keys)
    found: Rows = Grant.objects.filter(named)
    return found


def end_sessions(_place: Place, erasure: Erasure, _after: Any, _limit: int) -> Step:
    """Delete sessions that hold a value of the people (a message, say): who is in signs in anew.

    All in one step: the key of a session opens it, so it must not be noted as where to go on.
    """
    sessions = apps.get_model("sessions", "Session")._default_manager  # not in every installation
    named = [one.pk for one in sessions.iterator() if _names(one.get_decoded(), erasure)]
    return Step(sessions.filter(pk__in=named).delete()[0])


def _names(value: Any, erasure: Erasure) -> bool:
    return bool(erasure.group.elsewhere.cleaned(value) != value)


def register() -> None:
    """Put the places in force, once."""
    for label in _STAFF:
        subjects.exempt(label, _ACCOUNTS)
    for label in _NAMES:
        subjects.exempt(label, _("Words of the program"))
    for label in _KEYS:
        subjects.exempt(label, _("Keys of records alone"))
    for label in ("audit.seal", "audit.checkpoint", "audit.eventsubject"):
        subjects.exempt(label, _("Keys and hashes alone"))
    subjects.reserve(_words)
    _register_record()
    _register_texts()


def _register_record() -> None:
    subjects.register(
        Place(
            "audit.reasons",
            _("Typed reasons in the record of activity"),
            "audit.eventreason",
            rows=_reasons,
            step=erase_typed,
            others=_others_typed,
            export=lambda _group: (),
            fields={"text": BLANK, "salt": BLANK},
        )
    )
    subjects.register(
        Place(
            "audit.events",
            _("Events of the record of activity"),
            "audit.event",
            rows=events_about,
            fields={},
            kept={"*": _("Who did what and when has to be provable; it holds keys, no values")},
            export=_told,
        )
    )


def _register_texts() -> None:
    subjects.register(
        Place(
            "masking.grants",
            _("Reasons of access that was given"),
            "masking.grant",
            rows=_grants,
            fields={"reason": TOMBSTONE},
            kept=dict.fromkeys(("object_id", "permission"), _("A key and a right")),
            everywhere=True,
            export=_reasons_of_grants,
        )
    )
    _typed("audit.searches", _("Kept searches"), "audit.savedsearch", "name", "query", delete=True)
    _typed("masking.alarms", _("Findings about alarms"), "masking.alarm", "facts", "finding")
    _typed("audit.reviews", _("Comments of reviews"), "audit.accessreview", "comment", "figures")
    _typed("accounts.roles", _("Reasons of changed roles"), "accounts.rolechange", "reason")
    _typed("accounts.acting", _("Reasons of acting for somebody"), "accounts.acting", "reason")
    _typed("accounts.keys", _("Names of tokens"), "accounts.token", "name")
    _typed("admin.log", _("Django's log"), "admin.logentry", "object_repr", "change_message")
    subjects.register(
        Place(
            "sessions",
            _("Sessions that hold a value"),
            "sessions.session",
            step=end_sessions,
            kept={"session_key": _("A random key"), "session_data": _("Signed; searched opened")},
        )
    )


def _reasons_of_grants(group: Group) -> Iterator[Mapping[str, Any]]:
    columns = ("id", "permission", "reason", "starts_at", "expires_at", "ended_at")
    yield from _grants(group).order_by("pk").values(*columns)


# Columns of such tables that hold no text of people.
_KEPT: Final = {
    "accounts.rolechange": ("role", "permission"),
    "accounts.token": ("prefix", "digest", "scopes", "addresses"),
    "admin.logentry": ("object_id",),
    "audit.accessreview": ("snapshot",),
}


def _typed(name: str, label: Any, model: str, *columns: str, delete: bool = False) -> None:
    """Register a table all of whose rows are searched for people."""
    subjects.register(
        Place(
            name,
            label,
            model,
            fields=dict.fromkeys(columns, BLANK if delete else CLEAN),
            kept=dict.fromkeys(_KEPT.get(model, ()), _("Words of ours, keys and hashes")),
            everywhere=True,
            delete=delete,
        )
    )
