"""The page behind a link to evidence: who has the right gets the file, and it is on the record."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy

from backoffice.files import content
from backoffice.files.sealing import DamagedError
from backoffice.site import SitePage, staff_site
from backoffice.site.visitors import signed_in
from payments.models import Evidence
from payments.services import evidence


class EvidencePage(SitePage):
    """Hands out one file."""

    path, name = "payments/evidence/<uuid:number>/", "payments_evidence"
    title = gettext_lazy("This file is damaged")
    permission = "payments.view_evidence"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Return the file as a download; 410 where it is not as it was kept."""
        number: UUID = kwargs["number"]
        found = get_object_or_404(Evidence, public_id=number)
        try:
            clear = evidence.download(found, actor=signed_in(request))
        except DamagedError:
            return self.render(request, status=HTTPStatus.GONE)
        named = content_disposition_header(as_attachment=True, filename=found.name)
        return HttpResponse(
            clear,
            content_type=content.type_of(found.kind),
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": named or "attachment",
                "X-Content-Type-Options": "nosniff",
            },
        )


staff_site.add_page(EvidencePage)
