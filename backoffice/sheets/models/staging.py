"""What a check read and a run wrote: staged rows, and the journal by which a run is undone."""

from typing import ClassVar

from django.db import models

from backoffice.sheets.models.imports import ImportJob


class Status(models.TextChoices):
    """What becomes of a staged record; the value is its letter in `StagedPart.statuses`."""

    NEW = "n"
    CHANGED = "c"
    UNCHANGED = "u"
    BRINGS = "m"
    """It exists and brings masked values, of which only the run finds out whether they differ."""
    FAILED = "f"
    SKIPPED = "s"


class StagedPart(models.Model):
    """Some 2,000 records of one data set as the check read them.

    `statuses` has one letter a record (`Status`), so that counts and pages of the difference need
    no body. `body` holds the rows as columns, compressed, sealed by the key of the import's file:
    it goes when the file goes.
    """

    import_job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="parts")
    dataset = models.CharField(max_length=60)
    number = models.PositiveIntegerField()
    records = models.PositiveIntegerField()
    statuses = models.TextField(default="")
    body = models.BinaryField()

    objects: ClassVar[models.Manager["StagedPart"]] = models.Manager()

    class Meta:
        """In the order of the file."""

        ordering = ["import_job", "dataset", "number"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["import_job", "dataset", "number"], name="staged_part_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.dataset} {self.number}"


class ImportSpan(models.Model):
    """The history rows that one chunk of an import wrote, by their ids: the journal of undoing.

    `model` is the label of the model whose history it is. Rows of others may lie between `first`
    and `last`: those of the import carry its change reason.
    """

    import_job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="spans")
    dataset = models.CharField(max_length=60)
    phase = models.PositiveIntegerField()
    model = models.CharField(max_length=100)
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    rows = models.PositiveIntegerField()

    objects: ClassVar[models.Manager["ImportSpan"]] = models.Manager()

    class Meta:
        """In the order of the writing."""

        ordering = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.model} {self.first}-{self.last}"


class ImportLane(models.Model):
    """Whose turn it is to write one data set of one format: two imports never mix.

    Taken by a conditional UPDATE; `taken_at` is renewed by whoever holds it.
    """

    key = models.CharField(max_length=200, unique=True)
    import_job = models.ForeignKey(
        ImportJob, on_delete=models.SET_NULL, null=True, related_name="lanes"
    )
    taken_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["ImportLane"]] = models.Manager()

    class Meta:
        """Nobody sees it."""

        default_permissions = ()

    def __str__(self) -> str:
        return self.key
