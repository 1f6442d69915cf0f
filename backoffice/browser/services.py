"""Counting violations, and what people do with the list of them."""

import hashlib
from datetime import timedelta
from typing import Final

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.browser.models import Violation
from backoffice.browser.reports import OTHER, Report
from backoffice.jobs import registry

DONE = verbs.register("browser.violation_done", gettext_lazy("Violation marked as done"))
FORGOTTEN = verbs.register("browser.violation_forgotten", gettext_lazy("Violation forgotten"))
KEPT: Final = timedelta(days=90)
# Anybody may report, so the list has an end: what is new beyond it is counted in one row.
MOST: Final = 1000


def count(report: Report) -> None:
    """Add one to the violation of this kind; one that was done is open again."""
    if not _add_one(report):
        if Violation.objects.count() >= MOST:
            report = Report(OTHER, OTHER, OTHER, "")
        _make(report)
        _add_one(report)


def _add_one(report: Report) -> int:
    return Violation.objects.filter(key=_key(report)).update(
        count=F("count") + 1, last_at=timezone.now(), done_at=None, done_by=None
    )


def _make(report: Report) -> None:
    """Insert the row with no report yet; somebody else may have been faster."""
    row = Violation(
        key=_key(report),
        directive=report.directive,
        blocked=report.blocked,
        page=report.page,
        source=report.source,
        last_at=timezone.now(),
    )
    Violation.objects.bulk_create([row], ignore_conflicts=True)


def _key(report: Report) -> str:
    parts = (report.directive, report.blocked, report.page, report.source)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def settle(violation: Violation, *, actor: User) -> None:
    """Mark it as looked after; the next report opens it again. Raises PermissionDenied."""
    _must_settle(actor)
    with transaction.atomic():
        rows = Violation.objects.filter(pk=violation.pk)
        rows.update(done_at=timezone.now(), done_by=actor)
        record(DONE, actor=actor, subject=violation, context=_facts(violation))


def forget(violation: Violation, *, actor: User) -> None:
    """Delete it. Raises PermissionDenied."""
    _must_settle(actor)
    with transaction.atomic():
        record(FORGOTTEN, actor=actor, subject=violation, context=_facts(violation))
        Violation.objects.filter(pk=violation.pk).delete()


def _facts(violation: Violation) -> dict[str, object]:
    names = ("directive", "blocked", "page", "count")
    return {name: getattr(violation, name) for name in names}


def _must_settle(actor: User) -> None:
    if not actor.has_perm("browser.settle_violation"):
        raise PermissionDenied


@registry.every(
    seconds=24 * 3600, name="browser.prune", label=gettext_lazy("Forget old violations")
)
def prune() -> int:
    """Delete what nobody reported for a long time; return how many."""
    return Violation.objects.filter(last_at__lt=timezone.now() - KEPT).delete()[0]
