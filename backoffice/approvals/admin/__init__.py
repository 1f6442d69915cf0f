"""Pages of approvals: inbox, decisions, several at once, handing over, rules in force."""

from django.utils.translation import gettext_lazy

from backoffice.approvals.admin.decisions import ApprovePage, RejectPage, WithdrawPage
from backoffice.approvals.admin.handover import HandOverPage, TakeBackPage
from backoffice.approvals.admin.inbox import InboxPage, RequestPage
from backoffice.approvals.admin.lines import waiting_count
from backoffice.approvals.admin.rules import RulesPage
from backoffice.approvals.admin.several import SeveralPage
from backoffice.site import navigation, staff_site

for page in (
    InboxPage,
    SeveralPage,
    HandOverPage,
    TakeBackPage,
    RulesPage,
    RequestPage,
    ApprovePage,
    RejectPage,
    WithdrawPage,
):
    staff_site.add_page(page)
navigation.add(
    staff_site,
    label=gettext_lazy("Approvals"),
    icon="inbox",
    url_name="approvals",
    badge=waiting_count,
    tone="wait",
    order=10,
)
