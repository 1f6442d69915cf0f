"""Jobs as rows: who started what, how far it is, how it ended."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Job(models.Model):
    """One piece of work for the worker process.

    `kind` names the handler, `params` are its primitive arguments, `done` of `total` the progress
    in units of the handler's choice. `attempt` counts how often a worker took it up; it fences: a
    worker that lost the job to another one cannot write to it any more.
    """

    class State(models.TextChoices):
        """Where the job stands."""

        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

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
    attempt = models.PositiveIntegerField(_("tries"), default=0)
    cancel_requested = models.BooleanField(_("asked to stop"), default=False)
    worker = models.CharField(_("worker"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("asked for"), auto_now_add=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects: ClassVar[models.Manager["Job"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = (("cancel_job", _("Can stop anybody's job")),)

    def __str__(self) -> str:
        return self.title

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in {self.State.QUEUED, self.State.RUNNING}


class Recurring(models.Model):
    """When a recurring function is due next; the row is the lock between workers."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    next_at = models.DateTimeField(_("next"))

    objects: ClassVar[models.Manager["Recurring"]] = models.Manager()

    class Meta:
        """Not for people."""

        default_permissions = ()

    def __str__(self) -> str:
        return self.name
