"""Verbs of imports: what is kept, what is refused, what comes back to be corrected."""

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from openpyxl import load_workbook

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.jobs import services as jobs
from backoffice.jobs.run import execute
from backoffice.sheets import formats, services, workbooks
from backoffice.sheets.errors import ReadError
from backoffice.sheets.mapping import SheetMapping
from backoffice.sheets.models import ImportJob, ImportProblem
from backoffice.sheets.reading import guard
from orders.models import Charge, Order, OrderLine, ReturnLine
from tests.people import make_person
from tests.sheets.made import AT, HEAD, archive, book, bring_in, check, line, run, said, upload

pytestmark = pytest.mark.django_db
State = ImportJob.State
EMAIL, PHONE, NAME = "anna.smith@example.com", "+44 20 7946 0958", "ANNA SMITH"


def kept_files() -> list[Path]:
    return [path for path in (settings.MEDIA_ROOT / "imports").glob("*") if path.is_file()]


def test_upload_proposes_format_sheets_and_columns(oli: User) -> None:
    job = upload(book([line()], [line(), line()]), oli, name="../../orders.xlsx")
    assert (job.format, job.chosen, job.original_name) == (
        "online-retail",
        ["A", "B"],
        "orders.xlsx",
    )
    assert [(one["name"], one["rows"]) for one in job.sheets] == [("A", 1), ("B", 2)]
    assert job.mapping["A"]["columns"] == {
        column.key: index for index, column in enumerate(formats.get("online-retail").columns)
    }
    stored = Path(job.file.path)
    assert stored.suffix == ".xlsx"
    assert not {"orders", job.public_id.hex} & {stored.stem, stored.parent.name}
    assert Event.objects.about(job).get().verb == services.UPLOADED


def test_header_is_found_below_titles_and_by_other_names(oli: User) -> None:
    head = ["Sales of the year"]
    names = ["Country", "InvoiceNo", "STOCK CODE", "Qty", "Invoice_Date", "Unit Price"]
    row = ["France", 600001, 10001, 2, AT, 2.5]
    job = bring_in(book([[], names, row], head=head), oli)
    assert job.mapping["A"]["header_row"] == 3
    found = OrderLine.objects.get()
    assert (found.quantity, found.total_minor, found.order.customer) == (2, 500, None)


def test_header_that_stands_twice_is_not_guessed(oli: User) -> None:
    job = upload(book([line()], head=[*HEAD[:-1], "Price"]), oli)
    assert "price" not in job.mapping["A"]["columns"]


def test_file_that_cannot_be_read_leaves_nothing(oli: User) -> None:
    before = kept_files()
    with pytest.raises(ReadError):
        upload(archive({"hello": b"x"}), oli)
    with pytest.raises(ReadError):
        upload(b"", oli)
    assert not ImportJob.objects.exists()
    assert kept_files() == before


