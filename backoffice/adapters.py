"""A settings table ``alias -> {"BACKEND": dotted path, "OPTIONS": {...}}`` made into instances.

The pattern is that of Django's own CACHES and TASKS: an app declares one table for one kind of
adapter, a deployment adds an entry, and nothing else has to know of it::

    gateways = Adapters("GATEWAYS", Gateway)
    gateways["acme"].refund(command)

The class is imported at first use and the instance kept for as long as its entry stays the same,
so an instance must be safe to share between threads. ``check`` belongs into the system checks, so
that a wrong entry is found at start and not by the first customer.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.utils.module_loading import import_string

type Entry = Mapping[str, Any]

_HINT = "BACKEND is the dotted path of a class, OPTIONS what it is made with."


class UnknownAliasError(LookupError):
    """The settings table has no entry of this name."""


class Checkable(Protocol):
    """What an adapter may offer beside its contract."""

    def check(self) -> list[CheckMessage]:
        """Return what is wrong with its options."""


class Adapters[T]:
    """The instances of one settings table; every class must be a subclass of ``base``."""

    def __init__(self, setting: str, base: type[T]) -> None:
        self.setting = setting
        self.base = base
        self._made: dict[str, tuple[Entry, T]] = {}

    def __getitem__(self, alias: str) -> T:
        """Return the instance; raise UnknownAliasError, or what import and construction raise."""
        entry = self._entry(alias)
        made = self._made.get(alias)
        # Compared by value: a test that overrides the setting gets an instance of its own.
        if made is None or made[0] != entry:
            made = self._made[alias] = (entry, self._make(entry))
        return made[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table())

    def __contains__(self, alias: object) -> bool:
        return alias in self._table()

    def __len__(self) -> int:
        return len(self._table())

    def check(self) -> list[CheckMessage]:
        """Return a system check message for every entry that cannot work.

        ``adapters.E001`` the table is no dict of dicts with BACKEND · ``E002`` the class cannot be
        imported or is of another kind · ``E003`` it refuses its OPTIONS; and what the adapter's
        own ``check()`` returns.
        """
        table = getattr(settings, self.setting, None)
        if not isinstance(table, Mapping) or not all(map(_is_entry, table.values())):
            message = f"{self.setting} must map names to {{'BACKEND': path, 'OPTIONS': {{}}}}."
            return [Error(message, hint=_HINT, id="adapters.E001")]
        return [found for alias in table for found in self._check_one(alias)]

    def _check_one(self, alias: str) -> list[CheckMessage]:
        name = f"{self.setting}[{alias!r}]"
        try:
            self._class(self._entry(alias))
        except (ImportError, TypeError) as error:
            return [Error(f"{name}: {error}", hint=_HINT, id="adapters.E002")]
        try:
            adapter = self[alias]
        except (TypeError, ValueError, LookupError) as error:
            text = f"{name} refuses its OPTIONS: {error}"
            return [Error(text, hint=_HINT, id="adapters.E003")]
        return cast("Checkable", adapter).check() if hasattr(adapter, "check") else []

    def _table(self) -> Mapping[str, Entry]:
        return cast("Mapping[str, Entry]", getattr(settings, self.setting, {}))

    def _entry(self, alias: str) -> Entry:
        try:
            return self._table()[alias]
        except KeyError:
            raise UnknownAliasError(f"{self.setting} has no entry {alias!r}") from None

    def _class(self, entry: Entry) -> type[T]:
        found = import_string(entry["BACKEND"])
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise TypeError(f"{entry['BACKEND']} is not a {self.base.__name__}")
        return found

    def _make(self, entry: Entry) -> T:
        return self._class(entry)(**entry.get("OPTIONS", {}))


def _is_entry(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("BACKEND"), str)
