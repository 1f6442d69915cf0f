"""No query string tells a hidden value: the answer is 400, or the same whatever is hidden.

Two customers swap their values between two looks; their masks are the same before and after, so
that an answer that differs can only come from what is hidden.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from random import Random
from typing import Any, cast

import pytest
from _pytest.mark import ParameterSet
from django.apps import apps
from django.contrib.admin import AdminSite
from django.db import connection, models
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.masking import whole
from backoffice.masking.fields import masked_fields
from backoffice.site import seller_site, staff_site
from customers.models import Customer
from tests.walker.cast import WHOLE
from tests.walker.paths import FAR_LOOKUPS, LOOKUPS, masked_paths
from tests.walker.test_walk import walker_of
from tests.walker.walk import Answer, Walker, read
from tests.walker.world import PLACED, World

BAD_REQUEST, SERVER_ERROR = 400, 500
FIRST = {
    "name": "Quen Arlo",
    "email": "qab@hid.example",
    "phone": "+44 7700 900 131",
    "born": "1990-01-02",
    "address": "1 Quay Street, Reykjavik",
    "bank_account": "GB33QABK20201555917364",
}
SECOND = {
    "name": "Quil Azra",
    "email": "qzb@hid.example",
    "phone": "+44 7700 908 731",
    "born": "1997-08-09",
    "address": "9 Zoo Lane, Reykjavik",
    "bank_account": "GB33QZBK26608172507364",
}
ASKED = ("Quen Arlo", "Quf", "qab@hid.example", "qab", "+44 7700 900 131", "+44 7700 904", "131")
# Of each field a value, and what lies between the two: "greater" and "in range" would tell them
# apart. A digest is told apart by its first character.
TELLING = {
    "name": (FIRST["name"], "Quf"),
    "email": (FIRST["email"], "qm"),
    "phone": (FIRST["phone"], "+44 7700 904"),
    "born": (FIRST["born"], "1995-06-15"),
    "address": (FIRST["address"], "5"),
    "bank_account": (FIRST["bank_account"], "GB33QM"),
    "index": ("8", "c"),
}
# What may differ between two answers that say the same.
_NOISE = re.compile(
    r'name="csrfmiddlewaretoken" value="\w+"|nonce="[^"]*"|"csrf": ?"\w+"|data-csrf="\w+"'
)
MODEL_OF: dict[str, type[models.Model]] = {
    "customers": Customer,
    "orders": apps.get_model("orders.order"),
    "payments": apps.get_model("payments.payment"),
    "products": apps.get_model("sellers.product"),
    "refunds": apps.get_model("payments.refund"),
    "returns": apps.get_model("orders.return"),
    "sellers": apps.get_model("sellers.seller"),
}


def hide(customer: Customer, values: dict[str, str]) -> None:
    """Give the customer other values, and change nothing else."""
    Customer.objects.filter(pk=customer.pk).update(**values)


def test_both_lives_hide_every_masked_field() -> None:
    """A new masked field is noticed here, and asked for from then on."""
    assert set(FIRST) == set(SECOND) == {field.name for field in masked_fields(Customer)}


@pytest.fixture
def pair(world: World) -> tuple[Customer, Customer]:
    """Return two customers whose masks are the same, each with an order."""
    pair = tuple(Customer.objects.create(number=number, country="Iceland") for number in "12")
    for customer, values in zip(pair, (FIRST, SECOND), strict=True):
        hide(customer, values)
        apps.get_model("orders.order").objects.create(
            number=f"77{customer.number}", customer=customer, placed_at=PLACED
        )
    masks = Customer.objects.filter(pk__in=[one.pk for one in pair])
    assert len({tuple(str(getattr(one, name)) for name in FIRST) for one in masks}) == 1
    return pair[0], pair[1]


def lists(site: AdminSite) -> list[tuple[str, type[models.Model]]]:
    """Return (address, model) of the lists of a site."""
    return [
        (f"/{site.name}/{model._meta.app_label}/{model._meta.model_name}/", model)
        for model in site._registry
    ]


def on_both(model: type[models.Model], *values: object) -> ParameterSet:
    """Return parameters that run on both databases for who is hidden, else on SQLite alone."""
    near = WHOLE or model in {Customer, MODEL_OF["orders"]}
    return pytest.param(*values, marks=[] if near else [pytest.mark.sqlite])


def queries(model: type[models.Model], *, whole: bool = WHOLE) -> list[dict[str, str]]:
    """Return the query strings to ask a list of `model`.

    Unless the whole is wanted, each path over a relation is asked in one way, drawn by lot and
    always the same; together they are asked in every way there is. The fields of the model itself
    are asked in every way anyhow.
    """
    lot = Random(model._meta.label)
    found: list[dict[str, str]] = []
    for path in masked_paths(model):
        far = "__" in path
        lookups = [{path + end: _value(path, end)} for end in (FAR_LOOKUPS if far else LOOKUPS)]
        orders = [{"ordering": path}, {"ordering": f"-{path}"}]
        ways = [*lookups, *orders]
        found += [lot.choice(ways)] if far and not whole else ways
    for value in ASKED:
        words = [{"q": value}, {"search": value}]
        found += words if whole else [lot.choice(words)]
    for column in range(1, 9):
        columns = [{"o": str(column)}, {"o": f"-{column}"}]
        found += columns if whole else [lot.choice(columns)]
    return found


def _value(path: str, lookup: str) -> str:
    """Return what a lookup through `path` is asked with."""
    field = "index" if path.endswith("_index") else path.rpartition("__")[2]
    one, between = TELLING[field]
    if lookup in {"__in", "__range"}:
        return f"{one},{between}"
    if lookup == "__isnull":
        return "1"
    return between if lookup in {"__gt", "__lte"} else one


def told(client: Client, address: str, query: dict[str, str]) -> tuple[int, str, str]:
    """Return the answer without its noise."""
    answer: Answer = read(client.get(address, query))
    return answer.status, answer.headers.get("Location", ""), stripped(answer)


def stripped(answer: Answer) -> str:
    """Return the text of an answer, of a workbook its sheets, without what differs each time."""
    if not answer.content.startswith(b"PK"):
        return _NOISE.sub("", answer.text)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        names = [name for name in book.namelist() if name.startswith("xl/")]
        return "".join(book.read(name).decode(errors="replace") for name in names)


def differences(
    client: Client,
    address: str,
    model: type[models.Model],
    pair: tuple[Customer, Customer],
) -> list[str]:
    """Return the query strings whose answer depends on what is hidden, or is an error."""
    swap = swapping(pair)
    asked, before = list[dict[str, str]](), list[tuple[int, str, str]]()
    for query in queries(model):
        with reads_of_customers() as read_them:
            answer = told(client, address, query)
        # What never read a customer cannot tell one from another.
        if read_them or WHOLE or answer[0] >= SERVER_ERROR:
            asked.append(query)
            before.append(answer)
    swap()
    after = [told(client, address, query) for query in asked]
    return [
        f"{address}?{query}: {one[0]}, {two[0]}"
        for query, one, two in zip(asked, before, after, strict=True)
        if max(one[0], two[0]) >= SERVER_ERROR
        or (one != two and differs_again(client, address, query, swap))
    ]


@contextmanager
def reads_of_customers() -> Iterator[list[str]]:
    """Gather the statements of the block that name a table of customers."""
    found: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        if Customer._meta.db_table in sql:
            found.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found


def swapping(pair: tuple[Customer, Customer]) -> Callable[[], None]:
    """Return what gives each of the two the values of the other; they begin as the pair does."""
    values = [FIRST, SECOND]

    def swap() -> None:
        values.reverse()
        for customer, own in zip(pair, values, strict=True):
            hide(customer, own)

    return swap


def differs_again(
    client: Client, address: str, query: dict[str, str], swap: Callable[[], None]
) -> bool:
    """Ask twice more, right after one another: "a minute ago" may have become two before."""
    one = told(client, address, query)
    swap()
    return one != told(client, address, query)


def client_of(user: User) -> Client:
    """Return the browser of a signed-in person."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def test_sample_asks_in_every_way() -> None:
    """What the suite leaves out of one path, it asks of another."""
    every: list[type[models.Model]] = [Customer, *MODEL_OF.values()]
    asked = [query for model in every for query in queries(model, whole=False)]
    keys = {key for query in asked for key in query}
    paths = {path for model in every for path in masked_paths(model) if "__" in path}
    for ending in FAR_LOOKUPS:
        assert keys & {path + ending for path in paths}, ending
    orders = {query["ordering"] for query in asked if "ordering" in query}
    assert orders & paths
    assert orders & {f"-{path}" for path in paths}


