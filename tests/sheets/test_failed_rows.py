"""The workbook of failed rows: mended as its comments say, it comes in, and nothing is doubled."""

from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from openpyxl import Workbook, load_workbook

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.sheets import formats, services, workbooks
from backoffice.sheets.admin import result
from backoffice.sheets.exporting import failed_jobs
from backoffice.sheets.models import ImportJob
from backoffice.sheets.reading import dialects
from backoffice.sheets.reading.reader import RawRow
from orders.models import Order, OrderLine
from sellers.models import Seller
from tests.clients import signed_in
from tests.people import allow, make_person
from tests.sheets.made import HEAD, book, bring_in, check, line, run, upload

pytestmark = pytest.mark.django_db
State = ImportJob.State
SHOPS = ("Seller ID", "Shop name", "State")


@pytest.fixture
def oli(oli: User) -> User:
    for name in ("sellers.add_seller", "sellers.change_seller"):
        oli = allow(oli, name)
    return oli


def mended(content: bytes, values: dict[str, Callable[[Any], Any]], header: int = 1) -> bytes:
    """Correct each cell that has a comment, by what `values` says of its column."""
    found = load_workbook(BytesIO(content))
    for sheet in found.worksheets:
        heads = [str(cell.value) for cell in sheet[header]]
        for row in sheet.iter_rows(min_row=header + 1):
            for head, cell in zip(heads, row, strict=False):
                if cell.comment and head in values:
                    cell.value = values[head](cell.value)
                    cell.comment = None
    file = BytesIO()
    found.save(file)
    return file.getvalue()


def test_mended_rows_come_in_and_nothing_is_doubled(oli: User) -> None:
    rows = [line(), line(600002, quantity="three"), line(600003, 10003, at="some day"),
            line(600004, 10004, price=None)]  # fmt: skip
    job = bring_in(book(rows), oli)
    before = (Order.objects.count(), OrderLine.objects.count())
    content = workbooks.failed_rows(job)
    assert result.totals(job)["failed"] == 3
    sheet = load_workbook(BytesIO(content))["A"]
    assert [cell.value for cell in sheet[1]] == list(HEAD)
    assert sheet.max_row == 4
    assert "Not a whole number" in sheet["D2"].comment.text
    good = {
        "Quantity": lambda _old: 3,
        "InvoiceDate": lambda _old: datetime(2011, 5, 5, 10, 30),  # noqa: DTZ001
        "Price": lambda _old: 1.25,
    }
    again = bring_in(mended(content, good), oli)
    assert again.total("failed") == 0
    assert again.problems.filter(severity="failed").count() == 0
    assert before == (1, 1)
    assert OrderLine.objects.count() == 4
    assert Order.objects.count() == 4
    once_more = bring_in(mended(content, good), oli)
    assert once_more.created == 0
    assert OrderLine.objects.count() == 4


def test_rows_of_a_plain_resource(oli: User) -> None:
    long = "x" * 300
    rows = [["007", "Cups & Co", "active"], ["008", long, "active"], ["009", "Pots", "nonsense"]]
    job = bring_in(book(rows, head=SHOPS), oli)
    assert job.format == "sellers"
    content = workbooks.failed_rows(job)
    sheet = load_workbook(BytesIO(content))["A"]
    assert [row[0].value for row in sheet.iter_rows(min_row=2)] == ["008", "009"]
    assert sheet["B2"].comment is not None
    assert sheet["C3"].comment is not None
    good = {"Shop name": lambda _old: "Plates", "State": lambda _old: "active"}
    assert result.totals(job)["failed"] == 2
    again = bring_in(mended(content, good), oli)
    assert again.created == 2
    assert result.totals(again)["failed"] == 0
    assert set(Seller.objects.filter(code__startswith="00").values_list("code", flat=True)) == {
        "007", "008", "009"
    }  # fmt: skip


