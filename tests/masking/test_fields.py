"""Writing masked fields: what is refused, what is kept, and that the index is right ever after."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Case, F, Subquery, Value, When
from django.db.models.functions import Upper
from pytest_django import Settings

from backoffice.masking import whole
from backoffice.masking.fields import MaskedCharField
from backoffice.masking.indexes import digest
from backoffice.masking.values import MaskedQueryError, MaskWriteError, Sealed, unseal
from tests.masking.conftest import BORN, EMAIL, PHONE, make_person, stored
from tests.masking.models import Letter, Person

NEW = "new@other.example"


def found(value: str) -> bool:
    return Person.objects.filter(email=whole(value)).exists()


def test_row_holds_clear_values(person: Person) -> None:
    row = stored(person)
    assert (row["email"], row["phone"], row["born"]) == (EMAIL, PHONE, "1990-05-14")


def test_loading_and_saving_changes_nothing(person: Person) -> None:
    before = stored(person)
    person.full_clean()
    person.save()
    assert stored(person) == before


def test_assigning_the_shown_mask_changes_nothing(person: Person) -> None:
    before = stored(person)
    for name in ("name", "email", "phone", "notes", "born"):
        setattr(person, name, str(getattr(person, name)))
    person.full_clean()
    person.save()
    assert stored(person) == before


@pytest.mark.parametrize("field", ["name", "email", "phone", "notes", "born"])
def test_writing_a_foreign_mask_is_refused(person: Person, field: str) -> None:
    before = stored(person)
    setattr(person, field, "z••••")
    with pytest.raises(ValidationError) as refused:
        person.full_clean()
    assert list(refused.value.message_dict) == [field]
    with pytest.raises(MaskWriteError), transaction.atomic():
        person.save()
    assert stored(person) == before


@pytest.mark.parametrize(
    "write",
    [
        lambda: Person.objects.create(name="••••"),
        lambda: Person.objects.bulk_create([Person(name="••••")]),
        lambda: Person.objects.update(name="••••"),
        lambda: Person.objects.update(notes="••••"),
        lambda: Person.objects.update(email=Value("••••")),
        lambda: Person.objects.update_or_create(city="x", defaults={"phone": "••••"}),
    ],
)
def test_mask_is_refused_on_every_way_to_write(person: Person, write: Callable[[], object]) -> None:
    before = stored(person)
    with pytest.raises(MaskWriteError), transaction.atomic():
        write()
    assert (stored(person), Person.objects.count()) == (before, 1)


def test_loading_a_dump_of_masks_is_refused(person: Person) -> None:
    dump = serializers.serialize("json", Person.objects.all())
    with pytest.raises(serializers.base.DeserializationError):
        list(serializers.deserialize("json", dump))


def save(person: Person) -> None:
    person.email = NEW
    person.save()


def save_one_field(person: Person) -> None:
    person.email = NEW
    person.save(update_fields=["email"])


def update(person: Person) -> None:
    Person.objects.filter(pk=person.pk).update(email=NEW)


def update_with_a_wrong_index(person: Person) -> None:
    Person.objects.filter(pk=person.pk).update(email=NEW, email_index="0" * 64)


def update_value(person: Person) -> None:
    Person.objects.filter(pk=person.pk).update(email=Value(NEW))


def bulk_update(person: Person) -> None:
    other = make_person(email="third@other.example")
    person.email = NEW
    Person.objects.bulk_update([person, other], ["email"])
    assert found("third@other.example")


def bulk_update_with_more(person: Person) -> None:
    person.email, person.city, person.born = NEW, "Lyon", "1991-6-5"
    Person.objects.bulk_update([person], ["city", "email", "phone", "born"])
    assert Person.objects.filter(born=whole("1991-06-05"), city="Lyon").exists()


def upsert(person: Person) -> None:
    Person.objects.bulk_create(
        [Person(pk=person.pk, email=NEW)],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["email"],
    )


def update_or_create(person: Person) -> None:
    Person.objects.update_or_create(pk=person.pk, defaults={"email": NEW})


def bulk_create(person: Person) -> None:
    Person.objects.filter(pk=person.pk).delete()
    Person.objects.bulk_create([Person(pk=person.pk, email=NEW)])


def load_fixture(person: Person) -> None:
    data = (
        f'[{{"model": "masking_tests.person", "pk": {person.pk}, "fields": {{"email": "{NEW}"}}}}]'
    )
    person.refresh_from_db()
    (row,) = list(_deserialize(data))
    row.save()


def _deserialize(data: str) -> list[serializers.base.DeserializedObject]:
    """Deserialize rows of the test model, which stands in no installed app."""
    import json  # noqa: PLC0415 - only here

    (entry,) = json.loads(data)
    return [serializers.base.DeserializedObject(Person(pk=entry["pk"], **entry["fields"]))]


WRITES = [
    save, save_one_field, update, update_with_a_wrong_index, update_value, bulk_update,
    bulk_update_with_more, upsert, update_or_create, bulk_create, load_fixture,
]  # fmt: skip


@pytest.mark.parametrize("write", WRITES)
def test_index_is_right_after(person: Person, write: Callable[[Person], None]) -> None:
    write(person)
    assert (found(NEW), found(EMAIL)) == (True, False)
    assert stored(person)["email_index"] == digest("email", NEW)


@pytest.mark.parametrize(
    "value",
    [
        F("name"),
        Upper("email"),
        Subquery(Person.objects.values("email")[:1]),
        Case(When(city="", then=Value("••••"))),
    ],
)
def test_update_by_an_expression_is_refused(person: Person, value: object) -> None:
    with pytest.raises(MaskedQueryError):
        Person.objects.update(email=value)


@pytest.mark.parametrize(
    "value", [F("person__email"), Subquery(Person.objects.values("email")[:1])]
)
def test_copying_a_hidden_value_into_a_plain_column_is_refused(
    person: Person, value: object
) -> None:
    Letter.objects.create(person=person, text="hello")
    with pytest.raises(MaskedQueryError):
        Letter.objects.update(text=value)


def test_text_that_names_a_masked_field_is_only_text(person: Person) -> None:
    assert Person.objects.update(city="email") == 1


def test_assigning_a_sealed_value_to_a_plain_field_writes_the_mask(person: Person) -> None:
    Letter.objects.create(person=person, text=person.email)
    assert Letter.objects.get().text == "q•••••@q•••••.•••"


def test_blank_and_null_stay_as_they_are(tables: None, db: None) -> None:
    made = Person.objects.create(name="", email="", phone="", born=None)
    row = Person.objects.get(pk=made.pk)
    assert (row.name, row.email, row.born, row.email_index) == ("", "", None, "")  # type: ignore[attr-defined]


def test_date_comes_in_as_text_or_date(tables: None, db: None) -> None:
    for given in ("1990-05-14", BORN, dt.datetime(1990, 5, 14, 3, tzinfo=dt.UTC)):
        made = make_person(born=given)
        assert (stored(made)["born"], str(made.born)) == ("1990-05-14", "••••-••-••")
        assert Person.objects.filter(pk=made.pk, born=whole(BORN)).exists()


def test_date_is_found_however_it_was_spelled(person: Person) -> None:
    Person.objects.update(born="1991-6-5")
    assert Person.objects.filter(born=whole("1991-06-05")).exists()
    assert Person.objects.filter(born=whole("1991-6-5")).exists()


def test_date_that_is_none_is_an_error_of_the_field(tables: None, db: None) -> None:
    with pytest.raises(ValidationError) as refused:
        Person(born="soon").full_clean()
    assert list(refused.value.message_dict) == ["born"]


def test_new_value_is_validated_and_a_stored_one_is_not(person: Person) -> None:
    Person.objects.filter(pk=person.pk).update(email="no address")
    person.refresh_from_db()
    person.full_clean()
    person.email = "no address either"
    with pytest.raises(ValidationError) as refused:
        person.full_clean()
    assert refused.value.message_dict == {"email": ["Enter a valid email address."]}


def test_error_text_does_not_repeat_the_value() -> None:
    def refuse(value: str) -> None:
        raise ValidationError("%(value)s is wrong", params={"value": value})

    field = MaskedCharField(max_length=40, validators=[refuse])
    with pytest.raises(ValidationError) as refused:
        field.clean(field.seal("secret"), None)
    assert refused.value.messages == ["••• is wrong"]


def test_sealed_value_moves_to_another_row(person: Person) -> None:
    other = make_person(email=person.email)
    assert unseal(_sealed(Person.objects.get(pk=other.pk).email)) == EMAIL


def _sealed(value: object) -> Sealed:
    assert isinstance(value, Sealed)
    return value


def test_index_column_is_made_once_and_not_editable() -> None:
    names = [field.name for field in Person._meta.concrete_fields]
    assert [name for name in names if name.endswith("_index")] == [
        "email_index", "phone_index", "born_index",
    ]  # fmt: skip
    assert not Person._meta.get_field("email_index").editable


def test_migration_names_the_column_and_neither_mask_nor_search() -> None:
    field = Person._meta.get_field("phone")
    assert isinstance(field, models.Field)
    assert field.deconstruct() == (
        "phone", "backoffice.masking.fields.MaskedCharField", [], {"max_length": 40, "blank": True},
    )  # fmt: skip


def test_digest_depends_on_the_key(settings: Settings) -> None:
    before = digest("email", EMAIL)
    settings.BACKOFFICE_MASKING_INDEX_KEY = "another key"
    assert digest("email", EMAIL) != before


def test_reveal_permission_comes_with_the_field() -> None:
    assert ("reveal_person", "Can see masked values of person") in Person._meta.permissions


def test_index_shows_nothing_of_itself(person: Person) -> None:
    shown = str(person.email_index)  # type: ignore[attr-defined]
    assert (shown, len(str(stored(person)["email_index"]))) == ("••••••••", 64)


def test_mask_of_an_index_is_not_written(person: Person) -> None:
    with pytest.raises(MaskWriteError):
        Letter.objects.filter(person__email_index="••••••••").exists()


def test_error_of_a_value_does_not_hold_it(person: Person) -> None:
    person.email = "qzx1anna without a host"
    with pytest.raises(ValidationError) as refused:
        person.full_clean()
    errors = refused.value.error_dict["email"]
    assert errors[0].params
    assert "qzx1anna" not in str([error.params for error in errors])
