"""Payments that came in, and refunds that go out.

captured >= reserved >= refunded holds for each payment, by CHECK: `reserved_minor` is what open
and done refunds hold together, `refunded_minor` the part that the gateway has paid out.
The states of a refund and the moves between them stand in `TRANSITIONS`, and nowhere else.
"""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.models import ActedFor
from backoffice.money import Money
from orders.models import Order, OrderLine


class Payment(models.Model):
    """Money that a gateway captured for an order."""

    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="payments", verbose_name=_("order")
    )
    gateway = models.CharField(_("gateway"), max_length=40)
    reference = models.CharField(
        _("reference"), max_length=80, help_text=_("The gateway's name of the payment.")
    )
    currency = models.CharField(_("currency"), max_length=3)
    captured_minor = models.BigIntegerField(_("captured in minor units"))
    reserved_minor = models.BigIntegerField(_("reserved in minor units"), default=0)
    refunded_minor = models.BigIntegerField(_("refunded in minor units"), default=0)
    captured_at = models.DateTimeField(_("paid"))
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Payment"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["-captured_at", "-id"]
        permissions = (("export_payment", _("Can export payments")),)
        constraints = [
            models.UniqueConstraint(fields=["gateway", "reference"], name="payment_once"),
            models.CheckConstraint(
                condition=Q(refunded_minor__gte=0)
                & Q(reserved_minor__gte=F("refunded_minor"))
                & Q(captured_minor__gte=F("reserved_minor"))
                & Q(captured_minor__gt=0),
                name="payment_captured_reserved_refunded",
            ),
            models.CheckConstraint(
                condition=Q(currency__regex=r"^[A-Z]{3}$"), name="payment_currency"
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def captured(self) -> Money:
        """What came in."""
        return Money(self.captured_minor, self.currency)

    @property
    def refunded(self) -> Money:
        """What went back."""
        return Money(self.refunded_minor, self.currency)

    @property
    def under_way(self) -> Money:
        """What open refunds hold."""
        return Money(self.reserved_minor - self.refunded_minor, self.currency)

    @property
    def refundable(self) -> Money:
        """What can still be refunded: captured - refunded - under way."""
        return Money(self.captured_minor - self.reserved_minor, self.currency)


class Refund(models.Model):
    """Money to give back through the gateway that took it, exactly once.

    `number` is what the gateway sees as our reference; `key` is the idempotency key, made once
    and never changed. `next_try_at` is when the machine looks at an open refund again, and the
    lease of the worker that holds it until then.
    """

    class State(models.TextChoices):
        """Where the refund stands."""

        REQUESTED = "requested", _("Requested")
        REJECTED = "rejected", _("Rejected")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        EXPIRED = "expired", _("Expired")
        VOID = "void", _("Void")
        APPROVED = "approved", _("Approved")
        EXECUTING = "executing", _("Executing")
        PENDING = "pending", _("Pending at the gateway")
        UNKNOWN = "unknown", _("Unknown")
        NEEDS_REVIEW = "needs_review", _("Needs review")
        SUCCEEDED = "succeeded", _("Refunded")
        FAILED = "failed", _("Failed")

    number = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, related_name="refunds", verbose_name=_("payment")
    )
    order_line = models.ForeignKey(
        OrderLine,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="refunds",
        verbose_name=_("order line"),
    )
    amount_minor = models.BigIntegerField(_("amount in minor units"))
    currency = models.CharField(_("currency"), max_length=3)
    reason = models.TextField(_("why"))
    state = models.CharField(
        _("state"), max_length=12, choices=State, default=State.REQUESTED, db_index=True
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    approval = models.OneToOneField(
        ApprovalRequest,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="refund",
        verbose_name=_("approval"),
    )
    key = models.UUIDField(_("idempotency key"), default=uuid.uuid4, unique=True, editable=False)
    gateway_ref = models.CharField(_("gateway's reference"), max_length=80, blank=True)
    attempts = models.PositiveIntegerField(_("tries"), default=0)
    sent_at = models.DateTimeField(_("first sent"), null=True, blank=True)
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True, db_index=True)
    answer = models.CharField(_("last answer"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Refund"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ["-id"]
        permissions = (
            ("request_refund", _("Can ask for a refund")),
            ("approve_refund", _("Can approve a refund")),
            ("withdraw_refund", _("Can take back an own refund request")),
            ("export_refund", _("Can export refunds")),
        )
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_positive"),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
                name="refund_maker_is_not_checker",
            ),
            models.UniqueConstraint(
                fields=["payment", "gateway_ref"],
                condition=~Q(gateway_ref=""),
                name="refund_gateway_ref_once",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def code(self) -> str:
        """The short name for people in this house; the gateway knows `number`."""
        return f"RF-{self.pk}"

    @property
    def amount(self) -> Money:
        """What goes back."""
        return Money(self.amount_minor, self.currency)


_S = Refund.State
# From a state to the states that may follow it. Only a definite refusal is "failed"; executing
# goes back to approved where the request surely never reached the gateway.
TRANSITIONS: dict[str, frozenset[str]] = {
    _S.REQUESTED: frozenset({_S.APPROVED, _S.REJECTED, _S.WITHDRAWN, _S.EXPIRED, _S.VOID}),
    _S.APPROVED: frozenset({_S.EXECUTING}),
    _S.EXECUTING: frozenset({_S.SUCCEEDED, _S.PENDING, _S.FAILED, _S.UNKNOWN, _S.APPROVED}),
    _S.UNKNOWN: frozenset({_S.SUCCEEDED, _S.PENDING, _S.FAILED, _S.NEEDS_REVIEW}),
    _S.PENDING: frozenset({_S.SUCCEEDED, _S.FAILED, _S.NEEDS_REVIEW}),
    _S.NEEDS_REVIEW: frozenset(),
    _S.REJECTED: frozenset(),
    _S.WITHDRAWN: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.VOID: frozenset(),
    _S.SUCCEEDED: frozenset(),
    _S.FAILED: frozenset(),
}
# States in which the refund holds its amount on the payment and the line.
HOLDING = frozenset(
    {_S.REQUESTED, _S.APPROVED, _S.EXECUTING, _S.PENDING, _S.UNKNOWN, _S.NEEDS_REVIEW, _S.SUCCEEDED}
)
