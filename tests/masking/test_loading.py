"""The quick way of rows into memory does what Django's own does, and steps aside where it must."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.db.models.signals import post_init

from backoffice.masking import loading
from backoffice.masking.values import Sealed, unseal
from customers.models import Customer
from tests.masking.conftest import EMAIL, leaks
from tests.masking.models import Person

SLOW = Model.from_db.__func__  # type: ignore[attr-defined]


def both_ways() -> tuple[Person, Person]:
    """Return the one row, read the quick way and Django's."""
    names = [field.attname for field in Person._meta.concrete_fields]
    quick = Person.objects.get()
    values = [quick.__dict__[name] for name in names]
    return quick, SLOW(Person, "default", names, values)


def test_quick_row_is_the_same(person: Person) -> None:
    quick, slow = both_ways()
    assert list(quick.__dict__) == list(slow.__dict__)
    assert {**quick.__dict__, "_state": 0} == {**slow.__dict__, "_state": 0}
    states = [(row._state.adding, row._state.db) for row in (quick, slow)]
    assert states == [(False, "default")] * 2
    quick.city = "Lyon"
    quick.save()
    assert unseal(Person.objects.get(city="Lyon").email) == EMAIL


def test_way_of_the_project_is_quick(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []

    def slow(*args: object, **more: object) -> None:
        used.append("slow")

    monkeypatch.setattr(loading, "_slow", slow)
    list(Person.objects.all())
    list(Customer.objects.all())
    assert used == []
    list(Person.objects.only("email"))
    assert used == ["slow"]


def test_clear_value_is_never_put_in_as_it_is(person: Person) -> None:
    names = [field.attname for field in Person._meta.concrete_fields]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(names)} FROM masking_tests_person")  # noqa: S608 - ours
        row = Person.from_db("default", names, cursor.fetchone())
    assert isinstance(row.email, Sealed)
    assert leaks(vars(row)) == []


def test_who_listens_is_told(person: Person) -> None:
    heard: list[Any] = []

    def hear(instance: Person, **kwargs: Any) -> None:
        heard.append(instance.pk)

    post_init.connect(hear, sender=Person)
    try:
        list(Person.objects.all())
    finally:
        post_init.disconnect(hear, sender=Person)
    assert heard == [person.pk]
