"""Dialogs that belong to no model's page: a decision, a switch, a role.

    class ApprovePage(DialogPage):
        path, name = "approvals/<int:key>/approve/", "approve"
        title, permission, step_up = _("Approve"), "", True
        form = CommentForm

        def subject(self, request, **kwargs): return get_object_or_404(…)
        def why_not(self, request, subject): return ""          # a sentence refuses (403)
        def act(self, request, subject, form): …; return _("Approved.")
        def back(self, request, subject): return reverse("admin:approvals")

GET shows, POST acts, as with actions.
"""

from http import HTTPStatus
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise

from backoffice import refusals
from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from backoffice.site import dialogs, doing, taken
from backoffice.site.actions import ActionForm
from backoffice.site.pages import SitePage


class DialogPage(SitePage):
    """A dialog with a form; also a page of its own for browsers without script."""

    template_name = "backoffice/dialog.html"
    refused_template: ClassVar[str] = "backoffice/refused.html"
    form: ClassVar[type[ActionForm]] = ActionForm
    icon: ClassVar[str] = ""
    submit: ClassVar[str | Promise] = ""
    harmful: ClassVar[bool] = False
    wide: ClassVar[bool] = False
    step_up: ClassVar[bool] = False

    def subject(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return what the dialog is about, in the person's scope; Http404 when it is not there."""
        return None

    def why_not(self, request: HttpRequest, subject: Any) -> str:
        """Return why this person may not do it now; "" when they may."""
        return ""

    def intro(self, request: HttpRequest, subject: Any) -> str | Promise:
        """Return what will happen; shown above the fields."""
        return ""

    def act(self, request: HttpRequest, subject: Any, form: Any) -> Any:
        """Do it and return the message; a ValidationError is shown in the dialog."""
        raise NotImplementedError

    def back(self, request: HttpRequest, subject: Any) -> str:
        """Return the address to go to afterwards."""
        return reverse(f"{self.site.name}:index")

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Show the dialog; nothing changes."""
        subject = self.subject(request, **kwargs)
        if reason := self.why_not(request, subject):
            return self.refused(request, subject, reason)
        form = self.form(request=request, instance=subject)
        return self._show(request, subject, form)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Act, or show the dialog with what is wrong."""
        subject = self.subject(request, **kwargs)
        if reason := self.why_not(request, subject):
            return self.refused(request, subject, reason)
        form = self.form(request.POST, request.FILES, request=request, instance=subject)
        self._with_step_up(form, request, subject)
        if not dialogs.is_ready(form, request):
            return self._show(request, subject, form, status=400)
        try:
            about = type(subject) if isinstance(subject, Model) else None
            guard = taken.answering(request, about, form)
            with guard, refusals.in_words(), transaction.atomic():
                message = self.act(request, subject, form)
        except ValidationError as error:
            dialogs.show_error(form, error)
            return self._show(request, subject, form, status=400)
        return dialogs.finish(request, self.back(request, subject), message)

    def wants_step_up(self, request: HttpRequest, subject: Any) -> bool:
        """Say whether this dialog asks for fresh proof of who the person is."""
        return self.step_up

    def wants_factor(self, request: HttpRequest, subject: Any) -> bool:
        """Say whether that has to be a second factor, because clear values come of it."""
        return False

    def _with_step_up(self, form: ActionForm, request: HttpRequest, subject: Any) -> None:
        wanted = self.wants_step_up(request, subject)
        factor = self.wants_factor(request, subject)
        dialogs.with_step_up(form, request, wanted=wanted, factor=factor)

    def refused_status(self, request: HttpRequest, subject: Any) -> int:
        """Return the status of a refusal; 409 says that somebody else was faster."""
        return HTTPStatus.FORBIDDEN

    def refused(self, request: HttpRequest, subject: Any, reason: str) -> HttpResponse:
        """Say in a sentence why not, and what the person can do; a POST goes on the record."""
        self._note_refusal(request, subject, reason)
        extra = {
            "action": self,
            "object": subject,
            "why_not": reason,
            "back_url": self.back(request, subject),
            "dialog_base": dialogs.base_template(request),
        }
        context = {**self.site.each_context(request), "title": self.title, **extra}
        status = self.refused_status(request, subject)
        return TemplateResponse(request, self.refused_template, context, status=status)

    def _note_refusal(self, request: HttpRequest, subject: Any, reason: str) -> None:
        """Put a refused POST on the record; looking at a dialog is no attempt."""
        if request.method == "POST":
            about = subject if isinstance(subject, Model) else None
            facts = {"page": self.name, "rule": reason}
            record(
                doing.REFUSED,
                actor=request.user,
                subject=about,
                outcome=Outcome.REFUSED,
                context=facts,
            )

    def _show(
        self,
        request: HttpRequest,
        subject: Any,
        form: ActionForm,
        status: int = 200,
    ) -> HttpResponse:
        self._with_step_up(form, request, subject)
        extra = {
            "action": self,
            "object": subject,
            "form": form,
            "intro": self.intro(request, subject) or form.intro(),
            "rule": form.rule(),
            "submit_label": form.submit_label() or self.submit or self.title,
            "back_url": self.back(request, subject),
            "dialog_base": dialogs.base_template(request),
        }
        kwargs = request.resolver_match.kwargs if request.resolver_match else {}
        return self.render(request, status=status, extra=extra, **kwargs)

    @property
    def label(self) -> str | Promise:
        """The title, by the name that the template knows from actions."""
        return self.title
