"""Sellers, the people of their shops, and their products."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from backoffice.audit.models import ActedFor
from backoffice.money import Money


class Seller(models.Model):
    """A shop on the marketplace."""

    class Status(models.TextChoices):
        """Whether the shop may sell."""

        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")
        CLOSED = "closed", _("Closed")

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=200)
    status = models.CharField(
        _("state"), max_length=10, choices=Status, default=Status.ACTIVE, db_index=True
    )
    created_at = models.DateTimeField(_("added"), auto_now_add=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Seller"]] = models.Manager()

    class Meta:
        """By name."""

        verbose_name = _("seller")
        verbose_name_plural = _("sellers")
        ordering = ["name"]
        permissions = (("export_seller", _("Can export sellers")),)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person who works for a shop; the seller site opens only to such a person."""

    seller = models.ForeignKey(
        Seller, on_delete=models.CASCADE, related_name="memberships", verbose_name=_("seller")
    )
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="membership",
        verbose_name=_("person"),
    )
    is_owner = models.BooleanField(
        _("owner"), default=True, help_text=_("Owners need a second factor to sign in.")
    )
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Membership"]] = models.Manager()

    class Meta:
        """One shop a person."""

        verbose_name = _("shop member")
        verbose_name_plural = _("shop members")

    def __str__(self) -> str:
        return f"{self.user_id} / {self.seller_id}"


class Product(models.Model):
    """Something a shop sells; the code is unique within the shop."""

    class Status(models.TextChoices):
        """Whether it is for sale."""

        DRAFT = "draft", _("Draft")
        ACTIVE = "active", _("Active")
        RETIRED = "retired", _("Retired")

    seller = models.ForeignKey(
        Seller, on_delete=models.PROTECT, related_name="products", verbose_name=_("seller")
    )
    code = models.CharField(_("code"), max_length=40, db_index=True)
    name = models.CharField(_("name"), max_length=200)
    category = models.CharField(_("category"), max_length=60, blank=True, db_index=True)
    price_minor = models.BigIntegerField(_("price in minor units"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, default="GBP")
    status = models.CharField(
        _("state"), max_length=10, choices=Status, default=Status.ACTIVE, db_index=True
    )
    created_at = models.DateTimeField(_("added"), auto_now_add=True)
    history = HistoricalRecords(bases=[ActedFor])

    objects: ClassVar[models.Manager["Product"]] = models.Manager()

    class Meta:
        """By code."""

        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["code", "id"]
        permissions = (("export_product", _("Can export products")),)
        constraints = [
            models.UniqueConstraint(fields=["seller", "code"], name="product_code_once_a_seller"),
            models.CheckConstraint(
                condition=models.Q(price_minor__isnull=True) | models.Q(price_minor__gte=0),
                name="product_price_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="product_currency"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"

    @property
    def price(self) -> Money | None:
        """The list price, where there is one."""
        return None if self.price_minor is None else Money(self.price_minor, self.currency)
