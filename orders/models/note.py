"""What staff wrote down about an order."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from orders.models.order import Order


class OrderNote(models.Model):
    """A few words about an order. They go when the customer is erased; nobody changes them."""

    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="notes", verbose_name=_("order")
    )
    text = models.TextField(_("note"))
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("written by"),
    )
    created_at = models.DateTimeField(_("written"), auto_now_add=True)

    objects: ClassVar[models.Manager["OrderNote"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("note")
        verbose_name_plural = _("notes")
        ordering = ["-id"]
        default_permissions = ("add", "view")
        constraints = [models.CheckConstraint(condition=~Q(text=""), name="order_note_has_text")]

    def __str__(self) -> str:
        return f"{self.order_id} / {self.pk}"
