"""Which right a kept file asks for: when it was made, and again each time it is handed out.

    rights.register("sheets.clear_export", lambda user, _kept: bool(may(user, "…", None)))

A link is good for minutes and a file for a day: whoever lost the right meanwhile gets neither.
"""

from collections.abc import Callable
from typing import Any

from backoffice.files.models import KeptFile

# test(user, file) -> whether the person may have what is in it now.
type Test = Callable[[Any, KeptFile], bool]

_tests: dict[str, Test] = {}


def register(purpose: str, test: Test) -> None:
    """Ask `test` of whoever downloads files of `purpose`; a second one of a purpose is an error."""
    if _tests.setdefault(purpose, test) is not test:
        msg = f"files for {purpose} ask for a right already"
        raise ValueError(msg)


def is_registered(purpose: str) -> bool:
    """Say whether files of `purpose` ask for a right."""
    return purpose in _tests


def holds(user: Any, kept: KeptFile) -> bool:
    """Say whether the person may have the file now.

    Of a purpose that nobody registered (its app is gone) only files that ask for no proof open.
    """
    test = _tests.get(kept.purpose)
    return not kept.proof_due if test is None else test(user, kept)
