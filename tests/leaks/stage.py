"""Who asks and about whom: one stage for a module of tests, each test on a savepoint of its own."""

import re
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Model
from django.test import Client

from backoffice.accounts.models import User
from backoffice.audit.services import save_with_history
from customers.models import Customer
from orders.models import Order
from tests.canaries import CUSTOMER, leaks
from tests.people import everybody, make_person
from tests.walker.walk import Answer, read
from tests.walker.world import PLACED, World, build

# Two people whose masks are the same: an answer that differs can only come from what is hidden.
FIRST = {"name": "Quen Arlo", "email": "qab@hid.example", "phone": "+44 7700 900 131"}
SECOND = {"name": "Quil Azra", "email": "qzb@hid.example", "phone": "+44 7700 908 731"}
OK, BAD_REQUEST, FORBIDDEN, NOT_FOUND = 200, 400, 403, 404
_NOISE = re.compile(r'name="csrfmiddlewaretoken" value="\w+"|nonce="[^"]*"|data-csrf="\w+"')


def make_vic() -> User:
    """Return a person who may view, add, change, delete and export everything, reveal nothing."""
    vic = make_person("vic")
    rights = Permission.objects.exclude(codename__startswith="reveal_")
    vic.user_permissions.set(rights.exclude(codename__contains="clear"))
    return User.objects.get(pk=vic.pk)


@dataclass
class Stage:
    """The world, vic who may all but reveal, and two customers who differ in hidden values only."""

    world: World
    vic: User
    root: User
    twins: tuple[Customer, Customer]
    clients: dict[int, Client] = field(default_factory=dict)

    @property
    def customer(self) -> Customer:
        """The customer of the canaries."""
        return self.world.customer

    @property
    def order(self) -> Model:
        """An order of theirs."""
        return self.world.of_sol["order"]

    def client(self, person: User | None = None) -> Client:
        """Return the browser of a person (vic, if none is named), one for each test."""
        person = person or self.vic
        if person.pk not in self.clients:
            self.clients[person.pk] = Client(raise_request_exception=False)
            self.clients[person.pk].force_login(person)
        return self.clients[person.pk]

    def ask(self, url: str, person: User | None = None, **more: Any) -> Answer:
        """GET it and see that nothing leaks."""
        answer = read(self.client(person).get(url, **more))
        self.tells_nothing(answer)
        return answer

    def send(self, url: str, data: Any = None, person: User | None = None, **more: Any) -> Answer:
        """POST it, go where that leads, and see that nothing leaks on the way."""
        answer = read(self.client(person).post(url, data or {}, follow=True, **more))
        self.tells_nothing(answer)
        return answer

    def tells_nothing(self, answer: Answer | str | bytes) -> None:
        """Raise AssertionError for a canary in body or head, or for an error of ours."""
        if isinstance(answer, Answer):
            assert answer.status < 500
            found = leaks(str(answer.headers), self.world.secrets, "the head")
            answer = answer.content
        else:
            found = []
        found += leaks(answer, self.world.secrets)
        assert found == [], found

    def refuses(self, url: str, person: User | None = None) -> None:
        """See that it is a bad request, which tells nothing."""
        assert self.ask(url, person).status == BAD_REQUEST, url

    def indifferent(self, *urls: str, person: User | None = None, **more: Any) -> None:
        """See that the twins may swap what is hidden and no answer changes."""
        client = self.client(person)
        before = [_told(client, url, more) for url in urls]
        for customer, values in zip(self.twins, (SECOND, FIRST), strict=True):
            hide(customer, values)
        after = [_told(client, url, more) for url in urls]
        assert all(status < 500 for status, _text in (*before, *after))
        assert before == after

    def raw(self, *without: str) -> list[dict[str, Any]]:
        """Return the rows of customers as the database holds them, but for some columns."""
        return raw(Customer, *without)


def _told(client: Client, url: str, more: Any) -> tuple[int, str]:
    answer = read(client.get(url, **more))
    return answer.status, _NOISE.sub("", answer.text)


def hide(customer: Customer, values: dict[str, str]) -> None:
    """Give the customer other values, and change nothing else."""
    Customer.objects.filter(pk=customer.pk).update(**values)


def raw(model: type[Model], *without: str) -> list[dict[str, Any]]:
    """Return the rows of a model by cursor, past every field of ours: column -> value."""
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY 1")  # noqa: S608 - a name of ours
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return [{name: row[name] for name in names if name not in without} for row in rows]


def make_stage() -> Stage:
    """Return the stage; call it inside a transaction that is undone."""
    world = build(everybody())
    twins = []
    for number, values in (("901", FIRST), ("902", SECOND)):
        twin = Customer(number=number, country="Iceland", **values)
        save_with_history(twin, actor=world.people["kim"])
        Order.objects.create(number=f"77{number}", customer=twin, placed_at=PLACED)
        twins.append(Customer.objects.get(pk=twin.pk))
    root = User.objects.create_superuser("root", "root@example.com", "x")
    return Stage(world, make_vic(), root, (twins[0], twins[1]))


NAME, EMAIL, PHONE = (canary.value for canary in CUSTOMER)
