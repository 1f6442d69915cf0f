"""Customers, which two of them are one, and what people asked for about their own data."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.models import ActedFor
from backoffice.files.models import KeptFile
from backoffice.jobs.models import Job
from backoffice.masking import masks
from backoffice.masking.fields import (
    MaskedCharField,
    MaskedDateField,
    MaskedEmailField,
    MaskedPhoneField,
    MaskedTextField,
)


class Customer(models.Model):
    """A buyer, known by a public number; what tells of the person shows as masks.

    The masked fields may be empty: a sheet of orders names customers by number alone. A customer
    who turned out to be another one points to that one by `merged_into`, and keeps number and
    values, so that both are still found; whoever erases a person erases these rows too.
    """

    number = models.CharField(_("number"), max_length=40, unique=True)
    name = MaskedCharField(_("name"), max_length=200, blank=True, mask=masks.name, search="exact")
    email = MaskedEmailField(_("e-mail"), blank=True, mask=masks.email, search="exact")
    phone = MaskedPhoneField(_("phone"), blank=True, search="exact")
    born = MaskedDateField(_("born"), null=True, blank=True, mask=masks.birth_date)
    address = MaskedTextField(_("address"), blank=True, mask=masks.address)
    # For refunds by bank transfer; sealed in the database beyond the mask.
    bank_account = MaskedCharField(
        _("bank account"), max_length=64, blank=True, mask=masks.bank_account, encrypted=True
    )
    country = models.CharField(_("country"), max_length=80, blank=True, db_index=True)
    merged_into = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="merged_from",
        verbose_name=_("merged into"),
    )
    erased_at = models.DateTimeField(_("erased"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("added"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Customer"]] = models.Manager()

    class Meta:
        """In the order of numbers."""

        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ["number"]
        permissions = (
            ("export_customer", _("Can export customers")),
            ("import_customer", _("Can import customers from sheets")),
            ("merge_customer", _("Can ask for a merge of two customers, and for its undoing")),
            ("approve_merge", _("Can approve merges of customers")),
            ("see_reveals", _("Can see who looked into a customer's personal data")),
        )
        indexes = [models.Index(fields=["-created_at"], name="customer_newest")]
        constraints = [
            models.CheckConstraint(condition=~Q(number=""), name="customer_has_number"),
            models.CheckConstraint(
                condition=Q(merged_into=None) | ~Q(merged_into=F("id")),
                name="customer_not_merged_into_itself",
            ),
        ]

    def __str__(self) -> str:
        return self.number


class CustomerMerge(models.Model):
    """Two customers who are one person: what was asked for, what moved, what could not go back.

    `taken` names the fields whose value comes from the one that goes. `moved` and `stayed` map the
    label of a model to the keys of its rows. The values themselves stand in the history of the one
    that is kept: `before` and `after` are the keys of its rows there.
    """

    class State(models.TextChoices):
        """Where it stands."""

        REQUESTED = "requested", _("Asked for")
        MERGED = "merged", _("Merged")
        UNDONE = "undone", _("Undone")
        DROPPED = "dropped", _("Not done")

    kept = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="merges", verbose_name=_("stays")
    )
    gone = models.ForeignKey(
        Customer, on_delete=models.PROTECT, related_name="merges_away", verbose_name=_("goes")
    )
    taken = models.JSONField(_("values taken over"), default=list)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.REQUESTED)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    approval = models.ForeignKey(
        ApprovalRequest, on_delete=models.PROTECT, null=True, related_name="+"
    )
    undo_approval = models.ForeignKey(
        ApprovalRequest, on_delete=models.PROTECT, null=True, related_name="+"
    )
    before = models.BigIntegerField(null=True)
    after = models.BigIntegerField(null=True)
    moved = models.JSONField(_("moved"), default=dict)
    stayed = models.JSONField(_("not moved back"), default=dict)
    created_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    merged_at = models.DateTimeField(_("merged at"), null=True)
    undone_at = models.DateTimeField(_("undone at"), null=True)

    objects: ClassVar[models.Manager["CustomerMerge"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("merge of customers")
        verbose_name_plural = _("merges of customers")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(kept=F("gone")), name="merge_of_two"),
            models.UniqueConstraint(
                fields=["gone"], condition=Q(state="merged"), name="customer_merged_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gone} \N{RIGHTWARDS ARROW} {self.kept}"


class PrivacyCase(models.Model):
    """One thing to do with personal data: give a person all of it, erase them, or clear old data.

    `customer` is None for retention, which is about all whose time is over. `received_on` is the
    day on which the person asked, and `due_on` when an answer is due (GDPR, Article 12(3): one
    month). `note` is what staff typed; it goes with the person. `terms` are the periods of a
    retention, `receipt` counts by place and holds no personal value; `digest` is its SHA-256,
    which stands in the record of activity too.
    """

    class Kind(models.TextChoices):
        """What is asked."""

        EXPORT = "export", _("All that is stored")
        ERASURE = "erasure", _("Erasure")
        RETENTION = "retention", _("Retention")

    class State(models.TextChoices):
        """Where it stands."""

        OPEN = "open", _("Open")
        WAITING = "waiting", _("Waits for approval")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")

    class Ground(models.TextChoices):
        """Why. For an erasure the letters of Article 17(1) GDPR."""

        ASKED = "asked", _("The person asked for it")
        NOT_NEEDED = "not_needed", _("No longer needed (Art. 17(1)(a))")
        CONSENT = "consent", _("Consent withdrawn (Art. 17(1)(b))")
        OBJECTION = "objection", _("Objection (Art. 17(1)(c))")
        UNLAWFUL = "unlawful", _("Unlawfully processed (Art. 17(1)(d))")
        LAW = "law", _("A law demands it (Art. 17(1)(e))")
        PERIOD = "period", _("The period is over (Art. 5(1)(e))")

    kind = models.CharField(_("kind"), max_length=9, choices=Kind)
    customer = models.ForeignKey(
        Customer,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="privacy_cases",
        verbose_name=_("customer"),
    )
    ground = models.CharField(_("ground"), max_length=10, choices=Ground)
    note = models.TextField(_("note"), blank=True)
    state = models.CharField(_("state"), max_length=7, choices=State, default=State.OPEN)
    received_on = models.DateField(_("received"))
    due_on = models.DateField(_("due"))
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("opened by"),
    )
    asked_at = models.DateTimeField(_("opened"), auto_now_add=True)
    terms: models.JSONField[Any, Any] = models.JSONField(_("periods"), default=dict, blank=True)
    approval = models.ForeignKey(
        ApprovalRequest,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("approval"),
    )
    job = models.ForeignKey(
        Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="+",
        verbose_name=_("job"),
    )  # fmt: skip
    file = models.ForeignKey(
        KeptFile, on_delete=models.SET_NULL, null=True, blank=True, related_name="+",
        verbose_name=_("file"),
    )  # fmt: skip
    receipt: models.JSONField[Any, Any] = models.JSONField(_("receipt"), default=dict, blank=True)
    digest = models.CharField(_("hash of the receipt"), max_length=64, blank=True)
    done_at = models.DateTimeField(_("done"), null=True, blank=True)

    objects: ClassVar[models.Manager["PrivacyCase"]] = models.Manager()

    class Meta:
        """What is due first on top."""

        verbose_name = _("personal data request")
        verbose_name_plural = _("personal data requests")
        ordering = ["due_on", "id"]
        default_permissions = ("view",)
        permissions = (
            ("manage_privacycase", _("Can work on personal data requests")),
            ("approve_privacycase", _("Can approve personal data requests")),
        )
        indexes = [models.Index(fields=["state", "due_on"], name="privacycase_due")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="retention", customer__isnull=True)
                | (~Q(kind="retention") & Q(customer__isnull=False)),
                name="privacycase_about_somebody",
            ),
            models.CheckConstraint(
                condition=Q(due_on__gte=F("received_on")), name="privacycase_due_after"
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | (Q(done_at__isnull=False) & ~Q(digest="")),
                name="privacycase_done_with_receipt",
            ),
            models.UniqueConstraint(
                fields=["customer", "kind"],
                condition=Q(state__in=["open", "waiting", "running"]),
                name="privacycase_one_open_a_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"PD-{self.pk}"

    @property
    def is_open(self) -> bool:
        """Whether something has to be done still."""
        return self.state not in {self.State.DONE, self.State.REFUSED}
