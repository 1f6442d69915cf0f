"""The button "Look up now" on the page of a refund of which the outcome is open."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.site import ActionForm, action
from backoffice.site.visitors import signed_in
from payments.admin.refund_page import RefundAdmin
from payments.models import Refund
from payments.services import execution


class LookUpForm(ActionForm):
    """Nothing to fill in."""

    recorded = gettext_lazy("Your name and the time.")

    def intro(self) -> str:
        """Return what will happen, and what will not."""
        return _(
            "The worker does now what it would do by itself later: it asks the gateway, with the "
            "same key. No second refund can come of it."
        )


@action(
    gettext_lazy("Look up now"),
    permission="payments.request_refund",
    icon="refresh",
    form=LookUpForm,
    row=False,
    why_not=execution.why_not_look_up,
    order=35,
)
def look_up(admin: Any, request: HttpRequest, refund: Refund, form: Any) -> str:
    """Bring the next look-up forward; no request leaves from here."""
    execution.look_up_now(refund, actor=signed_in(request))
    return _("The worker looks it up within seconds.")


RefundAdmin.contribute(actions=[look_up])
