"""Sellers and their products."""

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class SellersConfig(AppConfig):
    """Sellers: who sells, and what."""

    name = "sellers"
    verbose_name = _("Sellers")
    role_permissions = {
        "support": ("sellers.view_seller", "sellers.view_product"),
        "finance": ("sellers.view_seller", "sellers.view_product"),
        "ops": (
            "sellers.view_seller",
            "sellers.change_seller",
            "sellers.add_seller",
            "sellers.export_seller",
            "sellers.view_product",
            "sellers.change_product",
            "sellers.add_product",
            "sellers.export_product",
        ),
        "analyst": ("sellers.view_seller", "sellers.view_product"),
        "owner": (
            "sellers.view_seller",
            "sellers.change_seller",
            "sellers.view_product",
            "sellers.view_membership",
        ),
        "auditor": ("sellers.view_seller", "sellers.view_product", "sellers.view_membership"),
        "seller": ("sellers.view_product", "sellers.add_product", "sellers.change_product"),
    }
    api_scopes = {
        "sellers:read": _("Read shops"),
        "products:read": _("Read products"),
        "products:write": _("Register and change products"),
    }

    def ready(self) -> None:
        """Say which rows exist for the people of a shop, and who of them needs a second factor."""
        from backoffice import policy  # noqa: PLC0415 - needs loaded models
        from backoffice.accounts import acting, factors  # noqa: PLC0415 - needs loaded models
        from sellers import models, places, queries  # noqa: PLC0415 - needs loaded models

        places.register()
        acting.allow(queries.is_member)
        policy.register_scope(models.Seller, policy.SELLERS, queries.own_shop)
        policy.register_scope(models.Product, policy.SELLERS, queries.own_products)
        factors.require(queries.owns_a_shop)
        if apps.is_installed("backoffice.sheets"):
            from backoffice.sheets import tenants  # noqa: PLC0415 - an app that may be left out

            tenants.register(queries.tenant_of)
