"""The history of a record in words: who, when, why, and each field's old and new value.

Masked fields show masks on both sides. That they changed is told even when both masks are equal.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.masking.fields import MaskedMixin
from backoffice.site.cells import markup, mask_markup
from backoffice.site.contract import PageBase

_PER_PAGE = 50
_EMPTY = "\N{EN DASH}"


@dataclass(slots=True)
class FieldChange:
    """A field with its old and new value as markup."""

    label: str
    old: str
    new: str
    masked: bool


@dataclass(slots=True)
class Revision:
    """One row of a history."""

    at: datetime
    kind: str
    who: str
    why: str
    changes: list[FieldChange]


def revisions(obj: models.Model, limit: int = _PER_PAGE) -> list[Revision]:
    """Return the newest revisions of `obj` with what each one changed.

    Two queries and one for each relation whose value changed.
    """
    history: Any = obj.history  # type: ignore[attr-defined]
    rows = list(history.select_related("history_user").order_by("-history_id")[: limit + 1])
    names = _related_names(rows)
    result = []
    for index, row in enumerate(rows[:limit]):
        older = rows[index + 1] if index + 1 < len(rows) else None
        result.append(
            Revision(
                at=row.history_date,
                kind=row.history_type,
                who=str(row.history_user or _("System")),
                why=row.history_change_reason or "",
                changes=_changes(row, older, names) if row.history_type == "~" and older else [],
            )
        )
    return result


def _fields(row: Any) -> list[Any]:
    return [
        field for field in row.instance_type._meta.concrete_fields
        if not field.primary_key and not getattr(field, "auto_now", False) and field.editable
        and hasattr(row, field.attname)
    ]  # fmt: skip


def _changes(new: Any, old: Any, names: dict[tuple[str, Any], str]) -> list[FieldChange]:
    return [
        FieldChange(
            label=capfirst(str(field.verbose_name)),
            old=_shown(old, field, names),
            new=_shown(new, field, names),
            masked=isinstance(field, MaskedMixin),
        )
        for field in _fields(new)
        # Two sealed values differ also when only what the mask hides differs.
        if getattr(new, field.attname) != getattr(old, field.attname)
    ]


def _shown(row: Any, field: Any, names: dict[tuple[str, Any], str]) -> str:
    value = getattr(row, field.attname)
    if isinstance(field, MaskedMixin):
        return mask_markup(value) or _EMPTY
    if field.is_relation:
        return names.get((field.name, value), _EMPTY if value is None else str(value))
    if field.choices:
        return str(dict(field.flatchoices).get(value, value))
    return markup(value, field, None, _EMPTY)


def _related_names(rows: list[Any]) -> dict[tuple[str, Any], str]:
    """Return the words for related rows; only for relations that changed at all."""
    names: dict[tuple[str, Any], str] = {}
    for field in _fields(rows[0]) if rows else []:
        ids = {getattr(row, field.attname) for row in rows} if field.is_relation else set()
        if len(ids) > 1:
            found = field.related_model._default_manager.in_bulk([key for key in ids if key])
            names.update({(field.name, key): str(row) for key, row in found.items()})
    return names


class HistoryMixin(PageBase):
    """The history page of a record."""

    object_history_template = "backoffice/history.html"

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
            "revisions": revisions(obj),
            "limit": _PER_PAGE,
            **(extra_context or {}),
        }
        context["breadcrumbs"] = [*context["breadcrumbs"], (str(obj), self.record_url(obj))]
        context["crumb"] = _("History")
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.object_history_template, context)
