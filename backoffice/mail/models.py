"""The outbox: one row a mail, from the wish to what is known of its fate."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.mail import registry


class Mail(models.Model):
    """One mail to one person: somebody with an account, or a reader outside by kind and key.

    The row holds neither the person's address nor the text: both are made when the mail leaves.
    `sending` is committed before the mail server is called; what a killed worker leaves there
    becomes `unknown` and is never sent again by the machine. `public_id` makes the Message-ID, the
    same for each try, so that a mail server can drop the second of two. What only its reader may
    know (`sealed`: a code, the path of a link) is kept encrypted and forgotten with the last try;
    such a mail has `good_until`, and does not leave later.
    """

    class State(models.TextChoices):
        """Where the mail stands."""

        QUEUED = "queued", _("Waiting")
        SENDING = "sending", _("Being sent")
        SENT = "sent", _("Sent")
        UNKNOWN = "unknown", _("Unknown")
        FAILED = "failed", _("Failed")

    public_id = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    template = models.CharField(_("template"), max_length=80)
    to_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("to"),
    )
    to_kind = models.CharField(_("kind of reader"), max_length=100, blank=True, default="")
    to_key = models.CharField(_("reader"), max_length=64, blank=True, default="")
    subject = models.CharField(_("subject"), max_length=200)
    context: models.JSONField[Any, Any] = models.JSONField(_("values"), default=dict)
    sealed = models.TextField(blank=True)
    good_until = models.DateTimeField(_("good until"), null=True, blank=True)
    reason = models.CharField(_("why"), max_length=300)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("caused by"),
    )
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    attempts = models.PositiveIntegerField(_("tries"), default=0)
    problem = models.CharField(_("problem"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    next_try_at = models.DateTimeField(_("next try"), default=timezone.now)
    sending_at = models.DateTimeField(_("last try"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    objects: ClassVar[models.Manager["Mail"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("mail")
        verbose_name_plural = _("mails")
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = (("resend_mail", _("Can send a mail again")),)
        indexes = [models.Index(fields=["state", "next_try_at"], name="mail_due")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="sent", sent_at__isnull=False) | ~models.Q(state="sent"),
                name="mail_sent_has_time",
            ),
            models.CheckConstraint(
                condition=models.Q(to_user__isnull=False, to_kind="", to_key="")
                | (models.Q(to_user__isnull=True) & ~models.Q(to_kind="") & ~models.Q(to_key="")),
                name="mail_has_one_reader",
            ),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def reader(self) -> str:
        """Who gets it, as staff pages name them."""
        if self.to_user is not None:
            return str(self.to_user)
        found = registry.readers(self.to_kind)
        return found.label(self.to_key) if found is not None else self.to_kind

    @property
    def may_be_resent(self) -> bool:
        """Whether a person may decide to send it again; a mail with a secret is asked for anew."""
        return self.good_until is None and self.state in {self.State.UNKNOWN, self.State.FAILED}

    @property
    def use_of_secret(self) -> str:
        """What its secret is sealed for: this mail alone."""
        return f"mail.{self.public_id}"
