"""Staff pages of imports."""

from importlib import import_module

from django.apps import apps
from django.utils.translation import gettext_lazy as _

from backoffice.sheets.admin import (
    check,
    dialect,
    difference,
    drops,
    mapping,
    overview,
    profiles,
    result,
    run,
    sheets_page,
    undoing,
)
from backoffice.sheets.exporting import exports
from backoffice.site import navigation, staff_site, writers

for page in (
    overview.ImportsPage,
    overview.ImportPage,
    dialect.DialectPage,
    sheets_page.SheetsPage,
    mapping.MappingPage,
    profiles.FormatsPage,
    profiles.FormatPage,
    profiles.TemplatePage,
    profiles.ProfilePage,
    profiles.RenameProfile,
    profiles.DeleteProfile,
    check.CheckPage,
    check.ProblemsPage,
    difference.DifferencePage,
    run.RunPage,
    run.ProgressPage,
    result.ResultPage,
    result.RowsPage,
    result.FailedRowsPage,
    drops.DropsPage,
    undoing.UndoPage,
    undoing.UndonePage,
    undoing.UndoProgressPage,
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

navigation.add(
    staff_site,
    group=_("Data in and out"),
    label=_("Watched folders"),
    icon="inbox",
    url_name="import_drops",
    permission="sheets.view_importjob",
    order=320,
)

navigation.add(
    staff_site,
    group=_("Data in and out"),
    label=_("Formats and profiles"),
    icon="tune",
    url_name="sheet_formats",
    permission="sheets.view_importjob",
    order=330,
)

writers.register("csv", exports.stream_csv)
writers.register("xlsx", exports.write_xlsx)
writers.register("json", exports.stream_json)

import_module("backoffice.sheets.admin.exports")
import_module("backoffice.sheets.admin.kept")
# A clear export needs a second person.
if apps.is_installed("backoffice.approvals"):
    import_module("backoffice.sheets.admin.clear_exports")
