"""The one place where tests find the folder of real, awkward and hostile sheets.

It does not belong to the repository: some of its files may not be passed on. Tests that need one
are skipped, and say so, where it is not there.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

VARIABLE: Final = "BACKOFFICE_SHARED_DATA"
REPOSITORY: Final = Path(__file__).resolve().parents[2]


def folder() -> Path | None:
    """Return the folder: what the variable names, else one beside the repository."""
    if named := os.environ.get(VARIABLE):
        return Path(named) if Path(named).is_dir() else None
    beside = (one.parent / "shared" / "data" for one in _trees())
    return next((place for place in beside if place.is_dir()), None)


def shared(path: str) -> Path:
    """Return a file or folder of it ("awkward/s01.xlsx"); skips the test that asks without one."""
    found = folder()
    if found is None:
        pytest.skip(f"needs the folder of real sheets that {VARIABLE} names")
    if not (found / path).exists():
        pytest.skip(f"needs {path} in the folder of shared data")
    return found / path


def _trees() -> Iterator[Path]:
    """Yield this work tree, and the main one where this one was added to it."""
    yield REPOSITORY
    pointer = REPOSITORY / ".git"
    if pointer.is_file():
        own = Path(pointer.read_text().removeprefix("gitdir:").strip())
        common = own / (own / "commondir").read_text().strip()
        yield common.resolve().parent
