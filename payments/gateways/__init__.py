"""The gateways of the deployment: ``gateways[alias]`` by the settings table GATEWAYS."""

from django.core.checks import CheckMessage

from backoffice.adapters import Adapters
from payments.gateways.base import Gateway

# The base is abstract on purpose: it is only compared with.
gateways: Adapters[Gateway] = Adapters("GATEWAYS", Gateway)  # type: ignore[type-abstract]


def check_gateways(**kwargs: object) -> list[CheckMessage]:
    """Return what is wrong with the table, as a system check."""
    return gateways.check()
