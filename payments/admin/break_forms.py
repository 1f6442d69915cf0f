"""The dialogs of the reconciliation desk."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.accounts.models import User
from backoffice.site import ActionForm
from payments.gateways import gateways
from payments.gateways.settling import settling
from payments.services import breaks, evidence, settlements
from payments.services.breaks import Solution


class DayForm(ActionForm):
    """Which day of which gateway; for gateways whose API tells settlements."""

    recorded = gettext_lazy("Your name, the time, gateway and day, and how many rows came.")

    gateway = forms.ChoiceField(label=gettext_lazy("Gateway"))
    day = forms.DateField(
        label=gettext_lazy("Day"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer the gateways, and yesterday."""
        super().__init__(*args, **kwargs)
        names = self.gateways()
        choices = [(name, str(gateways[name].label)) for name in names]
        self.fields["gateway"].choices = choices  # type: ignore[attr-defined]
        if names:
            yesterday = settling(names[0]).today() - timedelta(days=1)
            self.fields["day"].initial = yesterday

    def gateways(self) -> list[str]:
        """Return the gateways to choose from."""
        return settlements.offering()

    def intro(self) -> str:
        """Return what will happen."""
        return _("The gateway is asked what it moved that day. Rows that are known come in once.")


class FileForm(DayForm):
    """A settlement file, and the day that it accounts for."""

    file = forms.FileField(
        label=gettext_lazy("Settlement file"),
        help_text=gettext_lazy("The csv that the gateway offers for download."),
    )

    def gateways(self) -> list[str]:
        """Return the gateways whose files can be read."""
        return settlements.reading_files()

    def intro(self) -> str:
        """Return what will happen."""
        return _(
            "The file is checked first, row by row. Nothing is stored before you have seen it."
        )


class TakeForm(ActionForm):
    """Nothing more to say: the check stands above."""

    recorded = gettext_lazy("Your name, the time, the file, and how many rows were new.")


class ProposeForm(ActionForm):
    """How differences are solved; for one or for ticked ones."""

    recorded = gettext_lazy("Your name, the time, the solution, your note and the file.")

    solution = forms.ChoiceField(label=gettext_lazy("Solution"))
    note = forms.CharField(
        label=gettext_lazy("What was found out?"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("The second person reads it. No personal data, please."),
    )
    file = forms.FileField(
        label=gettext_lazy("Evidence"),
        required=False,
        help_text=gettext_lazy(
            "Needed where something is booked. PDF, picture, csv or xlsx, up to 10 MB. Kept "
            "encrypted."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Offer what fits."""
        super().__init__(*args, **kwargs)
        found = breaks.solutions(self.instance) if self.instance else list(Solution)
        choices = [("", _("Choose a solution")), *((one.value, one.label) for one in found)]
        self.fields["solution"].choices = choices  # type: ignore[attr-defined]

    def intro(self) -> str:
        """Return what will happen."""
        return _("Nothing changes yet: another person has to agree.")

    def clean_file(self) -> evidence.Inspected | None:
        """Return the file, scanned."""
        file = cast("UploadedFile[bytes] | None", self.cleaned_data["file"])
        return evidence.inspect(file, actor=cast("User", self.request.user)) if file else None

    def clean(self) -> dict[str, Any]:
        """Ask for the file where the books change."""
        data = super().clean() or {}
        if data.get("solution") in breaks.MOVES_MONEY and not data.get("file"):
            self.add_error("file", _("What changes the books needs evidence."))
        return data


class AgreeForm(ActionForm):
    """A word on what was checked."""

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
            return _("Each proposed solution takes effect at once.")
        solution = Solution(self.instance.solution).label
        return _("It takes effect at once: %(solution)s.") % {"solution": solution}


class DisagreeForm(ActionForm):
    """Why not; who proposed it reads it."""

    recorded = gettext_lazy("Your name, the time and the reason.")

    comment = forms.CharField(
        label=gettext_lazy("Why not?"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Who proposed it reads it. No personal data, please."),
    )

    def intro(self) -> str:
        """Return what will happen."""
        return _("The difference is open again. Nothing is booked.")
