"""The start page of the staff site, and the lists of lines and charges that charts open."""

from django.utils.translation import gettext_lazy as _

from backoffice.site import navigation, staff_site
from reports.admin import rows as rows
from reports.admin.dashboard import context

navigation.add(staff_site, label=_("Dashboard"), icon="dashboard", url_name="index", order=0)
staff_site.dashboard = context
staff_site.dashboard_template = "reports/dashboard.html"
