"""Every page, and every edit, answers the same whatever is hidden: asked one by one, not by chance.

The customer of the walk is one of two who show the same masks. Every page is asked before and after
the two swap what is hidden; every masked field is typed anew with the value of one of them.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from customers.models import Customer
from tests.walker.addresses import addresses
from tests.walker.cast import WHOLE
from tests.walker.registry import visits
from tests.walker.test_oracles import (
    FIRST,
    client_of,
    pair,
    reads_of_customers,
    root,
    stripped,
    swapping,
)
from tests.walker.walk import Visit, read, undone
from tests.walker.world import World

__all__ = ["pair", "root"]

type Pair = tuple[Customer, Customer]
# Heads that tell when, not what; and the version of a row, which is when it was written.
MOVING = {"Set-Cookie", "Date", "Expires", "X-Request-ID", "ETag"}
# Pages with a secret of their own, made anew each time.
FRESH = {"mfa_activate_totp", "mfa_add_webauthn", "mfa_login_webauthn"}
# Some of those that read customers, so that none compared is not none found.
READERS = {
    "admin:activity",
    "admin:customers_customer_change",
    "admin:customers_customer_changelist",
    "admin:orders_order_change",
    "admin:payments_refund_change",
    "api:customer-detail",
    "api:order-list",
}
_WHEN = re.compile(
    r'"(updated|created)_at": ?"[^"]*"|answers in \d+ ms, read [\d:]+|<time datetime="[^"]*"'
)
_LIMITS = (
    "BACKOFFICE_API_PER_MINUTE",
    "BACKOFFICE_API_ADDRESS_PER_MINUTE",
    "BACKOFFICE_EXPORTS_PER_HOUR",
    "BACKOFFICE_PALETTE_PER_MINUTE",
    "BACKOFFICE_UPLOADS_PER_HOUR",
    "BACKOFFICE_SEARCHES_PER_MINUTE",
    "BACKOFFICE_PERSONAL_EDITS_PER_HOUR",
)

type Told = tuple[int, dict[str, str], str, int, int]


@pytest.fixture(autouse=True)
def _no_limits(settings: Settings) -> None:
    for name in _LIMITS:
        setattr(settings, name, 0)


def told(response: Any, customer: Customer, before: tuple[int, int]) -> Told:
    """Return status, heads, text, and how many events and rows of history were written."""
    answer = read(response)
    heads = {name: text for name, text in answer.headers.items() if name not in MOVING}
    heads.pop("Content-Length", None)  # of what is left out below
    policy = heads.get("Content-Security-Policy", "")
    heads["Content-Security-Policy"] = re.sub("'nonce-[^']*'", "", policy)
    written = Event.objects.count() - before[0], customer.history.count() - before[1]
    return answer.status, heads, _WHEN.sub("", stripped(answer)), *written


def asked(send: Callable[[], Any], customer: Customer) -> Told:
    """Send a request, take back what it writes, and return what it told."""
    with undone():
        before = Event.objects.count(), customer.history.count()
        return told(send(), customer, before)


@pytest.mark.sqlite  # what differs there is whether a query runs, not what it tells
def test_page_answers_the_same_whatever_is_hidden(pair: Pair, root: User, world: World) -> None:
    world.rows |= {"customer": pair[0], "other_customer": pair[1]}
    client, swap = client_of(root), swapping(pair)
    every = [visit for visit in visits(addresses(), world) if visit.address not in FRESH]
    assert len(every) > 200
    compared = set[str]()

    def answer(visit: Visit) -> Told:
        found = asked(lambda: client.get(visit.url), pair[0])
        if not client.cookies["sessionid"].value:  # the page signed them out
            client.force_login(root)
        return found

    def differs(visit: Visit) -> bool:
        with reads_of_customers() as read_them:
            one = answer(visit)
        if not (read_them or WHOLE):
            return False  # what never read a customer cannot tell one from another
        compared.add(visit.address)
        swap()
        two = answer(visit)
        swap()
        return one != two

    # What differs once may be the clock: only what differs again tells something.
    assert [str(visit) for visit in every if differs(visit) and differs(visit)] == []
    assert compared >= READERS


@dataclass(frozen=True)
class Typed:
    """An edit: which field, and why."""

    name: str
    reason: str

    def patch(self, client: Client, customer: Customer) -> Any:
        """Send it to the API."""
        body = {self.name: FIRST[self.name], "reason": self.reason}
        return client.patch(
            f"/api/v1/customers/{customer.number}/",
            json.dumps(body),
            content_type="application/json",
            headers={"If-Match": "*"},
        )

    def put(self, client: Client, customer: Customer) -> Any:
        """Send the whole record to the API, the rest as it is shown."""
        url = f"/api/v1/customers/{customer.number}/"
        body = client.get(url).json() | {self.name: FIRST[self.name], "reason": self.reason}
        return client.put(
            url, json.dumps(body), content_type="application/json", headers={"If-Match": "*"}
        )

    def form(self, client: Client, customer: Customer) -> Any:
        """Type it into the page's form."""
        url = f"/admin/customers/customer/{customer.pk}/change/"
        context = client.get(f"{url}?edit=1").context
        shown = context["adminform"].form
        data = {name: str(shown[name].value() or "") for name in shown.fields}
        data["record_version"] = context["record_version"]
        return client.post(url, data | {self.name: FIRST[self.name], "change_reason": self.reason})


@pytest.mark.parametrize("way", ["patch", "put", "form"])
@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize("reason", ["", "Wrote in"])
def test_edit_is_answered_and_written_alike_whether_it_was_a_right_guess(
    name: str, reason: str, way: str, pair: Pair, world: World
) -> None:
    client, typed = client_of(world.people["eve"]), Typed(name, reason)

    def send() -> Any:
        return getattr(typed, way)(client, pair[0])

    right = asked(send, pair[0])
    swapping(pair)()
    wrong = asked(send, pair[0])
    assert right == wrong
    assert (right[3:] == (0, 0)) is (not reason)
