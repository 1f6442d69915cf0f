"""Whoever may only look gets 403 at every step that does something; others at every page."""

import uuid
from typing import Any

import pytest
from django.urls import URLPattern, reverse

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.jobs.models import Job
from backoffice.sheets.models import ImportJob, ImportProblem
from backoffice.site import staff_site
from orders.models import Order
from tests.clients import signed_in
from tests.people import allow, make_person
from tests.sheets.made import book, bring_in, check, line, upload

pytestmark = pytest.mark.django_db
BAD = [line(), line(600002, quantity="three")]
# What looking alone is enough for; a POST to any other page of an import is refused.
READ_ONLY = {
    "import", "import_problems", "import_difference", "import_progress", "import_rows",
    "import_undone", "import_undo_progress",
}  # fmt: skip


def pages() -> list[str]:
    """Return the names of all pages of imports, as the site has them."""
    mine = {
        str(one.name)
        for one in staff_site.get_urls()
        if isinstance(one, URLPattern) and str(one.pattern).startswith("imports/<uuid:number>/")
    }
    # Keeping a sheet without a model has rights of its own, and tests of them.
    return sorted(name for name in mine if not name.startswith("import_keep"))


def address(name: str, job: ImportJob) -> str:
    more: dict[str, Any] = {"dataset": "orders"} if name == "import_rows" else {}
    return reverse(f"admin:{name}", kwargs={"number": job.public_id, **more})


def state() -> tuple[Any, ...]:
    """Return everything that a step could have changed."""
    rows = (list(ImportJob.objects.values()), list(ImportProblem.objects.values()))
    return (*rows, Job.objects.count(), Order.objects.count())


def as_csv(user: User) -> ImportJob:
    """Return a file whose text has to be explained first: nobody knows its order of dates."""
    head = "Invoice;StockCode;Description;Quantity;InvoiceDate;Price;Customer ID;Country"
    row = "600001;10001;KÜCHE;1;03/04/2011;2,50;12346;France"
    return upload(f"{head}\n{row}\n".encode("cp1252"), user, "orders.csv")


@pytest.fixture(params=["uploaded", "csv", "checked", "done"])
def job(request: pytest.FixtureRequest, oli: User) -> ImportJob:
    """Return an import of somebody else at one of three steps."""
    if request.param == "done":
        return bring_in(book(BAD), oli)
    if request.param == "csv":
        return as_csv(oli)
    made = upload(book(BAD), oli)
    return check(made) if request.param == "checked" else made


def test_there_are_pages_for_each_step() -> None:
    wanted = {"import_sheets", "import_mapping", "import_check", "import_difference", "import_run",
              "import_result", "import_failed", "import_undo"}  # fmt: skip
    assert wanted <= set(pages())
    assert set(pages()) >= READ_ONLY


def test_who_may_look_reads_and_changes_nothing(job: ImportJob, ada: User) -> None:
    client = signed_in(ada)
    before = state()
    for name in pages():
        seen = {403} if name == "import_undo" else {200, 302, 404}
        assert client.get(address(name, job)).status_code in seen, name
        answer = client.post(address(name, job), {"do": "start", "reason": "Because"})
        assert answer.status_code in ({405} if name in READ_ONLY else {403}), name
    assert client.get(reverse("admin:imports")).status_code == 200
    assert client.post(reverse("admin:imports")).status_code == 403
    assert state() == before
    assert not Event.objects.filter(actor=ada, verb__startswith="sheets.").exists()


def test_every_button_is_refused(oli: User, ada: User) -> None:
    job = check(upload(book(BAD), oli))
    client = signed_in(ada)
    before = state()
    values = {"mode": "create", "whole": "1", "format": job.format, "profile": "",
              "profile_name": "Mine", "sheet": "A"}  # fmt: skip
    for do in ("start", "mode", "check", "preview", "format", "profile", "keep"):
        for name in ("import_sheets", "import_mapping", "import_check"):
            answer = client.post(address(name, job), {"do": do, **values})
            assert answer.status_code == 403, (name, do)
    assert state() == before


def test_other_people_of_operations_start_nothing_of_mine(job: ImportJob) -> None:
    client = signed_in(make_person("oz", "ops"))
    before = state()
    for name in set(pages()) - READ_ONLY - {"import_undo"}:
        answer = client.post(address(name, job), {"do": "start", "sheet": "A"})
        assert answer.status_code == 403, name
    assert state() == before


@pytest.mark.parametrize("who", ["eve", "max_", "nia", "gus"])
def test_who_may_not_look_is_refused_everywhere(
    who: str, request: pytest.FixtureRequest, oli: User
) -> None:
    job = bring_in(book(BAD), oli)
    client = signed_in(request.getfixturevalue(who))
    for name in pages():
        assert client.get(address(name, job)).status_code == 403, name
        assert client.post(address(name, job)).status_code == 403, name


def test_a_lost_right_ends_ones_own_import(oli: User) -> None:
    job = check(upload(book(BAD), oli))
    oli.groups.clear()
    client = signed_in(allow(oli, "sheets.view_importjob"))
    for name in set(pages()) - READ_ONLY:
        answer = client.post(address(name, job), {"do": "start", "reason": "Because"})
        assert answer.status_code == 403, name
    job.refresh_from_db()
    assert job.state == ImportJob.State.CHECKED


def test_import_that_there_is_not(ada: User) -> None:
    client = signed_in(ada)
    nobody = ImportJob(public_id=uuid.uuid4())
    for name in pages():
        assert client.get(address(name, nobody)).status_code == 404, name
