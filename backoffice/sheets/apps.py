"""Spreadsheets in and out."""

from importlib import import_module

from django.apps import AppConfig, apps
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class SheetsConfig(AppConfig):
    """Imports and exports of sheets."""

    name = "backoffice.sheets"
    verbose_name = _("Imports and exports")
    role_permissions = {
        "ops": (
            "sheets.add_importjob",
            "sheets.view_importjob",
            "sheets.undo_importjob",
            "sheets.add_importprofile",
            "sheets.change_importprofile",
            "sheets.delete_importprofile",
            "sheets.view_importprofile",
            "sheets.add_keptsheet",
            "sheets.view_keptsheet",
            "sheets.export_keptsheet",
        ),
        "analyst": ("sheets.view_keptsheet",),
        "auditor": (
            "sheets.view_importjob",
            "sheets.view_importprofile",
            "sheets.view_clearexport",
            "sheets.view_exportjob",
            "sheets.view_keptsheet",
            "sheets.oversee_keptsheet",
        ),
        "privacy": (
            "sheets.view_importjob",
            "sheets.view_clearexport",
            "sheets.approve_clearexport",
        ),
        "owner": (
            "sheets.view_clearexport",
            "sheets.approve_clearexport",
            "sheets.approve_importjob",
            "sheets.view_importjob",
            "sheets.undo_importjob",
            "sheets.view_keptsheet",
            "sheets.export_keptsheet",
        ),
    }

    api_scopes = {
        "imports:read": _("Read imports"),
        "imports:write": _("Bring in, check, start and undo imports"),
    }

    def ready(self) -> None:
        """Find the formats of the apps, in their `sheets` modules, and the handlers of the jobs."""
        autodiscover_modules("sheets")
        import_module("backoffice.sheets.runs")
        import_module("backoffice.sheets.exporting.export_jobs")
        import_module("backoffice.sheets.exporting.failed_jobs")
        import_module("backoffice.sheets.undoing.undo")
        import_module("backoffice.sheets.folders").register()
        import_module("backoffice.sheets.checks")
        import_module("backoffice.sheets.kept.loading")
        import_module("backoffice.sheets.kept.erasing").register()
        guard = import_module("backoffice.accounts.guarded").guard
        guard("sheets.approve_clearexport", "sheets.approve_importjob")
        if apps.is_installed("backoffice.approvals"):
            import_module("backoffice.sheets.exporting.clear_exports")
            import_module("backoffice.sheets.approving")
        import_module("backoffice.sheets.places").register()
