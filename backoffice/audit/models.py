"""Rows of the record of activity, and of the chain that proves it."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.audit import verbs


class Outcome(models.TextChoices):
    """How it ended."""

    DONE = "done", _("Done")
    REFUSED = "refused", _("Refused")
    FAILED = "failed", _("Failed")


class ActedFor(models.Model):
    """Base of change histories: who really sat there, beside `history_user`, the person acted for.

    history = HistoricalRecords(bases=[ActedFor])
    """

    history_real_actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )

    class Meta:
        """No table of its own."""

        abstract = True


class EventQuerySet(models.QuerySet["Event"]):
    """Reads of the record."""

    def about(self, instance: models.Model) -> "EventQuerySet":
        """Return the events of which this row is a subject, be it the first or a further one."""
        return self.concerning(instance._meta.label_lower, [str(instance.pk)])

    def concerning(self, kind: str, ids: list[str]) -> "EventQuerySet":
        """Return the events about records with these keys, of `kind` ("" is any kind).

        Two index look-ups put together: an OR over both tables would read all of them.
        """
        return self.concerning_any({kind: ids})

    def concerning_any(self, wanted: Mapping[str, Iterable[str]]) -> "EventQuerySet":
        """Return the events about any of these records: kind -> keys."""
        named = Q(pk__in=[])
        for kind, ids in wanted.items():
            named |= Q(subject_id__in=list(ids)) & (Q(subject_type=kind) if kind else Q())
        first = Event.objects.filter(named).order_by().values("pk")
        further = EventSubject.objects.filter(named).order_by().values("event_id")
        return self.filter(pk__in=first.union(further, all=True))


class EventManager(models.Manager.from_queryset(EventQuerySet)):  # type: ignore[misc]
    """Events come with their typed reason, so that a list of them costs no query a row."""

    def get_queryset(self) -> EventQuerySet:
        """Join the reasons."""
        events: EventQuerySet = super().get_queryset().select_related("typed")
        return events


class Event(models.Model):
    """One thing that somebody did, saw or was refused. Rows are only ever added.

    `context` holds plain facts (counts, field names, amounts) and never a personal value. The
    first subject stands in the row, further ones in `further`; the typed reason in `typed`.
    """

    at = models.DateTimeField(_("when"), default=timezone.now, editable=False, db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("who"),
        db_index=False,  # event_actor begins with it
    )
    # Who really sat there, when somebody acted in another person's name.
    real_actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("in whose place"),
    )
    verb = models.CharField(_("what"), max_length=80)
    subject_type = models.CharField(_("kind of record"), max_length=100, blank=True)
    subject_id = models.CharField(_("record"), max_length=64, blank=True)
    # SHA-256 of salt and text of the typed reason, in hexadecimal; "" without one.
    reason_hash = models.CharField(max_length=64, blank=True, editable=False)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome, default=Outcome.DONE)
    context: models.JSONField[Any, Any] = models.JSONField(_("details"), default=dict, blank=True)
    address = models.CharField(_("address"), max_length=45, blank=True)
    session = models.CharField(_("session"), max_length=16, blank=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)

    objects = EventManager()

    class Meta:
        """Newest first."""

        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-id"]
        default_permissions = ("view", "export")
        indexes = [
            models.Index(fields=["subject_id", "subject_type", "-id"], name="event_subject"),
            models.Index(fields=["actor", "-id"], name="event_actor"),
            models.Index(fields=["verb", "-id"], name="event_verb"),
            models.Index(fields=["outcome", "-id"], name="event_outcome"),
            models.Index(fields=["subject_type", "-id"], name="event_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject_type} {self.subject_id}".strip()

    @property
    def who(self) -> str:
        """Who it was; of two, who sat there and in whose name."""
        name = str(self.actor or _("System"))
        if self.real_actor is None or self.real_actor_id == self.actor_id:
            return name
        return gettext("%(real)s for %(name)s") % {"real": self.real_actor, "name": name}

    @property
    def verb_label(self) -> str:
        """The verb in words."""
        return verbs.label(self.verb)

    @property
    def reason(self) -> str:
        """The typed reason, "" without one; where it was erased, a text that says so."""
        if not self.reason_hash:
            return ""
        try:
            typed = self.typed
        except EventReason.DoesNotExist:
            return ""
        return str(_("(erased)")) if typed.erased_in_id else typed.text


class EventSubject(models.Model):
    """A further record that an event is about; `position` 1 is the second subject."""

    event = models.ForeignKey(
        Event, on_delete=models.PROTECT, related_name="further", db_index=False
    )
    position = models.PositiveSmallIntegerField()
    subject_type = models.CharField(max_length=100)
    subject_id = models.CharField(max_length=64, blank=True)

    class Meta:
        """No page of its own."""

        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["event", "position"], name="eventsubject_place")
        ]
        indexes = [
            models.Index(
                fields=["subject_id", "subject_type", "event"], name="eventsubject_subject"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject_type} {self.subject_id}"


class EventReason(models.Model):
    """What somebody typed as the reason. The one part of the record that can be erased.

    Erasing empties text and salt (the hash in the event then proves nothing about the text any
    more, not even to somebody who guesses it) and names the event that tells who erased it.
    """

    event = models.OneToOneField(
        Event, on_delete=models.PROTECT, primary_key=True, related_name="typed"
    )
    text = models.TextField(blank=True)
    salt = models.CharField(max_length=32, blank=True)
    erased_in = models.ForeignKey(Event, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        """No page of its own."""

        default_permissions = ()

    def __str__(self) -> str:
        return f"reason of {self.event_id}"


class Seal(models.Model):
    """One link of the chain: an event's place in it, written by the sealer after the commit."""

    position = models.PositiveBigIntegerField(primary_key=True)
    event = models.OneToOneField(Event, on_delete=models.PROTECT, related_name="seal")
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)
    # The newest time of an event up to here.
    until = models.DateTimeField(db_index=True)
    # Somebody took it into the chain by hand, though it was dated long before its neighbours.
    late = models.BooleanField(default=False)

    class Meta:
        """No page of its own."""

        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.position} {self.hash[:12]}"


class Checkpoint(models.Model):
    """The end of a purged beginning: the rest of the chain verifies from here."""

    position = models.PositiveBigIntegerField(primary_key=True)
    hash = models.CharField(max_length=64)
    until = models.DateTimeField()

    class Meta:
        """No page of its own."""

        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.position} {self.hash[:12]}"


class SavedSearch(models.Model):
    """A search of the page Activity that somebody kept; only they see it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(_("name"), max_length=40)
    query = models.CharField(max_length=500)

    class Meta:
        """By name, which a person uses once."""

        default_permissions = ()
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="savedsearch_one_of_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class AccessReview(models.Model):
    """Somebody looked through who saw how much personal data in a month, and signed.

    `figures` are what they saw; `snapshot` is their SHA-256, which also stands in the chained
    event of the signature. `month` is the month's first day.
    """

    month = models.DateField(_("month"), unique=True)
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("signed by"),
    )
    signed_at = models.DateTimeField(_("signed"), default=timezone.now)
    comment = models.TextField(_("comment"))
    figures: models.JSONField[Any, Any] = models.JSONField(_("figures"))
    snapshot = models.CharField(_("hash of the figures"), max_length=64)

    class Meta:
        """Newest first."""

        verbose_name = _("access review")
        verbose_name_plural = _("access reviews")
        ordering = ["-month"]
        default_permissions = ("view",)
        permissions = [("sign_accessreview", "Can sign the monthly access review")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
