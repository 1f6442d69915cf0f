"""The history of a record in words: who, when, why, what changed, and the approval behind it.

Masked fields show masks on both sides. That they changed is told even when both masks are equal.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, path, reverse
from django.utils.translation import gettext as _

from backoffice.approvals.models import ApprovalRequest
from backoffice.audit import verbs
from backoffice.audit.history import people, who
from backoffice.audit.services import record
from backoffice.policy import STAFF
from backoffice.site import diffs, restoring
from backoffice.site.contract import PageBase
from backoffice.site.diffs import FieldChange

_PER_PAGE = 50


@dataclass(slots=True)
class Revision:
    """One row of a history; `number` names it, `approval` is the request that was carried out."""

    number: int
    at: datetime
    kind: str
    who: str
    why: str
    changes: list[FieldChange]
    approval: ApprovalRequest | None = None
    restore_url: str = ""


def revisions(obj: models.Model, limit: int = _PER_PAGE) -> list[Revision]:
    """Return the newest revisions of `obj` with what each one changed.

    Three queries and one for each relation whose value changed.
    """
    history: Any = obj.history  # type: ignore[attr-defined]
    rows = list(history.select_related(*people(type(obj))).order_by("-history_id")[: limit + 1])
    names = diffs.related_names(rows, _fields(rows[0])) if rows else {}
    carried_out = _carried_out(obj)
    result = []
    for index, row in enumerate(rows[:limit]):
        older = rows[index + 1] if index + 1 < len(rows) else None
        compared = row.history_type == "~" and older is not None
        result.append(
            Revision(
                number=row.history_id,
                at=row.history_date,
                kind=row.history_type,
                who=who(row),
                why=row.history_change_reason or "",
                changes=diffs.changes(row, older, _fields(row), names) if compared else [],
                approval=_behind(row.history_date, carried_out),
            )
        )
    return result


def _fields(row: Any) -> list[Any]:
    return [
        field for field in row.instance_type._meta.concrete_fields
        if not field.primary_key and not getattr(field, "auto_now", False) and field.editable
        and hasattr(row, field.attname)
    ]  # fmt: skip


def _carried_out(obj: models.Model) -> list[ApprovalRequest]:
    """Return the requests about the record that were carried out."""
    about = ApprovalRequest.objects.filter(
        subject_type=obj._meta.label_lower, subject_id=str(obj.pk), executed_at__isnull=False
    )
    return list(about.order_by("-id")[: 2 * _PER_PAGE])


def _behind(at: datetime, requests: list[ApprovalRequest]) -> ApprovalRequest | None:
    """Return the request that was being carried out at that time.

    What a request does happens between the beginning of its execution and its end.
    """
    for request in requests:
        began = request.started_at or request.decided_at
        if began is not None and request.executed_at and began <= at <= request.executed_at:
            return request
    return None


class HistoryMixin(PageBase):
    """The history page of a record, and the way back to an earlier version."""

    object_history_template = "backoffice/history.html"

    def get_urls(self) -> list[Any]:
        """Give the way back its address."""
        from backoffice.site.dialogs import ActionView  # noqa: PLC0415 - needs loaded models

        if not self._restores():
            return super().get_urls()
        view = ActionView.as_view(page=self, spec=restoring.spec_for(self.model))
        name = f"{self.opts.app_label}_{self.opts.model_name}_restore"
        wrapped = self.admin_site.admin_view(view)
        return [path("<path:object_id>/restore/", wrapped, name=name), *super().get_urls()]

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Show the history to who may see the record; looking is recorded too."""
        obj = self.record_or_none(request, object_id)
        if obj is None or not hasattr(obj, "history"):
            raise Http404
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        record(verbs.HISTORY_VIEWED, actor=request.user, subject=obj)
        context = {
            **self.admin_site.each_context(request),
            **self.record_context(request, obj),
            "title": _("History"),
            "object": obj,
            "revisions": self._revisions(request, obj),
            "approvals": self._links_approvals(),
            "limit": _PER_PAGE,
            **(extra_context or {}),
        }
        context["breadcrumbs"] = [*context["breadcrumbs"], (str(obj), self.record_url(obj))]
        context["crumb"] = _("History")
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.object_history_template, context)

    def _revisions(self, request: HttpRequest, obj: Any) -> list[Revision]:
        """Return the revisions; all but the newest can be restored by who may edit."""
        found = revisions(obj)
        if self._restores() and restoring.fields_of(self, request, obj):
            address = self.url_of("restore", obj.pk)
            for revision in found[1:]:
                if revision.kind != "-":
                    revision.restore_url = f"{address}?version={revision.number}"
        return found

    def _restores(self) -> bool:
        """Say whether this page has a way back: staff only, sellers' edits have their own rules."""
        return self.admin_site.name == STAFF and hasattr(self.model, "history")

    def _links_approvals(self) -> bool:
        """Say whether this site has a page for approvals."""
        try:
            reverse(f"{self.admin_site.name}:approval", args=[1])
        except NoReverseMatch:
            return False
        return True
