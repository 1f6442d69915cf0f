"""Blind indexes in queries: found by a whole digest, and as closed as what they stand for."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import (
    CharField,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    Max,
    OuterRef,
    Value,
    Window,
)
from django.db.models.functions import Cast, Coalesce, Concat, Lower, Rank, Substr
from django.db.models.lookups import GreaterThan

from backoffice.masking.values import MaskedQueryError, unseal
from tests.masking.models import Letter, Person

pytestmark = pytest.mark.both_databases

HOLES: dict[str, Callable[[], Any]] = {
    "index in order": lambda: Person.objects.order_by(Lower("email_index")),
    "index under a name": lambda: Person.objects.annotate(x=F("email_index")).order_by("x"),
    "part of an index": lambda: Person.objects.annotate(x=Substr("email_index", 1, 4)),
    "index as text": lambda: Person.objects.annotate(x=Cast("email_index", CharField())),
    "index wrapped": lambda: Person.objects.annotate(
        x=ExpressionWrapper(F("email_index"), output_field=CharField())
    ),
    "index joined": lambda: Person.objects.annotate(x=Concat("email_index", Value("a"))),
    "greatest index": lambda: Person.objects.values("city").annotate(x=Max("email_index")),
    "window": lambda: Person.objects.annotate(x=Window(Rank(), order_by="email_index")),
    "part of a window": lambda: Person.objects.annotate(
        x=Window(Count("pk"), partition_by="email_index")
    ),
    "greater index": lambda: Person.objects.filter(GreaterThan(F("email_index"), Value("8"))),
    "two indexes": lambda: Person.objects.filter(email_index=F("phone_index")),
    "in two indexes": lambda: Person.objects.filter(email_index__in=[F("phone_index")]),
    "in a query of indexes": lambda: Person.objects.filter(
        email_index__in=Person.objects.values("email_index")
    ),
    "who shares a value": lambda: Person.objects.filter(
        Exists(Person.objects.filter(email_index=OuterRef("email_index")))
    ),
    "other side of an index": lambda: Person.objects.filter(city=F("email_index")),
    "distinct indexes": lambda: Person.objects.values("city").annotate(
        x=Count("email_index", distinct=True)
    ),
    "union of an index": lambda: Letter.objects.values_list("text").union(
        Person.objects.values_list("email_index")
    ),
    "copied index": lambda: [Person.objects.update(city=F("email_index"))],
}


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
def test_question_by_an_index_is_refused(person: Person, hole: Callable[[], Any]) -> None:
    Letter.objects.create(person=person, text="hello")
    with pytest.raises(MaskedQueryError):
        list(hole())


def test_index_that_comes_out_is_sealed(person: Person) -> None:
    Letter.objects.create(person=person)
    digest = unseal(Person.objects.get().email_index)  # type: ignore[attr-defined]
    shown: list[Any] = [
        list(Person.objects.values()),
        list(Person.objects.values_list("email_index", "phone_index")),
        list(Person.objects.annotate(x=F("email_index")).values("x")),
        list(Person.objects.annotate(x=Coalesce("email_index", "phone_index")).values("x")),
        list(Letter.objects.values("person__email_index")),
        [vars(row) for row in Person.objects.raw("SELECT * FROM masking_tests_person")],
        [row.person.email_index for row in Letter.objects.select_related("person")],
    ]
    assert [(str(digest) in str(one), "•" in str(one)) for one in shown] == [(False, True)] * 7


def test_index_is_found_by_its_whole_digest(person: Person) -> None:
    digest = person.email_index  # type: ignore[attr-defined]
    asked: list[dict[str, Any]] = [
        {"email_index": digest},
        {"email_index": unseal(digest)},
        {"email_index__in": [digest, "a"]},
        {"email_index__isnull": False},
        {"email_index": Value(unseal(digest))},
    ]
    assert [Person.objects.filter(**one).count() for one in asked] == [1] * 5
    assert Person.objects.aggregate(n=Count("email_index"))["n"] == 1
