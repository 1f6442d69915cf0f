"""A new join: choosing the two sides, then the key.

Where values of records are matched by a masked key, it asks for what a reveal asks for.
"""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import stepup
from backoffice.masking.services import OVER_LIMIT, Purpose, Reason, RevealRefusedError
from backoffice.policy import may, scope
from backoffice.sheets.admin.kept_base import (
    KeptPage,
    sheet_of,
)
from backoffice.sheets.kept import joining, keeping
from backoffice.sheets.kept.frames import ModelFrame
from backoffice.sheets.kept.joining import Offer
from backoffice.sheets.models import KeptJoin, KeptSheet
from backoffice.site import dialogs, proving, staff_site, throttling
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
        named = scope(user, ready).values_list("public_id", "name")
        sheets = [(str(number), name) for number, name in named]
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

    purpose = forms.ChoiceField(
        label=gettext_lazy("Why do you need it?"),
        choices=[("", "\N{EN DASH}"), *Purpose.choices],
        required=False,
        help_text=gettext_lazy(
            "Only for a masked key: each record that is found counts as one that you looked into."
        ),
    )
    text = forms.CharField(
        label=gettext_lazy("In a few words"),
        max_length=300,
        required=False,
        help_text=gettext_lazy("Seen by the privacy officer. No personal data, please."),
    )

    def __init__(
        self, *args: Any, sides: tuple[Any, Any], records: bool = False, **kwargs: Any
    ) -> None:
        """Offer the columns; with `records` of the system a masked key takes a reason."""
        super().__init__(*args, **kwargs)
        if not records or not all(any(one.mask for one in side) for side in sides):
            del self.fields["purpose"], self.fields["text"]
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
        name = f"{both[0].name} + {_name(both[1])}" if both else ""
        return {
            "sides_form": sides,
            "key_form": _key_form(request, both, initial={"name": name[:80]}) if both else None,
        }

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Save the join."""
        left, right = _both(request)
        form, status = _key_form(request, (left, right), request.POST), 422
        if form.is_valid():
            try:
                if _is_ready(form, request, left, right):
                    return _saved(request, left, right, form.cleaned_data)
            except ValidationError as error:
                form.add_error(None, error)
            except RevealRefusedError as refused:
                if refused.rule != OVER_LIMIT:
                    raise
                form.add_error(None, str(refused))
                status = throttling.TOO_MANY
        return self.render(request, status=status, extra={"key_form": form})


def _key_form(
    request: HttpRequest, sides: tuple[KeptSheet, KeptSheet | Offer], data: Any = None, **more: Any
) -> KeyForm:
    columns, records = _columns_of(request, sides), not isinstance(sides[1], KeptSheet)
    return KeyForm(data, sides=columns, records=records, **more)


def _label_of(side: KeptSheet | Offer) -> KeptSheet | str:
    return side if isinstance(side, KeptSheet) else side.model._meta.label_lower


def _is_ready(form: Any, request: HttpRequest, left: KeptSheet, right: KeptSheet | Offer) -> bool:
    """Ask for what a reveal asks for where values of records are matched (errors go into the form).

    Raises ValidationError without a reason.
    """
    chosen = form.cleaned_data
    if not joining.is_like_reveal(left, chosen["left_ref"], _label_of(right)):
        return True
    if "purpose" not in form.fields:
        return True  # no key of the other side is masked: such columns cannot be joined
    Reason(chosen["purpose"], chosen["text"]).clean()
    dialogs.with_step_up(form, request, wanted=True, factor=True)
    form.full_clean()
    return dialogs.is_ready(form, request)


def _saved(
    request: HttpRequest, left: KeptSheet, right: KeptSheet | Offer, chosen: dict[str, Any]
) -> HttpResponse:
    chosen = {name: value for name, value in chosen.items() if name != proving.FIELD}
    join = joining.save(
        actor=signed_in(request),
        left=left,
        right=_label_of(right),
        fresh=stepup.is_fresh(request, factor=True),
        session=request.session,
        **chosen,
    )
    return redirect("admin:kept_join", number=join.public_id)


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


PAGES = (NewJoin,)
