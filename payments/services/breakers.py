"""The circuit breaker of each gateway: a gateway that is down is left alone, then tried by one.

It opens after FAILURES requests in a row that got no answer which means something. A definite
refusal is an answer. Everything is a conditional UPDATE of one row, so that it holds for any number
of workers.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from backoffice.audit import verbs
from backoffice.audit.services import record
from payments.models import GatewayState

PAUSED = verbs.register("payments.gateway_paused", _("Gateway does not answer, requests pause"))
RESUMED = verbs.register("payments.gateway_resumed", _("Gateway answers again"))

FAILURES = 5
PAUSE = timedelta(seconds=30)


def allow(gateway: str, *, lease: timedelta) -> bool:
    """Say whether a request may go to the gateway now.

    After the pause one at a time may try; `lease` is how long the others wait for its answer.
    """
    state = GatewayState.objects.filter(gateway=gateway).first()
    if state is None or state.open_until is None:
        return True
    now = timezone.now()
    free = Q(probe_until__isnull=True) | Q(probe_until__lte=now)
    due = GatewayState.objects.filter(free, pk=state.pk, open_until__lte=now)
    return bool(due.update(probe_until=now + lease))


def paused() -> set[str]:
    """Return the gateways to which nothing goes now."""
    now = timezone.now()
    busy = Q(open_until__gt=now) | Q(open_until__isnull=False, probe_until__gt=now)
    return set(GatewayState.objects.filter(busy).values_list("gateway", flat=True))


def note(gateway: str, *, alive: bool) -> None:
    """Count what came of a request."""
    if alive:
        _answered(gateway)
    else:
        _failed(gateway)


def _answered(gateway: str) -> None:
    counted = GatewayState.objects.filter(gateway=gateway).exclude(failures=0)
    if not counted.exists():
        return  # by far the usual case; a write would make others wait
    with transaction.atomic():
        was_open = counted.filter(open_until__isnull=False).update(
            failures=0, opened_at=None, open_until=None, probe_until=None
        )
        counted.update(failures=0)
        if was_open:
            _record(RESUMED, gateway)


def _failed(gateway: str) -> None:
    now = timezone.now()
    with transaction.atomic():
        GatewayState.objects.get_or_create(gateway=gateway)
        mine = GatewayState.objects.filter(gateway=gateway)
        mine.update(failures=F("failures") + 1)
        full = mine.filter(failures__gte=FAILURES)
        opened = full.filter(open_until__isnull=True).update(
            opened_at=now, open_until=now + PAUSE, probe_until=None
        )
        if opened:
            _record(PAUSED, gateway)
        else:
            full.filter(open_until__lte=now).update(open_until=now + PAUSE, probe_until=None)


def _record(verb: str, gateway: str) -> None:
    state = GatewayState.objects.get(gateway=gateway)
    record(verb, actor=None, subject=state, context={"gateway": gateway})
