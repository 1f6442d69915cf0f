"""Finding, ordering and computing by a hidden value."""

from collections.abc import Callable

import pytest
from django.db.models import Case, CharField, Count, Exists, F, Max, OuterRef, Q, When
from django.db.models.functions import Cast, Concat, Length, Lower, Substr

from backoffice.masking import whole
from backoffice.masking.masks import NORMAL_FORMS
from backoffice.masking.values import MaskedQueryError
from customers.models import Customer
from tests.masking.conftest import EMAIL, PHONE
from tests.masking.models import Letter, Person

PARTS = [
    "iexact", "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith",
    "regex", "iregex", "gt", "gte", "lt", "lte", "range", "year", "month", "day", "lower", "length",
]  # fmt: skip
FIELDS = ["name", "email", "phone", "notes", "born"]


@pytest.mark.parametrize("lookup", PARTS)
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("prefix", ["", "person__"])
def test_lookup_of_a_part_is_refused(db: None, prefix: str, field: str, lookup: str) -> None:
    model = Letter if prefix else Person
    with pytest.raises(MaskedQueryError):
        model.objects.filter(**{f"{prefix}{field}__{lookup}": whole("a")})


@pytest.mark.parametrize("field", ["email", "email__exact", "phone", "born"])
def test_plain_text_is_refused_as_a_query_string_would_bring_it(db: None, field: str) -> None:
    with pytest.raises(MaskedQueryError):
        Person.objects.filter(**{field: EMAIL})


@pytest.mark.parametrize("lookup", ["startswith", "lt", "regex", "range", "contains"])
def test_part_of_an_index_is_refused(db: None, lookup: str) -> None:
    with pytest.raises(MaskedQueryError):
        Person.objects.filter(**{f"email_index__{lookup}": "a"})


@pytest.mark.parametrize("field", ["name", "notes"])
def test_field_without_search_cannot_be_found_by_its_value(db: None, field: str) -> None:
    with pytest.raises(MaskedQueryError):
        Person.objects.filter(**{field: whole("Anna")})


@pytest.mark.parametrize("value", [F("phone"), Person.objects.values("email"), [EMAIL], "ab"])
def test_in_takes_whole_values_only(db: None, value: object) -> None:
    with pytest.raises(MaskedQueryError):
        Person.objects.filter(email__in=value)


def test_exact_finds_the_whole_value_however_it_is_spelled(person: Person) -> None:
    for spelled in (EMAIL, EMAIL.upper(), f" {EMAIL} "):
        assert list(Person.objects.filter(email=whole(spelled))) == [person]
    for part in (EMAIL[:-1], EMAIL[1:], "%", "_" * len(EMAIL)):
        assert not Person.objects.filter(email=whole(part)).exists()


def test_exact_finds_a_phone_by_its_digits(person: Person) -> None:
    assert list(Person.objects.filter(phone=whole("0082 10 5550 0199"))) == [person]


def test_other_ways_to_use_the_three_lookups(person: Person) -> None:
    Letter.objects.create(person=person)
    mails = Person.objects.filter(pk=OuterRef("person"), email=whole(EMAIL))
    assert [
        Person.objects.filter(email__in=[whole(EMAIL), whole("b")]).count(),
        Person.objects.exclude(email=whole(EMAIL)).count(),
        Person.objects.filter(~Q(email=whole("b"))).count(),
        Letter.objects.filter(person__email=whole(EMAIL)).count(),
        Letter.objects.filter(Exists(mails)).count(),
        Person.objects.filter(email=person.email).count(),
        Person.objects.filter(born__isnull=True).count(),
        Person.objects.filter(email=None).count(),
        Person.objects.filter(email="").count(),
        Person.objects.get_or_create(email=whole(EMAIL))[1],
    ] == [1, 0, 1, 1, 1, 1, 0, 0, 0, False]


def test_query_text_holds_no_value() -> None:
    text = str(Person.objects.filter(phone=whole(PHONE)).query)
    assert NORMAL_FORMS["phone"](PHONE) not in text
    assert "phone_index" in text


ORDERS: list[Callable[[], object]] = [
    lambda: Person.objects.order_by("email"),
    lambda: Person.objects.order_by("city", "-name"),
    lambda: Person.objects.order_by(F("born").desc(nulls_last=True)),
    lambda: Person.objects.order_by(Lower("email")),
    lambda: Person.objects.annotate(x=F("email")).order_by("x"),
    lambda: Person.objects.annotate(x=F("email")).order_by(F("x")),
    lambda: Letter.objects.order_by("person__email"),
    lambda: Person.objects.order_by("-email_index"),
    lambda: Person.objects.order_by(F("email_index").desc()),
    lambda: Letter.objects.order_by("person__email_index"),
    lambda: Person.objects.latest("born"),
    lambda: Person.objects.earliest("email"),
    lambda: Person.objects.union(Person.objects.all()).order_by("email"),
    lambda: Customer.objects.order_by("phone"),
    lambda: Customer.history.order_by("phone"),
]


@pytest.mark.parametrize("order", ORDERS)
def test_ordering_by_a_masked_field_is_refused(db: None, order: Callable[[], object]) -> None:
    with pytest.raises(MaskedQueryError):
        order()


COMPUTED: list[Callable[[], object]] = [
    lambda: Person.objects.annotate(x=Substr("email", 1, 3)),
    lambda: Person.objects.annotate(x=Cast("email", CharField())),
    lambda: Person.objects.annotate(x=Concat("email", "phone", output_field=CharField())),
    lambda: Person.objects.alias(x=Substr("email", 1, 3)),
    lambda: Person.objects.values_list(Substr("email", 1, 3)),
    lambda: Letter.objects.annotate(x=Length("person__name")),
    lambda: Person.objects.aggregate(x=Max(Length("name"))),
]


@pytest.mark.parametrize("compute", COMPUTED)
def test_computing_with_a_masked_field_is_refused(db: None, compute: Callable[[], object]) -> None:
    with pytest.raises(MaskedQueryError):
        compute()


def test_counting_and_asking_for_presence_is_allowed(person: Person) -> None:
    assert Person.objects.aggregate(n=Count("email")) == {"n": 1}
    known = Case(When(born__isnull=False, then=1), default=0)
    assert list(Person.objects.annotate(x=known).values_list("x", flat=True)) == [1]
