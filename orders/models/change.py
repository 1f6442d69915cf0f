"""What customers ask to be changed about an order, and where it goes instead."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.audit.models import ActedFor
from backoffice.masking import masks
from backoffice.masking.fields import MaskedTextField
from orders.models.order import Order, OrderLine
from orders.states import REASONS, ChangeKind, ChangeState


class ChangeRequest(models.Model):
    """Something a customer wants: typed by staff, or sent by a service account of the shop.

    Without lines a request to cancel is about the whole order. `number` is its name outside of
    the house; `reference` is the caller's own name for it, by which a repeated call is noticed.
    `note` and `address` are a person's words and go when the person is erased. `outcome` is what
    came of it, in words of ours.
    """

    Kind, State = ChangeKind, ChangeState

    number = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="changes", verbose_name=_("order")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=ChangeKind)
    state = models.CharField(
        _("state"), max_length=9, choices=ChangeState, default=ChangeState.REQUESTED
    )
    why = models.CharField(_("reason"), max_length=10, choices=list(REASONS.items()))
    note = models.TextField(_("note"), blank=True)
    address = MaskedTextField(_("new address"), blank=True, mask=masks.address, encrypted=True)
    reference = models.CharField(_("caller's reference"), max_length=80, blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("taken down by"),
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    outcome = models.CharField(_("what came of it"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("asked"), auto_now_add=True)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    ended_at = models.DateTimeField(_("over"), null=True, blank=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["ChangeRequest"]] = models.Manager()

    class Meta:
        """Newest first; the queue turns it round."""

        verbose_name = _("change request")
        verbose_name_plural = _("change requests")
        ordering = ["-id"]
        default_permissions = ("add", "view")
        permissions = (
            ("decide_changerequest", _("Can decide about a change request")),
            ("receive_changerequest", _("Can note that returned goods came in")),
        )
        indexes = [models.Index(fields=["state", "id"], name="change_queue")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["cancel", "return", "exchange", "address"]),
                name="change_known_kind",
            ),
            models.CheckConstraint(
                condition=Q(
                    state__in=["requested", "approved", "rejected", "withdrawn", "done", "failed"]
                ),
                name="change_known_state",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("asked_by")),
                name="change_decided_by_another",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["requested", "withdrawn"])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="change_decided_by_somebody",
            ),
            models.UniqueConstraint(
                fields=["asked_by", "reference"],
                condition=~Q(reference=""),
                name="change_reference_once",
            ),
        ]

    def __str__(self) -> str:
        return f"CR-{self.pk}"


class ChangeLine(models.Model):
    """How many pieces of a line a request is about, and how many of them came in."""

    change = models.ForeignKey(
        ChangeRequest, on_delete=models.PROTECT, related_name="lines", verbose_name=_("request")
    )
    order_line = models.ForeignKey(
        OrderLine, on_delete=models.PROTECT, related_name="changes", verbose_name=_("order line")
    )
    quantity = models.PositiveIntegerField(_("quantity"))
    received = models.PositiveIntegerField(_("came in"), default=0)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["ChangeLine"]] = models.Manager()

    class Meta:
        """A line once in a request."""

        verbose_name = _("line of a change request")
        verbose_name_plural = _("lines of a change request")
        ordering = ["id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["change", "order_line"], name="change_line_once"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="change_line_quantity"),
            models.CheckConstraint(
                condition=Q(received__lte=F("quantity")), name="change_line_received"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.change_id} / {self.order_line_id}"


class DeliveryAddress(models.Model):
    """Where an order goes, if not to where its customer lives.

    A row of its own: no order has to be rewritten for it, no copy of an address stands in the
    history of an order, and no page that shows orders can show it by accident.
    """

    order = models.OneToOneField(
        Order, on_delete=models.PROTECT, related_name="ship_to", verbose_name=_("order")
    )
    address = MaskedTextField(_("address"), blank=True, mask=masks.address, encrypted=True)
    changed_at = models.DateTimeField(_("changed"), auto_now=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["DeliveryAddress"]] = models.Manager()

    class Meta:
        """One an order."""

        verbose_name = _("delivery address")
        verbose_name_plural = _("delivery addresses")
        ordering = ["-id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.order)
