"""The page behind a link to a file, the same on both sites."""

from http import HTTPStatus

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext, gettext_lazy

from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from backoffice.files import content, links, rights, sealing, services
from backoffice.files.models import KeptFile
from backoffice.site import SitePage, seller_site, staff_site
from backoffice.site.dialogs import unproved


class FilePage(SitePage):
    """Hands out one file to the person whose link it is."""

    path, name = "files/<str:token>/", "file"
    title = gettext_lazy("This link has expired")
    template_name = "files/expired.html"

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponseBase:  # type: ignore[override]
        """Return the file, or say why not."""
        return self._answer(request, kwargs["token"])

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponseBase:
        """Return a file that asks for fresh proof, which comes with the POST."""
        return self._answer(request, kwargs["token"])

    def _answer(self, request: HttpRequest, token: str) -> HttpResponseBase:
        try:
            kept = links.find(token, request.user)
        except links.ForeignError:
            record(services.LINK_REFUSED, actor=request.user, outcome=Outcome.REFUSED)
            raise PermissionDenied from None
        except links.ExpiredError:
            return self.render(request, status=HTTPStatus.GONE)
        except links.LinkError:
            raise Http404 from None
        self._require_right(request, kept)
        asking = self._asking(request) if kept.proof_due else None
        return asking or self._download(request, kept)

    def _require_right(self, request: HttpRequest, kept: KeptFile) -> None:
        """Ask now: the right may be lost since the file, or the link, was made."""
        if rights.holds(request.user, kept):
            return
        facts, outcome = {"purpose": kept.purpose}, Outcome.REFUSED
        record(
            services.RIGHT_LOST, actor=request.user, subject=kept, outcome=outcome, context=facts
        )
        raise PermissionDenied(gettext("You lost the right to what is in this file."))

    def _asking(self, request: HttpRequest) -> HttpResponseBase | None:
        """Return the page that asks for fresh proof; None when there is one."""
        home = reverse(f"{self.site.name}:index")
        return unproved(request, self.site, title=gettext("Download"), back=home, factor=True)

    def _download(self, request: HttpRequest, kept: KeptFile) -> HttpResponseBase:
        facts = {"purpose": kept.purpose, "sha256": kept.sha256, "bytes": kept.size}
        try:
            kept.prove()  # all of it, before anything leaves
        except sealing.DamagedError:
            failed = Outcome.FAILED
            record(
                services.DAMAGED, actor=request.user, subject=kept, outcome=failed, context=facts
            )
            return self.render(request, status=HTTPStatus.GONE)
        record(services.DOWNLOADED, actor=request.user, subject=kept, context=facts)
        return StreamingHttpResponse(
            kept.chunks(),
            content_type=content.type_of(kept.kind),
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": content_disposition_header(
                    as_attachment=True, filename=kept.name
                )
                or "attachment",
                "Content-Length": str(kept.size),
                "X-Content-Type-Options": "nosniff",
            },
        )


for site in (staff_site, seller_site):
    site.add_page(FilePage)
