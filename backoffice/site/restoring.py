"""Taking a record back to an earlier version: a new change with a reason, never a rewritten past.

Only what the page's form lets this person edit is taken back: states and sums have rules of their
own. Masked values are taken over whole and shown as masks; on a model that has any, fresh proof
of who the person is is asked for.
"""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.audit import verbs
from backoffice.audit.services import record, save_with_history
from backoffice.masking.edits import require_few
from backoffice.masking.fields import MaskedMixin
from backoffice.policy import may
from backoffice.site import conflicts, diffs, doing
from backoffice.site.actions import Action, ReasonForm
from backoffice.site.versions import version_of

RESTORED = verbs.register("record.restored", gettext_lazy("Earlier version restored"))


class RestoreForm(ReasonForm):
    """Names the version, and asks why."""

    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the version from the address that opened the dialog."""
        super().__init__(*args, **kwargs)
        self.fields["version"].initial = self.request.GET.get("version", "")

    def clean_version(self) -> Any:
        """Return the row of this record's history."""
        found = self.instance.history.filter(history_id=self.cleaned_data["version"]).first()
        if found is None:
            raise ValidationError(_("There is no such version of this record."))
        return found


def fields_of(page: Any, request: HttpRequest, obj: models.Model) -> list[Any]:
    """Return the fields that the person may edit here and that the history holds."""
    if not page.editable or not page.may_edit(request, obj):
        return []
    editable = page.get_form(request, obj).base_fields
    kept = {field.name for field in obj.history.model.tracked_fields}  # type: ignore[attr-defined]
    return [
        field
        for field in obj._meta.concrete_fields
        if field.name in editable and field.name in kept
    ]


def restore(
    obj: models.Model,
    version: Any,
    fields: list[Any],
    *,
    actor: Any,
    reason: str,
    seen: str | None = None,
    site: str | None = None,
) -> list[str]:
    """Give these fields their values of the version, as a new change; return what changed.

    Row and version are read anew with the row locked: what happened since they were shown (an
    erasure, a merge) is not undone. `seen` is the version of the record that the person saw, `site`
    the one they act on. Raises PermissionDenied when they may not change the record (any more),
    ValidationError when it changed, nothing differs, the values no longer hold or the person
    changed it too often within the hour.
    """
    with transaction.atomic():
        kept: Any = type(obj)._default_manager.select_for_update().get(pk=obj.pk)
        _require(kept, actor, seen, site)
        require_few(kept, actor)
        changed = _taken_back(kept, kept.history.get(pk=version.pk), fields)
        # A masked value was checked when it was typed; its mask would be checked here.
        masked = [field.name for field in kept._meta.fields if isinstance(field, MaskedMixin)]
        kept.full_clean(exclude=masked)
        save_with_history(kept, actor=actor, reason=reason, update_fields=_written(kept, changed))
        facts = {"version": version.pk, "fields": changed}
        record(RESTORED, actor=actor, subject=kept, reason=reason, context=facts)
    return changed


def _require(kept: models.Model, actor: Any, seen: str | None, site: str | None) -> None:
    if not may(actor, "change", kept, site=site):
        raise PermissionDenied
    if seen is not None and seen != version_of(kept):
        raise ValidationError(doing.STALE)


def _taken_back(kept: models.Model, version: Any, fields: list[Any]) -> list[str]:
    """Set the fields that differ and return their names. Raises ValidationError for none."""
    names = []
    for field in fields:
        if getattr(kept, field.attname) != getattr(version, field.attname):
            setattr(kept, field.attname, getattr(version, field.attname))
            names.append(field.name)
    if not names:
        raise ValidationError(_("This version is no different. Nothing was done."))
    return names


def _written(kept: models.Model, changed: list[str]) -> list[str]:
    """Return the columns to write: what changed, and when; an index goes with its field."""
    dated = [field.name for field in kept._meta.fields if getattr(field, "auto_now", False)]
    return [*changed, *dated]


def _act(page: Any, request: HttpRequest, obj: Any, form: Any) -> str:
    restore(
        obj,
        form.cleaned_data["version"],
        fields_of(page, request, obj),
        actor=request.user,
        reason=form.cleaned_data["reason"],
        seen=request.POST.get(conflicts.FIELD, ""),
        site=page.admin_site.name,
    )
    return _("The version is restored, as a new change.")


def _context(page: Any, request: HttpRequest, obj: Any) -> dict[str, Any]:
    """Return what would change, both sides masked."""
    number = request.POST.get("version") or request.GET.get("version") or ""
    version = None
    if number.isdecimal():
        version = obj.history.filter(history_id=int(number)).first()
    if version is None:
        return {"changes": []}
    return {
        "version": version,
        "changes": diffs.changes(version, obj, fields_of(page, request, obj)),
    }


def spec_for(model: type[models.Model]) -> Action:
    """Return the action; it wants fresh proof where the model holds personal values."""
    return Action(
        name="restore",
        label=gettext_lazy("Restore this version"),
        permission="change",
        handler=_act,
        form=RestoreForm,
        icon="settings_backup_restore",
        row=False,
        detail=False,
        wide=True,
        step_up=any(isinstance(field, MaskedMixin) for field in model._meta.fields),
        template="backoffice/restore.html",
        context=_context,
    )
