"""People who sign in, and changes to what their roles may do."""

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """A person who signs in: staff on the staff site, members of a shop on the seller site."""

    class Meta:
        """One right beside the usual ones: to change what roles may do."""

        verbose_name = _("person")
        verbose_name_plural = _("people")
        permissions = (("change_roles", _("Can change what roles may do")),)

    def __str__(self) -> str:
        return self.get_full_name() or self.get_username()


class RoleChange(models.Model):
    """A deviation from the roles as declared: the newest row of a pair wins.

    Kept apart from the groups, so that a later release can add permissions to a role without
    undoing what the owner decided.
    """

    role = models.CharField(_("role"), max_length=40)
    permission = models.CharField(_("permission"), max_length=200)
    granted = models.BooleanField(_("granted"))
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("who")
    )
    reason = models.TextField(_("why"))
    at = models.DateTimeField(_("when"), auto_now_add=True)

    objects: ClassVar[models.Manager["RoleChange"]] = models.Manager()

    class Meta:
        """Newest last: the last row of a pair is in force."""

        verbose_name = _("role change")
        verbose_name_plural = _("role changes")
        ordering = ["id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.role} {'+' if self.granted else '-'} {self.permission}"
