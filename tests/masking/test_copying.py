"""COPY and SQL written by hand go past the fields: refused, done right, or found and mended."""

from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, NotSupportedError, connection, transaction
from django.db.models import Value
from django.db.models.functions import Upper
from psycopg import sql
from pytest_django import Settings

from backoffice.audit import history
from backoffice.audit.history import UnrecordedWriteError
from backoffice.masking import copying, rotation, whole
from backoffice.masking.copying import copy_in, require_plain
from backoffice.masking.values import MaskedQueryError, MaskWriteError, unseal
from tests.masking.models import Account, Letter, Login, Person

PERSON = "masking_tests_person"
COLUMNS = "(name, email, phone, notes, city)"
ROW = ("Ann", "ann@b.example", "+82 10 5550 0199", "", "Lyon")

pytestmark = [pytest.mark.usefixtures("tables"), pytest.mark.django_db]
postgres = pytest.mark.postgres


@pytest.fixture(autouse=True)
def only_these(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "_models", lambda: [Person, Account, Account.history.model])


def stored(table: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608 - our own
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _by_copy(statement: Any) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write_row(ROW)


def _by_its_own_cursor(statement: Any) -> None:
    with connection.connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write_row(ROW)


def _by_execute(statement: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


TEXTS = [
    f"COPY {PERSON} {COLUMNS} FROM STDIN",
    f"copy public.{PERSON.upper()}(name)\nfrom stdin",
    f'COPY "{PERSON}" {COLUMNS} FROM STDIN (FORMAT text)',
    f"-- all of them\n /* FROM a file */ COPY {PERSON} FROM STDIN",
    f"COPY {PERSON} FROM PROGRAM 'cat /tmp/people'",
]


@pytest.mark.parametrize("text", TEXTS)
def test_text_of_a_copy_past_the_fields_is_known(text: str) -> None:
    with pytest.raises(MaskedQueryError, match=rf"COPY writes {PERSON} past"):
        require_plain(text)
    shorter, longer = text.lower().replace("erson", ""), text.lower().replace("erson", "ersons")
    for other in (f"SELECT '{text}'", shorter, longer):
        require_plain(other)


@postgres
@pytest.mark.parametrize(
    "statement",
    [
        *TEXTS,
        TEXTS[0].encode(),
        sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(PERSON)),
    ],
)
@pytest.mark.parametrize("way", [_by_copy, _by_its_own_cursor, _by_execute])
def test_copy_past_the_fields_is_refused(statement: Any, way: Callable[[Any], None]) -> None:
    with pytest.raises(MaskedQueryError, match=rf"COPY writes {PERSON} past"):
        way(statement)
    assert not Person.objects.exists()


@postgres
def test_what_writes_no_masked_column_is_copied() -> None:
    person = Person.objects.create(name="Ann")
    table = Letter._meta.db_table
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {table} (person_id, text) FROM STDIN") as copy:
            copy.write_row((person.pk, f"copy {PERSON} from stdin"))
        with cursor.copy(f"COPY (SELECT id FROM {PERSON}) TO STDOUT") as copy:  # noqa: S608
            assert [bytes(one) for one in copy] == [f"{person.pk}\n".encode()]
        cursor.execute(f"SELECT 'COPY x FROM {PERSON}'")  # noqa: S608
    assert Letter.objects.get().person == person


@postgres
def test_copy_in_writes_what_saving_does(monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, Any] = {
        "name": "Ann",
        "email": "Ann@b.example",
        "phone": "+82 10 5550 0199",
        "born": None,
    }
    made = Person.objects.create(**values, notes="• one")
    blank = Person.objects.create()

    def rows() -> Iterator[Person]:
        yield Person(**values, notes="• one")
        yield Person()
        yield Person.objects.get(pk=made.pk)  # a copy of one that was read, under a key of its own

    wanted = [{**row, "id": 0} for row in stored(PERSON)]
    Person.objects.filter(pk=blank.pk).delete()
    monkeypatch.setattr(copying, "BATCH", 2)
    assert copy_in(Person, map(_without_key, rows())) == 3
    found = [{**row, "id": 0} for row in stored(PERSON)][1:]
    assert found == [*wanted, wanted[0]]
    assert Person.objects.filter(email=whole("ann@B.example")).count() == 3
    assert copy_in(Person, []) == 0


def _without_key(row: Person) -> Person:
    row.pk = None
    return row


@postgres
def test_copy_in_seals_encrypted_columns_and_keeps_given_keys() -> None:
    given = [Account(pk=number, iban=f"DE00 {number}", born="1990-05-01") for number in (7, 9)]
    with history.recorded():
        assert copy_in(Account, given) == 2
        history.write(Account, [7, 9], "+", actor=None, reason="came over")
    rows = stored("masking_tests_account")
    assert [row["id"] for row in rows] == [7, 9]
    assert all(row[name].startswith("v1.") for row in rows for name in ("iban", "born"))
    assert unseal(Account.objects.get(iban=whole("DE00 9")).iban) == "DE00 9"
    assert Account.history.filter(iban=whole("DE00 7")).count() == 1


@postgres
def test_copy_in_refuses_what_saving_refuses(settings: Settings) -> None:
    with pytest.raises(MaskWriteError):
        copy_in(Person, [Person(name="A••••• B•••••")])
    with pytest.raises(TypeError, match="no expressions"):
        copy_in(Person, [Person(city=Upper(Value("lyon")))])
    with pytest.raises(UnrecordedWriteError, match="has a history"):
        copy_in(Account, [Account(iban="DE00")])
    Login.objects.create(email="ann@b.example")
    with pytest.raises(IntegrityError), transaction.atomic():
        copy_in(Login, [Login(email="Ann@b.example")])
    settings.BACKOFFICE_MASKING_INDEX_KEYS = [("new", "n" * 40), ("old", "o" * 40)]
    with pytest.raises(NotSupportedError, match="two keys"):
        copy_in(Login, [Login(email="Ann@b.example")])
    assert (Person.objects.count(), Account.objects.count(), Login.objects.count()) == (0, 0, 1)


@pytest.mark.sqlite
def test_other_databases_have_no_copy() -> None:
    with pytest.raises(NotSupportedError, match="bulk_create"):
        copy_in(Person, [Person()])


def _copied() -> None:
    """Write by a cursor of psycopg's own, as psql does: no guard of ours is asked."""
    statement = f"COPY {PERSON} {COLUMNS} FROM STDIN"
    with psycopg.Cursor(connection.connection) as cursor, cursor.copy(statement) as copy:
        copy.write_row(ROW)


def _inserted() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {PERSON} {COLUMNS} VALUES (%s, %s, %s, %s, %s)", ROW)  # noqa: S608


def _updated() -> None:
    Person.objects.create(email="old@b.example", phone="+82 10 5550 0000")
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {PERSON} SET email = %s, phone = %s", ROW[1:3])  # noqa: S608


@pytest.mark.parametrize("write", [pytest.param(_copied, marks=postgres), _inserted, _updated])
def test_rows_written_past_the_fields_are_told_and_mended(write: Callable[[], None]) -> None:
    write()
    assert not Person.objects.filter(email=whole(ROW[1])).exists()
    with pytest.raises(CommandError, match=r"1 of masking_tests.Person.phone have a stale index"):
        call_command("masking", "check", stdout=StringIO())
    call_command("masking", "rotate", stdout=StringIO())
    assert Person.objects.filter(email=whole(ROW[1]), phone=whole(ROW[2])).count() == 1
    assert not Person.objects.filter(email=whole("old@b.example")).exists()


def test_index_that_outlived_its_value_is_told_and_emptied() -> None:
    person = Person.objects.create(email="ann@b.example", born="1990-05-01")
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {PERSON} SET email = '', born = NULL")  # noqa: S608 - our own
    assert Person.objects.filter(email=whole("ann@b.example")).exists()
    states = {state.name: state.index["stale"] for state in rotation.check() if state.index}
    assert states == {"masking_tests.Person.email": 1, "masking_tests.Person.born": 1}
    with pytest.raises(CommandError, match=r"Person.born have a stale index"):
        call_command("masking", "check", stdout=StringIO())
    assert rotation.rotate()["masking_tests.Person"] == 1
    (row,) = stored(PERSON)
    assert (row["id"], row["email_index"], row["born_index"]) == (person.pk, "", None)


def test_clear_text_in_an_encrypted_column_is_told() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO masking_tests_account (iban, email, notes, city) VALUES (%s, '', '', '')",
            ["DE00 1"],
        )
    with pytest.raises(CommandError, match=r"1 of masking_tests.Account.iban open with no key"):
        call_command("masking", "check", stdout=StringIO())
