"""The pages of kept sheets, and their place in the sidebar."""

from django.utils.translation import gettext_lazy as _

from backoffice.sheets.admin import (
    kept_charts,
    kept_dialogs,
    kept_joins,
    kept_new_join,
    kept_sheets,
)
from backoffice.sheets.kept import keeping
from backoffice.site import navigation, staff_site

for part in (kept_sheets, kept_dialogs, kept_new_join, kept_joins, kept_charts):
    for page in part.PAGES:
        staff_site.add_page(page)

navigation.add(
    staff_site,
    group=_("Data in and out"),
    label=_("Kept sheets"),
    icon="table_view",
    url_name="kept",
    permission=keeping.VIEW,
    order=320,
)