@pytest.fixture
def root(db: None) -> User:
    """Return a person with every right there is, but that to another's reasons."""
    return User.objects.create_superuser("root", "root@example.com", "x")


@pytest.mark.parametrize(("address", "model"), [on_both(one[1], *one) for one in lists(staff_site)])
def test_list_of_staff_answers_the_same_whatever_is_hidden(
    address: str, model: type[models.Model], pair: tuple[Customer, Customer], root: User
) -> None:
    assert differences(client_of(root), address, model, pair) == []


@pytest.mark.parametrize(
    ("address", "model"), [on_both(one[1], *one) for one in lists(seller_site)]
)
def test_list_of_sellers_answers_the_same_whatever_is_hidden(
    address: str, model: type[models.Model], pair: tuple[Customer, Customer], world: World
) -> None:
    assert differences(client_of(world.people["sol"]), address, model, pair) == []


@pytest.mark.parametrize("name", [on_both(model, name) for name, model in MODEL_OF.items()])
def test_list_of_the_api_answers_the_same_whatever_is_hidden(
    name: str, pair: tuple[Customer, Customer], root: User, settings: Settings
) -> None:
    settings.BACKOFFICE_API_PER_MINUTE = settings.BACKOFFICE_API_ADDRESS_PER_MINUTE = 0  # no limit
    assert differences(client_of(root), f"/api/v1/{name}/", MODEL_OF[name], pair) == []


