"""A plain column becomes a masked one, and plain again: no row is lost, no byte differs."""

import datetime as dt
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState
from pytest_django import DjangoDbBlocker, Settings

from backoffice.masking.fields import MaskedCharField, MaskedDateField, MaskedTextField
from backoffice.masking.indexes import BlindIndexField, digest
from backoffice.masking.operations import FillIndexes, FillMasked
from backoffice.masking.values import Sealed, unseal

APP, ROWS = "masking_plain", 2000
TABLES = {"patient": "id", "historicalpatient": "history_id"}
KEYS = [("old", "o" * 40)]


class Before(migrations.Migration):
    operations = [
        migrations.CreateModel(
            name,
            [
                (key, models.BigAutoField(primary_key=True)),
                ("phone", models.CharField(max_length=40, blank=True, db_index=name != "patient")),
                ("iban", models.CharField(max_length=40, blank=True)),
                ("notes", models.TextField(blank=True)),
                ("born", models.DateField(null=True)),
                ("joined", models.DateField(null=True)),
            ],
        )
        for name, key in TABLES.items()
    ]


class Mask(migrations.Migration):
    operations = [
        operation
        for name in TABLES
        for operation in (
            migrations.AlterField(name, "phone", MaskedCharField(max_length=40, blank=True)),
            migrations.AddField(name, "phone_index", BlindIndexField(source="phone", kind="phone")),
            migrations.AlterField(
                name,
                "iban",
                MaskedCharField(
                    max_length=40, blank=True, encrypted=True, binding=f"{APP}.patient.iban"
                ),
            ),
            migrations.AddField(
                name, "iban_index", BlindIndexField(source="iban", kind="bank_account")
            ),
            migrations.AlterField(
                name,
                "notes",
                MaskedTextField(blank=True, encrypted=True, binding=f"{APP}.patient.notes"),
            ),
            migrations.AlterField(
                name,
                "born",
                MaskedDateField(null=True, encrypted=True, binding=f"{APP}.patient.born"),
            ),
            migrations.AlterField(name, "joined", MaskedDateField(null=True)),
            migrations.AddField(
                name, "joined_index", BlindIndexField(source="joined", kind="date")
            ),
        )
    ]


class Fill(migrations.Migration):
    atomic = False
    operations = [
        FillMasked(name, "phone", "iban", "notes", "born", "joined", batch=300) for name in TABLES
    ]


STEPS = [Before("0001", APP), Mask("0002", APP), Fill("0003", APP)]


def states() -> list[ProjectState]:
    """Return the state before each step, and after the last."""
    found = [ProjectState()]
    for step in STEPS:
        found.append(step.mutate_state(found[-1]))
    return found


def apply(number: int) -> None:
    step = STEPS[number]
    with connection.schema_editor(atomic=step.atomic) as editor:
        step.apply(states()[number], editor)


def unapply(number: int) -> None:
    step = STEPS[number]
    with connection.schema_editor(atomic=step.atomic) as editor:
        step.unapply(states()[number], editor)


def rows(name: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT phone, iban, notes, born, joined, {TABLES[name]} FROM {APP}_{name} "  # noqa: S608
            f"ORDER BY {TABLES[name]}"
        )
        return list(cursor.fetchall())


def everything() -> dict[str, list[tuple[Any, ...]]]:
    return {name: rows(name) for name in TABLES}


def fill() -> None:
    apps = states()[1].apps
    for name in TABLES:
        model = apps.get_model(APP, name)
        model.objects.bulk_create(
            model(
                phone="" if number % 7 == 0 else f"+82 10 {number:08}",
                iban="" if number % 5 == 0 else f"de00 {number:08}",
                notes=f"• note {number}\n" * (number % 3),
                born=None if number % 11 == 0 else dt.date(1950, 1, 1) + dt.timedelta(number),
                joined=None if number % 13 == 0 else dt.date(2020, 1, 1) + dt.timedelta(number),
            )
            for number in range(ROWS if name == "patient" else 400)
        )


@pytest.fixture
def before(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, settings: Settings
) -> Iterator[dict[str, list[tuple[Any, ...]]]]:
    """The plain tables with their rows; a schema cannot change inside a test's transaction."""
    settings.BACKOFFICE_KEYS = KEYS
    with django_db_blocker.unblock():
        apply(0)
        try:
            fill()
            yield everything()
        finally:
            with connection.cursor() as cursor:
                for name in TABLES:
                    cursor.execute(f"DROP TABLE {APP}_{name}")


