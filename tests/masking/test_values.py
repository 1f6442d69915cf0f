"""A sealed value tells its mask through every channel of Python, and the ORM tells no more."""

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from django.core import serializers
from django.core.management import call_command
from django.db.models import Count, F
from django.forms.models import model_to_dict
from django.template import Context, Template
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import mark_safe

from backoffice.masking import clear, purposes, values
from backoffice.masking.values import MaskWriteError, Sealed, unseal
from customers.models import Customer
from tests.masking.conftest import EMAIL, NAME, PHONE, leaks
from tests.masking.models import Letter, Person

FIELDS = ["name", "email", "phone", "notes", "born"]

CHANNELS: dict[str, Callable[[Any], object]] = {
    "str": str,
    "repr": repr,
    "format": format,
    "f-string": lambda value: f"{value:>40}",
    "percent": lambda value: "%s" % value,  # noqa: UP031 - the channel itself
    "concatenation": lambda value: "x" + value + "y",
    "join": lambda value: "-".join([value, value]),  # noqa: FLY002 - the channel itself
    "slice": lambda value: value[:],
    "upper": lambda value: value.upper(),
    "encode": lambda value: value.encode(),
    "list": list,
    "json": lambda value: json.dumps([value], ensure_ascii=False),
    "pickle": pickle.dumps,
    "unpickled": lambda value: vars_of(pickle.loads(pickle.dumps(value))),  # noqa: S301
    "copy": copy.copy,
    "deepcopy": lambda value: copy.deepcopy([value]),
    "state": lambda value: value.__getstate__(),
    "reduce": lambda value: value.__reduce_ex__(4),
    "safe": mark_safe,
    "escape": conditional_escape,
    "format_html": lambda value: format_html("<b>{}</b>", value),
    "template": lambda value: Template("{{ v }} {{ v|upper }} {{ v|date:'Y' }}").render(
        Context({"v": value})
    ),
}


def vars_of(value: object) -> str:
    return f"{value!r} {type(value).__name__} {[getattr(value, name, '') for name in ('_raw',)]}"


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("field", FIELDS)
def test_sealed_value_in_a_channel_of_python(person: Person, field: str, channel: str) -> None:
    shown = CHANNELS[channel](getattr(person, field))
    text = shown.decode(errors="replace") if isinstance(shown, bytes) else shown
    assert leaks(text) == []


ORM: dict[str, Callable[[], object]] = {
    "vars": lambda: [vars(row) for row in Person.objects.all()],
    "str": lambda: [str(row) for row in Person.objects.all()],
    "values": lambda: list(Person.objects.values()),
    "values_list": lambda: list(Person.objects.values_list("name", "email", "phone", "born")),
    "named": lambda: list(Person.objects.values_list("email", "born", named=True)),
    "only": lambda: [row.email for row in Person.objects.only("pk")],
    "defer": lambda: [row.email for row in Person.objects.defer("email")],
    "raw": lambda: [vars(row) for row in Person.objects.raw("SELECT * FROM masking_tests_person")],
    "iterator": lambda: [vars(row) for row in Person.objects.iterator()],
    "annotation": lambda: list(Person.objects.annotate(x=F("email"), y=F("born")).values()),
    "group": lambda: list(Person.objects.values("email").annotate(n=Count("pk"))),
    "distinct": lambda: list(Person.objects.values_list("name", flat=True).distinct()),
    "union": lambda: list(Person.objects.values("email").union(Person.objects.values("email"))),
    "join": lambda: list(Letter.objects.values("person__email", "person__born")),
    "related": lambda: [str(row.person) for row in Letter.objects.select_related("person")],
    "prefetch": lambda: [vars(row) for row in Person.objects.prefetch_related("letter_set").all()],
    "in_bulk": Person.objects.in_bulk,
    "model_to_dict": lambda: [model_to_dict(row) for row in Person.objects.all()],
    "json": lambda: serializers.serialize("json", Person.objects.all()),
    "xml": lambda: serializers.serialize("xml", Person.objects.all()),
    "python": lambda: serializers.serialize("python", Person.objects.all()),
    "explain": lambda: str(Person.objects.filter(email=values.whole(EMAIL)).query),
}


@pytest.mark.parametrize("channel", ORM)
def test_masked_row_in_a_channel_of_the_orm(person: Person, channel: str) -> None:
    Letter.objects.create(person=person, text="hello")
    shown = ORM[channel]()
    assert shown
    assert leaks(shown) == []


def test_object_in_memory_before_saving_shows_the_mask() -> None:
    person = Person(name="Qzanna", email=EMAIL, born="1990-05-14")
    person.phone = "+82 10-5550-0199"
    assert leaks([vars(person), str(person), person.born]) == []


@pytest.fixture
def customer(db: None) -> Customer:
    made = Customer.objects.create(number="12437", name=NAME, email=EMAIL, phone=PHONE)
    return Customer.objects.get(pk=made.pk)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy])
def test_copied_row_shows_masks_and_can_still_be_saved(
    customer: Customer, again: Callable[[Customer], Customer]
) -> None:
    copied = again(customer)
    copied.save()
    assert leaks(vars(copied)) == []
    assert unseal(Customer.objects.get(pk=customer.pk).email) == EMAIL


def test_pickled_row_holds_masks_and_cannot_be_saved(customer: Customer) -> None:
    data = pickle.dumps(customer)
    again = pickle.loads(data)  # noqa: S301 - our own
    assert leaks(data.decode(errors="replace")) == []
    assert (again.email, type(again.email)) == ("q•••••@q•••••.•••", str)
    with pytest.raises(MaskWriteError):
        again.save()


def test_dumpdata_holds_masks(customer: Customer, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("dumpdata", "customers")
    shown = capsys.readouterr().out
    assert "12437" in shown
    assert leaks(shown) == []


def test_sealed_values_with_one_mask_differ_by_what_they_hide() -> None:
    one, other = Sealed("••• 18", "111118"), Sealed("••• 18", "222218")
    assert (one == other, one != other, one == "••• 18", hash(one) == hash(other)) == (
        False,
        True,
        True,
        True,
    )


def test_sealed_value_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Sealed("••", "ab")._raw = "cd"


def test_clear_for_a_registered_purpose(person: Person, caplog: pytest.LogCaptureFixture) -> None:
    purposes.register("tests.mail", "A mail of the tests")
    with caplog.at_level("INFO", logger="backoffice.masking"):
        assert clear(person.email, purpose="tests.mail") == EMAIL
    assert [record.getMessage() for record in caplog.records] == ["personal value used: tests.mail"]


def test_clear_for_an_unknown_purpose_is_refused(person: Person) -> None:
    with pytest.raises(purposes.UnknownPurposeError):
        clear(person.email, purpose="tests.nobody_registered_this")
    with pytest.raises(purposes.UnknownPurposeError):
        clear("", purpose="tests.nobody_registered_this")


def test_typed_value_equals_none_of_a_row(person: Person) -> None:
    """Equal would tell who types guesses that they guessed right."""
    row, typed = Person.objects.get(pk=person.pk), Person(email=EMAIL)
    assert str(row.email) == str(typed.email)
    assert row.email != typed.email
    assert row.email == Person.objects.get(pk=person.pk).email
    assert typed.email == Person(email=EMAIL).email


def test_clear_of_plain_text_is_refused() -> None:
    purposes.register("tests.mail", "A mail of the tests")
    with pytest.raises(TypeError):
        clear("a•••••", purpose="tests.mail")
    assert clear("", purpose="tests.mail") == ""
