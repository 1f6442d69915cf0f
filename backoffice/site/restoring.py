"""Taking a record back to an earlier version: a new change with a reason, never a rewritten past.

Only what the page's form lets this person edit is taken back: states and sums have rules of their
own. Masked values are taken over whole and shown as masks; on a model that has any, fresh proof
of who the person is is asked for.
"""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.audit import verbs
from backoffice.audit.services import record, save_with_history
from backoffice.masking.fields import MaskedMixin
from backoffice.site import diffs
from backoffice.site.actions import Action, ReasonForm

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
    obj: models.Model, version: Any, fields: list[Any], *, actor: Any, reason: str
) -> list[str]:
    """Give these fields their values of the version, as a new change; return what changed.

    Raises ValidationError when nothing differs or the values no longer hold.
    """
    changed = [
        field for field in fields if getattr(obj, field.attname) != getattr(version, field.attname)
    ]
    if not changed:
        raise ValidationError(_("This version is no different. Nothing was done."))
    for field in changed:
        setattr(obj, field.attname, getattr(version, field.attname))
    # A masked value was checked when it was typed; its mask would be checked here.
    masked = [field.name for field in obj._meta.fields if isinstance(field, MaskedMixin)]
    obj.full_clean(exclude=masked)
    save_with_history(obj, actor=actor, reason=reason)
    names = [field.name for field in changed]
    facts = {"version": version.pk, "fields": names}
    record(RESTORED, actor=actor, subject=obj, reason=reason, context=facts)
    return names


def _act(page: Any, request: HttpRequest, obj: Any, form: Any) -> str:
    version = form.cleaned_data["version"]
    restore(
        obj,
        version,
        fields_of(page, request, obj),
        actor=request.user,
        reason=form.cleaned_data["reason"],
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
