"""The privacy desk: what people asked for about their own data, by when, and what came of it."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.files import links, rights
from backoffice.masking import subjects
from backoffice.policy import may
from backoffice.site import (
    ActionForm,
    Badge,
    DialogPage,
    ReasonForm,
    SitePage,
    action,
    navigation,
    staff_site,
)
from backoffice.site.cells import date_text
from backoffice.site.pages import Crumb
from backoffice.site.values import BadgeKind
from backoffice.site.visitors import signed_in
from customers import queries
from customers.admin.customer_page import CustomerAdmin
from customers.admin.parts import OPEN_MATTERS, Matter
from customers.models import Customer, PrivacyCase
from customers.services import erasure, privacy, retention

VIEW = "customers.view_privacycase"
PAGE = 50
_Kind, _State = PrivacyCase.Kind, PrivacyCase.State
_KINDS: dict[str, BadgeKind] = {
    _State.OPEN: "wait",
    _State.WAITING: "wait",
    _State.RUNNING: "move",
    _State.DONE: "done",
    _State.REFUSED: "rest",
}
# What a person asks for; retention has a page of its own.
ASKED_FOR = [(kind.value, kind.label) for kind in (_Kind.EXPORT, _Kind.ERASURE)]


@dataclass(frozen=True, slots=True)
class Row:
    """A request as pages show it."""

    case: PrivacyCase

    @property
    def badge(self) -> Badge:
        """The state in a word."""
        return Badge(_KINDS[self.case.state], self.case.get_state_display())

    @property
    def is_late(self) -> bool:
        """Whether the month is over and no answer was given."""
        return self.case.is_open and self.case.due_on < timezone.localdate()

    @property
    def url(self) -> str:
        """The page of the request."""
        return reverse("admin:privacy_case", args=[self.case.pk])


def _cases() -> QuerySet[PrivacyCase]:
    return PrivacyCase.objects.select_related("customer", "asked_by", "job", "file", "approval")


def _found(key: int) -> PrivacyCase:
    case = _cases().filter(pk=key).first()
    if case is None:
        raise Http404
    return case


class BelowDesk(SitePage):
    """A page below the desk."""

    permission = VIEW

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[Crumb]:
        """The desk above."""
        return [(_("Privacy desk"), reverse("admin:privacy"))]


class DeskPage(SitePage):
    """Requests, what is due first on top; those that are over on a tab of their own."""

    path, name = "privacy/", "privacy"
    title = gettext_lazy("Privacy desk")
    subtitle = gettext_lazy(
        "What people asked for about their own data. An answer is due within a month."
    )
    permission = VIEW
    template_name = "customers/privacy/desk.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Take one tab; a constant number of queries."""
        over = request.GET.get("tab") == "over"
        cases = _cases()
        shown = (
            cases.exclude(state__in=privacy.unfinished()).order_by("-done_at", "-id")
            if over
            else cases.filter(state__in=privacy.unfinished())
        )
        found = list(shown[: PAGE + 1])
        return {
            "rows": [Row(case) for case in found[:PAGE]],
            "more": len(found) > PAGE,
            "over": over,
            "may_manage": bool(may(request.user, privacy.MANAGE, None)),
        }


class CasePage(BelowDesk):
    """One request: what would be done, what stands in the way, and the receipt."""

    path, name = "privacy/<int:key>/", "privacy_case"
    template_name = "customers/privacy/case.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the request, with a preview while nothing was done."""
        case = _found(kwargs["key"])
        manage = bool(may(request.user, privacy.MANAGE, None))
        is_open = case.state == _State.OPEN
        return {
            "title": f"{case.get_kind_display()} {case}",
            "row": Row(case),
            "case": case,
            "customer_url": _customer_url(request, case.customer),
            **_preview(case),
            "blockers": privacy.blockers(case) if case.kind == _Kind.ERASURE and is_open else [],
            "rows": _receipt(case),
            "file_url": _file_url(request, case),
            "job_url": _job_url(request, case),
            "may_ask": manage and is_open,
            "terms": _terms(case),
        }


def _terms(case: PrivacyCase) -> list[tuple[str, dt.date]]:
    """Return what a retention clears, in words, and before which day."""
    return [
        (str(retention.LABELS.get(kind, kind)), dt.date.fromisoformat(day))
        for kind, day in case.terms.items()
    ]


