"""Staff pages of imports."""

from importlib import import_module

from django.apps import apps
from django.utils.translation import gettext_lazy as _

from backoffice.sheets import exports
from backoffice.sheets.admin import check, mapping, overview, result, run
from backoffice.site import navigation, staff_site, writers

for page in (
    overview.ImportsPage,
    overview.ImportPage,
    mapping.SheetsPage,
    mapping.MappingPage,
    check.CheckPage,
    check.ProblemsPage,
    run.RunPage,
    run.ProgressPage,
    result.ResultPage,
    result.RowsPage,
    result.FailedRowsPage,
):
    staff_site.add_page(page)

navigation.add(
    staff_site,
    group=_("Data in and out"),
    label=_("Imports"),
    icon="upload_file",
    url_name="imports",
    permission="sheets.view_importjob",
    order=300,
    badge=overview.waiting,
)

writers.register("csv", exports.stream_csv)
writers.register("xlsx", exports.write_xlsx)

# A clear export needs a second person.
if apps.is_installed("backoffice.approvals"):
    import_module("backoffice.sheets.admin.clear_exports")
