"""Where people belong: the sites above say who may enter, signing in leads people there."""

from collections.abc import Callable
from typing import Any

from django.urls import reverse

Test = Callable[[Any], bool]
_doors: dict[str, tuple[str, Test]] = {}


def add(site: str, url_name: str, test: Test) -> None:
    """Let the people of `test(user)` come out at `url_name`; the door added first wins."""
    _doors[site] = (url_name, test)


def site_of(user: Any) -> str:
    """Return the name of the first site that the person may enter, "" for none."""
    return next((site for site, (_url, test) in _doors.items() if test(user)), "")


def may_enter(user: Any, site: str) -> bool:
    """Say whether the person belongs to this site."""
    return site in _doors and _doors[site][1](user)


def site_at(path: str) -> str:
    """Return the site that an address of ours belongs to, "" for none."""
    sites = (
        site for site, (url_name, _test) in _doors.items() if path.startswith(reverse(url_name))
    )
    return next(sites, "")


def home_of(user: Any) -> str:
    """Return the start page of the person's site; with none, the first site's (it says so)."""
    site = site_of(user) or next(iter(_doors))
    return reverse(_doors[site][0])
