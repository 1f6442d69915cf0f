"""Lines about what is always installed: the worker, its jobs, and refunds without an answer."""

from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from backoffice import policy
from backoffice.accounts.models import User
from backoffice.charts.queries import whole
from backoffice.jobs.models import Job, Recurring
from payments.models import Refund
from reports.queries.health import Line, address, register

# The worker looks for due functions every few seconds; so long without a look means none runs.
WORKER_SILENT = timedelta(minutes=2)
FAILED_WITHIN = timedelta(days=1)


@register(order=10)
def refunds(user: User) -> Line | None:
    """Say how many refunds have no known end."""
    if not policy.may(user, "view", Refund).allowed:
        return None
    open_states = [Refund.State.UNKNOWN, Refund.State.NEEDS_REVIEW]
    count = policy.scope(user, Refund.objects.filter(state__in=open_states)).count()
    if not count:
        return Line(_("Refunds"), gettext("All have an answer"), "help", "quiet", _("Known"))
    found = ngettext("%(n)s waits for an answer", "%(n)s wait for an answer", count)
    url = address("payments_refund_changelist", f"?state__in={','.join(open_states)}")
    return Line(_("Refunds"), found % {"n": whole(count)}, "help", "unkn", _("Unknown"), url)


@register(order=20)
def jobs(user: User) -> Line | None:
    """Say what runs, and whether something failed within a day."""
    if not policy.may(user, "view", Job).allowed:
        return None
    mine = policy.scope(user, Job.objects.all())
    running = mine.filter(state__in=[Job.State.RUNNING, Job.State.QUEUED]).count()
    failed = mine.filter(
        state=Job.State.FAILED, finished_at__gte=timezone.now() - FAILED_WITHIN
    ).count()
    url = address("jobs_job_changelist")
    detail = gettext("%(running)s at work, %(failed)s failed within a day") % {
        "running": whole(running),
        "failed": whole(failed),
    }
    if failed:
        return Line(_("Jobs"), detail, "settings", "fail", _("Failed"), url)
    if running:
        return Line(_("Jobs"), detail, "settings", "move", _("Running"), url)
    return Line(_("Jobs"), detail, "settings", "quiet", _("At rest"), url)


@register(order=30)
def worker(user: User) -> Line | None:
    """Say whether a worker process looked for due work lately."""
    if not policy.may(user, "view", Job).allowed:
        return None
    due = Recurring.objects.order_by("next_at").values_list("next_at", flat=True).first()
    if due is None:
        detail = gettext("None has started yet")
        return Line(_("Worker"), detail, "memory", "wait", _("Waiting"))
    if due < timezone.now() - WORKER_SILENT:
        detail = gettext("Nothing heard of it; jobs wait")
        return Line(_("Worker"), detail, "memory", "fail", _("Down"))
    return Line(_("Worker"), gettext("Takes up jobs"), "memory", "quiet", _("Up"))
