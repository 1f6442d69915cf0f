"""The schedule of the settings is checked at start."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from backoffice.jobs import cron, registry
from backoffice.jobs.plain import NotPlainError, require_plain

_KEYS = {"kind", "cron", "params"}


@checks.register()
def check_schedule(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Name each entry of BACKOFFICE_SCHEDULE that could not start."""
    return [
        checks.Error(
            f"BACKOFFICE_SCHEDULE[{name!r}]: {problem}.",
            hint="See docs/jobs.md for what an entry holds.",
            id="jobs.E001",
        )
        for name, entry in settings.BACKOFFICE_SCHEDULE.items()
        if (problem := _problem(entry))
    ]


def _problem(entry: Any) -> str:
    if not isinstance(entry, dict) or not {"kind", "cron"} <= set(entry) <= _KEYS:
        return "an entry has kind, cron and, if you like, params"
    if entry["kind"] not in registry.kinds():
        return f"there are no jobs of kind {entry['kind']!r}"
    try:
        cron.parse(entry["cron"])
        require_plain(entry.get("params", {}), where="params")
    except (cron.CronError, NotPlainError) as error:
        return str(error)
    return ""
