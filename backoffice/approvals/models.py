"""Requests that wait for other people's decision, their votes, and who stands in for whom.

Triggers stand behind the constraints (see the migration `votes`): a vote is by somebody else than
the maker of its request and by nobody excluded, votes and makers never change, a request with too
few votes never becomes approved, and one that is over stays as it is.
"""

import datetime as dt
from typing import Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.jobs.models import Job


class ApprovalRequest(models.Model):
    """One thing that somebody asked for; `kind` names its rule, `payload` what will be done.

    `approvers` people with `permission` have to agree, none of whom is the maker or `excluded`.
    `snapshot` are the facts that the decision rests on; when the payload or they change, the
    request is void. `outcome` says why it ended without being done.
    """

    class State(models.TextChoices):
        """Where the request stands."""

        REQUESTED = "requested", _("Requested")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        EXPIRED = "expired", _("Expired")
        VOID = "void", _("Void")
        EXECUTED = "executed", _("Done")
        FAILED = "failed", _("Failed")

    kind = models.CharField(_("kind"), max_length=80, db_index=True)
    subject_type = models.CharField(_("kind of record"), max_length=100)
    subject_id = models.CharField(_("record"), max_length=64)
    summary = models.CharField(
        _("summary"), max_length=200, help_text=_("What is asked, without personal values.")
    )
    payload: models.JSONField[Any, Any] = models.JSONField(_("payload"), default=dict)
    payload_hash = models.CharField(_("hash of the payload"), max_length=64)
    snapshot: models.JSONField[Any, Any] = models.JSONField(_("facts"), default=dict)
    snapshot_hash = models.CharField(_("hash of the facts"), max_length=64, default="")
    approvers = models.PositiveSmallIntegerField(_("approvers needed"), default=1)
    permission = models.CharField(_("right of approvers"), max_length=200, default="")
    reason = models.TextField(_("why"))
    state = models.CharField(
        _("state"), max_length=10, choices=State, default=State.REQUESTED, db_index=True
    )
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    excluded: models.ManyToManyField[Any, Any] = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="+", verbose_name=_("must not decide")
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    comment = models.TextField(_("comment"), blank=True)
    outcome = models.TextField(_("what came of it"), blank=True)
    job = models.ForeignKey(
        Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="+",
        verbose_name=_("job"),
    )  # fmt: skip
    # Counts the writes that decide something: the first statement of each, so that two wait for
    # each other on any database.
    revision = models.PositiveIntegerField(_("revision"), default=0)
    created_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    started_at = models.DateTimeField(_("execution began"), null=True, blank=True)
    executed_at = models.DateTimeField(_("done"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"))

    objects: ClassVar[models.Manager["ApprovalRequest"]] = models.Manager()

    class Meta:
        """Oldest first: what waits longest stands on top."""

        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        ordering = ["id"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["subject_type", "subject_id"], name="approval_subject")]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("maker")),
                name="approval_maker_is_not_checker",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "rejected", "executed", "failed"])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="approval_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(approvers__gte=1), name="approval_by_at_least_one_person"
            ),
            models.CheckConstraint(
                condition=~Q(state="executed") | Q(executed_at__isnull=False),
                name="approval_executed_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return self.summary

    def record(self) -> Any:
        """Return the record that this is about, read anew; None when it is gone."""
        try:
            model = apps.get_model(self.subject_type)
        except LookupError:
            return None
        return model._default_manager.filter(pk=self.subject_id).first()

    @property
    def is_open(self) -> bool:
        """Whether it waits for votes."""
        return self.state == self.State.REQUESTED


class Vote(models.Model):
    """What one person decided about one request; rows are never changed.

    `seat` is the person whose right counts: the voter, or the one for whom they stand in. Both
    decide once, so that a stand-in adds no second voice. `maker` repeats the request's, for the
    CHECK.
    """

    class Choice(models.TextChoices):
        """For or against."""

        APPROVE = "approve", _("Approved")
        REJECT = "reject", _("Rejected")

    request = models.ForeignKey(
        ApprovalRequest,
        on_delete=models.PROTECT,
        related_name="votes",
        verbose_name=_("request"),
    )
    voter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("who")
    )
    seat = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("with the right of"),
    )
    maker = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    choice = models.CharField(_("decision"), max_length=7, choices=Choice)
    comment = models.TextField(_("comment"), blank=True)
    at = models.DateTimeField(_("when"), auto_now_add=True)

    objects: ClassVar[models.Manager["Vote"]] = models.Manager()

    class Meta:
        """In the order in which they came."""

        verbose_name = _("vote")
        verbose_name_plural = _("votes")
        ordering = ["id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["request", "voter"], name="vote_once_a_person"),
            models.UniqueConstraint(fields=["request", "seat"], name="vote_once_a_seat"),
            models.CheckConstraint(condition=~Q(voter=F("maker")), name="vote_not_by_the_maker"),
            models.CheckConstraint(
                condition=~Q(seat=F("maker")), name="vote_not_in_the_name_of_the_maker"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.voter} {self.choice} {self.request_id}"

    @property
    def for_somebody(self) -> bool:
        """Whether the voter stood in for another person."""
        return self.voter_id != self.seat_id


class DelegationQuerySet(models.QuerySet["Delegation"]):
    """Reads of delegations."""

    def live(self, now: dt.datetime | None = None) -> "DelegationQuerySet":
        """Return those that count now: begun, not over, not ended."""
        now = now or timezone.now()
        return self.filter(starts_at__lte=now, until__gt=now, ended_at=None)


class DelegationManager(models.Manager.from_queryset(DelegationQuerySet)):  # type: ignore[misc]
    """Manager of delegations."""


class Delegation(models.Model):
    """`giver` lets `stand_in` decide in their place for a period; with the giver's right, not more.

    It is not passed on: who stands in for a stand-in has that person's own right alone.
    """

    giver = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("who is away"),
    )
    stand_in = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("who decides instead"),
    )
    reason = models.TextField(_("why"))
    starts_at = models.DateTimeField(_("from"))
    until = models.DateTimeField(_("until"))
    created_at = models.DateTimeField(_("set up"), auto_now_add=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects: ClassVar[DelegationManager] = DelegationManager()

    class Meta:
        """Newest first."""

        verbose_name = _("delegation")
        verbose_name_plural = _("delegations")
        ordering = ["-id"]
        default_permissions = ()
        indexes = [models.Index(fields=["stand_in", "until"], name="delegation_stand_in")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(giver=F("stand_in")), name="delegation_to_somebody_else"
            ),
            models.CheckConstraint(
                condition=Q(until__gt=F("starts_at")), name="delegation_ends_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.giver} -> {self.stand_in}"