def _clear(value: object) -> object:
    return unseal(value) if isinstance(value, Sealed) else value


def test_plain_columns_become_masked_and_plain_again(
    before: dict[str, list[tuple[Any, ...]]],
) -> None:
    apply(1)
    apply(2)
    for name, old in before.items():
        model = states()[3].apps.get_model(APP, name)
        found = list(model.objects.order_by("pk"))
        columns = ("phone", "iban", "notes", "born", "joined")
        assert [tuple(_clear(getattr(row, one)) for one in columns) for row in found] == [
            row[:5] for row in old
        ]
        assert {row[1][:3] for row in rows(name)} == {"", "v1."}
        for row in found[:30]:
            index = model._meta.get_field("iban_index")
            assert _stored(name, row.pk) == index.digest_of(row.iban)
    unapply(2)
    unapply(1)
    assert everything() == before


def _stored(name: str, key: int) -> object:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT iban_index FROM {APP}_{name} WHERE {TABLES[name]} = %s",  # noqa: S608
            [key],
        )
        return cursor.fetchone()[0]


def test_filling_that_was_stopped_is_ended_by_the_next_run(
    before: dict[str, list[tuple[Any, ...]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from backoffice.masking import operations  # noqa: PLC0415 - patched below

    apply(1)
    write = operations._write
    written: list[None] = []

    def die(*args: Any) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(write(*args))

    monkeypatch.setattr(operations, "_write", die)
    with pytest.raises(KeyboardInterrupt):
        apply(2)
    monkeypatch.setattr(operations, "_write", write)
    sealed = [row[1] for row in rows("patient")]
    assert sum(one.startswith("v1.") for one in sealed) == 720
    apply(2)
    after = [row[1] for row in rows("patient")]
    assert (after[:900], len(after)) == (sealed[:900], ROWS)
    apply(2)
    assert [row[1] for row in rows("patient")] == after
    unapply(2)
    unapply(1)
    assert everything() == before


def test_value_that_no_key_opens_is_not_made_plain(
    before: dict[str, list[tuple[Any, ...]]], settings: Settings
) -> None:
    apply(1)
    apply(2)
    sealed = everything()
    settings.BACKOFFICE_KEYS = [("new", "n" * 40)]
    with pytest.raises(ValueError, match="no key opens"):
        unapply(2)
    assert everything() == sealed


def test_operation_is_written_as_it_was_made() -> None:
    operation = FillMasked("patient", "phone", batch=5)
    assert operation.deconstruct() == ("FillMasked", ["patient", "phone"], {"batch": 5})
    assert operation.migration_name_fragment == "fill_masked_patient"


class ByCase(migrations.Migration):
    """The account numbers are compared as names from now on: another index, no other column."""

    atomic = False
    operations = [
        FillIndexes("patient", "iban", batch=300),
        migrations.AlterField("patient", "iban_index", BlindIndexField(source="iban", kind="name")),
        FillIndexes("patient", "iban", batch=300),
    ]


@pytest.mark.usefixtures("before")
def test_indexes_are_those_of_the_fields_forwards_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.masking.test_operations.STEPS", [*STEPS, ByCase("0004", APP)])
    for number in (1, 2):
        apply(number)
    before = whole_table()
    apply(3)
    after = whole_table()
    kept = [name for name in before[0] if name != "iban_index"]
    assert [[row[one] for one in kept] for row in after] == [
        [row[one] for one in kept] for row in before
    ]
    for row in states()[4].apps.get_model(APP, "patient").objects.order_by("pk")[:30]:
        assert _stored("patient", row.pk) == (digest("name", row.iban) if row.iban else "")
    unapply(3)
    assert whole_table() == before
    unapply(2)
    unapply(1)


def whole_table() -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {APP}_patient ORDER BY id")  # noqa: S608
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_index_of_what_no_key_opens_stays(
    before: dict[str, list[tuple[Any, ...]]], settings: Settings
) -> None:
    apply(1)
    apply(2)
    sealed = whole_table()
    settings.BACKOFFICE_KEYS = [("new", "n" * 40)]
    step = FillIndexes("patient", "iban")
    for way in (step.database_forwards, step.database_backwards):
        way(APP, SimpleNamespace(connection=connection), states()[3], states()[3])
    assert whole_table() == sealed
    assert step.migration_name_fragment == "fill_indexes_patient"
    settings.BACKOFFICE_KEYS = KEYS
    unapply(2)
    unapply(1)
    assert everything() == before
