"""Asking the sources how they are, and keeping the answer."""

from concurrent.futures import ThreadPoolExecutor

from django.utils import timezone
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.jobs.registry import every
from backoffice.sources import registry
from backoffice.sources.models import SourceState
from backoffice.sources.runtime import SourceError, probe
from backoffice.sources.spec import RestSource

THREADS = 8


def check_all(*, actor: User | None = None) -> list[SourceState]:
    """Ask every source once and keep how it did; `actor` is None for the worker's own round.

    No audit event: nothing of the business changes, and a round comes twice a minute.
    """
    sources = registry.sources()
    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(_ask, sources))
    return [_keep(source, result) for source, result in zip(sources, results, strict=True)]


@every(seconds=30, name="sources.check", label=gettext_lazy("Ask the other systems"))
def _round() -> None:
    check_all()


def _ask(source: RestSource) -> int | SourceError:
    try:
        return probe(source)
    except SourceError as error:
        return error


def _keep(source: RestSource, result: int | SourceError) -> SourceState:
    now = timezone.now()
    kept = SourceState.objects.filter(name=source.name).first() or SourceState(name=source.name)
    before = kept.state
    if isinstance(result, SourceError):
        kept.state, kept.reason = SourceState.State.DOWN, str(result.reason)[:200]
    else:
        slow = result > source.slow_after
        kept.state = SourceState.State.SLOW if slow else SourceState.State.UP
        kept.reason, kept.took_ms, kept.answered_at = "", result, now
    if kept.state != before:
        kept.since = now
    kept.checked_at = now
    kept.save()
    return kept
