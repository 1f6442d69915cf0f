"""Rights to clear values, and roles that have one: no single person gives them to anybody.

A right is guarded by its name (`reveal_`, `unmask_page_`, `export_clear_` of any model) or because
an app names it: what approves such access, and what changes rights. Giving one is asked for, and
done once somebody else agreed (`approvals.access` is that other half); taking one is done at once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from backoffice.accounts import roles
from backoffice.accounts.models import Kind, User

# Whoever agrees that a role gets a guarded right, or a person such a role.
APPROVE: Final = "accounts.approve_access"
_VERBS: Final = ("reveal_", "unmask_page_", "export_clear_")
_named: set[str] = {APPROVE, "accounts.change_roles", "accounts.manage_people"}


class NeedsAnotherError(PermissionDenied):
    """One person alone cannot do this; the message says what to do."""

    def __init__(self, message: str | Promise = "") -> None:
        super().__init__(message or _("Another person has to agree to this: ask for it."))


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something asked for that waits: what, by whom, why, and the address of its page."""

    text: str
    who: str
    why: str
    url: str


@dataclass(frozen=True, slots=True)
class Asking:
    """How another person is asked: for a right of a role, for roles of a person; what waits."""

    right: Callable[[str, str, User, str], Any]
    roles: Callable[[User, Sequence[str], User, str], Any]
    waiting: Callable[[], Sequence[Waiting]]


# told(person, facts): the person gave something guarded, or got it by a provider's word.
type Listener = Callable[[User, Mapping[str, Any]], None]
_asking: list[Asking] = []
_listeners: list[Listener] = []


def guard(*permissions: str) -> None:
    """Guard further rights ("app.codename"); called in `AppConfig.ready`."""
    _named.update(permissions)


def register_asking(asking: Asking) -> None:
    """Let another app put what is asked for before another person."""
    _asking[:] = [asking]


def listen(listener: Listener) -> None:
    """Let `listener(person, facts)` hear of what was given, in the transaction that gives it."""
    if listener not in _listeners:
        _listeners.append(listener)


def is_guarded(permission: str) -> bool:
    """Say whether the right ("app.codename") takes two people to be given."""
    return permission in _named or permission.partition(".")[2].startswith(_VERBS)


def rights_of(role_names: Iterable[str]) -> set[str]:
    """Return the guarded rights that these roles have now."""
    table = roles.in_force()
    return {right for role in role_names for right in table.get(role, ()) if is_guarded(right)}


def guarded_roles() -> set[str]:
    """Return the roles that have a guarded right now."""
    return {role for role, names in roles.in_force().items() if any(map(is_guarded, names))}


def is_alone(actor: User) -> bool:
    """Say whether nobody else was ever of the staff: then there is nobody to ask.

    Blocked people count, so that nobody becomes alone by blocking the others.
    """
    staff = User.objects.filter(is_staff=True, kind=Kind.PERSON)
    return actor.is_staff and not staff.exclude(pk=actor.pk).exists()


def asking() -> Asking:
    """Return how another person is asked. Raises NeedsAnotherError where nobody can be."""
    if not _asking:
        raise NeedsAnotherError(_("This needs backoffice.approvals, so that another can agree."))
    return _asking[0]


def waiting() -> Sequence[Waiting]:
    """Return what waits for another person."""
    return _asking[0].waiting() if _asking else ()


def tell(person: User, facts: Mapping[str, Any]) -> None:
    """Tell whoever listens what was given."""
    for listener in _listeners:
        listener(person, facts)
