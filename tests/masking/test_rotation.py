"""Changing the keys of masked fields: rows move to the newest, found and single all the while."""

import datetime as dt
from collections import Counter
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from pytest_django import Settings

from backoffice import keyring
from backoffice.accounts import sealed
from backoffice.audit import history
from backoffice.audit.models import Event
from backoffice.masking import rotation, whole
from backoffice.masking.indexes import digest
from backoffice.masking.values import unseal
from tests.masking.models import Account, Login, Person

pytestmark = pytest.mark.usefixtures("tables", "db")
OLD, NEW = ("old", "o" * 40), ("new", "n" * 40)
HISTORY = Account.history.model
MODELS = [Account, HISTORY, Login, Person]


@pytest.fixture(autouse=True)
def keys(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BACKOFFICE_KEYS = [OLD]
    settings.BACKOFFICE_MASKING_INDEX_KEYS = [OLD]
    monkeypatch.setattr(rotation, "_models", lambda: MODELS)


def both(settings: Settings) -> None:
    settings.BACKOFFICE_KEYS = [NEW, OLD]
    settings.BACKOFFICE_MASKING_INDEX_KEYS = [NEW, OLD]


def rows() -> list[tuple[object, ...]]:
    """Return every column of every table as the database has it."""
    found: list[tuple[object, ...]] = []
    with connection.cursor() as cursor:
        for model in MODELS:
            cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY 1")  # noqa: S608
            found += cursor.fetchall()
    return found


@pytest.fixture
def filled(settings: Settings, tables: None, db: None) -> None:
    """Seven accounts with a history of eight rows, two people and a login, by the older keys."""
    for number in range(7):
        Account.objects.create(iban=f"DE00 {number}", email=f"a{number}@b.example", born="1990-5-1")
    Account.objects.create()
    row = Account.objects.get(iban=whole("DE00 3"))
    row.city = "Lyon"
    row.save()
    Person.objects.create(email="ann@b.example", born=dt.date(1990, 1, 2))
    Person.objects.create()
    Login.objects.create(email="ann@b.example", code="1-2-3")
    both(settings)


def command(verb: str, *options: str) -> str:
    out = StringIO()
    call_command("masking", verb, *options, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("filled")
def test_check_counts_what_older_keys_made() -> None:
    states = {state.name: state for state in rotation.check()}
    iban = states["masking_tests.Account.iban"]
    assert (dict(iban.by_key), dict(iban.index)) == ({"old": 7}, {"old": 7})
    assert states["masking_tests.Person.email"].index == {"old": 1}
    with pytest.raises(CommandError, match=r"7 of masking_tests.Account\.iban need an older key"):
        command("check")


@pytest.mark.usefixtures("filled")
def test_rotation_brings_every_table_to_the_newest_keys(settings: Settings) -> None:
    past = HISTORY.objects.count()
    text = command("rotate", "--batch", "3")
    assert "masking_tests.Account: 7 rows" in text
    assert text.endswith("Everything is current; old can leave BACKOFFICE_MASKING_INDEX_KEYS.\n")
    settings.BACKOFFICE_KEYS = settings.BACKOFFICE_MASKING_INDEX_KEYS = [NEW]
    assert unseal(Account.objects.get(iban=whole("DE00 3")).email) == "a3@b.example"
    assert Account.history.filter(iban=whole("DE00 3")).count() == 2
    assert Person.objects.filter(email=whole("ann@b.example")).count() == 1
    assert HISTORY.objects.count() == past
    assert "Everything is current.\n" in command("check")


@pytest.mark.usefixtures("filled")
def test_rotating_twice_changes_nothing() -> None:
    command("rotate")
    before, events = rows(), Event.objects.count()
    assert "Account: 0 rows" in command("rotate")
    assert (rows(), Event.objects.count()) == (before, events)


@pytest.mark.usefixtures("filled")
def test_rotation_is_on_the_record_with_counts() -> None:
    command("rotate")
    begun, done = Event.objects.filter(verb__startswith="masking.rot").order_by("pk")
    assert (begun.verb, done.verb) == ("masking.rotation_started", "masking.rotated")
    assert done.context["index_key"] == done.context["key"] == "new"
    assert done.context["rows"] == {
        "masking_tests.Account": 7,
        "masking_tests.HistoricalAccount": 8,
        "masking_tests.Login": 1,
        "masking_tests.Person": 1,
    }


@pytest.mark.usefixtures("filled")
def test_stopped_half_way_everything_is_found_and_the_next_run_ends_it() -> None:
    done = Counter[str]()
    next(rotation.iter_rotation(Account, 3, None, done))
    states = {state.name: state for state in rotation.check()}
    assert states["masking_tests.Account.iban"].index == {"current": 3, "old": 4}
    for number in range(7):
        assert Account.objects.filter(iban=whole(f"DE00 {number}")).count() == 1
    assert rotation.rotate()["masking_tests.Account"] == 4


@pytest.mark.usefixtures("filled")
def test_stale_index_is_told_and_made_right() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE masking_tests_person SET email_index = 'x' WHERE email <> ''")
    with pytest.raises(CommandError, match=r"1 of masking_tests.Person.email have a stale index"):
        command("check")
    command("rotate")
    assert Person.objects.filter(email=whole("ann@b.example")).count() == 1


@pytest.mark.usefixtures("filled")
def test_what_no_key_opens_is_told_and_left(settings: Settings) -> None:
    settings.BACKOFFICE_KEYS = [NEW]
    before = [row for row in rows() if "v1." in str(row)]
    with pytest.raises(CommandError, match=r"7 of masking_tests.Account.iban open with no key"):
        command("rotate")
    assert [row for row in rows() if "v1." in str(row)] == before


@pytest.mark.usefixtures("filled")
def test_command_for_keys_knows_of_encrypted_fields() -> None:
    # 7 ibans, 7 addresses, 7 dates in the table; as many and one more of each in the history.
    state = sealed.check()["masked fields"]
    assert (dict(state.by_key), state.old) == ({"old": 7 * 3 + 8 * 3}, 45)
    assert sealed.rotate()["masked fields"] == 7 + 8 + 2
    assert dict(sealed.check()["masked fields"].by_key) == {"new": 45}


def test_row_of_the_older_key_is_found_and_written_with_the_newest(settings: Settings) -> None:
    Person.objects.create(email="ann@b.example")
    both(settings)
    found = Person.objects.get(email=whole("Ann@B.example"))
    assert Person.objects.filter(email__in=[whole("ann@b.example"), whole("x")]).count() == 1
    assert Person.objects.exclude(email=whole("ann@b.example")).count() == 0
    assert Person.objects.get_or_create(email=whole("ann@b.example")) == (found, False)
    found.save()
    settings.BACKOFFICE_MASKING_INDEX_KEYS = [NEW]
    assert Person.objects.filter(email=whole("ann@b.example")).count() == 1


def _again() -> None:
    Login.objects.create(email="ANN@b.example")


def _in_bulk() -> None:
    Login.objects.bulk_create([Login(email="x@b.example"), Login(email="Ann@b.example")])


def _save_other() -> None:
    row = Login.objects.create(email="x@b.example")
    row.email = "Ann@b.example"
    row.save()


def _update() -> None:
    Login.objects.filter(pk=Login.objects.create(email="x@b.example").pk).update(
        email="Ann@b.example"
    )


def _bulk_update() -> None:
    row = Login.objects.create(email="x@b.example")
    row.email = "Ann@b.example"
    Login.objects.bulk_update([row], ["email"])


def _upsert() -> None:
    row = Login.objects.create(email="x@b.example")
    Login.objects.bulk_create(
        [Login(pk=row.pk, email="Ann@b.example")],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["email"],
    )


def _in_a_set() -> None:
    Login.objects.create(email="y@b.example", code="1 2 3")


@pytest.mark.parametrize(
    "write", [_again, _in_bulk, _save_other, _update, _bulk_update, _upsert, _in_a_set]
)
def test_value_stays_single_across_keys(settings: Settings, write: object) -> None:
    Login.objects.create(email="ann@b.example", code="1-2-3")
    both(settings)
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        write()  # type: ignore[operator]
    assert "b.example" not in str(refused.value)
    assert Login.objects.filter(email=whole("ann@b.example")).count() == 1


def test_blanks_and_other_values_are_no_clash(settings: Settings) -> None:
    Login.objects.create(email="ann@b.example")
    both(settings)
    Login.objects.create(email="b@b.example")
    Login.objects.create(email="c@b.example")
    row = Login.objects.get(email=whole("ann@b.example"))
    row.full_clean()
    row.save()
    assert digest("email", "ann@b.example") == _stored_index(row.pk)
    assert Login.objects.count() == 3


def _stored_index(key: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT email_index FROM masking_tests_login WHERE id = %s", [key])
        (found,) = cursor.fetchone()
    return str(found)


def test_form_says_that_a_value_of_the_older_key_is_taken(settings: Settings) -> None:
    Login.objects.create(email="ann@b.example")
    both(settings)
    with pytest.raises(Exception, match=r"already exists"):
        Login(email="Ann@b.example").full_clean()


def test_one_key_costs_no_query_more(django_assert_num_queries: object, settings: Settings) -> None:
    with django_assert_num_queries(1):  # type: ignore[operator]
        Login.objects.create(email="ann@b.example")
    row = Login.objects.get()
    with django_assert_num_queries(1):  # type: ignore[operator]
        row.save()


def test_rotation_writes_no_history_by_other_ways(settings: Settings) -> None:
    with history.recorded():
        Account.objects.bulk_create([Account(iban="DE00")])
    both(settings)
    command("rotate")
    assert HISTORY.objects.count() == 0
    assert keyring.id_of(rows()[0][1]) == "new"  # type: ignore[arg-type]
