"""Pages that belong to no model.

    class ImportPage(SitePage):
        path, name = "import/", "import"
        title, subtitle = _("Imports"), _("Workbooks and what came of them.")
        permission = "sheets.add_importjob"
        template_name = "sheets/import.html"          # extends backoffice/page.html

        def context(self, request, **kwargs): return {"jobs": …}

    staff_site.add_page(ImportPage)

The template fills the blocks `page_badges`, `page_actions`, `page_tabs`, `page_body`. GET only
reads; a page that acts has `def post(self, request, **kwargs)` (Django checks the CSRF token).
The address gets `staff_site.name + ":" + name`. A path may hold converters ("import/<uuid:key>/").
"""

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.views import View

from backoffice.accounts import acting
from backoffice.policy import may

Crumb = tuple[str, str]


class SitePage(View):
    """A page of a site behind one permission ("app.codename"; "" is open to all of the site)."""

    path: ClassVar[str]
    name: ClassVar[str]
    title: ClassVar[str | Promise] = ""
    subtitle: ClassVar[str | Promise] = ""
    permission: ClassVar[str] = ""
    template_name: ClassVar[str] = "backoffice/page.html"
    # About the person's own account: not for somebody who acts for them.
    own_only: ClassVar[bool] = False
    site: Any = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Refuse (403) who may not open the page, whatever the method."""
        if not self.allowed(request):
            raise PermissionDenied
        if self.own_only:
            acting.refuse()
        request.current_app = self.site.name
        return super().dispatch(request, *args, **kwargs)

    def allowed(self, request: HttpRequest) -> bool:
        """Say whether the person may open the page."""
        return not self.permission or may(request.user, self.permission, None).allowed

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Show the page."""
        return self.render(request, **kwargs)

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return what the template needs; `kwargs` are the parts of the address."""
        return {}

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[Crumb]:
        """Return (text, address) of the pages above this one; none by default."""
        return []

    def render(
        self,
        request: HttpRequest,
        *,
        status: int = 200,
        extra: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> HttpResponse:
        """Return the page; `extra` wins over `context()` (a bound form with errors)."""
        context = {
            **self.site.each_context(request),
            "title": self.title,
            "page_subtitle": self.subtitle,
            "breadcrumbs": self.breadcrumbs(request, **kwargs),
            **self.context(request, **kwargs),
            **(extra or {}),
        }
        return TemplateResponse(request, self.template_name, context, status=status)
