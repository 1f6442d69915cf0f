"""Where personal data could lie in the outbox: mails go to staff and sellers, and name people."""

from django.utils.translation import gettext_lazy as _

from backoffice.masking import subjects
from backoffice.masking.subjects import CLEAN, Place


def register() -> None:
    """Put the place in force."""
    subjects.register(
        Place(
            "mail.outbox",
            _("Mail in the outbox"),
            "mail.mail",
            fields=dict.fromkeys(("subject", "context", "reason", "problem"), CLEAN),
            kept={
                "template": _("A word of ours"),
                "to_kind": _("A word of ours"),
                "to_key": _("The key of the reader's row; the address is read when it leaves"),
                "sealed": _("A code for its reader, forgotten with the last try"),
            },
            everywhere=True,
            private=("sealed",),
        )
    )
