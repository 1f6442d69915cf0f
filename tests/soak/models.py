"""What the jobs of the soak leave behind. Nothing here keeps an effect from being doubled."""

from typing import ClassVar

from django.db import models


class Effect(models.Model):
    """One step of one job; without a unique constraint, on purpose."""

    job_id = models.BigIntegerField(db_index=True)
    step = models.IntegerField()
    attempt = models.IntegerField()

    objects: ClassVar[models.Manager["Effect"]] = models.Manager()

    def __str__(self) -> str:
        return f"{self.job_id}.{self.step}"


class Tally(models.Model):
    """A number that each step raises by one."""

    value = models.BigIntegerField(default=0)

    objects: ClassVar[models.Manager["Tally"]] = models.Manager()

    def __str__(self) -> str:
        return str(self.value)
