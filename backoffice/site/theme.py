"""Colours and settings that unfold reads, one dict for each site.

The scales repeat in `static/backoffice/backoffice.css`, because a style sheet cannot read
settings and a page has no inline style; a test holds the two together.
"""

from typing import Any

from django.utils.translation import gettext_lazy as _

BASE = {
    "50": "#f8fafa",
    "100": "#f1f4f5",
    "200": "#e2e7e9",
    "300": "#cbd3d7",
    "400": "#8b989f",
    "500": "#5f6d77",
    "600": "#47545f",
    "700": "#303c46",
    "800": "#1a2126",
    "900": "#14202a",
    "950": "#0e1316",
}
PRIMARY = {
    "50": "#eaf5f7",
    "100": "#d3eaef",
    "200": "#a9d6df",
    "300": "#76bdca",
    "400": "#4db3c8",
    "500": "#1c8299",
    "600": "#0b6478",
    "700": "#095263",
    "800": "#0a4351",
    "900": "#0b3843",
    "950": "#05212a",
}


def _common() -> dict[str, Any]:
    return {
        "COLORS": {"base": BASE, "primary": PRIMARY},
        "BORDER_RADIUS": "6px",
        # Finds objects without asking the policy and keeps what it found: ours asks (search.py).
        "COMMAND": {"search_models": False, "show_history": False},
        "SHOW_VIEW_ON_SITE": False,
        "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": []},
        "SITE_URL": None,
        "SITE_SYMBOL": "deployed_code",
    }


def unfold() -> dict[str, Any]:
    """Return `UNFOLD`, the settings of the staff site."""
    return {
        **_common(),
        "SITE_TITLE": _("Backoffice"),
        "SITE_HEADER": _("Backoffice"),
        "SITE_SUBHEADER": _("Staff"),
    }


def unfold_seller() -> dict[str, Any]:
    """Return `UNFOLD_SELLER`, the settings of the seller site."""
    return {
        **_common(),
        "SITE_TITLE": _("Seller portal"),
        "SITE_HEADER": _("Seller portal"),
        "SITE_SUBHEADER": _("Your shop"),
        "SITE_SYMBOL": "storefront",
    }
