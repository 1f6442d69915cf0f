"""The pages that the apps declare in their `workflows` modules."""

from collections.abc import Callable

from django.utils.module_loading import autodiscover_modules

from backoffice.sources.fields import SpecError
from backoffice.sources.spec import RestSource, SourcePage

_pages: dict[str, type[SourcePage]] = {}


def page[P: type[SourcePage]](slug: str, *, permission: str) -> Callable[[P], P]:
    """Register the decorated page under `slug`, behind `permission` ("app.codename")."""

    def register(declared: P) -> P:
        if slug in _pages and _pages[slug].__module__ != declared.__module__:
            raise SpecError(f"there are two pages named {slug}")
        declared.slug, declared.permission = slug, permission
        _pages[slug] = declared
        return declared

    return register


def pages() -> list[type[SourcePage]]:
    """Return the declared pages, in their order."""
    autodiscover_modules("workflows")
    return sorted(_pages.values(), key=lambda page: (page.order, page.slug))


def sources() -> list[RestSource]:
    """Return every source that a page uses, by name."""
    found = {source.name: source for page in pages() for source in page.sources()}
    return [found[name] for name in sorted(found)]