def _customer_url(request: HttpRequest, customer: Customer | None) -> str:
    if customer is None or not may(request.user, "view", customer):
        return ""
    return reverse("admin:customers_customer_change", args=[customer.pk])


def _preview(case: PrivacyCase) -> dict[str, Any]:
    """Return what would be done, while nothing was."""
    if case.customer is None or case.state not in {_State.OPEN, _State.WAITING}:
        return {}
    lines, also = erasure.preview(case.customer)
    return {"lines": lines, "also": also}


def _receipt(case: PrivacyCase) -> list[tuple[str, int]]:
    """Return (place in words, rows) of the receipt; places with nothing are left out."""
    labels = {place.name: str(place.label) for place in subjects.places()}
    rows = case.receipt.get("rows", {}).items()
    return [(labels.get(name, name), count) for name, count in rows if count]


def _file_url(request: HttpRequest, case: PrivacyCase) -> str:
    """Return a link to the file for who asked for it; it asks for proof of who they are."""
    if case.file is None or case.file.owner_id != request.user.pk:
        return ""
    if case.file.expires_at <= timezone.now() or not rights.holds(request.user, case.file):
        return ""
    return links.address(case.file, "admin")


def _job_url(request: HttpRequest, case: PrivacyCase) -> str:
    job = case.job
    if job is None:
        return ""
    mine = job.owner_id == request.user.pk or bool(may(request.user, "jobs.view_job", None))
    return reverse("admin:job", args=[job.public_id]) if mine else ""


