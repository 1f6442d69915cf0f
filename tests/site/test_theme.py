"""The tokens: once for unfold, once for the style sheet, and legible."""

import re
from pathlib import Path

import pytest

from backoffice.site import theme

SHEET = Path(theme.__file__).parent / "static/backoffice/backoffice.css"
# WCAG 2.2, 1.4.3: text on its ground.
READABLE = 4.5
PAIRS = [
    ("text", "surface"),
    ("text-2", "surface"),
    ("text-3", "surface"),
    ("text-3", "surface-2"),
    ("text-3", "bg"),
    ("accent", "surface"),
    ("accent", "selected"),
    ("on-solid", "solid"),
    ("danger", "surface"),
    *(
        (kind, f"{kind}-bg")
        for kind in ("done", "wait", "fail", "move", "unkn", "rest", "new", "old")
    ),
]


def tokens(*, dark: bool) -> dict[str, str]:
    """Return token -> colour; the dark block repeats only what differs."""
    text = SHEET.read_text()
    light, rest = text.split("html.dark {", 1)
    block = light + (rest.split("}", 1)[0] if dark else "")
    found = dict(re.findall(r"--bo-([a-z0-9-]+): (#[0-9a-f]{3,6});", block))
    return {name: value if len(value) == 7 else "#" + "".join(2 * c for c in value[1:])
            for name, value in found.items()}  # fmt: skip


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("name", "scale"), [("base", theme.BASE), ("primary", theme.PRIMARY)])
def test_sheet_and_unfold_have_the_same_scales(name: str, scale: dict[str, str]) -> None:
    found = dict(re.findall(rf"--color-{name}-(\d+): (#[0-9a-f]{{6}});", SHEET.read_text()))
    assert found == scale


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_text_is_legible_on_its_ground(text: str, ground: str, dark: bool) -> None:  # noqa: FBT001
    colours = tokens(dark=dark)
    assert contrast(colours[text], colours[ground]) >= READABLE
