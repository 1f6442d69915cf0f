"""Models with every kind of masked field; their tables are made by the fixtures of this folder."""

import sys
from typing import ClassVar

from django.db import models
from simple_history.models import HistoricalRecords

from backoffice.audit.models import ActedFor
from backoffice.masking import masks
from backoffice.masking.documents import MaskedJSONField
from backoffice.masking.fields import (
    MaskedCharField,
    MaskedDateField,
    MaskedEmailField,
    MaskedTextField,
)

# simple-history looks for the app of a model; this one is not installed, so it finds this module.
sys.modules["masking_tests.models"] = sys.modules[__name__]


class _Records(HistoricalRecords):  # type: ignore[misc]
    def contribute_to_class(self, cls: type[models.Model], name: str) -> None:
        super().contribute_to_class(cls, name)
        self.module = "masking_tests.models"


class Person(models.Model):
    name = MaskedCharField(max_length=100, blank=True, mask=masks.name)
    email = MaskedEmailField(blank=True, search="exact")
    phone = MaskedCharField(max_length=40, blank=True, mask=masks.phone, search="exact")
    notes = MaskedTextField(blank=True)
    born = MaskedDateField(null=True, blank=True, search="exact")
    city = models.CharField(max_length=40, blank=True)

    objects: ClassVar[models.Manager["Person"]] = models.Manager()

    class Meta:
        app_label = "masking_tests"

    def __str__(self) -> str:
        return f"{self.name} {self.email}"


class Letter(models.Model):
    person = models.ForeignKey(Person, on_delete=models.CASCADE)
    text = models.CharField(max_length=200, blank=True)

    objects: ClassVar[models.Manager["Letter"]] = models.Manager()

    class Meta:
        app_label = "masking_tests"

    def __str__(self) -> str:
        return f"{self.text} {self.person}"


class Account(models.Model):
    """Encrypted fields of every kind, with a history."""

    iban = MaskedCharField(max_length=40, blank=True, encrypted=True, search="exact")
    email = MaskedEmailField(blank=True, encrypted=True, search="exact")
    notes = MaskedTextField(blank=True, encrypted=True)
    born = MaskedDateField(null=True, blank=True, encrypted=True, search="exact")
    city = models.CharField(max_length=40, blank=True)
    history = _Records(bases=[ActedFor], app="masking_tests")

    objects: ClassVar[models.Manager["Account"]] = models.Manager()

    class Meta:
        app_label = "masking_tests"

    def __str__(self) -> str:
        return f"{self.iban} {self.email}"


class Login(models.Model):
    """Values that are single: one by the field, one by a constraint, blanks left out."""

    email = MaskedEmailField(unique=True, search="exact")
    code = MaskedCharField(max_length=40, blank=True, mask=masks.phone, search="exact")

    objects: ClassVar[models.Manager["Login"]] = models.Manager()

    class Meta:
        app_label = "masking_tests"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["code_index"], condition=~models.Q(code_index=""), name="login_code"
            )
        ]

    def __str__(self) -> str:
        return str(self.email)


# These tables stand outside of migrations: a key from them to a table of ours would keep PostgreSQL
# from emptying that one between the tests of a process.
for _column in Account.history.model._meta.local_fields:
    if _column.remote_field is not None:
        _column.db_constraint = False


class Folder(models.Model):
    """Documents, one of them encrypted."""

    data = MaskedJSONField(
        null=True, blank=True, open=["status", "items.sku"], masks={"contact.email": masks.email}
    )
    secret = MaskedJSONField(
        null=True,
        blank=True,
        encrypted=True,
        open=["status", "items.sku"],
        masks={"contact.email": masks.email},
    )

    objects: ClassVar[models.Manager["Folder"]] = models.Manager()

    class Meta:
        app_label = "masking_tests"

    def __str__(self) -> str:
        return "Folder"
