"""The page kit: two sites on unfold, and everything that a page of an app is built from.

Names are looked up on first use, since most of them need the app registry to be ready and
settings import `backoffice.site.theme`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backoffice.site.actions import ActionForm, ReasonForm, ReasonListForm, action
    from backoffice.site.dialog_pages import DialogPage
    from backoffice.site.inlines import BackofficeInline
    from backoffice.site.options import BackofficeAdmin
    from backoffice.site.pages import SitePage
    from backoffice.site.panels import Panel
    from backoffice.site.sites import register, seller_site, staff_site
    from backoffice.site.values import Badge

__all__ = [
    "ActionForm",
    "BackofficeAdmin",
    "BackofficeInline",
    "Badge",
    "DialogPage",
    "Panel",
    "ReasonForm",
    "ReasonListForm",
    "SitePage",
    "action",
    "register",
    "seller_site",
    "staff_site",
]

_HOMES = {
    "ActionForm": "actions",
    "BackofficeAdmin": "options",
    "BackofficeInline": "inlines",
    "Badge": "values",
    "DialogPage": "dialog_pages",
    "Panel": "panels",
    "ReasonForm": "actions",
    "ReasonListForm": "actions",
    "SitePage": "pages",
    "action": "actions",
    "register": "sites",
    "seller_site": "sites",
    "staff_site": "sites",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
