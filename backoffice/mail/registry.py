"""The mails that exist, each with its subject and the values it may hold.

    mail.registry.register(
        "approvals.requested",
        label=_("Approval asked for"),
        subject=_("%(what)s waits for your decision"),
        fields=("what",),
    )

The text stands in the app's `templates/mail/approvals.requested.txt`. It may use the fields, `url`
(the absolute address of the link), `recipient` (the recipient's own name) and `site_name`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of mail; `fields` are the names of the values that its rows hold."""

    name: str
    label: str | Promise
    subject: str | Promise
    fields: frozenset[str]

    @property
    def path(self) -> str:
        """The name of its text among the templates."""
        return f"mail/{self.name}.txt"


class UnknownTemplateError(LookupError):
    """A mail was asked for that no app registered."""


@dataclass(frozen=True, slots=True)
class Outside:
    """A reader without an account here: a registered kind of people, and which of them.

    `key` is a key of a table, never an address or a name.
    """

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Readers:
    """A kind of people without accounts who get mail.

    `address(key)` is asked at the moment a mail leaves, and kept nowhere; "" where there is none
    (any more). `label(key)` names them on staff pages, without a personal value.
    """

    kind: str
    address: Callable[[str], str]
    label: Callable[[str], str]


_readers: dict[str, Readers] = {}


def register_readers(
    kind: str, *, address: Callable[[str], str], label: Callable[[str], str]
) -> None:
    """Let mails go to people of this kind ("app.model"); the app that knows them registers it."""
    _readers[kind] = Readers(kind, address, label)


def readers(kind: str) -> Readers | None:
    """Return the kind; None when its app is left out."""
    return _readers.get(kind)


_templates: dict[str, Template] = {}


def register(
    name: str, *, label: str | Promise, subject: str | Promise, fields: Iterable[str] = ()
) -> Template:
    """Register a mail and return it; the same name twice with other content is an error."""
    made = Template(name, label, subject, frozenset(fields))
    if _templates.setdefault(name, made).fields != made.fields:
        raise ValueError(f"the mail {name} is registered already")
    return made


def find(name: str) -> Template:
    """Return the mail of this name. Raises UnknownTemplateError."""
    try:
        return _templates[name]
    except KeyError:
        raise UnknownTemplateError(f"no mail {name} is registered") from None


def templates() -> list[Template]:
    """Return all mails by name."""
    return [_templates[name] for name in sorted(_templates)]


def label(name: str) -> str:
    """Return the words for a mail; the name where its app is left out."""
    found = _templates.get(name)
    return str(found.label) if found else name
