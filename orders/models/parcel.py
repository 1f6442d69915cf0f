"""Parcels: what of an order left together, from one seller."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.audit.models import ActedFor
from orders.models.change import ChangeRequest
from orders.models.order import Order, OrderLine
from orders.states import ParcelState
from sellers.models import Seller


class Parcel(models.Model):
    """Pieces that leave together. One that replaces returned goods names the request for it."""

    State = ParcelState

    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="parcels", verbose_name=_("order")
    )
    seller = models.ForeignKey(
        Seller, on_delete=models.PROTECT, related_name="parcels", verbose_name=_("seller")
    )
    state = models.CharField(
        _("state"), max_length=9, choices=ParcelState, default=ParcelState.PREPARED
    )
    carrier = models.CharField(_("carrier"), max_length=40, blank=True)
    tracking = models.CharField(_("tracking number"), max_length=80, blank=True)
    replaces = models.ForeignKey(
        ChangeRequest,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="parcels",
        verbose_name=_("replacement for"),
    )
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    arrived_at = models.DateTimeField(_("arrived"), null=True, blank=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Parcel"]] = models.Manager()

    class Meta:
        """In the order in which they were made."""

        verbose_name = _("parcel")
        verbose_name_plural = _("parcels")
        ordering = ["id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["prepared", "shipped", "delivered", "lost", "cancelled"]),
                name="parcel_known_state",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["prepared", "cancelled"]) | Q(sent_at__isnull=False),
                name="parcel_out_since",
            ),
        ]

    def __str__(self) -> str:
        return f"PL-{self.pk}"


class ParcelLine(models.Model):
    """How many pieces of a line lie in a parcel. It never changes."""

    parcel = models.ForeignKey(
        Parcel, on_delete=models.PROTECT, related_name="lines", verbose_name=_("parcel")
    )
    order_line = models.ForeignKey(
        OrderLine, on_delete=models.PROTECT, related_name="parcels", verbose_name=_("order line")
    )
    quantity = models.PositiveIntegerField(_("quantity"))

    objects: ClassVar[models.Manager["ParcelLine"]] = models.Manager()

    class Meta:
        """A line once in a parcel."""

        verbose_name = _("line of a parcel")
        verbose_name_plural = _("lines of a parcel")
        ordering = ["id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["parcel", "order_line"], name="parcel_line_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="parcel_line_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.parcel_id} / {self.order_line_id}"
