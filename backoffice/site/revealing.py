"""Links to reveal a masked value, or to ask for it; the views belong to `backoffice.masking`.

Masking registers how it is addressed, so that the page kit works without its pages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import URLPattern, reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _

from backoffice.approvals import grants
from backoffice.approvals.models import ApprovalRequest
from backoffice.policy import explain
from backoffice.site.cells import date_text
from backoffice.site.contract import PageBase
from backoffice.site.masked import masked_names


@dataclass(frozen=True, slots=True)
class RevealLink:
    """What stands at the end of a masked value: `kind` is "reveal" or "ask"."""

    kind: str
    url: str


@dataclass(frozen=True, slots=True)
class ListLink:
    """What a list offers about the clear values of its rows."""

    label: str | Promise
    icon: str
    url: str


@dataclass(frozen=True, slots=True)
class _Offer:
    """`kind` is the end of the address's name, `right` the beginning of the permission's."""

    kind: str
    right: str
    label: str | Promise
    icon: str
    exports: bool


# urls(page) returns the address patterns below a page; names end in _reveal and _ask.
Mount = Callable[[Any], list[URLPattern]]

_mounts: list[Mount] = []
_offers: list[_Offer] = []


def mount(urls: Mount) -> None:
    """Register the views: `urls(page)` gives patterns named `<app>_<model>_reveal` and `…_ask`.

    Both take `object_id` and `field` and are shown as dialogs.
    """
    _mounts.append(urls)


def offer(kind: str, *, right: str, label: str | Promise, icon: str, exports: bool = False) -> None:
    """Link lists with masked fields to the dialog `<app>_<model>_<kind>` for who has the right.

    `right` is "unmask_page" for `unmask_page_<model>`. The link carries the list's own query;
    with `exports` it stands in the menu of exports.
    """
    _offers.append(_Offer(kind, right, label, icon, exports))


def _let_in(facts: Mapping[str, Any]) -> str:
    text = _("%(giver)s gave you access: you may reveal values of this record until %(until)s.")
    return text % {"giver": facts["giver"], "until": date_text(facts["until"])}


class RevealMixin(PageBase):
    """Puts Reveal or Ask for access beside masked values of a record page."""

    def get_urls(self) -> list[Any]:
        """Mount the views of masking on pages with masked fields."""
        patterns = []
        if masked_names(self.model):
            patterns = [pattern for urls in _mounts for pattern in urls(self)]
        return [*patterns, *super().get_urls()]

    def reveal_links(self, request: HttpRequest, obj: Any) -> dict[str, RevealLink]:
        """Return field -> link for the masked fields of `obj` that hold a value."""
        if not _mounts:
            return {}
        return {
            name: self._reveal_link(request, obj, name)
            for name in masked_names(self.model)
            if getattr(obj, name)
        }

    def _reveal_link(self, request: HttpRequest, obj: Any, name: str) -> RevealLink:
        kind = "reveal" if self.allows(request, "reveal", obj) else "ask"
        return RevealLink(kind, self.url_of(kind, obj.pk, name))

    def reveal_note(self, request: HttpRequest, obj: Any, links: dict[str, RevealLink]) -> str:
        """Return until when somebody let the person in, or that their request waits; else ""."""
        kinds = {link.kind for link in links.values()}
        if "reveal" in kinds:
            decided = explain(request.user, "reveal", obj, site=self.admin_site.name).decided_by
            return _let_in(decided.facts) if decided.rule.name == "grant" else ""
        return self._asked(request, obj) if kinds else ""

    def _asked(self, request: HttpRequest, obj: Any) -> str:
        """Say that the person asked for access to this record already, with a link."""
        waiting = ApprovalRequest.objects.filter(
            kind=grants.KIND,
            state=ApprovalRequest.State.REQUESTED,
            maker_id=request.user.pk,
            subject_type=obj._meta.label_lower,
            subject_id=str(obj.pk),
        ).first()
        if waiting is None:
            return ""
        text = _("You asked for access to this record. Somebody else has to decide.")
        url = reverse(f"{self.admin_site.name}:approval", args=[waiting.pk])
        return format_html('{} <a href="{}">{}</a>', text, url, _("The request"))

    def clear_links(self, request: HttpRequest, *, exports: bool) -> list[ListLink]:
        """Return what the list offers this person about the clear values of its rows."""
        if not masked_names(self.model):
            return []
        query = request.GET.urlencode()
        return [
            ListLink(one.label, one.icon, f"{self.url_of(one.kind)}{'?' if query else ''}{query}")
            for one in _offers
            if one.exports is exports and self.allows(request, one.right)
        ]
