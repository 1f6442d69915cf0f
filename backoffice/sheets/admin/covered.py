"""First rows of a stranger's file on a page: what tells of a person is a mask, to everybody.

Whoever uploaded the file may have it, but a page is seen over shoulders and on shared screens.
"""

from collections.abc import Iterable

from backoffice.sheets.kept import personal
from backoffice.sheets.kept.columns import hidden


def covered(text: str, headers: Iterable[str]) -> str:
    """Return a cell as a page shows it; `headers` are what its column is called, in any way."""
    if not text:
        return text
    kind = next(filter(None, map(personal.mask_by_header, headers)), "")
    return str(hidden(kind, text)) if kind else personal.masked(text)
