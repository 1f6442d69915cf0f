"""The guides of docs/: their examples, run as they stand there."""

import re
from pathlib import Path
from typing import Any

from django.conf import settings


def text(name: str) -> str:
    """Return a guide, "masking" for docs/masking.md."""
    return (Path(settings.BASE_DIR) / "docs" / f"{name}.md").read_text(encoding="utf-8")


def examples(name: str, heading: str = "") -> list[str]:
    """Return the blocks of Python in a guide, or in one of its sections."""
    found = text(name)
    if heading:
        found = found.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```python\n(.*?)```", found, re.DOTALL)


def run(name: str, heading: str = "", **known: Any) -> dict[str, Any]:
    """Run the blocks one after the other with these names; return all names there are then."""
    space: dict[str, Any] = {"__name__": "customers.guide", **known}
    blocks = examples(name, heading)
    assert blocks, f"docs/{name}.md has no example under {heading!r}"
    for block in blocks:
        exec(compile(block, f"docs/{name}.md {heading}", "exec"), space)  # noqa: S102 - our own text
    return space
