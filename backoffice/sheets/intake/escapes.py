"""Texts in csv that a spreadsheet program would run: an apostrophe goes before them, and off again.

The one exact inverse of the other: before a text that begins like a formula (= + - @, a tab, a line
end) or with an apostrophe goes one apostrophe, and it is taken off where one of these follows it.
A text of another system that begins with an apostrophe and goes on otherwise stays as it is.
"""

from typing import Final

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
APOSTROPHE: Final = "'"
# A blank begins with none of them: "" is no member.
ESCAPED: Final = frozenset((*FORMULA_STARTS, APOSTROPHE))


def safe_text(value: str) -> str:
    """Return the text so that no spreadsheet program takes it for a formula."""
    return f"'{value}" if value[:1] in ESCAPED else value


def unescape(value: str) -> str:
    """Return the text that `safe_text` was given: one apostrophe goes where it put one."""
    return value[1:] if value[:1] == APOSTROPHE and value[1:2] in ESCAPED else value
