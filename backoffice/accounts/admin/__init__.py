"""Pages about people on the staff site: roles, proof of who somebody is."""

from django.utils.translation import gettext_lazy

from backoffice.accounts.admin import own_sessions, people_pages, token_pages
from backoffice.accounts.admin.explaining import WhyPage
from backoffice.accounts.admin.proof import ChallengePage
from backoffice.accounts.admin.role_pages import RoleChangePage, RolesPage
from backoffice.site import chrome, navigation, staff_site

for page in (
    RolesPage,
    RoleChangePage,
    WhyPage,
    ChallengePage,
    *own_sessions.PAGES,
    *token_pages.OWN,
    *token_pages.OF_STAFF,
):
    staff_site.add_page(page)
chrome.contribute(own_sessions.notice)
chrome.contribute(token_pages.link)
navigation.add(
    staff_site,
    group=gettext_lazy("Oversight"),
    label=gettext_lazy("Service accounts"),
    icon="smart_toy",
    url_name="service_accounts",
    permission="accounts.manage_tokens",
    order=825,
)
navigation.add(
    staff_site,
    group=gettext_lazy("Oversight"),
    label=gettext_lazy("Who may do what"),
    icon="shield_person",
    url_name="roles",
    permission="accounts.view_rolechange",
    order=820,
)
navigation.add(
    staff_site,
    group=gettext_lazy("Oversight"),
    label=gettext_lazy("Why can they see this?"),
    icon="help",
    url_name="why",
    permission="accounts.explain_access",
    order=822,
)
navigation.add(
    staff_site,
    group=gettext_lazy("Oversight"),
    label=gettext_lazy("People"),
    icon="group",
    url_name=people_pages.LIST,
    permission="accounts.view_user",
    order=815,
)
