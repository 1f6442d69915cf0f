"""Orders and returns."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrdersConfig(AppConfig):
    """Orders: what was bought, and what came back."""

    name = "orders"
    verbose_name = _("Orders")
    role_permissions = {
        "support": (
            "orders.view_order",
            "orders.view_return",
            "orders.cancel_order",
            "orders.ship_order",
            "orders.export_order",
        ),
        "finance": ("orders.view_order", "orders.view_return", "orders.export_order"),
        "ops": (
            "orders.view_order",
            "orders.view_return",
            "orders.cancel_order",
            "orders.ship_order",
            "orders.export_order",
        ),
        "analyst": ("orders.view_order", "orders.view_return"),
        "owner": ("orders.view_order", "orders.view_return", "orders.export_order"),
        "auditor": ("orders.view_order", "orders.view_return"),
        "privacy": ("orders.view_order", "orders.view_return"),
        "seller": ("orders.view_order", "orders.view_orderline"),
    }
    api_scopes = {
        "orders:read": _("Read orders"),
        "orders:cancel": _("Cancel orders"),
        "returns:read": _("Read returns"),
    }

    def ready(self) -> None:
        """Say which rows exist for the people of a shop, and which go along with a customer."""
        from backoffice import policy  # noqa: PLC0415 - needs loaded models
        from customers.services import belongings  # noqa: PLC0415 - needs loaded models
        from orders import models, places, queries  # noqa: PLC0415 - needs loaded models

        places.register()
        policy.register_scope(models.Order, policy.SELLERS, queries.own_orders)
        policy.register_scope(models.OrderLine, policy.SELLERS, queries.own_lines)
        policy.register_scope(models.ReturnLine, policy.SELLERS, queries.own_return_lines)
        belongings.register(models.Order, "customer")
        belongings.register(models.Return, "customer")
