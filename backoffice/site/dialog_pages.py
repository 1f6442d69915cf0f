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

from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.functional import Promise

from backoffice.audit.models import Outcome
from backoffice.audit.services import record
from backoffice.site import dialogs
from backoffice.site.actions import ActionForm
from backoffice.site.pages import SitePage


class DialogPage(SitePage):
    """A dialog with a form; also a page of its own for browsers without script."""

    template_name = "backoffice/dialog.html"
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
        subject = self._subject(request, kwargs)
        form = self.form(request=request, instance=subject)
        return self._show(request, subject, form)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        """Act, or show the dialog with what is wrong."""
        subject = self._subject(request, kwargs)
        form = self.form(request.POST, request.FILES, request=request, instance=subject)
        dialogs.with_step_up(form, request, wanted=self.step_up)
        if not dialogs.is_ready(form, request):
            return self._show(request, subject, form, status=400)
        try:
            with transaction.atomic():
                message = self.act(request, subject, form)
        except ValidationError as error:
            dialogs.show_error(form, error)
            return self._show(request, subject, form, status=400)
        return dialogs.finish(request, self.back(request, subject), message)

    def _subject(self, request: HttpRequest, kwargs: dict[str, Any]) -> Any:
        subject = self.subject(request, **kwargs)
        reason = self.why_not(request, subject)
        if reason:
            self._note_refusal(request, subject, reason)
            raise PermissionDenied(reason)
        return subject

    def _note_refusal(self, request: HttpRequest, subject: Any, reason: str) -> None:
        """Put a refused POST on the record; looking at a dialog is no attempt."""
        if request.method == "POST":
            about = subject if isinstance(subject, Model) else None
            facts = {"page": self.name, "rule": reason}
            record(
                dialogs.REFUSED,
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
        dialogs.with_step_up(form, request, wanted=self.step_up)
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
