"""Reading what a browser reports: two formats, written by a stranger.

Only what says where the fault lies is taken: never a query, a fragment, an id or a sample.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import Resolver404, resolve

LEGACY: Final = "application/csp-report"
REPORTING: Final = "application/reports+json"
MOST_AT_ONCE: Final = 20
_DIRECTIVES: Final = frozenset(
    {
        "base-uri",
        "child-src",
        "connect-src",
        "default-src",
        "font-src",
        "form-action",
        "frame-ancestors",
        "frame-src",
        "img-src",
        "manifest-src",
        "media-src",
        "object-src",
        "require-trusted-types-for",
        "script-src",
        "script-src-attr",
        "script-src-elem",
        "style-src",
        "style-src-attr",
        "style-src-elem",
        "trusted-types",
        "worker-src",
    }
)
_WORDS: Final = frozenset(
    {"inline", "eval", "wasm-eval", "self", "trusted-types-policy", "trusted-types-sink"}
)
OTHER: Final = "other"


class ReportError(ValueError):
    """It is no report."""


@dataclass(frozen=True, slots=True)
class Report:
    """One violation; each part is short and holds nothing of a person."""

    directive: str
    blocked: str
    page: str
    source: str


def read(body: bytes, kind: str, host: str) -> list[Report]:
    """Return the violations of pages of `host` that a body of this content type tells of.

    Raises ReportError for what is no report. Reports of other kinds and other hosts are left out.
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise ReportError from None
    found = _legacy(told) if kind == LEGACY else _reporting(told)
    return [report for values in found if (report := _report(values, host)) is not None]


def _legacy(told: Any) -> Iterator[dict[str, Any]]:
    values = told.get("csp-report") if isinstance(told, Mapping) else None
    if not isinstance(values, Mapping):
        raise ReportError
    yield {
        "directive": values.get("effective-directive") or values.get("violated-directive"),
        "blocked": values.get("blocked-uri"),
        "page": values.get("document-uri"),
        "source": values.get("source-file"),
    }


def _reporting(told: Any) -> Iterator[dict[str, Any]]:
    if not isinstance(told, list):
        raise ReportError
    for one in told[:MOST_AT_ONCE]:
        if not isinstance(one, Mapping) or one.get("type") != "csp-violation":
            continue
        values = one.get("body")
        if not isinstance(values, Mapping):
            raise ReportError
        yield {
            "directive": values.get("effectiveDirective"),
            "blocked": values.get("blockedURL"),
            "page": values.get("documentURL"),
            "source": values.get("sourceFile"),
        }


def _report(values: Mapping[str, Any], host: str) -> Report | None:
    texts = {name: value if isinstance(value, str) else "" for name, value in values.items()}
    place = _split(texts["page"])
    if place is None or place[1] != host:
        return None
    directive = texts["directive"].partition(" ")[0]
    return Report(
        directive=directive if directive in _DIRECTIVES else OTHER,
        blocked=_blocked(texts["blocked"], host),
        page=pattern(place[2]),
        source=_source(texts["source"], host),
    )


def pattern(path: str) -> str:
    """Return the pattern of an address of ours, which holds no id; OTHER where there is none."""
    try:
        return str(resolve(path).route)[:200] or "/"
    except (Resolver404, ValueError):
        return OTHER


def _blocked(text: str, host: str) -> str:
    if not text or text in _WORDS:
        return text or OTHER
    return _origin(text, host)[:120]


def _source(text: str, host: str) -> str:
    """Return a static file of ours by its path; anything else by where it came from."""
    parts = _split(text)
    if parts is None:
        return text if text in _WORDS else ""
    scheme, netloc, path = parts
    if netloc == host and scheme in {"http", "https"}:
        static = "/" + str(settings.STATIC_URL).lstrip("/")
        return path[:200] if path.startswith(static) else pattern(path)
    return _origin(text, host)[:200]


def _origin(text: str, host: str) -> str:
    """Return scheme and host, or the scheme alone (data:, blob:, a browser's extension)."""
    parts = _split(text)
    if parts is None or not parts[0]:
        return text if text.isalpha() and len(text) <= len("moz-extension") else OTHER
    scheme, netloc, _path = parts
    if scheme not in {"http", "https", "ws", "wss"}:
        return f"{scheme}:"
    return "self" if netloc == host else f"{scheme}://{netloc.rpartition('@')[2]}"


def _split(text: str) -> tuple[str, str, str] | None:
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return (parts.scheme, parts.netloc, parts.path) if text else None
