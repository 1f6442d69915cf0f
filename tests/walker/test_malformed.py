"""An address that makes no sense is answered, never with an error of ours."""

import pytest
from django.db import connection

from backoffice.site import seller_site, staff_site
from tests.walker.cast import WHOLE
from tests.walker.test_oracles import client_of, lists
from tests.walker.world import World

# What a database may choke on: asked on both.
ODD_TO_A_DATABASE = (
    {"id__range": "1"},
    {"id__range": "1,2"},
    {"id__regex": "("},
    {"id__in": "x"},
    {"id__gt": "99999999999999999999"},
    {"id": "\0"},
    {"id__contains": "\0"},
    {"p": "99999"},
    {"q": "\0"},
    {"q": "%' OR 1=1 --"},
    {"q": "x" * 5000},
)
# What is read before a database is asked.
ODD_TO_US = (
    {"id__isnull": "2"},
    {"id__nonsense": "1"},
    {"nonsense": "1"},
    {"p": "-1"},
    {"p": "x"},
    {"o": "99"},
    {"o": "x.y"},
    {"_to_field": "password"},
    {"_popup": "1"},
    {"found": "x"},
    {"all": "1"},
    {"e": "1"},
)
# What pages of ours read of their address.
PAGES = {
    "/admin/": ("until", "currency"),
    "/admin/activity/": ("person", "verb", "period", "kind", "number", "before"),
    "/admin/approvals/": ("tab",),
    "/admin/jobs/": ("state", "kind", "before", "p"),
    "/admin/sources/customer-orders/": ("page", "sort", "id", "country"),
}
SERVER_ERROR = 500


@pytest.mark.parametrize(
    ("address", "name"),
    [
        *((address, "kim") for address, _model in lists(staff_site)),
        *((address, "sol") for address, _model in lists(seller_site)),
    ],
)
def test_odd_query_of_a_list_is_answered(address: str, name: str, world: World) -> None:
    client = client_of(world.people[name])
    broken = []
    alone = WHOLE or connection.vendor == "sqlite"
    for query in (*ODD_TO_A_DATABASE, *(ODD_TO_US if alone else ())):
        status = client.get(address, query).status_code
        if status >= SERVER_ERROR:
            broken.append(f"{address}?{query}: {status}")
    assert broken == []


@pytest.mark.parametrize(("address", "names"), PAGES.items())
def test_odd_query_of_a_page_is_answered(
    address: str, names: tuple[str, ...], world: World
) -> None:
    client = client_of(world.people["kim"])
    odd = ("\0", "x", "-1", "99999999999999999999", "2011-13", "%")
    broken = [
        f"{address}?{name}={value!r}"
        for name in names
        for value in odd
        if client.get(address, {name: value}).status_code >= SERVER_ERROR
    ]
    assert broken == []


@pytest.mark.parametrize("key", ["0", "x", "99999999999999999999", "1\0", "-1", "_5F"])
def test_odd_key_of_a_record_is_answered(key: str, world: World) -> None:
    broken = []
    for site, name in ((staff_site, "kim"), (seller_site, "sol")):
        client = client_of(world.people[name])
        for address, _model in lists(site):
            status = client.get(f"{address}{key}/change/").status_code
            if status >= SERVER_ERROR:
                broken.append(f"{address}{key}/change/: {status}")
    assert broken == []
