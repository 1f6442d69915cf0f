"""What an action does to one record: at once, or by asking others first; with its event."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice import refusals
from backoffice.approvals import registry as approval_rules
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit import context, verbs
from backoffice.audit.models import Event, Outcome
from backoffice.audit.services import record
from backoffice.policy import STAFF
from backoffice.site import taken
from backoffice.site.actions import Action, ActionForm

REFUSED = verbs.register("record.action_refused", gettext_lazy("Action refused"))
DONE = verbs.register("record.action_done", gettext_lazy("Action done"))
STALE = gettext_lazy(
    "This record was changed since you opened it. Nothing was done. Look at it again, then decide."
)
TOO_LATE = gettext_lazy(
    "The state of this record does not allow it. Perhaps somebody else was faster."
)
_SUMMARY_LENGTH = 200
# Written by what an action calls, and no word about the action itself.
_SIDE_EFFECTS = ("mail.queued", "jobs.started")


def perform(page: Any, spec: Action, request: HttpRequest, obj: Any, form: ActionForm) -> Any:
    """Do it, or ask for it, in one transaction with an event; return the message or response.

    Raises what the action's function raises; what the database refuses as a ValidationError.
    """
    guard = taken.answering(request, page.model, form)
    with guard, refusals.in_words(), transaction.atomic():
        if spec.approval and obj is not None and _asks(spec, obj, form):
            return _ask(page, spec, request, obj, form)
        last = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        message = spec.handler(page, request, obj, form)
        if not _is_on_record(request, last):
            subject = page.model if obj is None else obj
            facts = {"action": spec.name}
            reason = form.reason_text()
            record(DONE, actor=request.user, subject=subject, reason=reason, context=facts)
    return message


def _is_on_record(request: HttpRequest, last: int) -> bool:
    """Say whether the function wrote an event of its own."""
    here = context.current().request_id
    written = Event.objects.filter(pk__gt=last, actor_id=request.user.pk, request_id=here)
    return bool(written.exclude(verb__in=_SIDE_EFFECTS).exists())


def note_refusal(page: Any, spec: Action, request: HttpRequest, obj: Any) -> None:
    """Put on the record that somebody posted what they may not."""
    record(
        REFUSED,
        actor=request.user,
        subject=page.model if obj is None else obj,
        outcome=Outcome.REFUSED,
        context={"action": spec.name, "permission": spec.permission},
    )


def _asks(spec: Action, obj: Any, form: ActionForm) -> bool:
    needs = approvals.needed(spec.approval, subject=obj, payload=form.payload())
    return needs.approvers > 0


def _ask(
    page: Any, spec: Action, request: HttpRequest, obj: Any, form: ActionForm
) -> str | SafeString:
    summary = f"{spec.label}: {capfirst(str(obj._meta.verbose_name))} {obj}"
    asked = approvals.ask(
        spec.approval,
        subject=obj,
        payload=form.payload(),
        summary=summary[:_SUMMARY_LENGTH],
        reason=form.reason_text() or str(spec.label),
        actor=request.user,  # type: ignore[arg-type]  # the sites let nobody else in
    )
    text = _("Asked for, nothing is done yet: %(who)s.") % {"who": people_text(asked.approvers)}
    return _with_address(text, _request_url(page, asked), _("The request"))


def people_text(count: int) -> str:
    """Return how many have to agree, in words."""
    return ngettext(
        "one other person has to agree", "%(count)s other people have to agree", count
    ) % {"count": count}


def rule_text(spec: Action) -> str:
    """Return who has to agree, for the foot of the dialog."""
    if not spec.approval:
        return ""
    rule = approval_rules.rule(spec.approval)
    if rule.bands:
        return _("Others have to agree, by amount. You cannot.")
    return capfirst(people_text(rule.approvers)) + "." if rule.approvers else ""


def _request_url(page: Any, asked: ApprovalRequest) -> str:
    """Return the page of the request; sellers have none."""
    if page.admin_site.name != STAFF:
        return ""
    try:
        return reverse(f"{STAFF}:approval", args=[asked.pk])
    except NoReverseMatch:
        return ""


def with_link(page: Any, obj: Any, message: Any, back: str) -> Any:
    """Add a link to what happened, unless the message is markup with its own.

    To the record from elsewhere; on the record itself, to its history.
    """
    if obj is None or not message or isinstance(message, SafeString | HttpResponse):
        return message
    if obj.pk is None:  # the action deleted it
        return message
    url = page.record_url(obj)
    if back.partition("?")[0] != url:
        return _with_address(message, url, page.record_title(obj))
    if hasattr(obj, "history"):
        return _with_address(message, page.url_of("history", obj.pk), _("See what changed"))
    return message


def _with_address(text: Any, url: str, words: str) -> str | SafeString:
    return format_html('{} <a href="{}">{}</a>', text, url, words) if url else str(text)
