"""The two sites: staff at /admin/ and sellers at /seller/.

Only classes that derive from `BackofficeAdmin` get onto them. What other packages register on
Django's default site is never shown: that site has no address.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from backoffice.accounts import doors, installation, sessions
from backoffice.policy import SELLERS, STAFF
from backoffice.site import chrome, palette
from backoffice.site.pages import SitePage

if TYPE_CHECKING:
    from unfold.sites import UnfoldAdminSite as Base

    from backoffice.site.options import BackofficeAdmin
else:
    from unfold.sites import UnfoldAdminSite as Base

Dashboard = Callable[[HttpRequest], dict[str, Any]]


# Pages of guardian let whoever may change a record give themselves rights to it; those of
# import-export show and write rows by rights of their own.
_PAST_POLICY = ("guardian.admin", "import_export.admin")


def opens_past_policy(page: type[Any] | None) -> str:
    """Return the package whose page a class derives from, of those that go past the policy."""
    bases = page.__mro__ if page is not None else ()
    return next((base.__module__ for base in bases if base.__module__ in _PAST_POLICY), "")


class BackofficeSite(Base):
    """What both sites share: the whitelist of pages, our templates, the palette."""

    logout_template = "backoffice/signed_out.html"
    index_template = "backoffice/index.html"
    enable_nav_sidebar = False
    empty_value_display = "\N{EN DASH}"
    sites: ClassVar[list["BackofficeSite"]] = []
    # What sessions are made for; a second site for staff (in a test, say) has the same door.
    door: ClassVar[str] = ""

    def __init__(self, name: str) -> None:
        """Start without pages."""
        super().__init__(name)
        self.rejected: list[tuple[type[Model], type[Any]]] = []
        self.pages: list[type[SitePage]] = []
        self.dashboard: Dashboard | None = None
        self.dashboard_template = ""
        self.sites.append(self)

    def register(
        self,
        model_or_iterable: Any,
        admin_class: Any = None,
        **options: Any,
    ) -> None:
        """Take a `BackofficeAdmin`; anything else is left out and reported by the checks."""
        from backoffice.site.options import BackofficeAdmin  # noqa: PLC0415 - it needs the sites

        models = (
            model_or_iterable if isinstance(model_or_iterable, Iterable) else [model_or_iterable]
        )
        ours = admin_class is not None and issubclass(admin_class, BackofficeAdmin)
        if not ours or opens_past_policy(admin_class):
            self.rejected.extend((model, admin_class) for model in models)
            return
        super().register(model_or_iterable, admin_class, **options)

    def add_page(self, page: type[SitePage]) -> type[SitePage]:
        """Give `page` its address on this site."""
        self.pages.append(page)
        return page

    def get_urls(self) -> list[URLResolver | URLPattern]:
        """Return our pages and the palette, then unfold's and Django's addresses."""
        pages = [
            path(page.path, self.admin_view(page.as_view(site=self)), name=page.name)
            for page in self.pages
        ]
        find = path("find/", self.admin_view(require_POST(self.find)), name="find")
        return [find, *pages, *super().get_urls()]

    def find(self, request: HttpRequest) -> HttpResponse:
        """Answer the palette: pages and records this person may open."""
        return palette.answer(self, request)

    def search(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Refuse unfold's own palette: it asks no policy and puts the words into the address."""
        raise Http404

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Add sidebar, person and running job to what unfold gives."""
        context: dict[str, Any] = super().each_context(request)
        if self.has_permission(request):
            context.update(chrome.context(self, request))
        context["site_name"] = self.name
        if company := installation.company():
            context |= {"site_title": company, "site_header": company}
        return context

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """Return the apps' models when somebody looks: the sidebar is the list, so no page does."""
        return SimpleLazyObject(partial(super().get_app_list, request, app_label))

    def index(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the dashboard that an app put in, else the person's pages."""
        extra = dict(extra_context or {})
        if self.dashboard is not None:
            extra.update(self.dashboard(request))
        response = super().index(request, extra)
        if self.dashboard is not None and self.dashboard_template:
            response.template_name = self.dashboard_template
        return response  # type: ignore[no-any-return]

    def app_index(
        self, request: HttpRequest, app_label: str, extra_context: Any = None
    ) -> HttpResponse:
        """Send to the start: the sidebar is the list of pages."""
        return redirect(f"{self.name}:index")

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        """Lead to the one sign-in page; people of the other site home, people of none nowhere."""
        if request.user.is_authenticated and not self.has_permission(request):
            return self._not_here(request)
        wanted = request.GET.get(REDIRECT_FIELD_NAME) or reverse(f"{self.name}:index")
        query = urlencode({REDIRECT_FIELD_NAME: wanted})
        return redirect(f"{reverse('account_login')}?{query}")

    def _not_here(self, request: HttpRequest) -> HttpResponseBase:
        others = [site for site in self.sites if site is not self and site.has_permission(request)]
        if others:
            return redirect(f"{others[0].name}:index")
        context = {**self.each_context(request), "title": _("No page for you here")}
        return TemplateResponse(request, "backoffice/no_page.html", context, status=403)

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Lead to the page where everybody changes their password."""
        return redirect("account_change_password")

    def password_change_done(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Lead to the person's ways to sign in."""
        return redirect("mfa_index")

    def admits(self, user: Any) -> bool:
        """Say whether this signed-in person belongs here; each site says who does."""
        return False

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in whom the site admits, by a session that was made for this kind of site."""
        if getattr(request, "acting", None) is not None:
            return self.door == SELLERS and self.admits(request.user)
        return sessions.is_for(request, self.door) and self.admits(request.user)


class StaffSite(BackofficeSite):
    """For people with `is_staff`."""

    settings_name = "UNFOLD"
    door = STAFF

    def admits(self, user: Any) -> bool:
        """Let active staff in."""
        return bool(user.is_active and user.is_staff)


Membership = Callable[[Any], bool]


class SellerSite(BackofficeSite):
    """For members of a shop. Who is one, an app above says by `set_membership`."""

    settings_name = "UNFOLD_SELLER"
    door = SELLERS
    membership: Membership | None = None

    def set_membership(self, test: Membership) -> None:
        """Set the test of a signed-in active user (called in `AppConfig.ready`)."""
        self.membership = test

    def admits(self, user: Any) -> bool:
        """Let active members of a shop in; nobody while no app said who they are."""
        return bool(user.is_active and self.membership is not None and self.membership(user))


staff_site = StaffSite("admin")
seller_site = SellerSite("seller")
for _site in (staff_site, seller_site):
    doors.add(_site.name, f"{_site.name}:index", _site.admits)


def register[A: "BackofficeAdmin"](
    *models: type[Model], site: BackofficeSite
) -> Callable[[type[A]], type[A]]:
    """Return a class decorator that registers a page for `models` on `site`."""

    def wrapper(admin_class: type[A]) -> type[A]:
        site.register(models, admin_class)
        return admin_class

    return wrapper