def test_csv_of_another_country_comes_back_as_a_plain_workbook(oli: User) -> None:
    lines = [
        ";".join(HEAD),
        "600001;10001;CUP;1;01.07.2011 12:00;2,50;12346;France",
        "600002;10002;MUG;drei;02.07.2011 12:00;1.250,75;12347;France",
    ]
    job = upload("\n".join(lines).encode(), oli, "orders.csv")
    spoken = dialects.Dialect(delimiter=";", decimal=",", thousands=".", dates="dmy")
    services.read_as(job, spoken, actor=oli)
    check(job)
    assert job.state == State.CHECKED, job.message
    run(job)
    assert Order.objects.count() == 1
    content = workbooks.failed_rows(job)
    again = bring_in(mended(content, {"Quantity": lambda _old: 3}), oli)
    assert again.problems.filter(severity="failed").count() == 0
    made = OrderLine.objects.get(order__number="600002")
    assert (made.quantity, made.unit_price_minor) == (3, 125_075)
    first = Order.objects.get(number="600001")
    assert (made.order.placed_at - first.placed_at).days == 1


def test_header_of_two_rows_stays_one(oli: User) -> None:
    made = Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.title = "Shops"
    for row in (["List of shops"], ["Seller", "Shop", "State"], ["ID", "name", ""],
                ["011", "Cups", "active"], ["012", "Pots", "nonsense"]):  # fmt: skip
        sheet.append(row)
    file = BytesIO()
    made.save(file)
    job = upload(file.getvalue(), oli, "shops.xlsx")
    services.choose(job, ["Shops"], actor=oli, headers={"Shops": (3, 2)})
    services.use_format(job, formats.get("sellers"), actor=oli)
    run(check(job))
    assert job.total("created") == 1
    content = workbooks.failed_rows(job)
    back = load_workbook(BytesIO(content))["Shops"]
    assert [back["A1"].value, back["A2"].value, back["A3"].value] == ["Seller", "ID", "012"]
    assert back.freeze_panes == "A3"


def test_odd_name_of_a_sheet_is_no_obstacle(oli: User) -> None:
    job = bring_in(book([line(quantity="three")]), oli)
    renamed = "Orders [of] 2011/12: all of them, and more"
    job.problems.update(sheet=renamed)
    sheets = workbooks._Sheets(Workbook(write_only=True), job, formats.get(job.format), {})
    sheets.maps[renamed] = sheets.maps["A"]
    made = sheets._sheet(RawRow(renamed, 1, HEAD))
    assert made.title == "Orders _of_ 2011_12_ all of the"


def test_many_are_made_by_a_job_with_words_beside_the_rows(
    oli: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failed_jobs, "AT_ONCE", 3)
    monkeypatch.setattr(workbooks, "COMMENTS", 2)
    rows = [[f"00{number}", "Cups", "nonsense"] for number in range(4)]
    job = bring_in(book([*rows, ["009", "Pots", "active"]], head=SHOPS), oli)
    client, url = signed_in(oli), reverse("admin:import_failed", args=[job.public_id])
    assert "/files/" not in client.post(url)["Location"]
    assert "/files/" not in client.post(url)["Location"]
    (made,) = Job.objects.filter(kind=failed_jobs.KIND)
    execute(made.pk)
    execute(made.pk)
    assert Event.objects.filter(verb=failed_jobs.KIND, actor=oli).count() == 1
    answer = client.post(url, follow=True)
    assert client.post(url)["Location"].startswith("/admin/files/")
    assert Job.objects.filter(kind=failed_jobs.KIND).count() == 1
    content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    found = load_workbook(BytesIO(content))
    sheet = found["A"]
    told = [(row[2].comment is not None, row[3].value) for row in sheet.iter_rows()]
    assert told[0] == (False, "What is wrong")
    assert told[1:3] == [(True, None)] * 2
    assert all(not comment and "Left out" in str(words) for comment, words in told[3:])
    assert len(told) == 5
    for row in sheet.iter_rows(min_row=2):
        row[2].value, row[2].comment = "active", None
    file = BytesIO()
    found.save(file)
    assert bring_in(file.getvalue(), oli).created == 4


def test_job_is_for_whose_file_it_is(oli: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_jobs, "AT_ONCE", 0)
    job = bring_in(book([["001", "Cups", "nonsense"]], head=SHOPS), oli)
    other = allow(make_person("qzother", "operations"), "sheets.add_importjob")
    with pytest.raises(PermissionDenied):
        failed_jobs.ask(job, actor=other)
    assert not Job.objects.filter(kind=failed_jobs.KIND).exists()
