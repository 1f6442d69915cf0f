"""Merging two customers: whom with, which value stays, and the page of what came of it."""

from typing import Any, ClassVar, cast

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts import rates
from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.policy import may
from backoffice.site import (
    ActionForm,
    BackofficeAdmin,
    DialogPage,
    Panel,
    ReasonForm,
    action,
    navigation,
    register,
    staff_site,
    timeline,
)
from backoffice.site.cells import mask_markup
from backoffice.site.dialogs import finish
from backoffice.site.visitors import signed_in
from customers import queries, services
from customers.admin.customer_page import CustomerAdmin
from customers.models import Customer, CustomerMerge
from customers.services import belongings, merging

_MERGE = "customers.merge_customer"
_State = CustomerMerge.State
STATES: dict[str, Any] = {
    "requested": "wait",
    "merged": "done",
    "undone": "rest",
    "dropped": "rest",
}


class OtherForm(ActionForm):
    """Names the other customer."""

    number = forms.CharField(
        label=gettext_lazy("Number of the other customer"),
        max_length=40,
        help_text=gettext_lazy("The whole number. You compare both before anything is asked for."),
    )

    def clean_number(self) -> Customer:
        """Return the other customer, who must be one of those this person may merge."""
        other = queries.by_number(self.cleaned_data["number"].strip())
        if other is None or not may(self.request.user, _MERGE, other):
            raise forms.ValidationError(_("No customer to merge has exactly this number."))
        if other.pk == self.instance.pk:
            raise forms.ValidationError(_("This is the customer you came from."))
        return other


@action(
    gettext_lazy("Merge with another"),
    permission=_MERGE,
    form=OtherForm,
    icon="call_merge",
    submit=gettext_lazy("Compare both"),
    visible=lambda customer: customer.merged_into_id is None,
    order=60,
)
def merge(admin: Any, request: HttpRequest, customer: Customer, form: OtherForm) -> HttpResponse:
    """Lead to the page on which both are compared; nothing is asked for yet.

    It is a search by number, and on the record as one; nothing is done with the customer.
    """
    rates.spend("search", request.user.pk, actor=request.user)
    facts = {"field": "number", "found": 1}
    record(verbs.SEARCHED, actor=request.user, subject=Customer, context=facts)
    other = form.cleaned_data["number"]
    return finish(request, reverse("admin:customer_merge", args=[customer.pk, other.pk]), "")


SIDES = (("left", gettext_lazy("left")), ("right", gettext_lazy("right")))


