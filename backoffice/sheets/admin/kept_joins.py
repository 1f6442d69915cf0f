"""Joins: choosing the two sides and the key, the rows side by side, and those without a match."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.policy import may, scope
from backoffice.sheets.admin import kept_base
from backoffice.sheets.admin.kept_base import KeptPage, address, is_mine, join_of, sheet_of
from backoffice.sheets.kept import joining, keeping
from backoffice.sheets.kept.frames import Frame, ModelFrame
from backoffice.sheets.kept.joining import Offer, Opened
from backoffice.sheets.models import KeptJoin, KeptSheet
from backoffice.site import DialogPage, staff_site
from backoffice.site.visitors import signed_in

_MODEL = "model:"


def models_of_pages(user: Any) -> Iterator[Offer]:
    """Yield the models whose pages a person may open, with the fields that the page lets out."""
    for model, page in staff_site._registry.items():  # noqa: SLF001 - our own site
        if not may(user, "view", model).allowed:
            continue
        names = [*getattr(page, "export_fields", ()), *_columns(model, page)]
        fields = tuple(dict.fromkeys(names))
        if ModelFrame(model._default_manager.none(), fields).columns:
            yield Offer(model, capfirst(str(model._meta.verbose_name_plural)), fields)


def _columns(model: type[Model], page: Any) -> list[str]:
    """Return what the list shows of a model whose page has no export; names of plain columns."""
    known = {field.name for field in model._meta.concrete_fields}
    shown = [name for name in page.list_display if isinstance(name, str)]
    return [] if getattr(page, "export_fields", ()) else [name for name in shown if name in known]


joining.offer_from(models_of_pages)


class SidesForm(forms.Form):
    """What is joined with what."""

    left = forms.ChoiceField(label=gettext_lazy("Sheet"))
    right = forms.ChoiceField(label=gettext_lazy("Joined with"))

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        user = signed_in(request)
        ready = KeptSheet.objects.filter(state=KeptSheet.State.READY)
        sheets = [(str(one.public_id), one.name) for one in scope(user, ready)]
        models = [(f"{_MODEL}{label}", one.label) for label, one in joining.offers(user).items()]
        groups = [(_("Kept sheets"), sheets), (_("Data of the system"), sorted(models, key=_label))]
        self.fields["left"].choices = sheets  # type: ignore[attr-defined]
        self.fields["right"].choices = groups  # type: ignore[attr-defined]


def _label(choice: tuple[str, str]) -> str:
    return choice[1]


class KeyForm(forms.Form):
    """The key of each side, and how keys are compared."""

    left_ref = forms.ChoiceField(label=gettext_lazy("Key in the first"))
    right_ref = forms.ChoiceField(label=gettext_lazy("Key in the second"))
    how = forms.ChoiceField(
        label=gettext_lazy("Rows"),
        choices=KeptJoin.How,
        help_text=gettext_lazy("Rows without a match are listed in both cases."),
    )
    fold = forms.BooleanField(
        label=gettext_lazy("Capital and small letters are the same"), required=False
    )
    zeros = forms.BooleanField(
        label=gettext_lazy("Leading zeros do not count (007 is 7)"), required=False
    )
    name = forms.CharField(label=gettext_lazy("Name of the join"), max_length=80)
    shared = forms.BooleanField(
        label=gettext_lazy("Others may see it, if they may see both sides"), required=False
    )

    def __init__(self, *args: Any, sides: tuple[Any, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, columns in zip(("left_ref", "right_ref"), sides, strict=True):
            self.fields[name].choices = [  # type: ignore[attr-defined]
                (one.ref, f"{one.label} \N{LOCK}" if one.mask else one.label) for one in columns
            ]
        self.initial.setdefault("left_ref", _same(*sides)[0])
        self.initial.setdefault("right_ref", _same(*sides)[1])


def _same(left: Any, right: Any) -> tuple[str, str]:
    """Return the refs of the first columns of one name; of the first of each else."""
    theirs = {one.label.casefold(): one.ref for one in reversed(right)}
    for one in left:
        if one.label.casefold() in theirs:
            return one.ref, theirs[one.label.casefold()]
    return left[0].ref, right[0].ref


class NewJoin(KeptPage):
    """Choose the sides, then the key."""

    path, name = "kept/joins/new/", "kept_join_new"
    title = gettext_lazy("New join")
    permission = keeping.ADD
    template_name = "sheets/kept_join_new.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the form of the sides, and below it that of the key when they are chosen."""
        sides = SidesForm(request.GET if "right" in request.GET else None, request=request,
                          initial={"left": request.GET.get("left", "")})  # fmt: skip
        both = _both(request) if sides.is_bound and sides.is_valid() else None
        columns = _columns_of(request, both) if both else None
        name = f"{both[0].name} + {_name(both[1])}" if both else ""
        return {
            "sides_form": sides,
            "key_form": KeyForm(sides=columns, initial={"name": name[:80]}) if columns else None,
        }

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Save the join."""
        left, right = _both(request)
        form = KeyForm(request.POST, sides=_columns_of(request, (left, right)))
        if form.is_valid():
            try:
                other = right if isinstance(right, KeptSheet) else right.model._meta.label_lower
                join = joining.save(
                    actor=signed_in(request), left=left, right=other, **form.cleaned_data
                )
            except ValidationError as error:
                form.add_error(None, error)
            else:
                return redirect("admin:kept_join", number=join.public_id)
        return self.render(request, status=422, extra={"key_form": form})


def _both(request: HttpRequest) -> tuple[KeptSheet, KeptSheet | Offer]:
    """Return the two sides that an address names. Raises Http404, BadRequest."""
    left, right = request.GET.get("left", ""), request.GET.get("right", "")
    if not right.startswith(_MODEL):
        sides = sheet_of(request, left), sheet_of(request, right)
        if any(one.state != KeptSheet.State.READY for one in sides):
            raise BadRequest
        return sides
    offer = joining.offers(signed_in(request)).get(right.removeprefix(_MODEL))
    if offer is None:
        raise Http404
    return sheet_of(request, left), offer


def _columns_of(
    request: HttpRequest, sides: tuple[KeptSheet, KeptSheet | Offer]
) -> tuple[Any, Any]:
    left, right = sides
    if isinstance(right, KeptSheet):
        return keeping.columns_of(left), keeping.columns_of(right)
    rows = right.model._default_manager.none()
    return keeping.columns_of(left), ModelFrame(rows, right.fields).columns


def _name(side: KeptSheet | Offer) -> str:
    return side.name if isinstance(side, KeptSheet) else side.label


def opened(request: HttpRequest, join: KeptJoin) -> Opened:
    """Return the join as the person sees it. Raises Http404 when a sheet of it is not theirs."""
    try:
        return joining.open_join(join, signed_in(request))
    except LookupError:
        raise Http404 from None


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


PAGES = (NewJoin, JoinPage, ExportJoin, ShareJoin, DeleteJoin)
