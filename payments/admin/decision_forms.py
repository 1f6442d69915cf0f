"""The dialogs in which people decide about refunds: approve, reject, say what became of one."""

from typing import Any, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.site import ActionForm
from payments.models.payment import REFERENCE
from payments.services import evidence, reviews


class ApproveForm(ActionForm):
    """What will be paid, and a word on what was checked; for one refund or for ticked ones."""

    recorded = gettext_lazy("Your name, the time and your comment.")

    comment = forms.CharField(
        label=gettext_lazy("What did you check?"),
        required=False,
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def intro(self) -> str:
        """Return what will happen."""
        if self.instance is None:
            return _("Each of them goes back at once. This cannot be undone.")
        words = {"amount": self.instance.amount, "order": self.instance.payment.order.number}
        return _("%(amount)s of order %(order)s goes back at once. This cannot be undone.") % words

    def submit_label(self) -> str:
        """Return the verb with the amount."""
        if self.instance is None:
            return ""
        return _("Approve %(amount)s") % {"amount": self.instance.amount}


class RejectForm(ActionForm):
    """Why not; the maker reads it."""

    recorded = gettext_lazy("Your name, the time and the reason.")

    comment = forms.CharField(
        label=gettext_lazy("Why do you reject it?"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("The person who asked reads it. No personal data, please."),
    )

    def intro(self) -> str:
        """Return what will happen."""
        return _("No money goes out, and what was held for it is free again.")


class ReviewForm(ActionForm):
    """What was found out about a refund, and the file that proves it."""

    recorded = gettext_lazy("Your name, the time, what you say, the reference and the file.")

    outcome = forms.ChoiceField(
        label=gettext_lazy("What became of it?"),
        choices=[("", gettext_lazy("Choose what you found")), *reviews.OUTCOMES.items()],
    )
    reference = forms.CharField(
        label=gettext_lazy("Reference of the gateway or bank"),
        required=False,
        max_length=REFERENCE,
        help_text=gettext_lazy("Needed where the money went out."),
    )
    file = forms.FileField(
        label=gettext_lazy("Evidence"),
        help_text=gettext_lazy("PDF, picture, csv or xlsx, up to 10 MB. It is kept encrypted."),
    )
    reason = forms.CharField(
        label=gettext_lazy("What did you look at?"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("The second person reads it. No personal data, please."),
    )

    def intro(self) -> str:
        """Return what will happen."""
        words = {"refund": self.instance.code, "amount": self.instance.amount}
        return (
            _(
                "%(refund)s, %(amount)s. You say what became of the money; nothing is sent. "
                "It counts only when another person agrees."
            )
            % words
        )

    def clean_file(self) -> evidence.Inspected:
        """Return the file, scanned."""
        file = cast("UploadedFile[bytes]", self.cleaned_data["file"])
        return evidence.inspect(file, actor=cast("User", self.request.user))

    def clean(self) -> dict[str, Any]:
        """Ask for the reference of what went out."""
        data = super().clean() or {}
        if data.get("outcome") == "succeeded" and not data.get("reference", "").strip():
            self.add_error("reference", _("Give the reference of the gateway or bank."))
        return data
