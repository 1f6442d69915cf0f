"""Orders and returns."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

_LOOK = (
    "orders.view_order",
    "orders.view_return",
    "orders.view_parcel",
    "orders.view_changerequest",
    "orders.view_deliveryaddress",
    "orders.view_ordernote",
)
_WORK = (
    "orders.cancel_order",
    "orders.ship_order",
    "orders.add_ordernote",
    "orders.add_changerequest",
    "orders.decide_changerequest",
    "orders.receive_changerequest",
)


class OrdersConfig(AppConfig):
    """Orders: what was bought, and what came back."""

    name = "orders"
    verbose_name = _("Orders")
    role_permissions = {
        "support": (*_LOOK, *_WORK, "orders.export_order"),
        "finance": (*_LOOK, "orders.add_ordernote", "orders.export_order"),
        "ops": (*_LOOK, *_WORK, "orders.export_order"),
        "analyst": ("orders.view_order", "orders.view_return", "orders.view_parcel"),
        "owner": (*_LOOK, "orders.export_order"),
        "auditor": _LOOK,
        "privacy": _LOOK,
        "seller": ("orders.view_order", "orders.view_orderline", "orders.view_parcel"),
    }
    # A program may bring a request in; somebody who answers for it decides.
    people_only = (
        "orders.decide_changerequest",
        "orders.receive_changerequest",
        "orders.add_ordernote",
    )
    api_scopes = {
        "orders:read": _("Read orders"),
        "orders:cancel": _("Cancel orders"),
        "returns:read": _("Read returns"),
        "change-requests:read": _("Read change requests"),
        "change-requests:write": _("Bring in and take back change requests"),
    }

    def ready(self) -> None:
        """Say which rows exist for the people of a shop, and which go along with a customer."""
        from backoffice import policy  # noqa: PLC0415 - needs loaded models
        from customers.services import belongings  # noqa: PLC0415 - needs loaded models
        from orders import models, places, queries  # noqa: PLC0415 - needs loaded models
        from orders.services import changes  # noqa: PLC0415 - needs loaded models

        places.register()
        policy.register_denials(changes.denials)
        policy.register_scope(models.Order, policy.SELLERS, queries.own_orders)
        policy.register_scope(models.OrderLine, policy.SELLERS, queries.own_lines)
        policy.register_scope(models.ReturnLine, policy.SELLERS, queries.own_return_lines)
        policy.register_scope(models.Parcel, policy.SELLERS, queries.own_parcels)
        belongings.register(models.Order, "customer")
        belongings.register(models.Return, "customer")
