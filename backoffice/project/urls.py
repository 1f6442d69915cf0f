"""Addresses: the staff site, the seller site, signing in, the API."""

from django.conf import settings
from django.urls import include, path
from django.views.generic import RedirectView

from backoffice.accounts.setup_view import SetupView
from backoffice.browser.views import receive
from backoffice.site import seller_site, staff_site
from payments.webhooks import receive as receive_webhook

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", staff_site.urls),
    path("seller/", seller_site.urls),
    path("setup/", SetupView.as_view(), name="setup"),
    path("account/", include("backoffice.accounts.urls")),
    path("browser-reports/", receive, name="browser-reports"),
    path("webhooks/<str:alias>/", receive_webhook, name="webhook"),
    path("api/v1/", include("backoffice.project.api")),
]

if settings.DEBUG:
    from django.contrib.staticfiles.urls import staticfiles_urlpatterns

    urlpatterns += staticfiles_urlpatterns()
