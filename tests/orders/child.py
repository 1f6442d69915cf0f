"""A process of its own that acts on an order or a request, for tests that race.

`python -m tests.orders.child approve REQUEST USER` · `… reject …` · `… ship ORDER USER` · `… cancel
ORDER USER` · `… ask ORDER USER` · `… receive REQUEST USER`. It prints "ready", waits for a line,
acts, and prints "done" or how it was refused.
"""

import sys
from collections.abc import Callable

import django

django.setup()

# ruff: noqa: E402 - models need the set-up above
from django.core.exceptions import PermissionDenied, ValidationError

from backoffice.accounts.models import User
from orders import services
from orders.models import ChangeRequest, Order
from orders.services import Asked


def _approve(key: str, user: User) -> None:
    services.approve_change(ChangeRequest.objects.get(pk=key), actor=user)


def _reject(key: str, user: User) -> None:
    services.reject_change(ChangeRequest.objects.get(pk=key), actor=user, reason="No")


def _ship(key: str, user: User) -> None:
    order = Order.objects.get(pk=key)
    services.send_parcel(order, {order.lines.get(): 1}, actor=user)


def _cancel(key: str, user: User) -> None:
    services.cancel_order(Order.objects.get(pk=key), actor=user, reason="No")


def _ask(key: str, user: User) -> None:
    order = Order.objects.get(pk=key)
    asked = Asked(kind="cancel", why="mind", reference="shop-1", pieces={order.lines.get(): 1})
    services.ask_change(order, asked, actor=user)


def _receive(key: str, user: User) -> None:
    change = ChangeRequest.objects.get(pk=key)
    services.receive(change, {change.lines.get(): 1}, actor=user)


ACTS: dict[str, Callable[[str, User], None]] = {
    "approve": _approve,
    "reject": _reject,
    "ship": _ship,
    "cancel": _cancel,
    "ask": _ask,
    "receive": _receive,
}


def main() -> None:
    verb, key, user = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        ACTS[verb](key, User.objects.get(pk=user))
    except (PermissionDenied, ValidationError) as error:
        print(type(error).__name__, flush=True)
    else:
        print("done", flush=True)


if __name__ == "__main__":
    main()
