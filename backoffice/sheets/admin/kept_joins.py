"""Joins: the rows side by side, those without a match, and what is done with a join."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.masking.services import OVER_LIMIT, RevealRefusedError
from backoffice.policy import may
from backoffice.sheets.admin import kept_base
from backoffice.sheets.admin.kept_base import (
    KeptPage,
    UnopenedError,
    address,
    is_mine,
    join_of,
)
from backoffice.sheets.kept import joining, keeping
from backoffice.sheets.kept.frames import Frame
from backoffice.sheets.kept.joining import Opened
from backoffice.sheets.models import KeptJoin
from backoffice.site import DialogPage, throttling
from backoffice.site.visitors import signed_in


def opened(request: HttpRequest, join: KeptJoin) -> Opened:
    """Return the join as the person sees it.

    Raises Http404 when a sheet of it is not theirs, UnopenedError when there is too much of it.
    """
    try:
        return joining.open_join(join, signed_in(request), session=request.session)
    except LookupError:
        raise Http404 from None
    except ValidationError as error:
        raise UnopenedError(" ".join(error.messages), 422) from None
    except RevealRefusedError as refused:
        if refused.rule != OVER_LIMIT:
            raise
        raise UnopenedError(str(refused), throttling.TOO_MANY) from None


def part_of(request: HttpRequest, join: Opened) -> Frame:
    """Return the rows that the tab of an address shows."""
    parts = {
        "": lambda: join.frame,
        "left": lambda: join.left_only,
        "right": lambda: join.right_only,
    }
    try:
        return parts[request.GET.get("rows", "")]()
    except KeyError:
        raise BadRequest from None


class JoinPage(KeptPage):
    """The rows side by side, or those of one side without a match."""

    path, name = "kept/joins/<uuid:number>/", "kept_join"
    template_name = "sheets/kept_join.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Show the rows, or take a filter into the address."""
        if "by" in request.GET:
            join = opened(request, join_of(request, kwargs["number"]))
            going, wrong = kept_base.added_filter(part_of(request, join), request.GET)
            if going:
                return redirect(f"{request.path}{going}")
            messages.error(request, wrong)
            return redirect(request.path)
        return self.render(request, **kwargs)

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the table, the counts and what the person may do."""
        row = join_of(request, kwargs["number"])
        join = opened(request, row)
        found = kept_base.found_in(part_of(request, join), request.GET)
        return {
            "join": row,
            "title": row.name,
            "crumb": row.name,
            "left_name": row.left.name,
            "right_name": row.right.name if row.right else joining.model_of(row.right_model),
            "key_names": key_names(row),
            "counts": join.matched.counts,
            "rows_tab": request.GET.get("rows", ""),
            "pair_rows": len(join.matched.left),
            "mine": is_mine(request, row),
            "may_add": request.user.has_perm(keeping.ADD),
            "may_export": request.user.has_perm(keeping.EXPORT),
            "charts": [(one, address("kept_chart", one)) for one in row.charts.all()],
            "urls": {name: address(f"kept_join_{name}", row) for name in _BUTTONS},
            **kept_base.table(found, request.GET),
        }


_BUTTONS = ("export", "share", "delete")


def key_names(join: KeptJoin) -> tuple[str, str]:
    """Return the labels of the two keys."""
    left = keeping.columns_of(join.left)[join.left_column].label
    if join.right is None:
        return left, join.right_field
    return left, keeping.columns_of(join.right)[join.right_column or 0].label


class ExportJoin(KeptPage):
    """The rows of a tab as a file."""

    path, name = "kept/joins/<uuid:number>/export/", "kept_join_export"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Return it."""
        row = join_of(request, kwargs["number"])
        if row.right_model and not _may_export_model(request, row):
            raise PermissionDenied
        frame = part_of(request, opened(request, row))
        return kept_base.export(request, row, frame, address("kept_join", row))


def _may_export_model(request: HttpRequest, join: KeptJoin) -> bool:
    """Say whether the person may export the records too; a join is no way around that right."""
    offer = joining.offers(signed_in(request)).get(join.right_model)
    return offer is not None and may(signed_in(request), "export", offer.model).allowed


class OfJoin(DialogPage):
    """A dialog about a join of one's own."""

    permission = keeping.ADD

    def subject(self, request: HttpRequest, **kwargs: Any) -> KeptJoin:
        """Return the join; 404 for one that is not there for the person."""
        return join_of(request, kwargs["number"])

    def why_not(self, request: HttpRequest, subject: KeptJoin) -> str:
        """Refuse all but the owner."""
        mine = is_mine(request, subject)
        return "" if mine else str(_("Only who saved the join may change it."))

    def back(self, request: HttpRequest, subject: KeptJoin) -> str:
        """Go to the join."""
        return address("kept_join", subject)


class ShareJoin(OfJoin):
    """Share it, or stop sharing."""

    path, name = "kept/joins/<uuid:number>/share/", "kept_join_share"
    title, icon = gettext_lazy("Share"), "group"

    def intro(self, request: HttpRequest, subject: KeptJoin) -> str:
        """Say what changes."""
        if subject.shared:
            return str(_("Only you will see the join and its charts."))
        return str(_("Everybody who may see both sides will see the join."))

    def act(self, request: HttpRequest, subject: KeptJoin, form: Any) -> str:
        """Turn it."""
        keeping.share(subject, not subject.shared, actor=signed_in(request))
        return str(_("The join is shared.") if subject.shared else _("Only you see the join now."))


class DeleteJoin(OfJoin):
    """Delete it; the sheets stay."""

    path, name = "kept/joins/<uuid:number>/delete/", "kept_join_delete"
    title, icon, harmful = gettext_lazy("Delete"), "delete", True

    def intro(self, request: HttpRequest, subject: KeptJoin) -> str:
        """Say what stays."""
        return str(_("The join and its charts go. The sheets stay."))

    def act(self, request: HttpRequest, subject: KeptJoin, form: Any) -> str:
        """Delete it."""
        keeping.drop(subject, actor=signed_in(request))
        return str(_("The join is deleted."))

    def back(self, request: HttpRequest, subject: KeptJoin) -> str:
        """Go to the list."""
        return reverse("admin:kept") if request.method == "POST" else super().back(request, subject)


PAGES = (JoinPage, ExportJoin, ShareJoin, DeleteJoin)
