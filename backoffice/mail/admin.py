"""Mail: who got what and why, what did not arrive, and sending that again."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth import get_user_model
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.mail import registry, services
from backoffice.mail.delivery import text_of
from backoffice.mail.models import Mail
from backoffice.policy import may
from backoffice.site import Badge, DialogPage, ReasonForm, SitePage, navigation, staff_site
from backoffice.site.values import BadgeKind

PAGE = 50
_S = Mail.State
_KINDS: dict[str, BadgeKind] = {
    _S.QUEUED: "wait",
    _S.SENDING: "move",
    _S.SENT: "quiet",
    _S.UNKNOWN: "unkn",
    _S.FAILED: "fail",
}
_OPEN = (_S.UNKNOWN, _S.FAILED)


def badge(mail: Mail) -> Badge:
    """Return the state in a word."""
    return Badge(_KINDS[mail.state], mail.get_state_display())


class MailFilter(forms.Form):
    """What the list is narrowed by: people by id, kinds of mail, states."""

    to = forms.ChoiceField(label=gettext_lazy("To"), required=False)
    template = forms.ChoiceField(label=gettext_lazy("Mail"), required=False)
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[("", gettext_lazy("Any state")), *_S.choices],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the people and mails that there are."""
        super().__init__(*args, **kwargs)
        people = get_user_model()._default_manager.order_by("first_name", "username")
        self.fields["to"].choices = [  # type: ignore[attr-defined]
            ("", _("Anybody")),
            *((str(person.pk), str(person)) for person in people),
        ]
        self.fields["template"].choices = [  # type: ignore[attr-defined]
            ("", _("Any mail")),
            *((one.name, str(one.label)) for one in registry.templates()),
        ]

    def narrow(self, mails: QuerySet[Mail]) -> QuerySet[Mail]:
        """Return the mails that match; wrong values of an address narrow to nothing."""
        if not self.is_valid():
            return mails.none()
        columns = {"to_user_id": "to", "template": "template", "state": "state"}
        wanted = {column: self.cleaned_data[name] for column, name in columns.items()}
        return mails.filter(**{column: value for column, value in wanted.items() if value})


class MailsPage(SitePage):
    """The outbox, newest first."""

    path, name = "mail/", "mails"
    title = gettext_lazy("Mail")
    subtitle = gettext_lazy(
        "What the system sent to whom, and why. A mail holds no personal value but its reader's "
        "name, and its link asks for sign-in."
    )
    permission = "mail.view_mail"
    template_name = "mail/list.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Take one page of what matches; a constant number of queries."""
        form = MailFilter(request.GET or {"state": ""})
        mails = form.narrow(Mail.objects.select_related("to_user", "actor"))
        before = request.GET.get("before", "")
        if before.isdecimal():
            mails = mails.filter(pk__lt=int(before))
        found = list(mails[: PAGE + 1])
        return {
            "form": form,
            "rows": [_Row(one) for one in found[:PAGE]],
            "older": found[PAGE - 1].pk if len(found) > PAGE else None,
            "newer": before.isdecimal(),
            "open": _open_counts(),
        }


def _open_counts() -> dict[str, int]:
    rows = Mail.objects.filter(state__in=_OPEN).order_by().values_list("state")
    return dict(rows.annotate(n=Count("pk")))


class _Row:
    """A mail as pages show it."""

    def __init__(self, mail: Mail) -> None:
        self.mail = mail
        self.badge = badge(mail)
        self.label = registry.label(mail.template)
        self.url = reverse("admin:mail", args=[mail.public_id])
        self.resend_url = (
            reverse("admin:mail_resend", args=[mail.public_id]) if mail.may_be_resent else ""
        )


def _found(key: UUID) -> Mail:
    mail = Mail.objects.select_related("to_user", "actor").filter(public_id=key).first()
    if mail is None:
        raise Http404
    return mail


class MailPage(SitePage):
    """One mail: its text as its reader gets it, why, and what is known of its fate."""

    path, name = "mail/<uuid:key>/", "mail"
    permission = "mail.view_mail"
    template_name = "mail/mail.html"

    def breadcrumbs(self, request: HttpRequest, **kwargs: Any) -> list[tuple[str, str]]:
        """The list above."""
        return [(_("Mail"), reverse("admin:mails"))]

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the mail and its text."""
        row = _Row(_found(kwargs["key"]))
        if not may(request.user, "mail.resend_mail", None):
            row.resend_url = ""
        return {"title": row.mail.subject, "row": row, "text": text_of(row.mail)}


class ResendMail(DialogPage):
    """Send a mail again, with a reason."""

    path, name = "mail/<uuid:key>/resend/", "mail_resend"
    title = gettext_lazy("Send this mail again")
    submit = gettext_lazy("Send again")
    permission = "mail.resend_mail"
    icon, form = "forward_to_inbox", ReasonForm

    def subject(self, request: HttpRequest, **kwargs: Any) -> Mail:
        """Return the mail."""
        return _found(kwargs["key"])

    def why_not(self, request: HttpRequest, subject: Mail) -> str:
        """Refuse what was sent, or is about to be."""
        return "" if subject.may_be_resent else _("This mail waits for nobody's decision.")

    def intro(self, request: HttpRequest, subject: Mail) -> str:
        """Say what may happen."""
        if subject.state == _S.UNKNOWN:
            return _("Nobody knows whether it arrived. Its reader may get it twice.")
        return _("It did not arrive. It is sent once more.")

    def act(self, request: HttpRequest, subject: Mail, form: Any) -> str:
        """Queue it again."""
        reason = form.cleaned_data["reason"]
        services.resend(subject, actor=request.user, reason=reason)  # type: ignore[arg-type]
        return _("The mail waits to be sent again.")

    def back(self, request: HttpRequest, subject: Mail) -> str:
        """The page of the mail."""
        return reverse("admin:mail", args=[subject.public_id])


def waiting_for_decision(user: Any) -> int:
    """Return how many mails somebody has to look at."""
    if not may(user, "mail.resend_mail", None):
        return 0
    return Mail.objects.filter(state__in=_OPEN).count()


for page in (MailsPage, MailPage, ResendMail):
    staff_site.add_page(page)
navigation.add(
    staff_site,
    group=gettext_lazy("Oversight"),
    groups={"ops": gettext_lazy("System")},
    label=gettext_lazy("Mail"),
    icon="outgoing_mail",
    url_name="mails",
    permission="mail.view_mail",
    badge=waiting_for_decision,
    tone="wait",
    order=820,
)
