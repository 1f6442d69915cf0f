"""A shop's import of its products: the pages of imports, for the imports of the one shop.

Every page finds its import by the shop of the person who asks; what another shop or the staff
imports does not exist here.
"""

import uuid
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.sheets import tenants
from backoffice.sheets.admin import check, dialect, difference, mapping, overview, result, run
from backoffice.sheets.admin import sheets_page as sheets
from backoffice.sheets.admin.base import OneImport
from backoffice.sheets.models import ImportJob
from backoffice.site import navigation, seller_site
from backoffice.site.visitors import signed_in

IMPORT = "sellers.add_product"


class ShopImports(overview.ImportsPage):
    """The imports of the shop, with the upload above."""

    title = gettext_lazy("Import sheet")
    subtitle = gettext_lazy(
        "Bring your products in from a workbook or a csv file. Nothing changes before you say so."
    )
    permission = IMPORT

    def tenant(self, request: HttpRequest) -> str:
        """Return the shop of the person; 404 for somebody without one."""
        return _shop(request)

    def jobs(self, request: HttpRequest) -> QuerySet[ImportJob]:
        """Return what the shop imported."""
        return super().jobs(request).filter(tenant=self.tenant(request))


class OfShop(OneImport):
    """A page of one import of the person's own shop."""

    permission = IMPORT
    offers_undo = False  # staff undo an import of a shop

    def go(self, name: str, job: ImportJob) -> HttpResponse:
        """Send to another page; what staff undid is shown as what came of it."""
        return super().go("import_result" if name == "import_undone" else name, job)

    def job(self, number: uuid.UUID) -> ImportJob:
        """Return the import; 404 for that of another shop or of the staff."""
        job = super().job(number)
        if job.tenant != _shop(self.request):
            raise Http404
        return job

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[tuple[str, str]]:
        """Return the list of the shop's imports, by the name that it has here."""
        return [(_("Import sheet"), url) for _name, url in super().breadcrumbs(request, **kwargs)]


def _shop(request: HttpRequest) -> str:
    key = tenants.of(signed_in(request))
    if not key:
        raise Http404
    return key


class ShopImport(OfShop, overview.ImportPage):
    """Sends to the page on which the import is to be looked at."""


class ShopDialect(OfShop, dialect.DialectPage):
    """How the text of a csv file is written."""


class ShopSheets(OfShop, sheets.SheetsPage):
    """Which sheets, and where their headers are."""


class ShopMapping(OfShop, mapping.MappingPage):
    """Which column is which."""


class ShopCheck(OfShop, check.CheckPage):
    """What the check found."""


class ShopProblems(OfShop, check.ProblemsPage):
    """Every problem."""


class ShopDifference(OfShop, difference.DifferencePage):
    """What would change."""


class ShopRun(OfShop, run.RunPage):
    """The import while it runs."""


class ShopProgress(OfShop, run.ProgressPage):
    """Its state for the script of the page."""


class ShopResult(OfShop, result.ResultPage):
    """What came of it."""


class ShopRows(OfShop, result.RowsPage):
    """The rows that it wrote."""


class ShopFailedRows(OfShop, result.FailedRowsPage):
    """The failed rows as a workbook."""


for page in (
    ShopImports,
    ShopImport,
    ShopDialect,
    ShopSheets,
    ShopMapping,
    ShopCheck,
    ShopProblems,
    ShopDifference,
    ShopRun,
    ShopProgress,
    ShopResult,
    ShopRows,
    ShopFailedRows,
):
    seller_site.add_page(page)

navigation.add(
    seller_site,
    group=gettext_lazy("Shop"),
    label=gettext_lazy("Import sheet"),
    icon="upload_file",
    url_name="imports",
    permission=IMPORT,
    order=50,
)
