"""Everybody goes everywhere, and no secret, no error and no change comes of it."""

import logging

import pytest
from django.contrib.auth.models import Permission

from backoffice.accounts.models import User
from tests.canaries import OF_SAM, OF_SOL, REMOTE, Canary
from tests.people import make_person
from tests.walker import state
from tests.walker.addresses import addresses
from tests.walker.cast import ALONE, NOBODY, RELAY, WHOLE, of_suite
from tests.walker.doors import DOORS, OPEN_API, OPEN_TO_STAFF, REFUSED
from tests.walker.registry import REGISTRY, gone, unregistered, visits
from tests.walker.walk import Walker
from tests.walker.world import World

# What a person must not see beside the masked values.
SHOPS: dict[str, tuple[Canary, ...]] = {
    "sol": OF_SAM,
    "sam": OF_SOL,
    "gus": (*OF_SAM, *OF_SOL),
    NOBODY: (*OF_SAM, *OF_SOL),
}
OK = 200
NOT_YOURS = {401, 403, 404}
# On PostgreSQL those walk who between them reach every page: what differs there is whether a query
# runs, not who may see what.
ON_BOTH = ("sol",)
# Nor does it decide what an empty form is answered.
on_sqlite = pytest.mark.django_db if WHOLE else pytest.mark.sqlite
EVERYBODY = [
    pytest.param(name, marks=[] if name in ON_BOTH else [on_sqlite])
    for name in of_suite(ALONE, (*RELAY, "sam"))
]
# Methods that change rows are asked by support too, who may change them.
OF_THE_API = EVERYBODY if WHOLE else [*EVERYBODY, pytest.param("eve", marks=on_sqlite)]
# Who is let in nowhere else.
OPEN_TO = {NOBODY: DOORS, "gus": DOORS | OPEN_TO_STAFF | OPEN_API}
# Some of what has to be reached, so that an empty walk is not a clean one.
REACHED = {
    "admin:index",
    "admin:customers_customer_change",
    "admin:orders_order_change",
    "admin:activity",
    "admin:imports",
    "admin:privacy",
    "api:customer-detail",
}


# Made for the walk: people with one kind of right on everything, as no role has it.
ONE_KIND_OF_RIGHT = ("add", "view", "change")


def with_one_kind_of_right(kind: str) -> User:
    """Return a new person who may do this one thing with everything there is."""
    person = make_person(kind)
    person.user_permissions.set(Permission.objects.filter(codename__startswith=f"{kind}_"))
    return User.objects.get(pk=person.pk)


def walker_of(name: str, world: World) -> Walker:
    """Return the walker of a person, or of nobody."""
    secrets = (*world.secrets, *REMOTE, *SHOPS.get(name, ()))
    return Walker(name, world.people.get(name), secrets, world.secrets)


def test_every_address_is_registered() -> None:
    assert unregistered(addresses()) == []


def test_nothing_is_registered_that_is_gone() -> None:
    assert gone(addresses()) == []


def opened(walker: Walker) -> set[str]:
    """Return the addresses that showed the walker something."""
    return {visit.address for visit, status in walker.visited if status not in REFUSED}


@pytest.mark.parametrize("name", EVERYBODY)
def test_reading_everything_tells_no_secret_and_changes_nothing(
    name: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    walker = walker_of(name, world)
    before = state.snapshot()
    for visit in visits(addresses(), world):
        walker.go(visit)
    assert walker.findings == []
    assert state.changed(before, state.snapshot()) == []
    assert state.kept(world.secrets, caplog.text) == []
    assert opened(walker) <= OPEN_TO.get(name, REGISTRY.keys())


@on_sqlite
@pytest.mark.parametrize("name", EVERYBODY)
def test_posting_nothing_everywhere_tells_no_secret(
    name: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    walker = walker_of(name, world)
    for visit in visits(addresses(), world, "POST"):
        walker.go(visit)
    assert walker.findings == []
    assert state.kept(world.secrets, caplog.text) == []


@pytest.mark.parametrize("method", ["GET", pytest.param("POST", marks=on_sqlite)])
def test_what_only_other_roles_open_tells_no_secret(
    method: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    walkers = [walker_of(name, world) for name in RELAY]
    before = state.snapshot()
    findings, known = list[str](), set[str]()
    for walker in walkers:
        for visit in visits(addresses(), world, method):
            if visit.address not in known and not visit.url.startswith("/seller/"):
                walker.go(visit)
        findings += walker.findings
        known |= {visit.address for visit, status in walker.visited if status not in NOT_YOURS}
    assert findings == []
    assert state.kept(world.secrets, caplog.text) == []
    if method == "GET":
        assert state.changed(before, state.snapshot()) == []
        assert known >= REACHED


@pytest.mark.parametrize("name", OF_THE_API)
def test_other_methods_of_the_api_tell_no_secret(name: str, world: World) -> None:
    walker = walker_of(name, world)
    before = state.snapshot()
    found = [address for address in addresses() if address.key.startswith("api:")]
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        for visit in visits(found, world, method):
            walker.go(visit)
    assert walker.findings == []
    assert state.changed(before, state.snapshot()) == []


@pytest.mark.sqlite
@pytest.mark.parametrize("kind", of_suite(("add", "view"), ("change",)))
def test_who_has_one_kind_of_right_sees_no_secret(
    kind: str, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody who may only add, or only view, everything there is."""
    caplog.set_level(logging.DEBUG)
    world.people[kind] = with_one_kind_of_right(kind)
    walker = walker_of(kind, world)
    before = state.snapshot()
    for visit in visits(addresses(), world):
        walker.go(visit)
    assert state.changed(before, state.snapshot()) == []
    for visit in visits(addresses(), world, "POST"):
        walker.go(visit)
    assert walker.findings == []
    assert state.kept(world.secrets, caplog.text) == []