class CaseForm(ActionForm):
    """What was asked for, when, on which ground."""

    recorded = gettext_lazy("Your name, the time, the ground and the note.")
    kind = forms.ChoiceField(label=gettext_lazy("What do they ask for?"), choices=ASKED_FOR)
    received_on = forms.DateField(
        label=gettext_lazy("When did the request come in?"),
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("The month for the answer counts from this day."),
    )
    ground = forms.ChoiceField(
        label=gettext_lazy("Ground"),
        choices=[one for one in PrivacyCase.Ground.choices if one[0] != PrivacyCase.Ground.PERIOD],
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("How you know that it is this person. It is erased with them."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Propose today."""
        super().__init__(*args, **kwargs)
        self.fields["received_on"].initial = timezone.localdate

    def asked(self) -> privacy.Asked:
        """Return what was filled in."""
        data = self.cleaned_data
        return privacy.Asked(data["ground"], data["note"], data["received_on"])


class NumberedCaseForm(CaseForm):
    """The same on the desk, where the customer is named by number."""

    number = forms.CharField(label=gettext_lazy("Number of the customer"), max_length=40)
    field_order = ["number", "kind", "received_on", "ground", "note"]

    def clean_number(self) -> Customer:
        """Return the customer, who must be one of those this person may see."""
        found = queries.by_number(self.cleaned_data["number"].strip())
        if found is None or not may(self.request.user, "view", found):
            raise forms.ValidationError(_("There is no customer with this number."))
        return found


def _opened(case: PrivacyCase) -> Any:
    link = format_html('<a href="{}">{}</a>', Row(case).url, case)
    text = _("Opened: {}. Nothing is done before a second person agrees.")
    return format_html(text, link)


class NewPage(DialogPage):
    """Open a request from the desk."""

    path, name = "privacy/new/", "privacy_new"
    title = gettext_lazy("Open a personal data request")
    submit, icon = gettext_lazy("Open"), "add"
    permission = privacy.MANAGE
    form = NumberedCaseForm
    step_up = True

    def act(self, request: HttpRequest, subject: Any, form: Any) -> Any:
        """Open it."""
        data = form.cleaned_data
        asked = form.asked()
        return _opened(
            privacy.open_case(data["number"], data["kind"], asked, actor=signed_in(request))
        )

    def back(self, request: HttpRequest, subject: Any) -> str:
        """The desk."""
        return reverse("admin:privacy")


@action(
    gettext_lazy("Personal data request"),
    permission=privacy.MANAGE,
    form=CaseForm,
    icon="shield_person",
    submit=gettext_lazy("Open"),
    visible=lambda customer: customer.erased_at is None,
    row=False,
    step_up=True,
    order=70,
)
def privacy_request(admin: Any, request: HttpRequest, customer: Any, form: Any) -> Any:
    """Open a request from the customer's page."""
    kind, asked = form.cleaned_data["kind"], form.asked()
    return _opened(privacy.open_case(customer, kind, asked, actor=signed_in(request)))


class _CaseDialog(DialogPage):
    """What the dialogs of a request share."""

    permission = privacy.MANAGE

    def subject(self, request: HttpRequest, **kwargs: Any) -> PrivacyCase:
        """Return the request."""
        return _found(kwargs["key"])

    def why_not(self, request: HttpRequest, subject: PrivacyCase) -> str:
        """Refuse what is not open."""
        return "" if subject.state == _State.OPEN else _("This request is not open any more.")

    def back(self, request: HttpRequest, subject: PrivacyCase) -> str:
        """The page of the request."""
        return Row(subject).url


class AskPage(_CaseDialog):
    """Put it before a second person."""

    path, name = "privacy/<int:key>/ask/", "privacy_ask"
    title, icon = gettext_lazy("Ask for approval"), "how_to_reg"
    form, step_up = ReasonForm, True

    def wants_factor(self, request: HttpRequest, subject: PrivacyCase) -> bool:
        """Want it for the file with all clear values."""
        return subject.kind == _Kind.EXPORT

    def why_not(self, request: HttpRequest, subject: PrivacyCase) -> str:
        """Refuse an erasure while something open needs the person, and name it."""
        refused = super().why_not(request, subject)
        if refused or subject.kind != _Kind.ERASURE:
            return refused
        return " ".join(one.text for one in privacy.blockers(subject))

    def intro(self, request: HttpRequest, subject: PrivacyCase) -> str:
        """Say what happens when they agree."""
        if subject.kind == _Kind.ERASURE:
            return _("When somebody else agrees, the person is erased. This cannot be undone.")
        if subject.kind == _Kind.RETENTION:
            return _("When somebody else agrees, what was due is erased. This cannot be undone.")
        return _("When somebody else agrees, a file with all clear values is made for you alone.")

    def act(self, request: HttpRequest, subject: PrivacyCase, form: Any) -> str:
        """Ask."""
        privacy.ask(subject, actor=signed_in(request), reason=form.cleaned_data["reason"])
        return _("Somebody else has to decide now.")


class RefusePage(_CaseDialog):
    """Close it without doing it."""

    path, name = "privacy/<int:key>/refuse/", "privacy_refuse"
    title, icon, harmful = gettext_lazy("Refuse the request"), "block", True
    form = ReasonForm

    def intro(self, request: HttpRequest, subject: PrivacyCase) -> str:
        """Say what the person has to be told."""
        if subject.kind == _Kind.RETENTION:
            return _("Nothing is cleared. What is due can be asked for anew.")
        return _(
            "Nothing is done. Tell the person within the month why, and that they may complain to "
            "the authority (GDPR, Article 12(4))."
        )

    def act(self, request: HttpRequest, subject: PrivacyCase, form: Any) -> str:
        """Refuse."""
        privacy.refuse(subject, actor=signed_in(request), reason=form.cleaned_data["reason"])
        return _("The request is refused.")


def _matters(request: HttpRequest, customer: Customer) -> list[Matter]:
    """Return the requests of this customer that are not over."""
    if not may(request.user, VIEW, None):
        return []
    mine = _cases().filter(customer=customer, state__in=privacy.unfinished())
    return [
        Matter(
            text=f"{case.get_kind_display()} {case}",
            url=Row(case).url,
            badge=Row(case).badge,
            note=_("Due on %(day)s") % {"day": date_text(case.due_on)},
            icon="shield_person",
        )
        for case in mine
    ]


def _open_ones(user: Any) -> int:
    """Return how many requests wait for somebody of the desk."""
    if not may(user, privacy.MANAGE, None):
        return 0
    return PrivacyCase.objects.filter(state=_State.OPEN).count()


OPEN_MATTERS.append(_matters)
CustomerAdmin.contribute(actions=[privacy_request])
for page in (DeskPage, CasePage, NewPage, AskPage, RefusePage):
    staff_site.add_page(page)
navigation.add(
    staff_site,
    group=gettext_lazy("Oversight"),
    label=gettext_lazy("Privacy desk"),
    icon="shield_person",
    url_name="privacy",
    permission=VIEW,
    badge=_open_ones,
    tone="wait",
    order=815,
)
