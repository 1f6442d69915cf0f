"""The gateways of the deployment: ``gateways[alias]`` by the settings table GATEWAYS."""

from backoffice.adapters import Adapters
from payments.gateways.base import Gateway

gateways: Adapters[Gateway] = Adapters("GATEWAYS", Gateway)
