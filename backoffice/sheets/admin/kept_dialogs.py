"""Dialogs about one kept sheet: share it, mask a column, delete it, hand it to an import."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backoffice.sheets.admin.kept_base import address, is_mine, sheet_of
from backoffice.sheets.errors import ReadError
from backoffice.sheets.kept import keeping, promoting
from backoffice.sheets.models import ImportJob, KeptSheet
from backoffice.site import ActionForm, DialogPage
from backoffice.site.visitors import signed_in


class OfSheet(DialogPage):
    """A dialog about one kept sheet that is the person's own."""

    permission = keeping.ADD

    def subject(self, request: HttpRequest, **kwargs: Any) -> KeptSheet:
        """Return the sheet; 404 for one that is not there for the person."""
        return sheet_of(request, kwargs["number"])

    def why_not(self, request: HttpRequest, subject: KeptSheet) -> str:
        """Refuse all but the owner."""
        mine = is_mine(request, subject)
        return "" if mine else str(_("Only who kept the sheet may change it."))

    def back(self, request: HttpRequest, subject: KeptSheet) -> str:
        """Go to the table."""
        return address("kept_sheet", subject)


class ShareSheet(OfSheet):
    """Share it, or stop sharing."""

    path, name = "kept/<uuid:number>/share/", "kept_share"
    title, icon = gettext_lazy("Share"), "group"

    def intro(self, request: HttpRequest, subject: KeptSheet) -> str:
        """Say what changes."""
        if subject.shared:
            return str(_("Only you will see the table, and joins and charts made of it."))
        return str(_("Everybody who may see kept sheets will see the table, masked as you see it."))

    def act(self, request: HttpRequest, subject: KeptSheet, form: Any) -> str:
        """Turn it."""
        keeping.share(subject, not subject.shared, actor=signed_in(request))
        return str(
            _("The table is shared.") if subject.shared else _("Only you see the table now.")
        )


class MaskForm(ActionForm):
    """Which column."""

    recorded = gettext_lazy("You, the time and the column.")
    column = forms.ChoiceField(label=gettext_lazy("Column"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        columns = keeping.columns_of(self.instance)
        self.fields["column"].choices = [  # type: ignore[attr-defined]
            (one.ref, one.label) for one in columns if not one.mask and one.kind == "text"
        ]


class MaskColumn(OfSheet):
    """Mask a further column; there is no way back."""

    path, name = "kept/<uuid:number>/mask/", "kept_mask"
    title, icon = gettext_lazy("Mask a column"), "lock"
    form = MaskForm

    def intro(self, request: HttpRequest, subject: KeptSheet) -> str:
        """Say what comes of it."""
        return str(_("Nobody, you neither, sees its values any more. Joins and charts by it are"
                     " deleted."))  # fmt: skip

    def act(self, request: HttpRequest, subject: KeptSheet, form: Any) -> str:
        """Mask it."""
        keeping.mask(subject, form.cleaned_data["column"], actor=signed_in(request))
        return str(_("The column is masked."))


class DeleteSheet(OfSheet):
    """Delete the table."""

    path, name = "kept/<uuid:number>/delete/", "kept_delete"
    title, icon, harmful = gettext_lazy("Delete"), "delete", True

    def intro(self, request: HttpRequest, subject: KeptSheet) -> str:
        """Say what goes with it."""
        joins = subject.joins.count() + subject.joins_as_right.count()
        text = ngettext(
            "The table goes, and %(joins)s join with its charts.",
            "The table goes, and %(joins)s joins with their charts.",
            joins,
        )
        return text % {"joins": joins}

    def act(self, request: HttpRequest, subject: KeptSheet, form: Any) -> str:
        """Delete it."""
        keeping.drop(subject, actor=signed_in(request))
        return str(_("The table is deleted."))

    def back(self, request: HttpRequest, subject: KeptSheet) -> str:
        """Go to the list."""
        return reverse("admin:kept") if request.method == "POST" else super().back(request, subject)


class PromoteSheet(DialogPage):
    """Hand the rows to an import."""

    path, name = "kept/<uuid:number>/promote/", "kept_promote"
    title, icon = gettext_lazy("Import into the system"), "upload_file"
    permission = "sheets.add_importjob"

    def subject(self, request: HttpRequest, **kwargs: Any) -> KeptSheet:
        """Return the sheet; 404 for one that is not there for the person."""
        return sheet_of(request, kwargs["number"])

    def why_not(self, request: HttpRequest, subject: KeptSheet) -> str:
        """Refuse who may not see it, and all but its owner where clear values would go along."""
        if subject.state != KeptSheet.State.READY:
            return str(_("The sheet is not read yet."))
        if promoting.may_promote(subject, signed_in(request)):
            return ""
        return str(_("The sheet has masked columns, so only who kept it may import it."))

    def intro(self, request: HttpRequest, subject: KeptSheet) -> str:
        """Say what happens."""
        return str(_("Its rows become an import of their own. Next you say which column is which;"
                     " nothing is written before you say so. The table stays."))  # fmt: skip

    def act(self, request: HttpRequest, subject: KeptSheet, form: Any) -> str:
        """Make the import."""
        try:
            job = promoting.promote(subject, actor=signed_in(request))
        except ReadError as error:
            raise ValidationError(str(error)) from None
        self._job = job
        return str(_("The rows wait as an import. Say which column is which."))

    def back(self, request: HttpRequest, subject: KeptSheet) -> str:
        """Go to the columns of the new import."""
        job: ImportJob | None = getattr(self, "_job", None)
        if job is None:
            return address("kept_sheet", subject)
        return reverse("admin:import_sheets", args=[job.public_id])


PAGES = (ShareSheet, MaskColumn, DeleteSheet, PromoteSheet)
