"""What a refusal says holds no masked value of its row, whoever worded it."""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from import_export.resources import ModelResource
from openpyxl import load_workbook
from pytest_django import DjangoDbBlocker

from backoffice.accounts.models import User
from backoffice.sheets import formats, withheld, workbooks
from backoffice.sheets.formats import Derivation, Record
from backoffice.sheets.models import ImportJob, Status
from backoffice.sheets.resources import SheetResource
from customers.models import Customer
from tests.clients import signed_in
from tests.masking.tables import standing
from tests.people import allow
from tests.sheets.made import book, check, run, upload
from tests.sheets.reached import Reached

HEAD = ("code", "email", "note")
CALLERS = ("number", "email", "country")
BLOCKED, NAMED = "qzone@blocked.example", "qztwo@example.com"
SAID = str(withheld.NOT_TOLD)
ROWS = [
    ["1", BLOCKED, ""],
    ["2", NAMED, f"about {NAMED}"],
    ["3", "no address", ""],
    ["4", "", "about nobody"],
]


class People(ModelResource):  # type: ignore[misc]
    """Written with objects."""

    key, title, permissions = "test-people", "People", ("sheets.add_importjob",)

    class Meta:
        model = Reached
        import_id_fields = ("code",)
        fields = HEAD
        clean_model_instances = True


class Callers(ModelResource):  # type: ignore[misc]
    """Written row by row, with a method that quotes what it refuses."""

    key, title, permissions = People.key, "Callers", People.permissions

    class Meta:
        model = Customer
        import_id_fields = ("number",)
        fields = CALLERS
        clean_model_instances = True

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        """Refuse two."""
        if row["country"] == "FR":
            raise ValidationError(f"Write to {row['email'].upper()} first")
        if row["country"] == "DE":
            raise ValidationError({"country": "Nobody lives there"})


class PeopleStep(SheetResource):
    """A step of a derived format."""

    dataset, label = "people", "People"

    class Meta:
        model = Reached
        import_id_fields = ("code",)
        fields = HEAD


@pytest.fixture(scope="module")
def reached(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make the tables."""
    with django_db_blocker.unblock(), standing(Reached, Reached.history.model):
        yield


@pytest.fixture(params=[People])
def people(request: pytest.FixtureRequest, reached: None) -> Iterator[None]:
    formats._formats[People.key] = formats.plain_of(request.param)
    yield
    del formats._formats[People.key]


def given(oli: User, head: tuple[str, ...], rows: list[list[str]]) -> ImportJob:
    job = upload(book(rows, head=head), oli)
    mapping = {"header_row": 1, "columns": {name: at for at, name in enumerate(head)}}
    values = {"format": People.key, "chosen": ["A"], "mapping": {"A": mapping}}
    ImportJob.objects.filter(pk=job.pk).update(**values)
    job.refresh_from_db()
    return check(job)


def messages(job: ImportJob) -> dict[int, str]:
    return {one.row: one.params["message"] for one in job.problems.order_by("pk")}


def holds_none(told: str) -> bool:
    return not [one for one in (BLOCKED, NAMED) if one.partition("@")[0] in told.lower()]


@pytest.mark.django_db
@pytest.mark.usefixtures("people")
def test_problems_api_and_comments_hold_no_masked_value(oli: User) -> None:
    job = given(oli, HEAD, ROWS)
    assert messages(job) == {
        2: SAID, 3: SAID, 4: "Enter a valid email address.", 5: "No notes about nobody",
    }  # fmt: skip
    run(job)
    client = signed_in(allow(oli, "sheets.view_importjob"))
    told = client.get(f"/api/v1/imports/{job.public_id}/problems/").content.decode()
    sheet = load_workbook(BytesIO(workbooks.failed_rows(job)))["A"]
    told += "".join(cell.comment.text for row in sheet for cell in row if cell.comment)
    assert told.count(SAID) == 4
    assert holds_none(told + str(list(job.problems.values())))


@pytest.mark.django_db
@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("people", [Callers], indirect=True)
def test_methods_of_a_resource_tell_no_masked_value(oli: User) -> None:
    rows = [["91", NAMED, "FR"], ["92", BLOCKED, "DE"], ["93", "no address", "KR"]]
    job = given(oli, CALLERS, rows)
    told = {2: SAID, 3: "Nobody lives there", 4: "Enter a valid email address."}
    assert messages(job) == told
    job.problems.all().delete()  # as if the check had let them pass
    assert messages(run(job)) == told
    assert not Customer.objects.filter(number__in=["91", "92", "93"]).exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("people")
def test_rules_that_refuse_while_it_runs_hold_none_either(oli: User) -> None:
    job = given(oli, HEAD, ROWS)
    job.problems.all().delete()  # as if the check had let them pass
    for part in job.parts.all():
        part.statuses = Status.NEW * part.records
        part.save()
    run(job)
    told = str(list(job.problems.values()))
    assert SAID in told
    assert holds_none(told)


@pytest.mark.usefixtures("reached")
def test_steps_of_derived_formats_hold_none(db: None) -> None:
    records = [
        Record({"code": "1", "email": BLOCKED, "note": ""}, "A", 2),
        Record({"code": "2", "email": NAMED, "note": f"about {NAMED}"}, "A", 3),
        Record({"code": "3", "email": "", "note": "about nobody"}, "A", 4),
    ]
    plan = PeopleStep().plan(records, Derivation({}))
    said = [one.params["message"] for one in plan.problems]
    assert said == [SAID, SAID, "No notes about nobody"]


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("Anna Muster is known", "anna muster"),
        ("A Muster is known", "Anna Muster"),
        ("+82 10 1234 5678 is taken", "010-1234-5678"),
        ("01012345678 is taken", 821012345678),
        ("Ed is known", "Ed"),
    ],
)
def test_a_value_is_found_however_it_is_written(said: str, value: object) -> None:
    assert withheld.holds(said, [None, value])


def test_short_values_are_whole_words_and_signs_are_none() -> None:
    assert not withheld.holds("An edition is needed.", ["Ed", "-", ".", "", None])
