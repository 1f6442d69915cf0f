"""Template filters that would render a masked date or number as nothing show its mask instead."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.template import defaultfilters

from backoffice.masking.values import Sealed

# Those of Django's that give "" for text that is no date or no number.
NAMES = ("date", "time", "timesince", "timeuntil", "floatformat", "stringformat", "filesizeformat")


def install() -> None:
    """Put ours around Django's, once."""
    filters = defaultfilters.register.filters
    for name in NAMES:
        if not getattr(filters[name], "shows_masks", False):
            filters[name] = _showing(filters[name])


def _showing(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def showing(value: Any, *args: Any, **kwargs: Any) -> Any:
        return str(value) if isinstance(value, Sealed) else original(value, *args, **kwargs)

    showing.shows_masks = True  # type: ignore[attr-defined]
    return showing
