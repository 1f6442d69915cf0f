"""Money that goes out: refunds, what they are for, each request about them, and evidence."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.models import ActedFor
from backoffice.files.storage import own_name
from backoffice.money import Money
from orders.models import Charge, OrderLine
from payments.models.payment import CURRENCY, REFERENCE, Payment
from payments.states import RefundState


class Refund(models.Model):
    """Money to give back through the gateway that took it, exactly once.

    `number` is what the gateway sees as our reference; `key` is the idempotency key, made once
    and never changed; `sent_under` is what it belongs to at the gateway (address and credential,
    hashed), and only there it may be repeated. `next_try_at` is when the machine looks at an open
    refund again, and the lease of the worker that holds it until then. An external refund was made
    at the gateway, by nobody here: it has no maker and no approval. `gateway` repeats the
    payment's, for the UNIQUE.
    """

    State = RefundState

    number = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, related_name="refunds", verbose_name=_("payment")
    )
    gateway = models.CharField(_("gateway"), max_length=40)
    amount_minor = models.BigIntegerField(_("amount in minor units"))
    currency = models.CharField(_("currency"), max_length=3)
    reason = models.TextField(_("why"))
    state = models.CharField(
        _("state"), max_length=12, choices=RefundState, default=RefundState.REQUESTED, db_index=True
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
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
    sent_under = models.CharField(
        _("key belongs to"), max_length=16, blank=True, default="", db_default="", editable=False
    )
    gateway_ref = models.CharField(_("gateway's reference"), max_length=REFERENCE, blank=True)
    attempts = models.PositiveIntegerField(_("tries"), default=0)
    sent_at = models.DateTimeField(_("first sent"), null=True, blank=True)
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True, db_index=True)
    answer = models.CharField(_("last answer"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("asked for"), auto_now_add=True, db_index=True)
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
            ("review_refund", _("Can say with evidence what became of a refund")),
            ("view_gateway_answer", _("Can see what the gateway answered")),
            ("export_refund", _("Can export refunds")),
        )
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_positive"),
            models.CheckConstraint(condition=Q(currency__regex=CURRENCY), name="refund_currency"),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
                name="refund_maker_is_not_checker",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["external", "reversed"]) | Q(requested_by__isnull=False),
                name="refund_has_a_maker",
            ),
            models.UniqueConstraint(
                fields=["gateway", "gateway_ref"],
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


class RefundPart(models.Model):
    """What of a refund is for one line or one charge; never changed.

    Neither of both: for no single thing of the order. `quantity` where whole pieces are meant.
    The parts of a refund add up to its amount. `tax_minor` is the tax that the amount contains.
    """

    refund = models.ForeignKey(
        Refund, on_delete=models.PROTECT, related_name="parts", verbose_name=_("refund")
    )
    order_line = models.ForeignKey(
        OrderLine,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="refund_parts",
        verbose_name=_("order line"),
    )
    charge = models.ForeignKey(
        Charge,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="refund_parts",
        verbose_name=_("charge"),
    )
    quantity = models.PositiveIntegerField(_("pieces"), null=True, blank=True)
    amount_minor = models.BigIntegerField(_("amount in minor units"))
    tax_minor = models.BigIntegerField(_("tax in minor units"), default=0)
    currency = models.CharField(_("currency"), max_length=3)

    objects: ClassVar[models.Manager["RefundPart"]] = models.Manager()

    class Meta:
        """In the order in which they were asked for."""

        verbose_name = _("part of a refund")
        verbose_name_plural = _("parts of refunds")
        ordering = ["id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(order_line__isnull=True) | Q(charge__isnull=True),
                name="refund_part_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(amount_minor__gt=0)
                & Q(tax_minor__gte=0)
                & Q(tax_minor__lte=F("amount_minor")),
                name="refund_part_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.refund_id} {self.amount}"

    @property
    def amount(self) -> Money:
        """What goes back for it, tax included."""
        return Money(self.amount_minor, self.currency)

    @property
    def tax(self) -> Money:
        """The tax that it contains."""
        return Money(self.tax_minor, self.currency)


class RefundAttempt(models.Model):
    """One request about a refund, or one word from the gateway; append-only.

    `raw` is the gateway's answer without secrets and personal data.
    """

    class Kind(models.TextChoices):
        """What was done."""

        SENT = "sent", _("Sent")
        AGAIN = "again", _("Sent again with the same key")
        LOOKED_UP = "looked_up", _("Looked up")
        EVENT = "event", _("The gateway told")
        BY_HAND = "by_hand", _("People said with evidence")

    refund = models.ForeignKey(
        Refund, on_delete=models.PROTECT, related_name="tries", verbose_name=_("refund")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    at = models.DateTimeField(_("when"), auto_now_add=True)
    took_ms = models.PositiveIntegerField(_("took, in milliseconds"), default=0)
    outcome = models.CharField(_("outcome"), max_length=12)
    reference = models.CharField(_("gateway's reference"), max_length=REFERENCE, blank=True)
    code = models.CharField(_("code"), max_length=80, blank=True)
    message = models.CharField(_("message"), max_length=200, blank=True)
    raw: models.JSONField[Any, Any] = models.JSONField(_("answer"), default=dict)

    objects: ClassVar[models.Manager["RefundAttempt"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("try")
        verbose_name_plural = _("tries")
        ordering = ["-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.refund_id} {self.kind} {self.outcome}"


def evidence_name(instance: "Evidence", _original: str) -> str:
    """Return a name of our own."""
    return own_name("evidence", instance.kind)


class Evidence(models.Model):
    """A file that proves what people say about money; it stays as long as the books do.

    It lies encrypted by a key of its own, sealed by the key ring (see `backoffice.files`).
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    file = models.FileField(_("file"), upload_to=evidence_name, max_length=120)
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=8)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    sealed_key = models.TextField(editable=False)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("added by"),
    )
    added_at = models.DateTimeField(_("added"), auto_now_add=True)

    objects: ClassVar[models.Manager["Evidence"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        ordering = ["-id"]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name

    @property
    def use(self) -> str:
        """What the key and the chunks are bound to: this file and no other."""
        return f"payments.evidence:{self.public_id.hex}"
