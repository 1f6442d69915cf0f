"""The desk's jobs: fetching and taking in settlements, matching their days, checking the books.

By the clock, every day that is over is fetched from the gateways whose API tells it, and the books
are checked every night; a person starts the same by a button.
"""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.files.models import KeptFile
from backoffice.jobs import registry as jobs
from backoffice.jobs import services as job_services
from backoffice.jobs.models import Job
from backoffice.jobs.run import JobError, JobRun
from payments.gateways.base import BadSettlementError, GatewayUnavailableError, NotOfferedError
from payments.models import Payment, SettlementImport
from payments.services import alarms, checking, reconciliation, settlements

logger = logging.getLogger("payments")
FETCH, TAKE, MATCH, CHECK = (
    "payments.fetch_settlement",
    "payments.take_settlement",
    "payments.match_day",
    "payments.check_books",
)
FILES = "payments.settlement"
"""The purpose under which an uploaded settlement file is kept until it is taken in."""
EVERY_SECONDS = 15 * 60
CHECK_EVERY = timedelta(hours=24)


def start_fetch(gateway: str, day: date, *, actor: User | None) -> Job:
    """Queue fetching a day; raises PermissionDenied, ValidationError where it is not offered."""
    settlements.require(actor)
    if gateway not in settlements.offering():
        raise ValidationError(_("This gateway tells no settlements: take in its file."))
    title = _("Fetch the settlement of %(day)s from %(gateway)s") % {"day": day, "gateway": gateway}
    params = {"gateway": gateway, "day": day.isoformat()}
    return job_services.start(FETCH, actor=actor, title=title, params=params)


def start_file(kept: KeptFile, gateway: str, day: date, *, actor: User) -> Job:
    """Queue taking in a kept file as the account of a day; raises PermissionDenied."""
    settlements.require(actor)
    title = _("Take in a settlement of %(gateway)s, %(day)s") % {"day": day, "gateway": gateway}
    params = {"gateway": gateway, "day": day.isoformat(), "file": kept.pk}
    return job_services.start(TAKE, actor=actor, title=title, params=params)


def start_match(gateway: str, day: date, *, actor: User) -> Job:
    """Queue matching a day anew; raises PermissionDenied."""
    settlements.require(actor)
    title = _("Match %(day)s at %(gateway)s") % {"day": day, "gateway": gateway}
    params = {"gateway": gateway, "day": day.isoformat()}
    return job_services.start(MATCH, actor=actor, title=title, params=params)


@jobs.handler(FETCH)
def _fetch(run: JobRun) -> dict[str, Any]:
    gateway, day = run.params["gateway"], date.fromisoformat(run.params["day"])
    with _as_job_errors():
        source = settlements.take_day(gateway, day, actor=run.job.owner, tell=_teller(run))
    return _after(run, source)


@jobs.handler(TAKE)
def _take(run: JobRun) -> dict[str, Any]:
    kept = KeptFile.objects.filter(pk=run.params["file"]).first()
    if kept is None:
        raise JobError(_("The file is gone. Upload it once more."))
    file = io.BytesIO(b"".join(kept.chunks()))
    with _as_job_errors():
        source = settlements.take_file(
            run.params["gateway"],
            file,
            day=date.fromisoformat(run.params["day"]),
            name=kept.name,
            actor=run.job.owner,
            tell=_teller(run),
        )
    return _after(run, source)


@jobs.handler(MATCH)
def _match(run: JobRun) -> dict[str, Any]:
    gateway, day = run.params["gateway"], date.fromisoformat(run.params["day"])
    row = reconciliation.match_day(gateway, day, actor=run.job.owner)
    return {"matched": row.matched}


def _after(run: JobRun, source: SettlementImport) -> dict[str, Any]:
    """Look up what the settlement told of open refunds, then match the days that it is about."""
    looked_up = settlements.look_up_open(source)
    days = reconciliation.source_days(source)
    for place, day in enumerate(days, start=1):
        row = reconciliation.match_day(source.gateway, day, actor=run.job.owner)
        run.log(_("%(day)s: %(count)s matched") % {"day": day, "count": row.matched})
        run.progress(place, len(days))
    return {"rows": source.rows, "new": source.new_rows, "looked_up": looked_up}


def _teller(run: JobRun) -> settlements.Progress:
    return lambda count: run.progress(0, count, _("%(count)s rows read") % {"count": count})


@contextmanager
def _as_job_errors() -> Iterator[None]:
    """Tell the owner in words what a file or a gateway has against it; nothing was stored."""
    try:
        yield
    except (BadSettlementError, GatewayUnavailableError) as error:
        raise JobError(str(error)) from error
    except NotOfferedError:
        raise JobError(_("This gateway offers no such settlement.")) from None
    except ValidationError as error:
        raise JobError(" ".join(error.messages)) from error


def fetch_due() -> int:
    """Queue fetching every day that is over and was not fetched; return how many."""
    waiting = Job.objects.filter(kind=FETCH, state__in=(Job.State.QUEUED, Job.State.RUNNING))
    asked = {(job.params["gateway"], job.params["day"]) for job in waiting}
    lately = Job.objects.filter(kind=FETCH, created_at__gte=timezone.now() - timedelta(hours=1))
    asked |= {(job.params["gateway"], job.params["day"]) for job in lately}
    due = [
        (gateway, day)
        for gateway in settlements.offering()
        if Payment.objects.filter(gateway=gateway).exists()
        for day in settlements.due(gateway)
        if (gateway, day.isoformat()) not in asked
    ]
    for gateway, day in due:
        start_fetch(gateway, day, actor=None)
    return len(due)


def check_due() -> int:
    """Queue a check of the books once a day; return how many."""
    since = timezone.now() - CHECK_EVERY
    asked = Job.objects.filter(kind=CHECK, created_at__gte=since)
    if asked.exists() or not Payment.objects.exists():
        return 0
    job_services.start(CHECK, actor=None, title=_("Check the books"), params={})
    return 1


@jobs.handler(CHECK)
def _check(run: JobRun) -> dict[str, Any]:
    count = alarms.alarm(checking.books())
    if count:
        text = _("%(count)s found: see the open differences, or `manage.py money check`.")
        raise JobError(text % {"count": count})
    return {"found": 0}


jobs.every(
    seconds=EVERY_SECONDS,
    name="payments.fetch_settlements",
    label=gettext_lazy("Fetch settlements of days that are over"),
)(fetch_due)
jobs.every(
    seconds=3600, name="payments.check_books", label=gettext_lazy("Check the books once a day")
)(check_due)