def test_too_large_file_is_refused(oli: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_BYTES", 100)
    with pytest.raises(ReadError, match="MB"):
        upload(book([line()]), oli)


def test_check_writes_no_record(oli: User) -> None:
    job = check(upload(book([line()]), oli))
    assert job.state == State.CHECKED
    assert job.summary["datasets"]["order_lines"] == {"new": 1, "existing": 0}
    assert not Order.objects.exists()


def test_csv_comes_in_too(oli: User) -> None:
    rows = [
        HEAD,
        ("600001", "10001", "CUP", "2", "2011-07-01 12:00:00", "2.55", "12346.0", "France"),
    ]
    content = "\n".join(",".join(row) for row in rows).encode()
    job = bring_in(content, oli)
    assert (job.kind, OrderLine.objects.get().total_minor) == ("csv", 510)


def test_mapping_can_be_changed(oli: User) -> None:
    head = [*HEAD[:3], "Pieces", *HEAD[4:]]
    job = upload(book([line(quantity=3)], head=head), oli)
    form = formats.get(job.format)
    assert [column.key for column in SheetMapping.from_json(job.mapping["A"]).missing(form)] == [
        "quantity"
    ]
    columns = {**job.mapping["A"]["columns"], "quantity": 3}
    services.map_columns(job, form, {"A": SheetMapping(1, columns)}, actor=oli)
    run(check(job))
    assert OrderLine.objects.get().quantity == 3


NEEDED = ("invoice", "code", "quantity", "placed_at", "price")


@pytest.mark.parametrize("columns", [{"invoice": 0}, dict.fromkeys(NEEDED, 0)])
def test_mapping_that_cannot_be_is_refused(columns: dict[str, int], oli: User) -> None:
    job = upload(book([line()]), oli)
    form = formats.get(job.format)
    with pytest.raises(ValueError, match="column"):
        services.map_columns(job, form, {"A": SheetMapping(1, columns)}, actor=oli)


def test_import_starts_only_when_checked_and_once(oli: User) -> None:
    job = upload(book([line()]), oli)
    with pytest.raises(services.StateError):
        services.start(job, actor=oli)
    run(check(job))
    with pytest.raises(services.StateError):
        services.start(job, actor=oli)
    with pytest.raises(services.StateError):
        services.choose(job, ["A"], actor=oli)


def test_change_of_mapping_voids_the_check(oli: User) -> None:
    job = check(upload(book([line()]), oli))
    services.choose(job, ["A"], actor=oli)
    with pytest.raises(services.StateError):
        services.start(job, actor=oli)


def test_only_the_person_who_uploaded_goes_on(oli: User) -> None:
    other = make_person("ola", "ops")
    job = check(upload(book([line()]), oli))
    for verb in (services.start, services.check):
        with pytest.raises(PermissionDenied):
            verb(job, actor=other)
    with pytest.raises(PermissionDenied):
        services.choose(job, ["A"], actor=other)


def test_person_without_the_right_cannot_upload(eve: User) -> None:
    with pytest.raises(PermissionDenied):
        upload(book([line()]), eve)


def test_right_that_was_taken_away_stops_the_start(oli: User) -> None:
    job = check(upload(book([line()]), oli))
    oli.groups.clear()
    with pytest.raises(PermissionDenied):
        services.start(job, actor=User.objects.get(pk=oli.pk))


def _clear(_job: ImportJob) -> bytes:
    return book([line(quantity=99)])


def _of_another(job: ImportJob) -> bytes:
    return Path(upload(book([line(quantity=99)]), job.owner).file.path).read_bytes()


def _cut_off(job: ImportJob) -> bytes:
    return Path(job.file.path).read_bytes()[:-1]


@pytest.mark.parametrize("change", [_clear, _of_another, _cut_off])
def test_changed_file_is_refused(oli: User, change: Callable[[ImportJob], bytes]) -> None:
    job = check(upload(book([line()]), oli))
    Path(job.file.path).chmod(0o600)
    Path(job.file.path).write_bytes(change(job))
    execute(services.start(job, actor=oli).pk)
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert "not the one" in job.message
    assert not Order.objects.exists()


def test_stopped_import_goes_on(oli: User) -> None:
    job = check(upload(book([line()]), oli))
    started = services.start(job, actor=oli)
    jobs.cancel(started, actor=oli)
    services.tidy()
    job.refresh_from_db()
    assert (job.state, Order.objects.count()) == (State.CANCELLED, 0)
    run(job)
    assert (job.state, Order.objects.count()) == (State.DONE, 1)


def test_failed_rows_come_back_and_come_in_once_corrected(oli: User) -> None:
    rows = [
        line(quantity=1), line(quantity="x"), line("C600002", quantity=-1, at="2011-13-09"),
        line(600003, "M", price=-2), line(600004, country="x" * 90), line(600005),
    ]  # fmt: skip
    job = bring_in(book(rows), oli)
    assert (job.summary["failed"], OrderLine.objects.count()) == (4, 2)
    book_ = load_workbook(BytesIO(workbooks.failed_rows(job)))
    sheet = book_["A"]
    assert [cell.value for cell in sheet[1]] == list(HEAD)
    wrong = {
        cell.coordinate: cell.comment.text
        for row in sheet.iter_rows(min_row=2)
        for cell in row
        if cell.comment and cell.fill.fgColor.rgb.endswith("FCE8E6")
    }
    # Row 2 is the equal line that was taken: beside it, the corrected one is the second of two.
    assert list(wrong) == ["D3", "E4", "F5", "H6"]
    assert wrong["D3"] == "Not a whole number. Left out. Write a number such as 12."
    for place, good in (("D3", 1), ("E4", AT), ("F5", 2), ("H6", "Spain")):
        sheet[place] = good
    file = BytesIO()
    book_.save(file)
    again = bring_in(file.getvalue(), oli)
    assert again.summary["failed"] == 0
    equal = OrderLine.objects.filter(order__number="600001").values_list("quantity", "occurrence")
    assert list(equal.order_by("pk")) == [(1, 0), (1, 1)]
    assert Order.objects.get(number="600001").total_minor == 500
    assert (ReturnLine.objects.count(), Charge.objects.count()) == (1, 1)


def test_nothing_personal_is_kept_of_wrong_cells(oli: User) -> None:
    rows = [
        line(quantity=EMAIL), line(price=PHONE), line(at=NAME), line(code=NAME, price=18),
        line(EMAIL, quantity=-1), line(600001, quantity=447700900123),
        line(600002, country=NAME * 9),
    ]  # fmt: skip
    job = bring_in(book(rows), oli)
    stored = " ".join(
        str(values)
        for values in [
            *ImportProblem.objects.values_list("value", "params", "column"),
            *Event.objects.values_list("typed__text", "context"),
            *ImportJob.objects.values_list("summary", "sheets", "notes", "message"),
        ]
    )
    shown = " ".join(f"{one.wrong} {one.what_to_do}" for one in job.problems.all())
    assert said(job)
    for word in (EMAIL, PHONE, NAME, "447700900123"):
        assert word not in stored + shown


def test_files_are_forgotten(oli: User) -> None:
    job = upload(book([line()]), oli)
    path = Path(job.file.path)
    services.forget()
    assert path.exists()
    ImportJob.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert services.forget() == 1
    assert not path.exists()
    job.refresh_from_db()
    assert not job.file


def test_end_is_recorded(oli: User) -> None:
    job = bring_in(book([line()]), oli)
    event = Event.objects.about(job).get(verb=services.FINISHED)
    assert (event.actor, event.context["created"]) == (oli, job.created)
