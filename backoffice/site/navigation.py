"""The sidebar: pages put themselves in, a person sees what they may open.

    navigation.add(
        staff_site, group=_("Customers"), label=_("Customers"), icon="group",
        url_name="customers_customer_changelist", permission="customers.view_customer", order=10,
    )

`groups` may name another heading for a role (finance looks customers up, support works with
them); the first of the person's roles that is named decides. Groups and items are sorted by
`order`; an item without a group stands on top.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise

from backoffice.policy import may

Text = str | Promise
Count = Callable[[Any], int]


@dataclass(frozen=True, slots=True)
class Item:
    """One link. `badge` gets the user and returns a count; `tone` says whether it asks to act.

    `shown` gets the user where one permission is not all that decides.
    """

    label: Text
    icon: str
    url_name: str
    permission: str = ""
    shown: Callable[[Any], bool] | None = None
    group: Text = ""
    order: int = 100
    badge: Count | None = None
    tone: Literal["wait", "info"] = "info"
    groups: Mapping[str, Text] = field(default_factory=dict)


@dataclass(slots=True)
class Link:
    """An item as one person sees it on one page."""

    label: str
    icon: str
    url: str
    current: bool
    count: int
    tone: str
    order: int


@dataclass(slots=True)
class Group:
    """Links under one heading ("" for those on top)."""

    label: str
    links: list[Link]


_items: dict[str, list[Item]] = {}


def add(site: Any, *, label: Text, icon: str, url_name: str, **options: Any) -> Item:
    """Put a link into the sidebar of `site`; `options` are the other fields of `Item`.

    `url_name` is the name inside the site ("customers_customer_changelist"), without its
    namespace. A link whose name does not resolve (its app is left out) is not shown.
    """
    item = Item(label=label, icon=icon, url_name=url_name, **options)
    _items.setdefault(site.name, []).append(item)
    return item


def items(site_name: str) -> list[Item]:
    """Return what was put in, by order."""
    return sorted(_items.get(site_name, []), key=lambda item: item.order)


def visible(site_name: str, request: HttpRequest) -> list[Group]:
    """Return the groups that this person may open, each with at least one link."""
    roles = _roles(request.user)
    groups: dict[str, Group] = {}
    for item in items(site_name):
        if item.permission and not may(request.user, item.permission, None).allowed:
            continue
        if item.shown is not None and not item.shown(request.user):
            continue
        link = _link(site_name, item, request)
        if link is not None:
            label = _heading(item, roles)
            groups.setdefault(label, Group(label, [])).links.append(link)
    _mark_current(groups.values(), request.path)
    return sorted(groups.values(), key=lambda group: (group.label != "", group.links[0].order))


def _roles(user: Any) -> list[str]:
    """Return the names of the person's groups; read once a request, since the sidebar is."""
    if not hasattr(user, "_backoffice_roles"):
        user._backoffice_roles = list(user.groups.order_by("pk").values_list("name", flat=True))  # noqa: SLF001
    return list(user._backoffice_roles)  # noqa: SLF001


def role_names(user: Any) -> list[str]:
    """Return the names of the groups of `user`, without asking twice in one request."""
    return _roles(user)


def _heading(item: Item, roles: list[str]) -> str:
    for role in roles:
        if role in item.groups:
            return str(item.groups[role])
    return str(item.group)


def _link(site_name: str, item: Item, request: HttpRequest) -> Link | None:
    try:
        url = reverse(f"{site_name}:{item.url_name}")
    except NoReverseMatch:
        return None
    count = item.badge(request.user) if item.badge else 0
    return Link(
        str(item.label),
        item.icon,
        url,
        current=False,
        count=count,
        tone=item.tone,
        order=item.order,
    )


def _mark_current(groups: Any, path: str) -> None:
    """Mark the link with the longest address that the page's address starts with.

    The start page's address begins every other one, so it counts only when it is the page.
    """
    links = [link for group in groups for link in group.links]
    home = min((link.url for link in links), key=len, default="")
    under = [
        link for link in links if path.startswith(link.url) and (link.url != home or path == home)
    ]
    if under:
        best = max(under, key=lambda link: len(link.url))
        best.current = True
