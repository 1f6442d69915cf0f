"""Pages of personal data: dialogs to see it, who was let in, alarms, purposes of code."""

from django.utils.translation import gettext_lazy as _

from backoffice.masking.admin import alarms, dialogs, grants, purposes, unmasking
from backoffice.site import revealing

__all__ = ["alarms", "dialogs", "grants", "purposes", "unmasking"]

revealing.mount(dialogs.urls)
revealing.mount(unmasking.urls)
revealing.offer("unmask", right="unmask_page", label=_("Unmask this page"), icon="visibility")
