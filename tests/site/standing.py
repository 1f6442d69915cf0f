"""A site of a test beside ours, for as long as it is needed."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.urls import clear_url_caches, path, set_urlconf

from backoffice.site.sites import StaffSite


@contextmanager
def beside_ours(site: StaffSite) -> Iterator[None]:
    """Open the site at its name ("moving" at /moving/), and take it away at the end."""
    from backoffice.project import urls  # noqa: PLC0415 - needs the sites of the project

    entry = path(f"{site.name}/", site.urls)
    urls.urlpatterns.append(entry)
    clear_url_caches()
    set_urlconf(None)
    try:
        yield
    finally:
        urls.urlpatterns.remove(entry)
        StaffSite.sites.remove(site)
        clear_url_caches()