class ChoiceForm(ReasonForm):
    """Which number stays, and of each field the value of which side."""

    recorded = gettext_lazy(
        "Your name, the time, the reason, both numbers and which fields are taken over. No value."
    )
    stays = forms.ChoiceField(
        label=gettext_lazy("Which number stays?"), choices=SIDES, widget=forms.RadioSelect
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Add a choice for each field, set to the side that has a value."""
        super().__init__(*args, **kwargs)
        self.left, self.right = self.instance
        self.fields["stays"].choices = [  # type: ignore[attr-defined]
            (side, _("Customer %(number)s") % {"number": customer.number})
            for side, customer in (("left", self.left), ("right", self.right))
        ]
        self.initial.setdefault("stays", "left")
        for name in merging.FIELDS:
            label = capfirst(str(Customer._meta.get_field(name).verbose_name))  # type: ignore[union-attr]
            choice = forms.ChoiceField(label=label, choices=SIDES, widget=forms.RadioSelect)
            self.fields[f"take_{name}"] = choice
            only_right = not getattr(self.left, name) and bool(getattr(self.right, name))
            self.initial[f"take_{name}"] = "right" if only_right else "left"
        self.order_fields(["stays", *(f"take_{name}" for name in merging.FIELDS), "reason"])

    def compared(self) -> list[dict[str, Any]]:
        """Return a line for each field: the two sides with their radio button, masked."""
        return [
            {
                "label": self.fields[f"take_{name}"].label,
                "errors": self[f"take_{name}"].errors,
                "sides": [
                    {"tag": button.tag(), "id": button.id_for_label, "value": _shown(side, name)}
                    for button, side in zip(
                        self[f"take_{name}"], (self.left, self.right), strict=True
                    )
                ],
            }
            for name in merging.FIELDS
        ]

    def plain_fields(self) -> list[forms.BoundField]:
        """Return the fields that stand below the comparison."""
        return [field for field in self.visible_fields() if not field.name.startswith("take_")]

    def pair(self) -> tuple[Customer, Customer]:
        """Return who stays and who goes."""
        stays_left = self.cleaned_data["stays"] == "left"
        return (self.left, self.right) if stays_left else (self.right, self.left)

    def taken(self) -> list[str]:
        """Return the fields whose value comes from the one who goes."""
        stays = self.cleaned_data["stays"]
        return [name for name in merging.FIELDS if self.cleaned_data[f"take_{name}"] != stays]


def _shown(customer: Customer, name: str) -> SafeString:
    value = getattr(customer, name)
    if not value:
        return format_html('<span class="bo-muted">{}</span>', _("empty"))
    masked = name != "country"
    return format_html("{}", mask_markup(value) if masked else value)


class MergePage(DialogPage):
    """Compares two customers, field by field and masked, and asks for the merge."""

    path = "customers/customer/<int:left>/merge/<int:right>/"
    name = "customer_merge"
    title = gettext_lazy("Merge two customers")
    permission = _MERGE
    template_name = "customers/merge.html"
    form = ChoiceForm
    icon = "call_merge"
    submit = gettext_lazy("Ask for the merge")
    wide = True

    def subject(self, request: HttpRequest, **kwargs: Any) -> tuple[Customer, Customer]:
        """Return both customers; 404 for one that is not there for this person."""
        page = staff_site.get_model_admin(Customer)
        rows = page.get_queryset(request)
        left = get_object_or_404(rows, pk=kwargs["left"])
        right = get_object_or_404(rows, pk=kwargs["right"])
        if left.pk == right.pk:
            raise Http404
        return left, right

    def why_not(self, request: HttpRequest, subject: tuple[Customer, Customer]) -> str:
        """Refuse where one of them is merged already."""
        merged = [one for one in subject if one.merged_into_id]
        if merged:
            text = _("Customer %(number)s was merged into another already.")
            return text % {"number": merged[0].number}
        if not all(may(request.user, _MERGE, one) for one in subject):
            return _("You may not merge these customers.")
        return ""

    def intro(self, request: HttpRequest, subject: Any) -> str:
        """Say what happens."""
        return _(
            "Somebody else decides. Then everything of the one who goes belongs to the one who "
            "stays; the number that goes is still found and leads there. It can be undone."
        )

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return what belongs to each side."""
        left, right = self.subject(request, **kwargs)
        counts = zip(belongings.counts(left), belongings.counts(right), strict=True)
        return {
            "left": left,
            "right": right,
            "counts": [(label, mine, others) for (label, mine), (_same, others) in counts],
        }

    def act(self, request: HttpRequest, subject: Any, form: ChoiceForm) -> SafeString:
        """Ask for it."""
        kept, gone = form.pair()
        asked = services.request_merge(
            kept,
            gone,
            taken=form.taken(),
            actor=signed_in(request),
            reason=form.cleaned_data["reason"],
        )
        return format_html(
            '{} <a href="{}">{}</a>',
            _("The merge is asked for. It waits for another person; nothing has moved."),
            reverse("admin:customers_customermerge_change", args=[asked.pk]),
            asked,
        )

    def back(self, request: HttpRequest, subject: tuple[Customer, Customer]) -> str:
        """Go back to the customer on the left."""
        return reverse("admin:customers_customer_change", args=[subject[0].pk])


staff_site.add_page(MergePage)
CustomerAdmin.contribute(actions=[merge])


class UndoForm(ReasonForm):
    """Says what undoing brings back."""

    recorded = gettext_lazy("Your name, the time and the reason. Somebody else decides.")

    def intro(self) -> str:
        """Return what will happen."""
        return _(
            "What moved goes back, and values that were taken over are as before. What was changed "
            "since stays as it is, and is listed here afterwards."
        )


@register(CustomerMerge, site=staff_site)
class CustomerMergeAdmin(BackofficeAdmin):
    """What was merged, by whom, what moved, and the way back."""

    list_title = gettext_lazy("Merges of customers")
    list_subtitle = gettext_lazy("Two numbers that turned out to be one person.")
    empty_text = gettext_lazy("A merge is asked for on the page of a customer.")
    list_display = ("pair", "state", "requested_by", "created_at", "merged_at", "undone_at")
    list_filter = ("state", "created_at")
    list_select_related = ("kept", "gone", "requested_by")
    fields = ("kept", "gone", "requested_by", "created_at", "merged_at", "undone_at")
    badges: ClassVar[dict[str, Any]] = {"state": STATES}
    editable = False

    @staticmethod
    def pair(row: CustomerMerge) -> str:
        """Return both numbers."""
        return str(row)

    def record_title(self, obj: Any) -> str:
        """Return both numbers in words."""
        return _("Merge of customer %(gone)s into %(kept)s") % {"gone": obj.gone, "kept": obj.kept}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A merge begins on the page of a customer."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keep merges: they are the way back."""
        return False

    @action(
        gettext_lazy("Ask to undo"),
        permission=_MERGE,
        form=UndoForm,
        icon="undo",
        visible=lambda row: row.state == _State.MERGED,
        row=False,
    )
    def undo(self, request: HttpRequest, obj: CustomerMerge, form: UndoForm) -> SafeString:
        """Ask for it."""
        asked = services.request_undo(
            obj, actor=signed_in(request), reason=form.cleaned_data["reason"]
        )
        return format_html(
            '{} <a href="{}">{}</a>',
            _("Asked for. The merge is undone once another person agrees."),
            reverse("admin:approval", args=[asked.pk]),
            _("The request"),
        )


def _outcome(request: HttpRequest, row: CustomerMerge) -> dict[str, Any]:
    stayed = {label: keys for label, keys in row.stayed.items() if label != "fields"}
    return {
        "taken": _labels(row.taken),
        "moved": belongings.words(row.moved),
        "stayed": belongings.words(stayed),
        "stayed_fields": _labels(row.stayed.get("fields", [])),
        "approval": row.undo_approval or row.approval,
        "sides": [
            (one, reverse("admin:customers_customer_change", args=[one.pk]),
             reverse("admin:customers_customer_history", args=[one.pk]))
            for one in (row.kept, row.gone)
        ],
    }  # fmt: skip


def _labels(names: list[str]) -> list[str]:
    return [
        capfirst(str(cast("Any", Customer._meta.get_field(name)).verbose_name)) for name in names
    ]


CustomerMergeAdmin.panels = [
    Panel(
        gettext_lazy("What came of it"),
        "customers/merge_outcome.html",
        _outcome,
        column="main",
        order=10,
    )
]


def _story(customer: Customer) -> dict[str, Any]:
    """Return what else is told on a customer's page: their merges, and who was merged into them."""
    merges = CustomerMerge.objects.filter(kept=customer)
    return {
        "customers.customermerge": merges | CustomerMerge.objects.filter(gone=customer),
        "customers.customer": customer.merged_from.all(),
    }


timeline.follow(Customer, _story)
navigation.add(
    staff_site,
    group=gettext_lazy("Customers"),
    groups={
        "owner": gettext_lazy("Business"),
        "auditor": gettext_lazy("Look up"),
        "privacy": gettext_lazy("Look up"),
    },
    label=gettext_lazy("Merges"),
    icon="call_merge",
    url_name="customers_customermerge_changelist",
    permission="customers.view_customermerge",
    order=17,
)
