"""Retention: what falls due by the periods of the settings, and asking to clear it."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.policy import may
from backoffice.site import DialogPage, ReasonForm, staff_site
from backoffice.site.visitors import signed_in
from customers.admin.privacy import BelowDesk
from customers.services import privacy, retention


class RetentionPage(BelowDesk):
    """What falls due today: how many, the oldest, the first ones."""

    path, name = "privacy/retention/", "privacy_retention"
    title = gettext_lazy("Retention")
    subtitle = gettext_lazy(
        "Personal data is not kept longer than it is needed. Orders and amounts stay."
    )
    template_name = "customers/privacy/retention.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Count; a few queries a kind."""
        found = retention.due()
        return {
            "kinds": found,
            "shown": retention.SHOWN,
            "open_case": retention.open_case(),
            "may_view": bool(may(request.user, "customers.view_customer", None)),
            "may_ask": any(one.count for one in found)
            and bool(may(request.user, privacy.MANAGE, None)),
        }


class AskRetentionPage(DialogPage):
    """Ask a second person to let it be cleared."""

    path, name = "privacy/retention/ask/", "privacy_retention_ask"
    title, icon = gettext_lazy("Clear what is due"), "auto_delete"
    submit = gettext_lazy("Ask for approval")
    permission = privacy.MANAGE
    form, step_up = ReasonForm, True

    def why_not(self, request: HttpRequest, subject: Any) -> str:
        """Refuse while nothing is set."""
        return "" if retention.terms() else _("No period is set.")

    def intro(self, request: HttpRequest, subject: Any) -> str:
        """Say what happens when they agree."""
        return _(
            "When somebody else agrees, what is due today is erased. This cannot be undone. Who is "
            "needed still, by an open refund say, is left alone."
        )

    def act(self, request: HttpRequest, subject: Any, form: Any) -> str:
        """Ask."""
        retention.ask(actor=signed_in(request), reason=form.cleaned_data["reason"])
        return _("Somebody else has to decide now.")

    def back(self, request: HttpRequest, subject: Any) -> str:
        """The page of what is due."""
        return reverse("admin:privacy_retention")


for page in (RetentionPage, AskRetentionPage):
    staff_site.add_page(page)
