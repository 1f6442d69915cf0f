"""The words of the record: each verb is registered once, with a text for people."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_verbs: dict[str, str | Promise] = {}
# verb -> what it does with personal data; the access review counts these.
_personal: dict[str, str] = {}
# verb -> the permission without which a record's page does not tell of it.
_rights: dict[str, str] = {}
PERSONAL = ("revealed", "searched", "exported", "granted", "in_file")


class UnknownVerbError(LookupError):
    """A verb was used that nobody registered."""


def register(verb: str, text: str | Promise, *, personal: str = "", right: str = "") -> str:
    """Register `verb` ("app.what_happened") and return it; the same verb twice is an error.

    `personal`, one of PERSONAL, says that it gives sight of personal data. `right`
    ("app.codename") is needed to read of it in the timeline of a record.
    """
    if _verbs.get(verb, text) != text:
        msg = f"the verb {verb} is registered already"
        raise ValueError(msg)
    _verbs[verb] = text
    if personal:
        _personal[verb] = PERSONAL[PERSONAL.index(personal)]
    if right:
        _rights[verb] = right
    return verb


def personal(*kinds: str) -> list[str]:
    """Return the verbs that give sight of personal data, of these kinds or of all."""
    return [verb for verb, kind in _personal.items() if not kinds or kind in kinds]


def rights() -> dict[str, str]:
    """Return verb -> permission, of the verbs that need one to be read of on a record's page."""
    return dict(_rights)


def personal_kind(verb: str) -> str:
    """Return which of PERSONAL the verb is."""
    return _personal[verb]


def label(verb: str) -> str:
    """Return the text for people; an unknown verb is shown as it is (its app may be left out)."""
    return str(_verbs.get(verb, verb))


def require(verb: str) -> None:
    """Raise UnknownVerbError unless `verb` is registered."""
    if verb not in _verbs:
        msg = f"the verb {verb} is not registered"
        raise UnknownVerbError(msg)


def choices() -> list[tuple[str, str]]:
    """Return (verb, text) pairs in the order of their texts."""
    return sorted(((verb, str(text)) for verb, text in _verbs.items()), key=lambda pair: pair[1])


ADDED = register("record.added", _("Record added"))
CHANGED = register("record.changed", _("Record changed"))
DELETED = register("record.deleted", _("Record deleted"))
SIGNED_IN = register("session.signed_in", _("Signed in"))
SIGNED_OUT = register("session.signed_out", _("Signed out"))
SIGN_IN_FAILED = register("session.sign_in_failed", _("Sign-in failed"))
EXPORTED = register("record.exported", _("Records exported"), personal="exported")
HISTORY_VIEWED = register("record.history_viewed", _("History looked at"))
SEARCHED = register("record.searched", _("Searched by a personal value"), personal="searched")
REVIEW_SIGNED = register("audit.review_signed", _("Access review signed"))
SEARCH_SAVED = register("audit.search_saved", _("Search of the record kept"))
SEARCH_DROPPED = register("audit.search_dropped", _("Kept search dropped"))
PURGED = register("audit.purged", _("Old events purged"))
REASONS_ERASED = register("audit.reasons_erased", _("Typed reasons erased"))
TAKEN_IN = register("audit.taken_in", _("Late events taken into the chain"))
