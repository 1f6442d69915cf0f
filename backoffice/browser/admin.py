"""Violations of the content security policy, for those who run the system."""

from typing import Any

from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.browser import services
from backoffice.browser.models import Violation
from backoffice.policy import may
from backoffice.site import DialogPage, SitePage, navigation, staff_site

PAGE = 100


class ViolationsPage(SitePage):
    """What browsers refused to load or to run, newest first."""

    path, name = "violations/", "violations"
    title = gettext_lazy("Browser reports")
    subtitle = gettext_lazy(
        "What browsers refused to load or run on our pages: a fault of a page, an extension of a "
        "browser, or somebody who got something in."
    )
    permission = "browser.view_violation"
    template_name = "browser/violations.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the newest kinds; `?done=1` those that were looked after."""
        done = request.GET.get("done") == "1"
        rows = Violation.objects.filter(done_at__isnull=not done).select_related("done_by")
        return {
            "rows": [_Row(one) for one in rows[:PAGE]],
            "done": done,
            "may_settle": bool(may(request.user, "browser.settle_violation", None)),
            "days": services.KEPT.days,
        }


class _Row:
    """A violation as the page shows it."""

    def __init__(self, violation: Violation) -> None:
        self.violation = violation
        self.done_url = reverse("admin:violation_done", args=[violation.pk])
        self.forget_url = reverse("admin:violation_forget", args=[violation.pk])


class _Settling(DialogPage):
    """What the two dialogs share."""

    permission = "browser.settle_violation"

    def subject(self, request: HttpRequest, **kwargs: Any) -> Violation:
        """Return the violation."""
        found = Violation.objects.filter(pk=kwargs["key"]).first()
        if found is None:
            raise Http404
        return found

    def back(self, request: HttpRequest, subject: Violation) -> str:
        """The list."""
        return reverse("admin:violations")


class DonePage(_Settling):
    """Mark as looked after."""

    path, name = "violations/<int:key>/done/", "violation_done"
    title, icon = gettext_lazy("Mark as done"), "check"

    def intro(self, request: HttpRequest, subject: Violation) -> str:
        """Say what becomes of it."""
        return _("It leaves the list. The next report of the same kind brings it back.")

    def act(self, request: HttpRequest, subject: Violation, form: Any) -> str:
        """Do it."""
        services.settle(subject, actor=request.user)  # type: ignore[arg-type]
        return _("Marked as done.")


class ForgetPage(_Settling):
    """Delete."""

    path, name = "violations/<int:key>/forget/", "violation_forget"
    title, icon = gettext_lazy("Forget"), "delete"
    harmful = True

    def intro(self, request: HttpRequest, subject: Violation) -> str:
        """Say what becomes of it."""
        return _("The row and its count are deleted. That it was deleted is kept on the record.")

    def act(self, request: HttpRequest, subject: Violation, form: Any) -> str:
        """Do it."""
        services.forget(subject, actor=request.user)  # type: ignore[arg-type]
        return _("Forgotten.")


def open_ones(user: Any) -> int:
    """Return how many kinds nobody looked after yet."""
    return Violation.objects.filter(done_at=None).count()


for page in (ViolationsPage, DonePage, ForgetPage):
    staff_site.add_page(page)
navigation.add(
    staff_site,
    group=gettext_lazy("Oversight"),
    groups={"ops": gettext_lazy("System")},
    label=gettext_lazy("Browser reports"),
    icon="policy_alert",
    url_name="violations",
    permission="browser.view_violation",
    badge=open_ones,
    order=830,
)
