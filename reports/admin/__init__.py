"""The start page of the staff site, and the lists of lines and charges that charts open."""

from backoffice.site import staff_site
from reports.admin import rows as rows
from reports.admin.dashboard import context

staff_site.dashboard = context
staff_site.dashboard_template = "reports/dashboard.html"
