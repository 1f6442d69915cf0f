"""A look at each gateway now and then, so that the page of gateways need not ask them itself."""

import logging

from django.utils import timezone
from django.utils.translation import gettext_lazy

from backoffice.jobs import registry as jobs
from payments.gateways import gateways
from payments.models import GatewayState

logger = logging.getLogger("payments")
EVERY_SECONDS = 120


def look() -> int:
    """Ask every gateway that can be asked whether it works; return how many do."""
    return sum(_look_at(alias) for alias in gateways)


def _look_at(alias: str) -> bool:
    try:
        gateway = gateways[alias]
        if gateway.caps.by_hand:
            return True
        health = gateway.healthcheck()
    except Exception:
        # One adapter that breaks must not keep the others from being looked at.
        logger.exception("the health of gateway %s could not be asked", alias)
        return False
    _note(alias, ok=health.ok, message=health.message)
    return health.ok


def _note(alias: str, *, ok: bool, message: str) -> None:
    GatewayState.objects.get_or_create(gateway=alias)
    GatewayState.objects.filter(gateway=alias).update(
        healthy=ok, message=message[:200], checked_at=timezone.now()
    )


jobs.every(
    seconds=EVERY_SECONDS,
    name="payments.gateway_health",
    label=gettext_lazy("Ask gateways whether they work"),
)(look)
