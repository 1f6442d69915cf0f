"""Encrypted masked fields: what lies in the column, which key opens it, and what no key opens."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.core import serializers
from django.db import connection, models, transaction
from django.db.models import Value
from pytest_django import Settings

from backoffice import keyring
from backoffice.audit import history
from backoffice.masking import masks, whole
from backoffice.masking.fields import MaskedCharField, MaskedDateField
from backoffice.masking.values import MaskedQueryError, MaskWriteError, is_lost, opened_text, unseal
from tests.masking.conftest import leaks
from tests.masking.models import Account, Person

IBAN, EMAIL = "DE89 qzhost. 0532 0130 00", "qzx1anna@qzhost.example"
NOTES, BORN = "qznotes: prefers letters", dt.date(1990, 5, 14)
OLD, NEW = ("old", "o" * 40), ("new", "n" * 40)
FIELDS = ["iban", "email", "notes", "born"]


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.BACKOFFICE_KEYS = [OLD]


@pytest.fixture
def account(tables: None, db: None) -> Account:
    made = Account.objects.create(iban=IBAN, email=EMAIL, notes=NOTES, born=BORN)
    return Account.objects.get(pk=made.pk)


def columns(table: str = "masking_tests_account", where: str = "") -> list[dict[str, str]]:
    """Return the rows of a table as the database has them."""
    names = [*FIELDS, "iban_index", "email_index", "born_index"]
    order = "history_id" if "historical" in table else "id"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(names)} FROM {table} {where} ORDER BY {order}")  # noqa: S608
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def opened(row: Account) -> list[object]:
    return [unseal(getattr(row, name)) for name in FIELDS]


def keys_of(row: dict[str, str]) -> set[str]:
    return {keyring.id_of(row[name]) for name in FIELDS}


def test_column_holds_nothing_to_read(account: Account) -> None:
    (row,) = columns()
    assert leaks(row) == []
    assert keys_of(row) == {"old"}
    assert opened(account) == [IBAN, EMAIL, NOTES, BORN]


def test_everything_shows_masks(account: Account) -> None:
    shown = [
        vars(account),
        str(account),
        list(Account.objects.values()),
        list(Account.objects.values_list()),
        [vars(row) for row in Account.objects.raw("SELECT * FROM masking_tests_account")],
        serializers.serialize("json", Account.objects.all()),
        [vars(row) for row in Account.history.all()],
    ]
    assert leaks(shown) == []
    assert str(account.email) == masks.email(EMAIL)


def test_saving_what_was_read_keeps_every_byte(account: Account) -> None:
    before = columns()
    account.full_clean()
    account.save()
    assert columns() == before


def test_rows_of_history_open_with_the_same_binding(account: Account) -> None:
    account.iban = "DE00 1111"
    account.save()
    history.update(Account.objects.all(), actor=None, changes={"city": "Lyon"})
    past = list(Account.history.order_by("history_id"))
    assert [unseal(row.iban) for row in past] == [IBAN, "DE00 1111", "DE00 1111"]
    past[0].instance.save()
    assert unseal(Account.objects.get().iban) == IBAN


def _save(account: Account) -> None:
    account.iban = "DE00 1111"
    account.save()


def _update(account: Account) -> None:
    history.update(Account.objects.all(), actor=None, changes={"iban": "DE00 1111"})


def _update_value(account: Account) -> None:
    with history.recorded():
        Account.objects.update(iban=Value("DE00 1111"))


def _bulk_update(account: Account) -> None:
    account.iban, account.born = "DE00 1111", "1991-06-05"
    history.bulk_update([account], ["iban", "born"], actor=None)


def _upsert(account: Account) -> None:
    with history.recorded():
        Account.objects.bulk_create(
            [Account(pk=account.pk, iban="DE00 1111"), Account(iban="other")],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["iban"],
        )


def _bulk_create(account: Account) -> None:
    account.delete()
    history.bulk_create([Account(iban="DE00 1111"), Account(iban="other")], actor=None)


@pytest.mark.parametrize(
    "write", [_save, _update, _update_value, _bulk_update, _upsert, _bulk_create]
)
def test_every_way_to_write_seals_and_indexes(
    account: Account, settings: Settings, write: Callable[[Account], None]
) -> None:
    settings.BACKOFFICE_KEYS = [NEW, OLD]
    write(account)
    (row,) = Account.objects.filter(iban=whole("DE00 1111"))
    assert unseal(row.iban) == "DE00 1111"
    assert not Account.objects.filter(iban=whole(IBAN)).exists()
    assert keyring.id_of(columns(where="WHERE iban_index <> ''")[0]["iban"]) == "new"
    assert "1111" not in str(columns())
    assert "1111" not in str(columns("masking_tests_historicalaccount"))


def test_lookups_go_through_the_index_only(account: Account) -> None:
    assert Account.objects.filter(iban=whole(IBAN), born=whole(BORN)).count() == 1
    assert Account.objects.filter(email__in=[whole(EMAIL.upper())]).count() == 1
    with pytest.raises(MaskedQueryError):
        Account.objects.filter(notes=whole(NOTES))
    with pytest.raises(MaskedQueryError):
        Account.objects.filter(iban=columns()[0]["iban"])


def test_saved_row_is_sealed_with_the_newest_key(account: Account, settings: Settings) -> None:
    settings.BACKOFFICE_KEYS = [NEW, OLD]
    row = Account.objects.get()
    assert opened(row) == [IBAN, EMAIL, NOTES, BORN]
    assert keys_of(columns()[0]) == {"old"}
    row.save()
    assert keys_of(columns()[0]) == {"new"}
    settings.BACKOFFICE_KEYS = [NEW]
    assert opened(Account.objects.get()) == [IBAN, EMAIL, NOTES, BORN]


@pytest.fixture
def lost(account: Account, settings: Settings) -> Account:
    """An account whose key is gone."""
    settings.BACKOFFICE_KEYS = [NEW]
    return Account.objects.get(pk=account.pk)


def test_what_no_key_opens_is_a_mask(lost: Account) -> None:
    assert all(is_lost(getattr(lost, name)) for name in FIELDS)
    assert {str(getattr(lost, name)) for name in FIELDS} == {"•" * 8}
    with pytest.raises(keyring.UnreadableError):
        unseal(lost.iban)


def _save_lost(account: Account) -> None:
    account.full_clean()
    account.save()


def _save_posted(account: Account) -> None:
    for name in FIELDS:
        setattr(account, name, str(getattr(account, name)))
    account.save()


def _bulk_update_lost(account: Account) -> None:
    history.bulk_update([account], [*FIELDS, "city"], actor=None)


def _update_lost(account: Account) -> None:
    changes = {name: getattr(account, name) for name in FIELDS}
    history.update(Account.objects.all(), actor=None, changes=changes)


@pytest.mark.parametrize("write", [_save_lost, _save_posted, _bulk_update_lost, _update_lost])
def test_what_no_key_opens_keeps_its_bytes_and_its_index(
    lost: Account, settings: Settings, write: Callable[[Account], None]
) -> None:
    before = columns()
    write(lost)
    assert columns() == before
    assert columns("masking_tests_historicalaccount")[-1:] == before
    settings.BACKOFFICE_KEYS = [NEW, OLD]
    assert opened(Account.objects.get()) == [IBAN, EMAIL, NOTES, BORN]


def test_what_no_key_opens_is_found_by_nothing_but_can_be_replaced(lost: Account) -> None:
    assert not Account.objects.filter(iban=lost.iban).exists()
    lost.iban = "DE00 1111"
    lost.save()
    assert unseal(Account.objects.get().iban) == "DE00 1111"


def test_what_no_key_opens_is_its_mask_also_where_it_would_be_shown_clear(lost: Account) -> None:
    assert [opened_text(getattr(lost, name)) for name in FIELDS] == ["•" * 8] * 4


def test_what_no_key_opens_goes_to_no_other_field(lost: Account) -> None:
    with pytest.raises(MaskWriteError), transaction.atomic():
        Account.objects.create(notes=lost.iban)
    with pytest.raises(MaskWriteError), transaction.atomic():
        Person.objects.create(notes=lost.iban)


def _tampered(row: dict[str, str]) -> str:
    return row["iban"][:-6] + ("AAAA==" if row["iban"][-6:] != "AAAA==" else "BBBB==")


@pytest.mark.parametrize(
    "spoil",
    [
        _tampered,
        lambda row: row["email"],
        lambda _row: IBAN,
        lambda _row: "v1.old.",
        lambda _row: "v1.old",
        lambda _row: keyring.seal(IBAN, use="other"),
    ],
)
def test_what_was_changed_or_moved_does_not_open(
    account: Account, spoil: Callable[[dict[str, str]], str]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE masking_tests_account SET iban = %s", [spoil(columns()[0])])
    row = Account.objects.get()
    assert (str(row.iban), is_lost(row.iban)) == ("•" * 8, True)
    assert leaks(vars(row)) == []


def test_date_that_is_none_in_its_column_is_a_mask(account: Account) -> None:
    sealed = keyring.seal("no date", use="masking.masking_tests.account.born")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE masking_tests_account SET born = %s", [sealed])
    assert is_lost(Account.objects.get().born)


def test_blank_and_null_stay_as_they_are(tables: None, db: None) -> None:
    made = Account.objects.create()
    row = Account.objects.get(pk=made.pk)
    assert [row.iban, row.born, *columns()[0].values()] == [
        "",
        None,
        "",
        "",
        "",
        None,
        "",
        "",
        None,
    ]
    assert Account.objects.filter(iban="", born=None).count() == 1


def test_value_moves_between_encrypted_and_plain_fields(account: Account) -> None:
    person = Person.objects.create(email=account.email)
    assert unseal(Person.objects.get(pk=person.pk).email) == EMAIL
    other = Account.objects.create(email=person.email, notes=account.iban)
    assert unseal(Account.objects.get(pk=other.pk).notes) == IBAN


def test_migration_names_encryption_and_binding() -> None:
    field = Account._meta.get_field("iban")
    past = Account.history.model._meta.get_field("iban")
    assert isinstance(field, models.Field)
    assert field.deconstruct() == (
        "iban",
        "backoffice.masking.fields.MaskedCharField",
        [],
        {
            "max_length": 40,
            "blank": True,
            "encrypted": True,
            "binding": "masking_tests.account.iban",
        },
    )
    assert past.deconstruct()[3]["binding"] == field.clone().binding == field.binding


@pytest.mark.parametrize(
    "field", [MaskedCharField(max_length=5, encrypted=True), MaskedDateField(encrypted=True)]
)
def test_column_is_text(field: MaskedCharField | MaskedDateField) -> None:
    assert field.db_type(connection) == field.cast_db_type(connection) == "text"
