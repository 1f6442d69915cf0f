"""A process of its own that asks for or executes refunds, for tests that race or kill it.

`python -m tests.payments.child request ORDER USER MINOR TIMES` · `… execute REFUND` ·
`… reconcile`. It prints "ready", waits for a line, acts, and prints what came of it as JSON.
"""

import json
import sys
from collections.abc import Callable

import django

django.setup()

# ruff: noqa: E402 - models need the set-up above
from backoffice.accounts.models import User
from backoffice.money import Money
from orders.models import Order
from payments import services
from payments.models import Refund


def request(order: int, user: int, minor: int, times: int) -> list[str]:
    """Ask for the same amount several times; return "held" or "refused" for each."""
    actor, outcomes = User.objects.get(pk=user), []
    for _ in range(times):
        try:
            services.request_refund(
                Order.objects.get(pk=order), Money(minor, "GBP"), actor=actor, reason="Race"
            )
            outcomes.append("held")
        except services.RefundRefusedError:
            outcomes.append("refused")
    return outcomes


def execute(refund: int) -> str:
    """Execute the refund; return its state."""
    row = Refund.objects.get(pk=refund)
    services.execute(row)
    return row.state


def reconcile() -> list[str]:
    """Look once at all open refunds."""
    services.reconcile()
    return []


VERBS: dict[str, Callable[..., object]] = {
    "request": request,
    "execute": execute,
    "reconcile": reconcile,
}


def main() -> None:
    verb, numbers = sys.argv[1], [int(text) for text in sys.argv[2:]]
    Refund.objects.exists()  # opens the connection
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(VERBS[verb](*numbers)), flush=True)


if __name__ == "__main__":
    main()
