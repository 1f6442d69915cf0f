"""SQL by hand: what names a table or a column with masks, and what may be named."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import CharField, Func
from django.db.models.expressions import RawSQL

from backoffice.masking.values import MaskedQueryError
from tests.masking.conftest import leaks
from tests.masking.models import Letter, Person

P = "masking_tests_person"
# Columns under other names: which of them is hidden, the text does not tell.
CTE = f"WITH t(a, b, c, d, e, f, g, h, i, j) AS (SELECT * FROM {P})"  # noqa: S608 - no value in it
# SQL by hand that names no masked column, and would tell one.
UNNAMED = {
    "a table": f"(SELECT count(*) FROM {P})",  # noqa: S608
    "renamed columns": f"({CTE} SELECT max(c) FROM t)",  # noqa: S608
    "a row": f"row_to_json({P})",
    "a row as text": f"{P}::text",
    "a row by its alias": "(SELECT row_to_json(x) FROM masking_tests_person x)",
    "a row quoted": f'"{P}"::text',
    "a row of all columns": f"row({P}.*)",
    "a function of a row": f"{P}.row_to_json",
    "a name in other letters": 'U&"n\\0061me"',
    "a query in text": "query_to_xml('select * from masking_tests' || '_person', true, true, '')",
    "an index": "email_index",
}


@pytest.mark.parametrize("text", UNNAMED.values(), ids=UNNAMED)
def test_sql_by_hand_that_names_a_table_with_masked_columns_is_refused(db: None, text: str) -> None:
    ask: list[Callable[[], Any]] = [
        lambda: Person.objects.annotate(x=RawSQL(text, [])),  # noqa: S611
        lambda: Person.objects.extra(where=[f"{text} = 'a'"]),  # noqa: S610
        lambda: Person.objects.extra(select={"x": text}),  # noqa: S610
        lambda: Person.objects.annotate(x=Func(template=text, output_field=CharField())),
        lambda: Person.objects.raw(f"SELECT id, {text} AS city FROM {P}"),  # noqa: S608
        lambda: Person.objects.raw(f"SELECT * FROM {P} WHERE {text} = 'a'"),  # noqa: S608
    ]
    for rows in ask:
        with pytest.raises(MaskedQueryError):
            list(rows())


# Rows and columns of other places than their own.
MISPLACED = {
    "renamed": f"{CTE} SELECT a AS id, c AS city FROM t",  # noqa: S608
    "renamed by an alias": f"SELECT * FROM {P} AS t(id, city, email, phone, notes)",  # noqa: S608
    "from inside": f"SELECT id, t.* FROM (SELECT * FROM {P}) t",  # noqa: S608
    "a union": f"SELECT * FROM {P} UNION SELECT * FROM {P}",  # noqa: S608
    "rows compared": f"SELECT * FROM {P} WHERE (1, 'a') < (SELECT * FROM {P} LIMIT 1)",  # noqa: S608
    "by its alias": f"SELECT * FROM {P} p WHERE p::text LIKE 'a'",  # noqa: S608
    "sorted by a place": f"SELECT * FROM {P} ORDER BY 3",  # noqa: S608
    "sorted by a second place": f"SELECT * FROM {P} ORDER BY city, (3) DESC",  # noqa: S608
    "natural": f"SELECT p.* FROM {P} p NATURAL JOIN other",  # noqa: S608
    "an index": f"SELECT id, email_index FROM {P}",  # noqa: S608
}


@pytest.mark.parametrize("text", MISPLACED.values(), ids=MISPLACED)
def test_raw_brings_rows_as_they_are_only(db: None, text: str) -> None:
    with pytest.raises(MaskedQueryError):
        list(Person.objects.raw(text))


def test_raw_brings_rows_of_its_own_model_only(person: Person) -> None:
    Letter.objects.create(person=person)
    for text in (
        f"SELECT * FROM {P}",  # noqa: S608
        f"SELECT * FROM masking_tests_letter l JOIN {P} p ON p.id = l.person_id",  # noqa: S608
        f"SELECT p.* FROM masking_tests_letter l JOIN {P} p ON p.id = l.person_id",  # noqa: S608
    ):
        with pytest.raises(MaskedQueryError):
            list(Letter.objects.raw(text))
    with pytest.raises(MaskedQueryError):
        list(Person.objects.raw(f"SELECT * FROM {P}", translations={"name": "city"}))  # noqa: S608


RAW = [
    f"SELECT * FROM {P} WHERE city = 'Ulm' ORDER BY city, id LIMIT 3",  # noqa: S608
    f'SELECT "{P}".* FROM "{P}" WHERE "{P}"."city" = \'Ulm\'',  # noqa: S608
    f"SELECT p.* FROM {P} AS p JOIN masking_tests_letter l ON l.person_id = p.id",  # noqa: S608
    f"SELECT id, p.city FROM {P} p",  # noqa: S608
    f"select * from {P} where id in (select person_id from masking_tests_letter)",  # noqa: S608
]


@pytest.mark.parametrize("text", RAW)
def test_rows_and_open_columns_come_by_raw(person: Person, text: str) -> None:
    Letter.objects.create(person=person)
    Person.objects.update(city="Ulm")
    [found] = Person.objects.raw(text)
    assert (found.pk, found.city, leaks(vars(found))) == (person.pk, "Ulm", [])


def test_open_columns_may_be_named_by_hand(person: Person) -> None:
    Letter.objects.create(person=person)
    joined = Letter.objects.raw(
        f"SELECT l.* FROM masking_tests_letter l JOIN {P} p ON p.id = l.person_id"  # noqa: S608
        " WHERE p.city = ''"
    )
    mine: Any = Person.objects.annotate(x=RawSQL(f'upper("{P}"."city")', []))  # noqa: S611
    ordered = mine.order_by(RawSQL("city", []))
    assert [len(list(rows)) for rows in (joined, mine, ordered)] == [1, 1, 1]
    Letter.objects.prefetch_related("person").get()


@pytest.mark.parametrize("place", ["2", "(2)", " /* by */ 2", "2 COLLATE NOCASE"])
def test_masked_columns_are_not_sorted_by_their_place(person: Person, place: str) -> None:
    shown = Person.objects.values_list("pk", "name")
    with pytest.raises(MaskedQueryError):
        list(shown.order_by(RawSQL(place, [])))  # noqa: S611
    with pytest.raises(MaskedQueryError):
        list(Person.objects.extra(select={"x": place}).values_list("pk", "name").order_by("x"))  # noqa: S610
