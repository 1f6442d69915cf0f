"""The one place that reads the environment; a wrong value is an error at start."""

import os
from collections.abc import Set as AbstractSet
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str | None = None) -> str:
    """Return variable `name`, or the content of the file that `name`_FILE points to.

    Raises ImproperlyConfigured when neither is set and there is no default, or when both are.
    """
    value, path = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if value is not None and path is not None:
        msg = f"{name} and {name}_FILE are both set; keep one."
        raise ImproperlyConfigured(msg)
    if path is not None:
        return _read(name, path)
    if value is None and default is None:
        msg = f"{name} is not set (nor {name}_FILE)."
        raise ImproperlyConfigured(msg)
    return value if value is not None else str(default)


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        msg = f"{name}_FILE: {path} cannot be read ({error.strerror})."
        raise ImproperlyConfigured(msg) from error


def flag(name: str, *, default: bool) -> bool:
    """Return a boolean; only `true` and `false` are accepted."""
    value = text(name, "true" if default else "false")
    if value not in {"true", "false"}:
        msg = f"{name} must be true or false, not {value!r}."
        raise ImproperlyConfigured(msg)
    return value == "true"


def number(name: str, default: int) -> int:
    """Return a whole number of zero or more."""
    value = text(name, str(default))
    if not value.isdecimal():
        msg = f"{name} must be a whole number, not {value!r}."
        raise ImproperlyConfigured(msg)
    return int(value)


def path(name: str) -> str:
    """Return the path of a file or folder that has to be there; "" when none is named."""
    value = text(name, "")
    if value and not Path(value).exists():
        msg = f"{name}: {value} is not there."
        raise ImproperlyConfigured(msg)
    return value


def number_or(name: str, word: str) -> int | None:
    """Return a whole number of zero or more, or None for `word`, which is the default."""
    return None if text(name, word) == word else number(name, 0)


def choice(name: str, default: str, allowed: set[str]) -> str:
    """Return one of the allowed words."""
    value = text(name, default)
    if value not in allowed:
        msg = f"{name} must be one of {', '.join(sorted(allowed))}, not {value!r}."
        raise ImproperlyConfigured(msg)
    return value


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated list without blanks."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def numbers(name: str, default: str = "") -> dict[str, int]:
    """Return a comma-separated list like `orders:120,values:24` as word -> whole number."""
    found = {}
    for part in words(name, default):
        word, _, value = part.partition(":")
        if not (word and value.isdecimal()):
            msg = f"{name}: {part!r} is no word with a whole number, like word:12."
            raise ImproperlyConfigured(msg)
        found[word] = int(value)
    return found


def networks(name: str, *, also: AbstractSet[str] = frozenset()) -> list[str]:
    """Return a comma-separated list of addresses and networks; words in `also` stay as they are."""
    found = words(name)
    for part in found:
        try:
            ip_network(part if part not in also else "::")
        except ValueError as error:
            msg = f"{name}: {part!r} is no address and no network ({error})."
            raise ImproperlyConfigured(msg) from error
    return found


_LEAST_SECRET = 32


def keys(
    name: str, default: str | None = None, *, least: int = _LEAST_SECRET
) -> list[tuple[str, str]]:
    """Return (id, secret) pairs of a list like `2026b:secret,2026a:secret`.

    Raises ImproperlyConfigured for an id that is empty, has a dot or comes twice, and for a secret
    of fewer than `least` characters.
    """
    pairs: list[tuple[str, str]] = []
    for number, part in enumerate(text(name, default).split(","), start=1):
        key_id, _, secret = part.strip().partition(":")
        if not key_id or "." in key_id or key_id in dict(pairs):
            msg = f"{name}: key {number} needs an id of its own, without a dot, before a colon."
            raise ImproperlyConfigured(msg)
        if len(secret) < least:
            # By its place: who forgot the id wrote the secret where it stands.
            msg = f"{name}: the secret of key {number} has fewer than {least} characters."
            raise ImproperlyConfigured(msg)
        pairs.append((key_id, secret))
    return pairs


def database(name: str, sqlite_path: Path) -> dict[str, Any]:
    """Return Django's settings of the database that the address in `name` describes.

    Without an address, SQLite in `sqlite_path` in write-ahead mode: readers never wait, and a
    writer takes its lock at the start of the transaction, so that no transaction fails half-way.
    """
    address = text(name, "")
    if not address:
        return _sqlite(sqlite_path)
    parts = urlsplit(address)
    if parts.scheme == "sqlite":
        return _sqlite(Path(unquote(parts.path)))
    if parts.scheme not in {"postgres", "postgresql"}:
        msg = f"{name} must start with postgresql:// or sqlite://, not {parts.scheme}://."
        raise ImproperlyConfigured(msg)
    return _postgresql(address)


def mailer(name: str, default: str, *, timeout: int) -> dict[str, Any]:
    """Return Django's settings of the mail server whose address stands in `name`.

    `smtp://user:password@host:port` (`smtps://` for TLS from the start, `?tls=true` for STARTTLS);
    without an address mails are written to the terminal.
    """
    address = text(name, default)
    if not address:
        return {"BACKEND": "django.core.mail.backends.console.EmailBackend"}
    parts = urlsplit(address)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        msg = f"{name} must be smtp://host:port or smtps://host:port."
        raise ImproperlyConfigured(msg)
    options = {
        "host": parts.hostname,
        "port": parts.port,
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_ssl": parts.scheme == "smtps",
        "use_tls": dict(parse_qsl(parts.query)).get("tls") == "true",
        "timeout": timeout,
    }
    return {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}


def _sqlite(path: Path) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
                "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-32000; "
                "PRAGMA secure_delete=ON;"  # what was erased is overwritten, in every build
            ),
        },
    }


def _postgresql(address: str) -> dict[str, Any]:
    parts = urlsplit(address)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    host = options.pop("host", None) or unquote(parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }
