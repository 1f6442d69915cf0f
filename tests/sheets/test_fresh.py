"""What is written is what the file brought, on rows as they are at that moment."""

from collections.abc import Callable, Sequence
from datetime import datetime
from io import BytesIO
from itertools import count
from typing import Any

import pytest
from openpyxl import Workbook

from backoffice.accounts.models import User
from backoffice.sheets.models import ImportJob
from backoffice.sheets.writing import engine
from sellers.models import Seller
from tests.sheets.made import check, run, said, upload
from tests.sheets.supplies import Ruled, Supply

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("supply_tables")]
VALUES = {
    "country": "KR", "status": "new", "amount": 1, "ordered_at": "2020-01-01T00:05:00Z",
}  # fmt: skip


def sheets(*made: Sequence[Sequence[Any]]) -> bytes:
    """Return a workbook; each sheet has heads of its own in its first row."""
    whole = Workbook(write_only=True)
    for number, rows in enumerate(made):
        sheet = whole.create_sheet("ABCD"[number])
        for row in rows:
            sheet.append(list(row))
    file = BytesIO()
    whole.save(file)
    return file.getvalue()


def mapped(key: str, oli: User, *made: Sequence[Sequence[Any]]) -> ImportJob:
    """Return a checked import of sheets that are mapped by their heads."""
    job = upload(sheets(*made), oli)
    mapping = {
        "ABCD"[number]: {
            "header_row": 1, "columns": {str(name): at for at, name in enumerate(rows[0])},
        }
        for number, rows in enumerate(made)
    }  # fmt: skip
    ImportJob.objects.filter(pk=job.pk).update(format=key, chosen=list(mapping), mapping=mapping)
    job.refresh_from_db()
    return check(job)


@pytest.mark.parametrize(("key", "model"), [("test-ruled", Ruled), ("test-supplies", Supply)])
def test_each_sheet_writes_the_columns_that_it_has(oli: User, key: str, model: Any) -> None:
    for number in range(1, 41):
        model.objects.create(ext_id=number, name="Old", note="old", email="old", **VALUES)
    first: list[list[Any]] = [["ext_id", "name"], *([number, "New"] for number in range(1, 31))]
    more = ([number, "New", f"new {number}"] for number in range(31, 41))
    second: list[list[Any]] = [["ext_id", "name", "note"], *more]
    job = run(mapped(key, oli, first, second))
    assert job.state == ImportJob.State.DONE, job.message
    found = dict(model.objects.values_list("ext_id", "note"))
    assert [found[number] for number in range(1, 31)] == ["old"] * 30
    assert [found[number] for number in range(31, 41)] == [f"new {n}" for n in range(31, 41)]
    assert set(model.objects.values_list("name", "email")) == {("New", "old")}
    past = model.history.filter(history_change_reason=job.change_reason)
    assert past.count() == 40
    assert past.get(ext_id=31).note == "new 31"


def test_a_sheet_lacks_what_its_own_columns_lack(oli: User) -> None:
    heads = ["ext_id", "name", *VALUES]
    full = [2, "b", *VALUES.values()]
    full[-1] = datetime(2020, 1, 1)  # noqa: DTZ001 - a sheet has no zones
    job = mapped("test-supplies", oli, [["ext_id", "name"], [1, "a"]], [heads, full])
    assert [one[:3] for one in said(job)] == [("invalid", "A", 2)]
    assert (job.summary["failed"], job.summary["datasets"]["supply"]["new"]) == (1, 1)


def test_row_methods_see_the_columns_of_their_sheet(oli: User) -> None:
    for code in ("one", "two"):
        Seller.objects.create(code=code, name="Old", status=Seller.Status.PAUSED)
    first = [["code", "name"], ["one", "New"]]
    second = [["code", "name", "status"], ["two", "New", "closed"]]
    job = run(mapped("test-rows", oli, first, second))
    assert job.state == ImportJob.State.DONE, job.message
    found = Seller.objects.order_by("code").values_list("name", "status")
    assert list(found) == [("New", "paused"), ("New", "closed")]


@pytest.fixture
def two(oli: User) -> ImportJob:
    """Return a checked import that changes two rows; the first sheet brings no note."""
    for number in (1, 2):
        Ruled.objects.create(ext_id=number, name="Old", note="old", email="old", **VALUES)
    first: list[list[Any]] = [["ext_id", "name"], [1, "New"]]
    second: list[list[Any]] = [["ext_id", "name", "note"], [2, "New", "new"]]
    return mapped("test-ruled", oli, first, second)


def before_commits(
    monkeypatch: pytest.MonkeyPatch, times: int, act: Callable[[int], object]
) -> None:
    """Act between plan and commit, the first `times`."""
    original, calls = engine.Writer._commit, count()

    def commit(self: Any, *args: Any, **kwargs: Any) -> Any:
        number = next(calls)
        if number < times:
            act(number)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(engine.Writer, "_commit", commit)


def edit(note: str) -> None:
    row = Ruled.objects.get(ext_id=1)
    row.note = note
    row.save()


def test_an_edit_between_plan_and_commit_stays(
    two: ImportJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_commits(monkeypatch, 1, lambda _number: edit("by a person"))
    job = run(two)
    assert job.counters["ruled"]["updated"] == 2
    row = Ruled.objects.get(ext_id=1)
    assert (row.name, row.note) == ("New", "by a person")
    assert row.history.latest().note == "by a person"
    assert Ruled.objects.get(ext_id=2).note == "new"


def test_a_row_deleted_between_plan_and_commit_is_no_change(
    two: ImportJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_commits(monkeypatch, 1, lambda _number: Ruled.objects.get(ext_id=2).delete())
    job = run(two)
    counts = job.counters["ruled"]
    assert (counts["updated"], counts["created"], counts["failed"]) == (1, 0, 1)
    assert not Ruled.objects.filter(ext_id=2).exists()
    assert Ruled.history.filter(history_change_reason=job.change_reason).count() == 1


def test_a_row_that_never_holds_still_is_left_out(
    two: ImportJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_commits(monkeypatch, 4, lambda number: edit(f"edit {number}"))
    job = run(two)
    assert (job.counters["ruled"]["updated"], job.counters["ruled"]["failed"]) == (1, 1)
    assert list(job.problems.values_list("code", "sheet", "row")) == [("meanwhile", "A", 2)]
    row = Ruled.objects.get(ext_id=1)
    assert (row.name, row.note) == ("Old", "edit 3")
