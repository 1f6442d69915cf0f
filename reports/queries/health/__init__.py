"""Is everything running well? One module each for what can go wrong; each registers its lines.

@register(order=20)
def refunds(user: User) -> Line | None: ...
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise

from backoffice import policy

if TYPE_CHECKING:
    from backoffice.accounts.models import User

    Question = Callable[["User"], "Line | None"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the card: what is looked at, what was found, and a badge of the site's kinds."""

    label: str | Promise
    detail: str
    icon: str
    kind: str
    word: str | Promise
    url: str = ""


def address(name: str, query: str = "") -> str:
    """Return the address of a staff page by its name; nothing where its page is left out."""
    try:
        return reverse(f"{policy.STAFF}:{name}") + query
    except NoReverseMatch:
        return ""


_questions: list[tuple[int, "Question"]] = []


def register(order: int) -> "Callable[[Question], Question]":
    """Register the decorated question; lines stand by `order`."""

    def add(question: "Question") -> "Question":
        _questions.append((order, question))
        return question

    return add


def lines(user: "User") -> list[Line]:
    """Return what the person may know about; a question that is none of theirs answers None."""
    questions = sorted(_questions, key=lambda pair: pair[0])
    return [line for _order, question in questions if (line := question(user)) is not None]
