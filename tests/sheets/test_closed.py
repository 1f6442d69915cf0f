"""A check is no way to find out masked values: equal and different ones look the same."""

from collections.abc import Iterable
from typing import Any

import pytest
from django.urls import reverse

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.sheets import approving, cells, formats, services, staging
from backoffice.sheets.formats import Column, Derivation, Record, SheetRow
from backoffice.sheets.models import ImportJob, Status
from backoffice.sheets.resources import SheetResource
from backoffice.sheets.writing import closed
from customers.models import Customer
from customers.sheets import Customers
from tests.clients import signed_in
from tests.factories import make_customer
from tests.people import allow, make_person
from tests.sheets.made import book, check, run, upload

pytestmark = pytest.mark.django_db
HEAD = ("number", "phone", "country")
KNOWN = {"number": "77001", "phone": "+33 1 42 68 53 18", "country": "FR"}
RIGHT, WRONG = "+33 1 42 68 53 18", "+33 1 42 68 99 18"


class ByRows(Customers):
    """With a row method of its own, so that import-export's own way reads each row."""

    key = "test-by-rows"

    def before_import_row(self, row: Any, **kwargs: Any) -> None:
        """Leave the row as it is."""


class Told(SheetResource):
    """A step that may change masked values."""

    dataset, label, columns = "customers", "Customers", {"number": "number", "phone": "phone"}
    overwrite = ("phone", "country")

    class Meta:
        model = Customer
        import_id_fields = ("number",)
        fields = HEAD


class Derived(formats.Format):
    """A format that derives its records."""

    key, title, permissions = "test-derived", "Derived", ("customers.import_customer",)
    columns = tuple(Column(name, name, cells.text, ()) for name in HEAD)
    steps = (Told,)

    def derive(self, rows: Iterable[SheetRow]) -> Derivation:
        """Return a record for each row."""
        made = [Record(dict(row.values), row.sheet, row.number) for row in rows]
        return Derivation({"customers": made}, [], [], read=len(made), ready=len(made))

    def measure(self, derivation: Derivation) -> dict[str, int]:
        """Return nothing."""
        return {}


ALL = pytest.mark.parametrize("key", ["customers", ByRows.key, Derived.key])


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> Customer:
    monkeypatch.setattr(formats, "_formats", dict(formats._formats))
    formats.register(ByRows)
    formats.register(Derived)
    return make_customer(**KNOWN)


@pytest.fixture
def oli(oli: User) -> User:
    for name in ("import_customer", "view_customer"):
        oli = allow(oli, f"customers.{name}")
    return oli


def checked(phone: str, by: User, key: str, country: str = "FR", **values: Any) -> ImportJob:
    """Return the checked import of one customer who is known."""
    job = upload(book([["77001", phone, country]], head=HEAD), by)
    ImportJob.objects.filter(pk=job.pk).update(format="", **values)
    job.refresh_from_db()
    services.use_format(job, formats.get(key), actor=by)
    check(job)
    assert job.state == ImportJob.State.CHECKED, job.message
    return job


def told(job: ImportJob) -> tuple[Any, ...]:
    """Return all that is told of a check."""
    return (
        job.parts.get().statuses,
        {**job.summary},
        [(one.code, one.row) for one in job.problems.all()],
        approving.counts(job),
    )


def shown(job: ImportJob, user: User, name: str = "import_difference") -> str:
    """Return the page without what each import has of its own."""
    answer = signed_in(user).get(reverse(f"admin:{name}", kwargs={"number": job.public_id}))
    assert answer.status_code == 200
    text = answer.content.decode().replace(str(job.public_id), "")
    return text[text.index('class="bo-stack"') : text.index("</main")]


def without_tokens(text: str) -> list[str]:
    return [line for line in text.splitlines() if "csrf" not in line and "nonce" not in line]


@ALL
@pytest.mark.parametrize("mode", ["both", "create"])
def test_right_and_wrong_guess_look_the_same(oli: User, key: str, mode: str) -> None:
    right, wrong = (checked(phone, oli, key, mode=mode) for phone in (RIGHT, WRONG))
    assert told(right) == told(wrong)
    letter = Status.SKIPPED if mode == "create" else Status.BRINGS
    assert right.parts.get().statuses == letter.value
    for name in ("import_difference", "import_check"):
        pages = [without_tokens(shown(job, oli, name)) for job in (right, wrong)]
        assert pages[0] == pages[1], name


@ALL
def test_open_change_is_told_beside_a_hidden_one(oli: User, key: str) -> None:
    right, wrong = (checked(phone, oli, key, country="DE") for phone in (RIGHT, WRONG))
    assert told(right) == told(wrong)
    assert right.parts.get().statuses == Status.CHANGED.value
    assert next(iter(right.summary["fields"].values())) == {"country": 1}
    assert without_tokens(shown(right, oli)) == without_tokens(shown(wrong, oli))


@ALL
def test_run_decides_and_the_same_file_changes_nothing(
    oli: User, known: Customer, key: str
) -> None:
    history = known.history.count()
    job = run(checked(WRONG, oli, key))
    assert job.state == ImportJob.State.DONE, job.message
    assert (job.total("updated"), job.total("unchanged")) == (1, 0)
    assert known.history.count() == history + 1
    again = run(checked(WRONG, oli, key))
    assert (again.total("updated"), again.total("unchanged")) == (0, 1)
    assert known.history.count() == history + 1


@pytest.mark.parametrize("key", [Derived.key, "customers", ByRows.key])
def test_new_rows_only_tells_nothing_in_the_run_either(oli: User, key: str) -> None:
    counts = [run(checked(one, oli, key, mode="create")).counters for one in (RIGHT, WRONG)]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("key", ["customers", Derived.key])
def test_who_may_reveal_is_told_and_it_is_on_the_record(oli: User, key: str) -> None:
    seer = allow(oli, "customers.reveal_customer")
    assert checked(RIGHT, seer, key).parts.get().statuses == Status.UNCHANGED.value
    job = checked(WRONG, seer, key)
    assert job.parts.get().statuses == Status.CHANGED.value
    assert "phone" in next(iter(job.summary["fields"].values()))
    event = Event.objects.filter(verb=closed.COMPARED).latest("pk")
    assert (event.actor_id, event.context["fields"]) == (seer.pk, ["phone"])
    other = allow(allow(make_person("vera"), "customers.view_customer"), "sheets.view_importjob")
    assert "compared masked values that you may not reveal" in shown(job, other)
    assert "Phone" not in shown(job, other)


def test_check_of_who_may_not_reveal_is_no_search(oli: User) -> None:
    checked(RIGHT, oli, "customers")
    assert not Event.objects.filter(verb=closed.COMPARED).exists()


def test_totals_count_it_apart(oli: User) -> None:
    job = checked(RIGHT, oli, "customers")
    counts = staging.totals(job)["customer"]
    assert (counts[Status.BRINGS], counts[Status.CHANGED], counts[Status.UNCHANGED]) == (1, 0, 0)
    assert job.summary["datasets"]["customer"]["existing"] == 1
    assert job.summary["brings"]["customer"] == {"phone": 1}
