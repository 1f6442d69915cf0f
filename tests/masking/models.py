"""Models with every kind of masked field; their tables are made by the fixtures of this folder."""

from typing import ClassVar

from django.db import models

from backoffice.masking import masks
from backoffice.masking.fields import (
    MaskedCharField,
    MaskedDateField,
    MaskedEmailField,
    MaskedTextField,
)


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
