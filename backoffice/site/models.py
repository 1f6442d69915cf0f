"""What a person arranged on pages of the kit."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class ColumnChoice(models.Model):
    """The columns that one person wants to see in one list, by name and in the list's order.

    Names of fields and no values: nothing here is personal but whose choice it is.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", verbose_name=_("who")
    )
    page = models.CharField(
        _("list"), max_length=120, help_text=_('Site and model, as "admin:customers.customer".')
    )
    columns = models.JSONField(_("columns"), default=list)

    objects: ClassVar[models.Manager["ColumnChoice"]] = models.Manager()

    class Meta:
        """One choice for each person and list."""

        verbose_name = _("choice of columns")
        verbose_name_plural = _("choices of columns")
        constraints = [models.UniqueConstraint(fields=["user", "page"], name="columns_chosen_once")]

    def __str__(self) -> str:
        return self.page
