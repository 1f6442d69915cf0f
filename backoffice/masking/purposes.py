"""What clear values are used for by code: each purpose is registered once, with a text."""

from django.utils.functional import Promise

_purposes: dict[str, str | Promise] = {}


class UnknownPurposeError(LookupError):
    """A clear value was asked for a purpose that nobody registered."""


def register(purpose: str, text: str | Promise) -> str:
    """Register `purpose` ("app.what_for") and return it; with another text it is an error."""
    if _purposes.get(purpose, text) != text:
        msg = f"the purpose {purpose} is registered already"
        raise ValueError(msg)
    _purposes[purpose] = text
    return purpose


def require(purpose: str) -> None:
    """Raise UnknownPurposeError unless `purpose` is registered."""
    if purpose not in _purposes:
        msg = f"the purpose {purpose} is not registered"
        raise UnknownPurposeError(msg)


def texts() -> dict[str, str]:
    """Return purpose -> text for people, sorted by purpose."""
    return {purpose: str(text) for purpose, text in sorted(_purposes.items())}
