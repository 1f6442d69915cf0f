"""Violations of the content security policy, counted by what they have in common."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Violation(models.Model):
    """One kind of violation: the same directive, the same thing blocked, on the same page.

    `page` is the pattern of an address ("admin/orders/order/<path:object_id>/change/"), so that no
    id of a person or record is kept. `key` is the digest of what makes it the same.
    """

    key = models.CharField(max_length=64, unique=True)
    directive = models.CharField(_("directive"), max_length=40)
    blocked = models.CharField(_("blocked"), max_length=120)
    page = models.CharField(_("page"), max_length=200)
    source = models.CharField(_("source"), max_length=200, blank=True)
    count = models.PositiveBigIntegerField(_("reports"), default=0)
    first_at = models.DateTimeField(_("first"), auto_now_add=True)
    last_at = models.DateTimeField(_("last"))
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("done by"),
    )

    objects: ClassVar[models.Manager["Violation"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("violation")
        verbose_name_plural = _("violations")
        ordering = ["-last_at", "-id"]
        default_permissions = ("view",)
        permissions = (("settle_violation", _("Can settle a violation")),)
        indexes = [models.Index(fields=["last_at"], name="violation_last")]

    def __str__(self) -> str:
        return f"{self.directive}: {self.blocked}"
