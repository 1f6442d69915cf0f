"""Two states that differ in hidden values only answer the same to whatever chance asks.

`make fuzz-masking EXAMPLES=5000` asks longer than the suite does, and something else each time.
"""

import os
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from backoffice.accounts.models import User
from customers.models import Customer
from tests.walker.battery import Asked, requests
from tests.walker.test_oracles import FIRST, SECOND, client_of, hide, pair, root
from tests.walker.world import World

__all__ = ["pair", "root"]

EXAMPLES = int(os.environ.get("BACKOFFICE_EXAMPLES", "0"))
_FREE = (
    "BACKOFFICE_API_PER_MINUTE",
    "BACKOFFICE_API_ADDRESS_PER_MINUTE",
    "BACKOFFICE_EXPORTS_PER_HOUR",
    "BACKOFFICE_PALETTE_PER_MINUTE",
    "BACKOFFICE_UPLOADS_PER_HOUR",
)
asked_by_chance = settings(
    max_examples=EXAMPLES or 40,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def _no_limits(settings: Settings) -> None:
    for name in _FREE:
        setattr(settings, name, 0)


def swap(pair: tuple[Customer, Customer], first: Any, second: Any) -> None:
    """Give the two customers these hidden values."""
    for customer, values in zip(pair, (first, second), strict=True):
        hide(customer, values)


type Told = tuple[int, str, str]


def both(asked: Asked, client: Client, pair: tuple[Customer, Customer]) -> tuple[Told, Told]:
    """Return the answers to one request in the two states."""
    before = asked.send(client)
    swap(pair, SECOND, FIRST)
    after = asked.send(client)
    swap(pair, FIRST, SECOND)
    return before, after


@pytest.mark.usefixtures("_no_limits")
def test_answers_are_the_same_whatever_is_hidden(
    pair: tuple[Customer, Customer], root: User, world: World
) -> None:
    """Whoever asks: somebody with every right, with those of a role, and a seller."""
    people = {"root": root, **{name: world.people[name] for name in ("eve", "sol")}}
    clients = {name: client_of(person) for name, person in people.items()}

    @asked_by_chance
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(tuple(clients)))
        asked: Asked = data.draw(requests(pair, seller=name == "sol"))
        client = clients[name]
        before, after = both(asked, client, pair)
        assert before[0] < 500, (name, asked)
        if before != after:
            # "A minute ago" may have become two in between: only the same again is a leak.
            before, after = both(asked, client, pair)
        assert before == after, (name, asked)

    ask()


class _NoticedError(Exception):
    """The two answers differed."""


@pytest.mark.usefixtures("_no_limits")
def test_battery_notices_a_plain_value(pair: tuple[Customer, Customer], root: User) -> None:
    """The test itself is tested: where the country differs, chance finds it.

    It asks until it has: few requests show the country of this very customer, and each new list
    makes them rarer.
    """
    client = client_of(root)

    @settings(asked_by_chance, max_examples=20 * (EXAMPLES or 40), phases=[Phase.generate])
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        asked: Asked = data.draw(requests(pair))
        before = asked.send(client)
        Customer.objects.filter(pk=pair[0].pk).update(country="Norway")
        after = asked.send(client)
        Customer.objects.filter(pk=pair[0].pk).update(country="Iceland")
        if before != after:
            raise _NoticedError

    with pytest.raises(_NoticedError):
        ask()


def test_world_has_two_customers_of_one_face(pair: tuple[Customer, Customer], world: World) -> None:
    faces = [
        {name: str(getattr(Customer.objects.get(pk=one.pk), name)) for name in FIRST}
        for one in pair
    ]
    assert faces[0] == faces[1]
    assert not set(FIRST.values()) & set(SECOND.values())
