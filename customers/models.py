"""Customers: who buys."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.audit.models import ActedFor
from backoffice.masking import masks
from backoffice.masking.fields import (
    MaskedCharField,
    MaskedDateField,
    MaskedEmailField,
    MaskedTextField,
)


class Customer(models.Model):
    """A buyer, known by a public number; what tells of the person shows as masks.

    The masked fields may be empty: a sheet of orders names customers by number alone.
    """

    number = models.CharField(_("number"), max_length=40, unique=True)
    name = MaskedCharField(_("name"), max_length=200, blank=True, mask=masks.name, search="exact")
    email = MaskedEmailField(_("e-mail"), blank=True, mask=masks.email, search="exact")
    phone = MaskedCharField(_("phone"), max_length=40, blank=True, mask=masks.phone, search="exact")
    born = MaskedDateField(_("born"), null=True, blank=True)
    address = MaskedTextField(_("address"), blank=True)
    country = models.CharField(_("country"), max_length=80, blank=True, db_index=True)
    created_at = models.DateTimeField(_("added"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Customer"]] = models.Manager()

    class Meta:
        """In the order of numbers."""

        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ["number"]
        permissions = (("export_customer", _("Can export customers")),)
        constraints = [
            models.CheckConstraint(condition=~models.Q(number=""), name="customer_has_number")
        ]

    def __str__(self) -> str:
        return self.number
