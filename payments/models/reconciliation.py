"""What gateways settled, matched with our books day by day; what differs, and days that are closed.

Nothing here corrects anything silently: a break is solved by two people, in words.
"""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.models import ActedFor
from backoffice.money import Money
from payments.models.disputes import Dispute
from payments.models.payment import REFERENCE, Payment
from payments.models.refund import Evidence, Refund


class SettlementImport(models.Model):
    """One settlement file, or one reading of the gateway's API; the same file counts once."""

    class Source(models.TextChoices):
        """Where the rows came from."""

        FILE = "file", _("File")
        API = "api", _("Gateway")

    gateway = models.CharField(_("gateway"), max_length=40)
    source = models.CharField(_("source"), max_length=4, choices=Source)
    day = models.DateField(_("day"), null=True, blank=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    new_rows = models.PositiveIntegerField(_("of them new"), default=0)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True,
        related_name="+", verbose_name=_("by"),
    )  # fmt: skip
    at = models.DateTimeField(_("when"), auto_now_add=True)

    objects: ClassVar[models.Manager["SettlementImport"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("settlement")
        verbose_name_plural = _("settlements")
        ordering = ["-id"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "sha256"], condition=~Q(sha256=""), name="settlement_file_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.name or self.day}"


class SettlementEntry(models.Model):
    """One movement as the gateway settled it; `row_hash` keeps it from coming in twice."""

    gateway = models.CharField(_("gateway"), max_length=40)
    row_hash = models.CharField(_("hash of the row"), max_length=64)
    source = models.ForeignKey(
        SettlementImport, on_delete=models.PROTECT, related_name="entries",
        verbose_name=_("settlement"),
    )  # fmt: skip
    day = models.DateField(_("day"))
    kind = models.CharField(_("kind"), max_length=20)
    reference = models.CharField(_("gateway's reference"), max_length=REFERENCE, blank=True)
    payment_reference = models.CharField(_("payment"), max_length=REFERENCE, blank=True)
    number = models.CharField(_("our number"), max_length=80, blank=True)
    amount_minor = models.BigIntegerField(_("amount in minor units"))
    fee_minor = models.BigIntegerField(_("fee in minor units"), default=0)
    currency = models.CharField(_("currency"), max_length=3)
    place = models.CharField(_("place"), max_length=40, blank=True)
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="settled",
        verbose_name=_("payment"),
    )  # fmt: skip
    refund = models.ForeignKey(
        Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="settled",
        verbose_name=_("refund"),
    )  # fmt: skip
    dispute = models.ForeignKey(
        Dispute, on_delete=models.PROTECT, null=True, blank=True, related_name="settled",
        verbose_name=_("dispute"),
    )  # fmt: skip

    objects: ClassVar[models.Manager["SettlementEntry"]] = models.Manager()

    class Meta:
        """In the order in which they came."""

        verbose_name = _("settled movement")
        verbose_name_plural = _("settled movements")
        ordering = ["id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["gateway", "day"], name="settled_day"),
            models.Index(fields=["gateway", "reference"], name="settled_reference"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["gateway", "row_hash"], name="settled_row_once")
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.reference}"

    @property
    def amount(self) -> Money:
        """What came in is positive, what went out negative."""
        return Money(self.amount_minor, self.currency)

    @property
    def fee(self) -> Money:
        """What the gateway kept."""
        return Money(self.fee_minor, self.currency)


class ReconciledDay(models.Model):
    """One day at one gateway: open until somebody closes it, which open breaks forbid."""

    class State(models.TextChoices):
        """Whether it may still change."""

        OPEN = "open", _("Open")
        CLOSED = "closed", _("Closed")

    gateway = models.CharField(_("gateway"), max_length=40)
    day = models.DateField(_("day"))
    state = models.CharField(_("state"), max_length=6, choices=State, default=State.OPEN)
    matched = models.PositiveIntegerField(_("matched"), default=0)
    sums: models.JSONField[Any, Any] = models.JSONField(_("sums"), default=dict)
    matched_at = models.DateTimeField(_("last matched"), null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True,
        related_name="+", verbose_name=_("closed by"),
    )  # fmt: skip
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["ReconciledDay"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("day at a gateway")
        verbose_name_plural = _("reconciliation")
        ordering = ["-day", "gateway"]
        default_permissions = ("view",)
        permissions = (
            ("match_day", _("Can fetch settlements and match a day")),
            ("close_day", _("Can close a day")),
        )
        constraints = [
            models.UniqueConstraint(fields=["gateway", "day"], name="reconciled_day_once"),
            models.CheckConstraint(
                condition=Q(state="open") | Q(closed_by__isnull=False, closed_at__isnull=False),
                name="reconciled_day_closed_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.day}"


class Break(models.Model):
    """What does not agree between a gateway's settlement and our books; `key` makes it once."""

    class Kind(models.TextChoices):
        """How they differ."""

        MISSING_HERE = "missing_here", _("Missing here")
        MISSING_THERE = "missing_there", _("Missing at the gateway")
        AMOUNT = "amount", _("Amount differs")
        CURRENCY = "currency", _("Currency differs")
        FEE = "fee", _("Fee differs")
        TWICE = "twice", _("Settled twice")
        LATE = "late", _("Came after the day was closed")
        BOOKS = "books", _("Our books disagree")
        PERSON = "person", _("Needs a person")

    class State(models.TextChoices):
        """Whether it is solved."""

        OPEN = "open", _("Open")
        PROPOSED = "proposed", _("Waits for a second person")
        SOLVED = "solved", _("Solved")
        HEALED = "healed", _("Healed by itself")

    key = models.CharField(_("what differs"), max_length=200, unique=True)
    gateway = models.CharField(_("gateway"), max_length=40)
    day = models.DateField(_("day"))
    kind = models.CharField(_("kind"), max_length=14, choices=Kind)
    state = models.CharField(
        _("state"), max_length=8, choices=State, default=State.OPEN, db_index=True
    )
    entry = models.ForeignKey(
        SettlementEntry, on_delete=models.PROTECT, null=True, blank=True, related_name="breaks",
        verbose_name=_("settled movement"),
    )  # fmt: skip
    payment = models.ForeignKey(
        Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="breaks",
        verbose_name=_("payment"),
    )  # fmt: skip
    refund = models.ForeignKey(
        Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="breaks",
        verbose_name=_("refund"),
    )  # fmt: skip
    dispute = models.ForeignKey(
        Dispute, on_delete=models.PROTECT, null=True, blank=True, related_name="breaks",
        verbose_name=_("dispute"),
    )  # fmt: skip
    ours_minor = models.BigIntegerField(_("ours in minor units"), null=True, blank=True)
    theirs_minor = models.BigIntegerField(_("theirs in minor units"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    their_currency = models.CharField(_("their currency"), max_length=3, blank=True)
    solution = models.CharField(_("solution"), max_length=20, blank=True)
    note = models.TextField(_("what was found out"), blank=True)
    evidence = models.ForeignKey(
        Evidence, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("evidence"),
    )  # fmt: skip
    approval = models.ForeignKey(
        ApprovalRequest, on_delete=models.PROTECT, null=True, blank=True, related_name="+",
        verbose_name=_("approval"),
    )  # fmt: skip
    found_at = models.DateTimeField(_("found"), auto_now_add=True)
    solved_at = models.DateTimeField(_("solved"), null=True, blank=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Break"]] = models.Manager()

    class Meta:
        """Oldest day first: what waits longest stands on top."""

        verbose_name = _("difference")
        verbose_name_plural = _("differences")
        ordering = ["day", "id"]
        default_permissions = ("view",)
        permissions = (
            ("propose_break", _("Can propose how a difference is solved")),
            ("solve_break", _("Can agree to how a difference is solved")),
        )
        indexes = [models.Index(fields=["gateway", "day"], name="break_day")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="solved") | Q(approval__isnull=False, solved_at__isnull=False),
                name="break_solved_by_two_people",
            )
        ]

    def __str__(self) -> str:
        return self.key
