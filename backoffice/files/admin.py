"""The page behind a link to a file, the same on both sites."""

from http import HTTPStatus

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy

from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from backoffice.files import content, links, services
from backoffice.site import SitePage, seller_site, staff_site


class FilePage(SitePage):
    """Hands out one file to the person whose link it is."""

    path, name = "files/<str:token>/", "file"
    title = gettext_lazy("This link has expired")
    template_name = "files/expired.html"

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponseBase:  # type: ignore[override]
        """Return the file, or say why not."""
        try:
            kept = links.find(kwargs["token"], request.user)
        except links.ForeignError:
            record(services.LINK_REFUSED, actor=request.user, outcome=Outcome.REFUSED)
            raise PermissionDenied from None
        except links.ExpiredError:
            return self.render(request, status=HTTPStatus.GONE)
        except links.LinkError:
            raise Http404 from None
        facts = {"purpose": kept.purpose, "sha256": kept.sha256, "bytes": kept.size}
        record(services.DOWNLOADED, actor=request.user, subject=kept, context=facts)
        return FileResponse(
            kept.file.open("rb"),
            as_attachment=True,
            filename=kept.name,
            content_type=content.type_of(kept.kind),
            headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
        )


for site in (staff_site, seller_site):
    site.add_page(FilePage)
