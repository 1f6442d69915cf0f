"""A form shows the mask; posted untouched it changes nothing, and a new value is a whole value."""

from typing import Any

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.forms import modelform_factory

from backoffice.masking.forms import MaskedFormField
from backoffice.masking.values import unseal
from tests.masking.conftest import EMAIL, NAME, NOTES, PHONE, leaks, make_person, stored
from tests.masking.models import Person

FIELDS = ["name", "email", "phone", "notes", "born"]


def form_of(person: Person | None = None, data: dict[str, Any] | None = None) -> forms.ModelForm:  # type: ignore[type-arg]
    return modelform_factory(Person, fields=[*FIELDS, "city"])(data, instance=person)


def shown(person: Person) -> dict[str, str]:
    """Return what a browser would post back untouched."""
    form = form_of(person)
    return {name: str(form[name].value() or "") for name in [*FIELDS, "city"]}


def test_form_shows_masks_in_text_boxes_and_never_an_empty_one(person: Person) -> None:
    html = str(form_of(person))
    assert leaks(html) == []
    assert [str(getattr(person, name)) in html for name in FIELDS] == [True] * 5
    assert 'type="email"' not in html
    assert 'type="date"' not in html
    assert html.count('autocomplete="off"') == 5


@pytest.mark.parametrize("widget", [forms.EmailInput, forms.DateInput(attrs={"type": "text"})])
@pytest.mark.parametrize("name", ["email", "born"])
def test_box_takes_the_mask_whatever_widget_a_page_wants(name: str, widget: Any) -> None:
    """An admin brings a widget of its own by the class of a field; a browser checks its type."""
    field: Any = Person._meta.get_field(name).formfield(widget=widget)  # type: ignore[union-attr]
    assert field.widget.input_type == "text"


def test_untouched_form_changes_nothing(person: Person) -> None:
    before = stored(person)
    form = form_of(person, shown(person))
    assert (form.is_valid(), form.changed_data) == (True, [])
    form.save()
    assert stored(person) == before


def test_other_field_changes_beside_untouched_masks(person: Person) -> None:
    before = stored(person)
    form = form_of(person, {**shown(person), "city": "Lyon"})
    assert (form.is_valid(), form.changed_data) == (True, ["city"])
    form.save()
    assert (stored(person), Person.objects.get().city) == (before, "Lyon")


def test_untouched_form_is_valid_though_the_mask_is_longer_than_the_column(person: Person) -> None:
    Person.objects.update(phone="112")
    person.refresh_from_db()
    form = modelform_factory(Person, fields=["phone"])(
        {"phone": str(person.phone)}, instance=person
    )
    form.fields["phone"].max_length = 5  # type: ignore[attr-defined]
    assert form.is_valid()


@pytest.mark.parametrize(
    ("field", "new"),
    [
        ("name", "Berta Qz"), ("email", "berta@example.com"), ("phone", "+33 1 23 45 67 89"),
        ("notes", "two\nlines"), ("born", "1991-06-15"),
    ],
)  # fmt: skip
def test_new_value_is_stored_and_the_rest_is_kept(person: Person, field: str, new: str) -> None:
    before = stored(person)
    form = form_of(person, {**shown(person), field: new})
    assert (form.errors, form.changed_data) == ({}, [field])
    form.save()
    after = stored(person)
    assert after[field] == new
    same = [name for name in FIELDS if name != field]
    assert [after[name] for name in same] == [before[name] for name in same]


def test_cleared_value_is_cleared(person: Person) -> None:
    form = form_of(person, {**shown(person), "phone": "", "born": ""})
    assert form.is_valid()
    form.save()
    row = Person.objects.get()
    assert (row.phone, row.born, stored(person)["phone_index"]) == ("", None, "")


@pytest.mark.parametrize("field", FIELDS)
def test_edited_mask_is_refused(person: Person, field: str) -> None:
    form = form_of(person, {**shown(person), field: f"x{getattr(person, field)}"})
    assert form.errors == {field: ["Type the whole new value, or leave the masked one as it was."]}


@pytest.mark.parametrize(
    ("field", "wrong", "error"),
    [
        ("email", "no address", "Enter a valid email address."),
        ("born", "soon", "Type a date as year-month-day, for example 2001-12-31."),
        ("born", "2001-13-40", "Type a date as year-month-day, for example 2001-12-31."),
    ],
)
def test_wrong_new_value_is_an_error_of_its_field(
    person: Person, field: str, wrong: str, error: str
) -> None:
    form = form_of(person, {**shown(person), field: wrong})
    assert form.errors == {field: [error]}
    assert leaks(str(form)) == []


def test_form_field_refuses_a_mask_by_itself() -> None:
    """Also in a dialog, where no model field looks at the value."""
    field = MaskedFormField()
    with pytest.raises(ValidationError, match="Type the whole new value"):
        field.clean("a•••••@q•••••.example")
    assert field.clean(" anna ") == "anna"


def test_mask_in_an_empty_form_is_refused(tables: None, db: None) -> None:
    form = form_of(None, {"name": "A••••• L•••••"})
    assert list(form.errors) == ["name"]


def test_new_person_from_a_form(tables: None, db: None) -> None:
    form = form_of(None, {"name": NAME, "email": EMAIL, "phone": PHONE, "notes": NOTES})
    person = form.save()
    assert (unseal(person.email), str(person.email)) == (EMAIL, "q•••••@q•••••.•••")


def test_stored_value_with_an_invalid_form_stays_editable(person: Person) -> None:
    Person.objects.update(email="no address")
    person.refresh_from_db()
    form = form_of(person, {**shown(person), "city": "Lyon"})
    assert form.is_valid()


def test_unique_masked_field_is_checked_by_its_index(person: Person) -> None:
    field: Any = Person._meta.get_field("email")
    field._unique = True
    del field.unique  # a cached property
    try:
        other = make_person(email="berta@example.com")
        form = form_of(other, {**shown(other), "email": EMAIL.upper()})
        assert form.errors == {"email": ["Person with this Email already exists."]}
    finally:
        field._unique = False
        del field.unique


def test_form_field_is_ours() -> None:
    kinds = {type(form_of().fields[name]) for name in FIELDS}
    assert kinds == {MaskedFormField}
