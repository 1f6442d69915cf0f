"""What the migrations of customers do with rows that are there already."""

import datetime as dt
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.masking import rotation, whole
from backoffice.masking.operations import FillIndexes
from backoffice.masking.values import unseal
from customers.models import Customer
from customers.services import edit_customer

TABLES = ("customers_customer", "customers_historicalcustomer")
NUMBERS = ("+82 10-1234-5678", "010 1234 5678", "0044 20 7946 0018", "no number", "", "  ")
ROWS = 25

type Rows = dict[str, list[dict[str, Any]]]


def state_at(name: str) -> Any:
    """Return the state of the project where customers stand at `name`."""
    return MigrationExecutor(connection).loader.project_state(("customers", name))


class PhoneNumbers:
    """The migration of phone numbers by itself, there and back.

    It changes no column, so nothing that came after it has to go back first: other apps' tables
    stay, and the test's transaction takes everything back.
    """

    def __init__(self) -> None:
        loader = MigrationExecutor(connection).loader
        self._step = loader.get_migration("customers", "0008_phone_numbers")
        self._editor: Any = SimpleNamespace(
            connection=connection, collect_sql=False, atomic_migration=False
        )

    def apply(self) -> None:
        """Go forwards."""
        self._step.apply(state_at("0007_bank_account_newest"), self._editor)

    def unapply(self) -> None:
        """Go back."""
        self._step.unapply(state_at("0007_bank_account_newest"), self._editor)


def raw() -> Rows:
    """Return every column of every row as the database has it."""
    found: Rows = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT * FROM {table} ORDER BY number")  # noqa: S608 - our own
            names = [column[0] for column in cursor.description]
            found[table] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return found


def without(rows: Rows, *names: str) -> Rows:
    return {
        table: [{name: row[name] for name in row if name not in names} for row in each]
        for table, each in rows.items()
    }


def fill(apps: Any) -> None:
    """Put the same rows into the table and its history, as the code of that time wrote them."""
    for name in ("Customer", "HistoricalCustomer"):
        rows = [_values(number) for number in range(ROWS)]
        model = apps.get_model("customers", name)
        if name == "HistoricalCustomer":
            now = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
            more = {"history_date": now, "history_type": "+", "created_at": now, "updated_at": now}
            rows = [row | more | {"id": number} for number, row in enumerate(rows, start=1)]
        model.objects.bulk_create(model(**row) for row in rows)


def _values(number: int) -> dict[str, Any]:
    phone = NUMBERS[number % len(NUMBERS)]
    return {
        "number": f"{number:03}",
        "name": f"Anna Almeida {number}",
        "phone": f"{phone}{number:02}" if phone.startswith("00") else phone,
        "address": f"Rua {number}, Lisboa",
        "born": dt.date(1990, 1, 1) + dt.timedelta(number),
        "bank_account": f"DE00 {number}",
        "country": "Portugal",
    }


def steps(name: str) -> list[FillIndexes]:
    """Return what a migration does to the rows."""
    every = import_module(f"customers.migrations.{name}").Migration.operations
    return [step for step in every if isinstance(step, FillIndexes)]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the migrations take a few rows at a time."""
    for step in steps("0004_fill_name_index") + steps("0008_phone_numbers"):
        monkeypatch.setattr(step, "batch", 7)


def found(phone: str) -> list[str]:
    rows = Customer.objects.filter(phone=whole(phone)).order_by("number")
    past = Customer.history.filter(phone=whole(phone)).order_by("number")
    numbers = list(rows.values_list("number", flat=True))
    assert list(past.values_list("number", flat=True)) == numbers
    return numbers


@pytest.mark.django_db
def test_phone_numbers_of_before_are_kept_and_found(few: None, settings: Settings) -> None:
    settings.BACKOFFICE_PHONE_COUNTRY = "82"
    fill(state_at("0007_bank_account_newest").apps)
    before, migration = raw(), PhoneNumbers()
    migration.apply()
    after = raw()
    assert without(after, "phone_index") == without(before, "phone_index")
    assert after != before
    assert [unseal(row.phone) for row in Customer.objects.filter(number__in=["000", "003"])] == [
        NUMBERS[0],
        NUMBERS[3],
    ]
    assert found("+821012345678") == [f"{n:03}" for n in range(ROWS) if n % len(NUMBERS) < 2]
    assert found("no number") == ["003", "009", "015", "021"]
    assert [state.problems for state in rotation.check() if state.problems] == []
    migration.unapply()
    assert raw() == before


@pytest.mark.django_db
def test_names_of_before_get_their_index(few: None) -> None:
    name = "0004_fill_name_index"
    state = state_at(name)
    fill(MigrationExecutor(connection).loader.project_state().apps)
    before = raw()
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"UPDATE {table} SET name_index = NULL")  # noqa: S608 - our own
    editor = SimpleNamespace(connection=connection)
    for step in steps(name):
        step.database_forwards("customers", editor, state, state)
    assert raw() == before
    assert all(row["name_index"] for rows in before.values() for row in rows)


def test_row_with_what_is_no_number_is_changed_elsewhere(kim: User) -> None:
    """A number from before the check keeps nobody from correcting the rest."""
    customer = Customer.objects.create(number="1", name="Anna", phone="ask at the desk")
    customer = Customer.objects.get(pk=customer.pk)
    edit_customer(customer, changes={"name": "Anna Costa"}, actor=kim, reason="Married")
    row = Customer.objects.get(pk=customer.pk)
    assert (unseal(row.name), unseal(row.phone)) == ("Anna Costa", "ask at the desk")


@pytest.mark.django_db
def test_numbers_are_found_after_the_country_of_the_settings_changed(settings: Settings) -> None:
    customer = Customer.objects.create(number="1", phone="010-1234-5678")
    settings.BACKOFFICE_PHONE_COUNTRY = "82"
    abroad = whole("+82 10 1234 5678")
    assert not Customer.objects.filter(phone=abroad).exists()
    assert sum(state.index["stale"] for state in rotation.check()) == 2  # its history too
    rotation.rotate()
    assert Customer.objects.get(phone=abroad) == customer
    assert Customer.history.filter(phone=abroad).count() == 1
