"""A list costs as many queries for many rows as for few."""

from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from backoffice.site import seller_site, staff_site
from tests.canaries import Canary
from tests.people import make_person, make_shop
from tests.walker.test_oracles import MODEL_OF, client_of, lists
from tests.walker.world import World, make_trade

OK = 200
TRADES = 3


def grow(world: World) -> None:
    """Add rows of every kind: more shops, with orders, payments and returns."""
    for number in range(TRADES):
        person = make_person(f"tia{number}", "seller", staff=False)
        make_shop(person, f"tia-shop-{number}")
        names = (f"Cup {number}", f"TIA-{number}", f"TIA-6600-{number}")
        make_trade(person, tuple(Canary(name, name) for name in names), world.customer)
    for index, row in enumerate(("product", "order")):  # and more of sol's own
        twin = type(world.of_sol[row])._default_manager.get(pk=world.of_sol[row].pk)
        for number in range(TRADES):
            _twin(twin, f"99{index}{number}")


def _twin(row: models.Model, name: str) -> None:
    """Save a copy of a row under another public name."""
    row.pk = None
    row._state.adding = True
    field = "number" if hasattr(row, "number") else "code"
    setattr(row, field, name)
    row.save()


def queries(name: str, address: str, world: World) -> int:
    """Return how many queries the list takes this person's second visit."""
    client = client_of(world.people[name])
    assert client.get(address).status_code == OK
    with CaptureQueriesContext(connection) as captured:
        client.get(address)
    return len(captured)


PAGES = {
    "kim": (
        *(address for address, _model in lists(staff_site)),
        *(f"/api/v1/{name}/" for name in MODEL_OF),
        "/admin/",
        "/admin/activity/",
    ),
    "max": ("/admin/approvals/",),
    "oli": ("/admin/jobs/", "/admin/imports/"),
    "sol": (*(address for address, _model in lists(seller_site)), "/seller/"),
}


def test_no_list_takes_a_query_a_row(world: World) -> None:
    pages = [(name, address) for name, addresses in PAGES.items() for address in addresses]
    before = {page: queries(*page, world) for page in pages}
    grow(world)
    after = {page: queries(*page, world) for page in pages}
    assert [
        f"{page}: {before[page]}, {after[page]}" for page in pages if after[page] > before[page]
    ] == []