@pytest.mark.parametrize("name", ["ann", "kim"])
def test_filter_by_a_masked_field_is_a_bad_request(name: str, world: World) -> None:
    client = client_of(world.people[name])
    for query in ("email__startswith=q", "email=qab@hid.example", "phone__gt=1", "name__regex=^Q"):
        assert client.get(f"/admin/customers/customer/?{query}").status_code == BAD_REQUEST, query


def test_palette_finds_nothing_by_a_hidden_value(world: World) -> None:
    walker: Walker = walker_of("kim", world)
    for canary in world.secrets:
        answer = walker.client.post("/admin/find/", {"term": canary.value})
        assert answer.json() == {"results": []}, canary.label


class _Told:
    """A list that answers by what `says` returns; it stands for a client."""

    def __init__(self, says: Callable[[], object]) -> None:
        self._says = says

    def get(self, address: str, query: dict[str, str]) -> HttpResponse:
        assert Customer.objects.exists()  # only such a page is asked again
        return HttpResponse(str(self._says()))


def test_answer_that_depends_on_what_is_hidden_is_found(pair: tuple[Customer, Customer]) -> None:
    def says() -> bool:
        return Customer.objects.filter(pk=pair[0].pk, email=whole(FIRST["email"])).exists()

    found = differences(cast("Client", _Told(says)), "/", Customer, pair)
    assert len(found) == len(queries(Customer))


def test_answer_that_time_changes_is_no_finding(pair: tuple[Customer, Customer]) -> None:
    answers = chain(["a minute ago"] * 5, repeat("2 minutes ago"))
    assert differences(cast("Client", _Told(lambda: next(answers))), "/", Customer, pair) == []
