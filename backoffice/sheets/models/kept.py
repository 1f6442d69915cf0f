"""Sheets that are kept as tables of their own, and what people make of them: joins and charts.

A kept sheet is stored column by column in sealed blocks, and never changes once it is ready: so an
order of its rows and the pairs of a join can be computed once and kept beside it.
"""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.jobs.models import Job
from backoffice.sheets.models.imports import ImportJob


class KeptSheet(models.Model):
    """A sheet kept as a table. `columns` holds plain JSON of `kept.columns.Column`."""

    class State(models.TextChoices):
        """Whether it can be looked at."""

        LOADING = "loading", _("Being read")
        READY = "ready", _("Kept")
        FAILED = "failed", _("Failed")

    public_id = models.UUIDField(_("key"), default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("kept by"),
    )
    name = models.CharField(_("name"), max_length=80)
    shared = models.BooleanField(_("shared"), default=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.LOADING)
    file_name = models.CharField(_("name of the file"), max_length=200)
    sheet = models.CharField(_("sheet"), max_length=200, blank=True)
    header_row = models.PositiveIntegerField(_("header row"), default=1)
    source = models.ForeignKey(
        ImportJob, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    columns: models.JSONField[Any, Any] = models.JSONField(_("columns"), default=list)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    sealed_key = models.TextField(editable=False, blank=True)
    message = models.CharField(_("message"), max_length=300, blank=True)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(_("kept since"), auto_now_add=True)
    expires_at = models.DateTimeField(_("deleted on"), null=True, blank=True, db_index=True)

    objects: ClassVar[models.Manager["KeptSheet"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("kept sheet")
        verbose_name_plural = _("kept sheets")
        ordering = ["-id"]
        default_permissions = ("add", "view")
        permissions = (
            ("export_keptsheet", _("Can export kept sheets")),
            ("oversee_keptsheet", _("Can see kept sheets that others did not share")),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def use(self) -> str:
        """What the key and the blocks are bound to."""
        return f"sheets.kept:{self.public_id.hex}"


class KeptBlock(models.Model):
    """A piece of a column, compressed and sealed by the sheet's key (`kept.vault`).

    `kind` is a draft of raw cells while the sheet is read, values, the currencies of amounts, or
    the order of all rows by the column (part 0).
    """

    class Kind(models.TextChoices):
        """What it holds."""

        DRAFT = "d", _("Raw cells")
        VALUES = "v", _("Values")
        CURRENCY = "c", _("Currencies")
        ORDER = "o", _("Order")

    sheet = models.ForeignKey(KeptSheet, on_delete=models.CASCADE, related_name="blocks")
    kind = models.CharField(max_length=1, choices=Kind)
    column = models.PositiveSmallIntegerField()
    part = models.PositiveIntegerField()
    body = models.BinaryField()

    objects: ClassVar[models.Manager["KeptBlock"]] = models.Manager()

    class Meta:
        """In the order of the sheet."""

        verbose_name = _("block of a kept sheet")
        verbose_name_plural = _("blocks of kept sheets")
        ordering = ["sheet", "kind", "column", "part"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["sheet", "kind", "column", "part"], name="kept_block_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind}{self.column}/{self.part}"


class KeptJoin(models.Model):
    """Two tables joined on a key: a kept sheet, and another one or a model.

    `counts` are those of two sheets; with a model each viewer has counts of their own.
    """

    class How(models.TextChoices):
        """Which rows of the left side it holds."""

        INNER = "inner", _("Matched rows only")
        LEFT = "left", _("All rows of the first")

    public_id = models.UUIDField(_("key"), default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("saved by"),
    )
    name = models.CharField(_("name"), max_length=80)
    shared = models.BooleanField(_("shared"), default=False)
    left = models.ForeignKey(KeptSheet, on_delete=models.CASCADE, related_name="joins")
    left_column = models.PositiveSmallIntegerField()
    right = models.ForeignKey(
        KeptSheet, on_delete=models.CASCADE, null=True, blank=True, related_name="joins_as_right"
    )
    right_column = models.PositiveSmallIntegerField(null=True, blank=True)
    right_model = models.CharField(_("model"), max_length=100, blank=True)
    right_field = models.CharField(_("field"), max_length=100, blank=True)
    how = models.CharField(_("rows"), max_length=8, choices=How, default=How.INNER)
    fold = models.BooleanField(_("capital letters count as small ones"), default=False)
    zeros = models.BooleanField(_("leading zeros do not count"), default=False)
    counts: models.JSONField[Any, Any] = models.JSONField(_("counts"), default=dict)
    created_at = models.DateTimeField(_("saved"), auto_now_add=True)

    objects: ClassVar[models.Manager["KeptJoin"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("join of sheets")
        verbose_name_plural = _("joins of sheets")
        ordering = ["-id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=models.Q(right=None) ^ models.Q(right_model=""),
                name="join_one_right_side",
            )
        ]

    def __str__(self) -> str:
        return self.name


class KeptPairs(models.Model):
    """Which rows of two sheets belong together, sealed by the left sheet's key."""

    class Side(models.TextChoices):
        """Which positions it holds: pairs go row by row."""

        LEFT = "l", _("Rows of the first")
        RIGHT = "r", _("Rows of the second")
        LEFT_ONLY = "x", _("Rows of the first without the second")
        RIGHT_ONLY = "y", _("Rows of the second without the first")

    join = models.ForeignKey(KeptJoin, on_delete=models.CASCADE, related_name="pairs")
    side = models.CharField(max_length=1, choices=Side)
    body = models.BinaryField()

    objects: ClassVar[models.Manager["KeptPairs"]] = models.Manager()

    class Meta:
        """One of each kind for a join."""

        verbose_name = _("pairs of a join")
        verbose_name_plural = _("pairs of joins")
        ordering = ["join", "side"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["join", "side"], name="kept_pairs_once")]

    def __str__(self) -> str:
        return f"{self.join_id}{self.side}"


class KeptChart(models.Model):
    """A chart of a kept sheet or of a join; whoever sees that sees the chart.

    `group` and `measured` are refs of columns (`kept.columns.Column.ref`).
    """

    class Kind(models.TextChoices):
        """How it is drawn; the kinds of `backoffice.charts`."""

        BAR = "bar", _("Bars")
        COLUMN = "column", _("Columns")
        LINE = "line", _("Line")
        PIE = "pie", _("Ring")

    class Measure(models.TextChoices):
        """What is drawn."""

        COUNT = "count", _("Number of rows")
        SUM = "sum", _("Sum")
        AVERAGE = "average", _("Average")

    class Period(models.TextChoices):
        """How dates are put together."""

        NONE = "", _("Not a date")
        DAY = "day", _("By day")
        WEEK = "week", _("By week")
        MONTH = "month", _("By month")

    public_id = models.UUIDField(_("key"), default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("saved by"),
    )
    name = models.CharField(_("name"), max_length=80)
    sheet = models.ForeignKey(
        KeptSheet, on_delete=models.CASCADE, null=True, blank=True, related_name="charts"
    )
    join = models.ForeignKey(
        KeptJoin, on_delete=models.CASCADE, null=True, blank=True, related_name="charts"
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind, default=Kind.BAR)
    group = models.CharField(_("group by"), max_length=100)
    period = models.CharField(
        _("period"), max_length=8, choices=Period, default=Period.NONE, blank=True
    )
    measure = models.CharField(_("measure"), max_length=8, choices=Measure, default=Measure.COUNT)
    measured = models.CharField(_("measured column"), max_length=100, blank=True)
    created_at = models.DateTimeField(_("saved"), auto_now_add=True)

    objects: ClassVar[models.Manager["KeptChart"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("chart of a sheet")
        verbose_name_plural = _("charts of sheets")
        ordering = ["-id"]
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=models.Q(sheet=None) ^ models.Q(join=None), name="chart_of_one_thing"
            )
        ]

    def __str__(self) -> str:
        return self.name
