"""Columns of encrypted masked fields: what is written there, and what comes back.

A value is sealed by the key ring (`backoffice.keyring`) for one model field: the same text moved
to another column, or changed, opens with no key. A value that does not open is shown as a mask and
keeps its bytes wherever its row is written.
"""

from dataclasses import dataclass

from backoffice import keyring

# How every sealed text begins.
FORM = "v1."


@dataclass(frozen=True, slots=True)
class Stored:
    """The text of a column as it was read, and the field it is bound to."""

    binding: str
    text: str


@dataclass(frozen=True, slots=True)
class Lost:
    """What stands for a clear value that no key opens; equal when the stored text is."""

    stored: Stored


def use_of(binding: str) -> str:
    """Return what a field's values are sealed for; a binding reads "customers.customer.iban"."""
    return f"masking.{binding}"


def read(text: str, binding: str) -> str | None:
    """Return the clear text of a column, None when it does not open."""
    try:
        return keyring.open_sealed(text, use=use_of(binding))
    except keyring.UnreadableError:
        return None


def written(text: str, binding: str) -> str:
    """Return clear text as it goes into the column; a blank stays blank."""
    return keyring.seal(text, use=use_of(binding)) if text else text


def kept(stored: Stored | None, binding: str) -> bool:
    """Say whether a value can go back as it was read: same field, newest key."""
    return stored is not None and stored.binding == binding and keyring.is_current(stored.text)
