"""YAML writes a masked value as the text of its mask, where YAML is installed.

Its writers know no text but `str` itself: a page of import-export would fail, and the full writer
would name a Python type.
"""

from collections.abc import Iterator
from typing import Any

from backoffice.masking.values import Sealed


def install() -> None:
    """Teach the writers of YAML, those of other libraries that were made before us too."""
    try:
        from yaml.representer import SafeRepresenter  # noqa: PLC0415 - an option of import-export
    except ImportError:
        return
    for writer in _all(SafeRepresenter):
        writer.add_representer(Sealed, _mask)


def _all(writer: Any) -> Iterator[Any]:
    yield writer
    for further in writer.__subclasses__():
        yield from _all(further)


def _mask(writer: Any, value: Sealed) -> Any:
    return writer.represent_str(str(value))
