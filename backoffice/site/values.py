"""Values that know how a page shows them."""

from dataclasses import dataclass
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString

BadgeKind = Literal["quiet", "done", "wait", "move", "fail", "unkn", "rest", "tag"]


@dataclass(frozen=True, slots=True)
class Badge:
    """A state with its word: a dot whose shape differs by `kind`, and `text`.

    quiet: the usual good state · done: reached · wait: a person must act · move: under way ·
    fail: went wrong · unkn: nobody knows yet · rest: over or not begun · tag: a fact, no state.
    """

    kind: BadgeKind
    text: str | Promise

    def __html__(self) -> str:
        """Return the badge as markup."""
        return format_html('<span class="bo-badge bo-badge--{}">{}</span>', self.kind, self.text)

    def __str__(self) -> str:
        return str(self.text)


def icon(name: str, css: str = "") -> SafeString:
    """Return a Material Symbols glyph that screen readers skip."""
    return format_html('<span class="bo-icon {}" aria-hidden="true">{}</span>', css, name)


def choice_badge(instance: Any, field: str, kinds: dict[str, BadgeKind]) -> Badge:
    """Return the badge of a choice field; a value without a kind is shown as a plain fact."""
    value = str(getattr(instance, field))
    text = getattr(instance, f"get_{field}_display")()
    return Badge(kinds.get(value, "tag"), text)
