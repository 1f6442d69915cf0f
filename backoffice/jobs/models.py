"""Jobs as rows: who started what, how far it is, how it ended."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Job(models.Model):
    """One piece of work for the worker process.

    `kind` names the handler, `params` are its primitive arguments, `done` of `total` the progress
    in units of the handler's choice. `attempt` counts how often a worker took it up; it fences: a
    worker that lost the job to another one cannot write to it any more. `deaths` counts the workers
    it lost since it last got on; `queued_at` is when it last began to wait. `checkpoint` is what
    its handler saved together with its effects.

    `params`, `checkpoint`, `result`, `title` and `message` hold no personal value and no secret;
    `plain.require_plain` refuses what can be told.
    """

    class State(models.TextChoices):
        """Where the job stands."""

        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    ACTIVE = (State.QUEUED, State.RUNNING)

    public_id = models.UUIDField(_("number"), default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=80)
    title = models.CharField(_("title"), max_length=200)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("started by"),
    )
    params: models.JSONField[Any, Any] = models.JSONField(_("parameters"), default=dict)
    state = models.CharField(
        _("state"), max_length=10, choices=State, default=State.QUEUED, db_index=True
    )
    done = models.PositiveBigIntegerField(_("done"), default=0)
    total = models.PositiveBigIntegerField(_("of"), default=0)
    message = models.CharField(_("message"), max_length=300, blank=True)
    result: models.JSONField[Any, Any] = models.JSONField(_("result"), default=dict)
    checkpoint: models.JSONField[Any, Any] = models.JSONField(_("checkpoint"), default=dict)
    attempt = models.PositiveIntegerField(_("tries"), default=0)
    deaths = models.PositiveIntegerField(_("workers lost"), default=0)
    cancel_requested = models.BooleanField(_("asked to stop"), default=False)
    worker = models.CharField(_("worker"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    queued_at = models.DateTimeField(_("waiting since"), default=timezone.now)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    claimed_at = models.DateTimeField(_("last taken up"), null=True, blank=True)
    done_when_claimed = models.PositiveBigIntegerField(_("done when last taken up"), default=0)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects: ClassVar[models.Manager["Job"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = (
            ("cancel_job", _("Can stop anybody's job")),
            ("retry_job", _("Can try anybody's job again")),
        )
        indexes = [models.Index(fields=["kind", "-id"], name="job_kind")]

    def __str__(self) -> str:
        return self.title

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in self.ACTIVE


class JobLog(models.Model):
    """One line that a handler wrote about its work; no personal values."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="log")
    at = models.DateTimeField(_("when"), default=timezone.now)
    attempt = models.PositiveIntegerField(_("try"))
    text = models.CharField(_("what"), max_length=300)

    objects: ClassVar[models.Manager["JobLog"]] = models.Manager()

    class Meta:
        """Read with its job."""

        ordering = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.text


class Worker(models.Model):
    """A process that runs jobs; `seen_at` is its last sign of life, `stopped_at` its goodbye."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    host = models.CharField(_("host"), max_length=64)
    started_at = models.DateTimeField(_("started"), default=timezone.now)
    seen_at = models.DateTimeField(_("last heard"), default=timezone.now)
    stopped_at = models.DateTimeField(_("stopped"), null=True, blank=True)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects: ClassVar[models.Manager["Worker"]] = models.Manager()

    class Meta:
        """Shown on the page of jobs."""

        ordering = ["-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class Recurring(models.Model):
    """When a recurring function or scheduled job is due next; the row is the lock between workers.

    There is one row a name, and who moves `next_at` on from what they read has won the turn.
    `spec` is the schedule that `next_at` was computed by.
    """

    name = models.CharField(_("name"), max_length=100, unique=True)
    spec = models.CharField(_("schedule"), max_length=200, blank=True)
    next_at = models.DateTimeField(_("next"))

    objects: ClassVar[models.Manager["Recurring"]] = models.Manager()

    class Meta:
        """Not for people."""

        default_permissions = ()

    def __str__(self) -> str:
        return self.name
