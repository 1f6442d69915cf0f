"""The gateways of the deployment: ``gateways[alias]`` by the settings table GATEWAYS."""

from django.core.checks import CheckMessage, Error

from backoffice.adapters import Adapters
from payments.gateways.base import Gateway
from payments.states import SHEET

# The base is abstract on purpose: it is only compared with.
gateways: Adapters[Gateway] = Adapters("GATEWAYS", Gateway)  # type: ignore[type-abstract]


def check_gateways(**kwargs: object) -> list[CheckMessage]:
    """Return what is wrong with the table, as a system check."""
    found = gateways.check()
    if SHEET in gateways:
        text = f"GATEWAYS[{SHEET!r}]: this name is that of payments from sheets"
        found.append(Error(text, hint="Name the gateway otherwise.", id="payments.E002"))
    return found
