"""The API's field: a ModelSerializer with no masking code gives masks and takes them back."""

from typing import Any

import pytest
from rest_framework import serializers

from tests.masking.conftest import EMAIL, NAME, PHONE, leaks, make_person, stored
from tests.masking.models import Person

FIELDS = ["name", "email", "phone", "notes", "born"]
MASKED = "Type the whole new value, or leave the masked one as it was."


class PersonSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    """Nothing of masking here: that is the point."""

    class Meta:
        model = Person
        fields = "__all__"


def write(
    person: Person | None, data: dict[str, Any], *, partial: bool = False
) -> PersonSerializer:
    serializer = PersonSerializer(person, data=data, partial=partial)
    if serializer.is_valid():
        serializer.save()
    return serializer


def test_answer_holds_masks_and_no_index(person: Person) -> None:
    data = PersonSerializer(person).data
    assert leaks(data) == []
    assert data["born"] == "••••-••-••"
    assert [name for name in data if name.endswith("_index")] == []


def test_list_holds_masks(person: Person) -> None:
    make_person()
    assert leaks(PersonSerializer(Person.objects.all(), many=True).data) == []


def test_putting_back_what_was_got_changes_nothing(person: Person) -> None:
    before = stored(person)
    assert write(person, dict(PersonSerializer(person).data)).errors == {}
    assert stored(person) == before


def test_patching_one_value_keeps_the_others(person: Person) -> None:
    before = stored(person)
    answer = write(person, {"phone": "+33 1 23 45 67 89"}, partial=True)
    assert (answer.errors, answer.data["phone"]) == ({}, "••• ••• ••• 89")
    after = stored(person)
    assert after["phone"] == "+33 1 23 45 67 89"
    assert (after["email"], after["phone_index"] == before["phone_index"]) == (EMAIL, False)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", ["•••", "x•y", "a•••••@b•••••.com"])
def test_foreign_mask_is_refused(person: Person, field: str, value: str) -> None:
    before = stored(person)
    assert write(person, {field: value}, partial=True).errors == {field: [MASKED]}
    assert stored(person) == before


def test_mask_for_a_new_person_is_refused(tables: None, db: None) -> None:
    assert write(None, {"name": "A••••• L•••••"}).errors == {"name": [MASKED]}


def test_mask_in_a_list_of_people_is_refused(person: Person) -> None:
    rows = PersonSerializer(Person.objects.all(), data=[{"phone": str(person.phone)}], many=True)
    assert not rows.is_valid()


def test_new_person(tables: None, db: None) -> None:
    answer = write(None, {"name": NAME, "email": EMAIL, "phone": PHONE, "born": "1990-05-14"})
    assert leaks(answer.data) == []
    row = stored(Person.objects.get())
    assert (row["email"], row["born"]) == (EMAIL, "1990-05-14")


@pytest.mark.parametrize(
    ("field", "wrong"), [("email", "no address"), ("born", "soon"), ("born", "1990-13-40")]
)
def test_wrong_value_is_an_error_of_its_field(person: Person, field: str, wrong: str) -> None:
    assert list(write(person, {field: wrong}, partial=True).errors) == [field]


def test_null_and_blank_clear_the_value(person: Person) -> None:
    assert write(person, {"born": None, "phone": ""}, partial=True).errors == {}
    row = Person.objects.get()
    assert (row.born, row.phone) == (None, "")
