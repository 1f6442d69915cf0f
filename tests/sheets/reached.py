"""A model of another project whose rules quote the personal values that they refuse."""

import sys
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from simple_history.models import HistoricalRecords

from backoffice.audit.models import ActedFor
from backoffice.masking.fields import MaskedEmailField

# simple-history looks for the app of a model; this one is not installed, so it finds this module.
sys.modules["reached_tests.models"] = sys.modules[__name__]


class _Records(HistoricalRecords):  # type: ignore[misc]
    def contribute_to_class(self, cls: type[models.Model], name: str) -> None:
        super().contribute_to_class(cls, name)
        self.module = "reached_tests.models"


def not_blocked(value: str) -> None:
    """Refuse a domain, and quote who has it."""
    if str(value).endswith("@blocked.example"):
        raise ValidationError("%(who)s is on a list", params={"who": value})


class Reached(models.Model):
    """Somebody with an address that is masked, and rules that quote what they refuse."""

    code = models.CharField(max_length=10, unique=True)
    email = MaskedEmailField(blank=True, validators=[not_blocked])
    note = models.CharField(max_length=200, blank=True)
    history = _Records(bases=[ActedFor], app="reached_tests")

    objects: ClassVar[models.Manager["Reached"]] = models.Manager()

    class Meta:
        app_label = "reached_tests"

    def __str__(self) -> str:
        return self.code

    def clean(self) -> None:
        """Refuse notes about somebody, in words that hold them."""
        if self.note.startswith("about "):
            raise ValidationError({"note": f"No notes {self.note}"})


# This table stands outside of migrations: see `supplies`.
for _column in Reached.history.model._meta.local_fields:
    if _column.is_relation:
        _column.db_constraint = False
