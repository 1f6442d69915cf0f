"""Writing from a form: the history knows who and why, and the record of activity that it was."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext as _

from backoffice import refusals
from backoffice.audit import verbs
from backoffice.audit.services import record, save_with_history
from backoffice.site import conflicts, taken
from backoffice.site.contract import PageBase


class SavingMixin(PageBase):
    """Saves and deletes. The record of activity takes the place of Django's own log."""

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        """Save with history; an edit that changed nothing writes nothing."""
        if change and not form.changed_data:
            return
        save_with_history(obj, actor=request.user, reason=request.POST.get("change_reason", ""))
        record(
            verbs.CHANGED if change else verbs.ADDED,
            actor=request.user,
            subject=obj,
            reason=request.POST.get("change_reason", ""),
            context={"fields": list(form.changed_data)} if change else None,
        )

    def get_form(
        self,
        request: HttpRequest,
        obj: Any = None,
        change: bool = False,  # noqa: FBT001, FBT002 - Django's signature
        **kwargs: Any,
    ) -> Any:
        """Guard the form of an existing record against a change by somebody else."""
        form = super().get_form(request, obj, change, **kwargs)
        form = form if obj is None else conflicts.guarded(form)
        return taken.guarded(form, request, request.META.get(taken.REFUSED, ""))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """Show the form again, with what was typed, where the database refuses what is saved."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except refusals.REFUSED as error:
            request.META[taken.REFUSED] = refusals.words(error)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete, on the record."""
        obj._history_user = request.user
        record(verbs.DELETED, actor=request.user, subject=obj)
        obj.delete()

    def log_addition(self, *args: Any, **kwargs: Any) -> Any:
        """Write no row of Django's log."""

    def log_change(self, *args: Any, **kwargs: Any) -> Any:
        """Write no row of Django's log."""

    def log_deletions(self, *args: Any, **kwargs: Any) -> Any:
        """Write no row of Django's log."""


class AnswerMixin(PageBase):
    """Where a save leads, and what is said."""

    def response_post_save_change(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        """Go back to the record, not to the list."""
        return HttpResponseRedirect(self.record_url(obj))

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        """Go to the new record."""
        return HttpResponseRedirect(self.record_url(obj))

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Say that it was added."""
        self.message_user(request, self._sentence(_("{} was added."), obj), messages.SUCCESS)
        return self.response_post_save_add(request, obj)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Say that it was saved."""
        self.message_user(request, self._sentence(_("{} was saved."), obj), messages.SUCCESS)
        return self.response_post_save_change(request, obj)

    def _sentence(self, text: str, obj: Any) -> str:
        link = format_html('<a href="{}">{}</a>', self.record_url(obj), self.record_title(obj))
        return format_html(text, link)
