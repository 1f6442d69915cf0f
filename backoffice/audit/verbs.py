"""The words of the record: each verb is registered once, with a text for people."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_verbs: dict[str, str | Promise] = {}


class UnknownVerbError(LookupError):
    """A verb was used that nobody registered."""


def register(verb: str, text: str | Promise) -> str:
    """Register `verb` ("app.what_happened") and return it; the same verb twice is an error."""
    if _verbs.get(verb, text) != text:
        msg = f"the verb {verb} is registered already"
        raise ValueError(msg)
    _verbs[verb] = text
    return verb


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
EXPORTED = register("record.exported", _("Records exported"))
HISTORY_VIEWED = register("record.history_viewed", _("History looked at"))
SEARCHED = register("record.searched", _("Searched by a personal value"))
PURGED = register("audit.purged", _("Old events purged"))
REASONS_ERASED = register("audit.reasons_erased", _("Typed reasons erased"))
TAKEN_IN = register("audit.taken_in", _("Late events taken into the chain"))
