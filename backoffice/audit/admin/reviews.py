"""The page Access review: a month's personal data by person, why, what is unusual; and signing."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.audit import reviews
from backoffice.audit.models import AccessReview
from backoffice.audit.reviews import Line
from backoffice.site import ActionForm, DialogPage, SitePage, navigation, staff_site

_MONTHS = 24


def _asked(text: str) -> dt.date:
    """Return the month of "2011-11"; without one, the last month that is over. Raises Http404."""
    if not text:
        return reviews.earlier(reviews.month_of(timezone.localdate()), 1)
    try:
        return dt.datetime.strptime(text, "%Y-%m").replace(tzinfo=dt.UTC).date()
    except ValueError:
        raise Http404 from None


def _cells(line: Line, month: dt.date) -> list[tuple[str, int, str]]:
    """Return (head, number, address of the events behind it) of a person's numbers."""
    common = {
        "person": line.person or "",
        "since": month.isoformat(),
        "until": (reviews.following(month) - dt.timedelta(days=1)).isoformat(),
    }
    base = reverse("admin:activity")

    def cell(head: str, number: int, **more: str) -> tuple[str, int, str]:
        return head, number, f"{base}?{urlencode({**common, **more})}"

    return [
        cell(_("Revealed"), line.revealed, verb="personal.revealed", outcome="done"),
        cell(_("Records"), line.records, verb="personal.revealed", outcome="done"),
        cell(_("Searched"), line.searched, verb="personal.searched", outcome="done"),
        cell(_("Files"), line.exported, verb="personal.exported", outcome="done"),
        cell(_("Rows in them"), line.rows, verb="personal.exported", outcome="done"),
        cell(_("In clear files"), line.in_file, verb="personal.in_file", outcome="done"),
        cell(_("Access given"), line.granted, verb="personal.granted", outcome="done"),
        cell(_("Refused"), line.refused, verb="personal", outcome="refused"),
    ]


class ReviewPage(SitePage):
    """Who saw how much personal data in a month, and why."""

    path, name = "access-review/", "access_review"
    title = gettext_lazy("Access review")
    subtitle = gettext_lazy("Who saw how much personal data in a month, and why.")
    permission = "audit.view_accessreview"
    template_name = "audit/review.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Count the month; a constant number of queries."""
        month = _asked(request.GET.get("month", ""))
        found = reviews.lines(month)
        names = reviews.names(found)
        figures = reviews.figures_of(found)
        return {
            "month": month,
            "months": _months(),
            "lines": [
                (line, names.get(line.person or 0, _("System")), _cells(line, month))
                for line in found
            ],
            "heads": [head for head, _number, _url in _cells(Line(None), month)],
            "unusual": sum(line.is_outlier for line in found),
            "review": AccessReview.objects.select_related("signed_by").filter(month=month).first(),
            "seen": reviews.digest(month, figures),
            "why_not": reviews.why_not(month, request.user, [line.person for line in found]),
        }


def _months() -> list[dt.date]:
    """Return the months on offer, newest first."""
    months = [reviews.month_of(timezone.localdate())]
    while len(months) < _MONTHS:
        months.append(reviews.earlier(months[-1], 1))
    return months


class SignForm(ActionForm):
    """What was found, and the hash of the figures that were looked at."""

    comment = forms.CharField(
        label=gettext_lazy("What did you find?"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("Kept with the signature. No personal data, please."),
    )
    seen = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the hash from the page that opened the dialog."""
        super().__init__(*args, **kwargs)
        self.fields["seen"].initial = self.request.GET.get("seen", "")


class SignPage(DialogPage):
    """Sign a month, once, with fresh proof of who signs."""

    path, name = "access-review/<int:year>/<int:month>/sign/", "access_review_sign"
    title, icon = gettext_lazy("Sign the access review"), "signature"
    permission = "audit.sign_accessreview"
    form, step_up = SignForm, True

    def subject(self, request: HttpRequest, **kwargs: Any) -> dt.date:
        """Return the month."""
        return _asked(f"{kwargs['year']:04}-{kwargs['month']:02}")

    def why_not(self, request: HttpRequest, subject: dt.date) -> str:
        """Return why this person cannot sign."""
        people = [line.person for line in reviews.lines(subject)]
        return reviews.why_not(subject, request.user, people)

    def intro(self, request: HttpRequest, subject: dt.date) -> str:
        """Say what the signature means."""
        return _(
            "You say that you looked through who saw personal data in %(month)s, and why. The"
            " signature and a hash of the figures go on the record and cannot be taken back."
        ) % {"month": f"{subject:%m/%Y}"}

    def act(self, request: HttpRequest, subject: dt.date, form: Any) -> str:
        """Sign."""
        comment, seen = form.cleaned_data["comment"], form.cleaned_data["seen"]
        reviews.sign(subject, actor=request.user, comment=comment, seen=seen)
        return _("The review is signed.")

    def back(self, request: HttpRequest, subject: dt.date) -> str:
        """Go to the month."""
        return f"{reverse('admin:access_review')}?month={subject:%Y-%m}"


def _unsigned(_user: Any) -> int:
    """Return 1 while the last month waits for its signature."""
    month = reviews.earlier(reviews.month_of(timezone.localdate()), 1)
    return int(not AccessReview.objects.filter(month=month).exists())


staff_site.add_page(ReviewPage)
staff_site.add_page(SignPage)
navigation.add(
    staff_site,
    group=gettext_lazy("Oversight"),
    label=gettext_lazy("Access review"),
    icon="fact_check",
    url_name="access_review",
    permission="audit.view_accessreview",
    order=810,
    badge=_unsigned,
    tone="wait",
)
