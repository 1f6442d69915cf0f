"""Undoing an import: what goes back, what goes away, what stays and is listed."""

import subprocess
import sys
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.db.models import Max, Sum

from backoffice.accounts.models import User
from backoffice.audit import history
from backoffice.audit.models import Event
from backoffice.audit.services import save_with_history
from backoffice.jobs import services as jobs
from backoffice.jobs.models import Job
from backoffice.jobs.run import JobRun, LostError, execute
from backoffice.masking import clear, purposes, whole
from backoffice.sheets.models import ImportJob, ImportSpan, Undo
from backoffice.sheets.services import StateError, start
from backoffice.sheets.undoing import backwards, undo, unwriting
from customers.models import Customer
from orders.models import Order
from sellers.models import Membership, Product, Seller
from tests.factories import make_customer, make_order
from tests.people import make_person
from tests.processes import ROOT
from tests.sheets.journal import change, finished, left, make, stored, take_back
from tests.sheets.made import book, bring_in, line
from tests.sheets.test_engine import MODELS

TEST = purposes.register("tests.undo", "Compared in a test")
State = ImportJob.State


def customers(count: int, prefix: str = "N") -> list[Customer]:
    """Return new customers, not saved, with personal values."""
    return [
        Customer(
            number=f"{prefix}{n}",
            name=f"Anna Lind {n}",
            email=f"anna.lind.{prefix}{n}@example.com",
            phone=f"+33 6 39 98 {n // 100:02} {n % 100:02}",
            country="France",
        )
        for n in range(count)
    ]


def kept(count: int, actor: User) -> list[Customer]:
    """Return customers that stood there before."""
    return history.bulk_create(customers(count, "K"), actor=actor)


@pytest.mark.django_db
def test_changed_rows_go_back_byte_for_byte_with_what_their_masks_hide(oli: User) -> None:
    rows = kept(5, oli)
    before = stored(Customer)
    job = finished(oli)
    change(job, rows, email="new@example.com", phone="+33 6 39 98 99 99", country="Spain")
    change(job, rows[:2], country="Italy")
    assert not set(stored(Customer).items()) & set(before.items())

    done = take_back(job, reason="Wrong list")

    assert stored(Customer) == before
    assert (done.state, job.state) == (Undo.State.DONE, State.UNDONE)
    assert undo.totals(done) == {"back": 5, "deleted": 0, "left": 0}
    found = Customer.objects.get(email=whole("anna.lind.K3@example.com"))
    assert clear(found.phone, purpose=TEST) == "+33 6 39 98 00 03"
    for row in rows:
        last = row.history.order_by("-history_id").first()
        assert (last.history_type, last.history_user) == ("~", oli)
        assert last.history_change_reason == f"undo {job.public_id}"
        assert last.email == found.email if row.pk == found.pk else last.country == "France"


@pytest.mark.django_db
def test_made_rows_go_and_leave_their_last_values_in_the_history(oli: User) -> None:
    before = [*kept(2, oli)]
    job = finished(oli)
    made = make(job, customers(4))
    change(job, made[:1], country="Italy")
    done = take_back(job)
    assert set(Customer.objects.values_list("pk", flat=True)) == {row.pk for row in before}
    assert undo.totals(done) == {"back": 0, "deleted": 4, "left": 0}
    past = Customer.history.filter(id=made[0].pk).order_by("history_id")
    kinds = past.values_list("history_type", "history_change_reason", "country")
    assert list(kinds) == [
        ("+", job.change_reason, "France"),
        ("~", job.change_reason, "Italy"),
        ("-", f"undo {job.public_id}", "Italy"),
    ]


@pytest.mark.django_db
def test_rows_that_somebody_edited_since_are_left_and_listed(oli: User, ann: User) -> None:
    rows = kept(4, oli)
    job = finished(oli)
    made = make(job, customers(3))
    change(job, rows, country="Spain")
    for row in (rows[0], made[0]):
        row.country = "Norway"
        save_with_history(row, actor=ann)
    # Between two writes of the import counts as well: going back would take that edit away.
    rows[1].country = "Peru"
    save_with_history(rows[1], actor=ann)
    change(job, [rows[1]], country="Chile")
    # Nor does it help to call one's own edit that of the import.
    rows[2].country = "Japan"
    save_with_history(rows[2], actor=ann, reason=job.change_reason)
    edited = stored(Customer)

    done = take_back(job)

    assert left(done) == {(str(row.pk), "edited") for row in (*rows[:3], made[0])}
    assert undo.totals(done) == {"back": 1, "deleted": 2, "left": 4}
    after = stored(Customer)
    for row in (*rows[:3], made[0]):
        assert after[row.pk] == edited[row.pk]
        assert not row.history.filter(history_change_reason=done.change_reason).exists()
    assert dict(undo.reasons(done)) == {"Edited since": 4}


@pytest.mark.django_db
def test_made_rows_that_others_use_are_left_and_nothing_of_theirs_is_deleted(oli: User) -> None:
    job = finished(oli)
    buyer, nobody = make(job, customers(2))
    shop, empty = make(job, [Seller(code="s1", name="One"), Seller(code="s2", name="Two")])
    order = make_order(500, customer=buyer)
    # This relation would cascade: the person's membership must not go with the shop.
    member = Membership.objects.create(seller=shop, user=make_person("meg", staff=False))
    done = take_back(job)
    assert left(done) == {(str(buyer.pk), "used"), (str(shop.pk), "used")}
    assert Order.objects.get(pk=order.pk).customer_id == buyer.pk
    assert Membership.objects.filter(pk=member.pk, seller=shop).exists()
    assert not Customer.objects.filter(pk=nobody.pk).exists()
    assert not Seller.objects.filter(pk=empty.pk).exists()
    assert undo.totals(done) == {"back": 0, "deleted": 2, "left": 2}


@pytest.mark.django_db
def test_made_rows_may_use_each_other_whatever_their_order(oli: User) -> None:
    job = finished(oli)
    chained = customers(2, "M")
    first, second = make(job, chained)
    change(job, [second], merged_into=first)
    (older,) = make(job, customers(1, "O"))
    (newer,) = make(job, customers(1, "P"))
    # Made before what it points at: the other one is met first, and used still.
    change(job, [older], merged_into=newer)
    done = take_back(job)
    assert not Customer.objects.exists()
    assert undo.totals(done) == {"back": 0, "deleted": 4, "left": 0}
    assert not done.left.exists()


@pytest.mark.django_db
def test_rows_that_are_gone_or_have_no_version_before_are_listed(oli: User) -> None:
    unknown = make_customer(country="France")
    Customer.history.filter(id=unknown.pk).delete()
    (gone_changed,) = kept(1, oli)
    job = finished(oli)
    (gone_made,) = make(job, customers(1))
    change(job, [unknown, gone_changed], country="Spain")
    names = {str(gone_made.pk), str(gone_changed.pk)}
    history.delete([gone_made, gone_changed], actor=oli)
    done = take_back(job)
    assert left(done) == {*((name, "gone") for name in names), (str(unknown.pk), "unknown")}
    assert Customer.objects.get(pk=unknown.pk).country == "Spain"


@pytest.mark.django_db
def test_version_that_does_not_fit_any_more_is_left_and_the_rest_goes_back(oli: User) -> None:
    rows = kept(3, oli)
    job = finished(oli)
    change(job, rows[:1], number="X0")
    change(job, rows[1:], country="Spain")
    make_customer(number="K0")  # somebody took the number that it had
    old, new = (history.bulk_create([Seller(code=c, name=c)], actor=oli)[0] for c in ("a", "b"))
    (product,) = history.bulk_create([Product(seller=old, code="1", name="Cup")], actor=oli)
    change(job, [product], seller=new)
    history.delete([old], actor=oli)
    done = take_back(job)
    assert left(done) == {(str(rows[0].pk), "refused"), (str(product.pk), "refused")}
    assert Product.objects.get(pk=product.pk).seller_id == new.pk
    assert set(Customer.objects.filter(pk__in=[rows[1].pk, rows[2].pk]).values_list("country")) == {
        ("France",)
    }
    assert undo.totals(done) == {"back": 2, "deleted": 0, "left": 2}


@pytest.mark.django_db
def test_refused_row_does_not_keep_its_chunk_from_going_back(oli: User) -> None:
    rows = kept(5, oli)
    before = stored(Customer)
    job = finished(oli)
    for row in rows:
        change(job, [row], number=f"X{row.pk}")
    # One chunk, as a run writes it.
    job.spans.exclude(pk=_first_span(job)).delete()
    make_customer(number="K2")
    done = take_back(job)
    assert left(done) == {(str(rows[2].pk), "refused")}
    after = stored(Customer)
    assert [key for key in before if after[key] != before[key]] == [rows[2].pk]


def _first_span(job: ImportJob) -> int:
    """Let the first span of the import cover all that it wrote; return its key."""
    ends = job.spans.aggregate(last=Max("last"), rows=Sum("rows"))
    first = job.spans.earliest("pk")
    job.spans.filter(pk=first.pk).update(**ends)
    return first.pk


@pytest.mark.django_db
def test_what_an_erasure_emptied_does_not_come_back(oli: User) -> None:
    rows = kept(3, oli)
    job = finished(oli)
    change(job, rows, email="new@example.com")
    # An erasure empties the values of the history and takes its reasons.
    Customer.history.filter(id=rows[0].pk).update(history_change_reason=None, email="")
    done = take_back(job)
    assert left(done) == {(str(rows[0].pk), "unknown")}
    assert undo.totals(done) == {"back": 2, "deleted": 0, "left": 1}


@pytest.mark.django_db
def test_an_import_is_undone_once_and_by_whom_it_may(oli: User, ada: User, kim: User) -> None:
    job = finished(oli)
    make(job, customers(1))
    other = make_person("opal", "support")
    for nobody in (ada, other):
        with pytest.raises(PermissionDenied):
            undo.begin(job, actor=nobody)
    assert not Undo.objects.exists()
    take_back(job, actor=kim, reason="Not ours")
    event = Event.objects.get(verb=undo.ENDED)
    assert (event.actor, event.context["deleted"]) == (kim, 1)
    assert Event.objects.get(verb=undo.BEGUN).reason == "Not ours"
    with pytest.raises(StateError):
        undo.begin(job, actor=oli)
    with pytest.raises(StateError):
        start(job, actor=oli)


@pytest.mark.django_db
def test_nothing_to_undo_where_nothing_was_written(oli: User) -> None:
    for state in State:
        job = finished(oli, state=state)
        with pytest.raises(StateError):
            undo.begin(job, actor=oli)
    job = finished(oli, state=State.RUNNING)
    make(job, customers(1))
    assert not undo.is_open(job)
    with pytest.raises(StateError):
        undo.begin(job, actor=oli)


@pytest.mark.django_db
def test_undo_that_was_stopped_goes_on_where_it_was(
    oli: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unwriting, "CHUNK", 2)
    rows = kept(7, oli)
    before = stored(Customer)
    job = finished(oli)
    change(job, rows, country="Spain")
    begun = undo.begin(job, actor=oli)
    walk_back, calls = backwards.carry_out, []

    def stopped(*args: Any, **kwargs: Any) -> None:
        calls.append(args)
        if len(calls) == 3:
            raise TimeoutError
        walk_back(*args, **kwargs)

    monkeypatch.setattr(backwards, "carry_out", stopped)
    execute(_job(begun))
    begun.refresh_from_db()
    job.refresh_from_db()
    assert (begun.state, job.state) == (Undo.State.FAILED, State.UNDOING)
    assert undo.totals(begun)["back"] == 4
    assert undo.is_open(job)

    monkeypatch.setattr(backwards, "carry_out", walk_back)
    again = take_back(job)
    assert again.pk == begun.pk
    assert undo.totals(again) == {"back": 7, "deleted": 0, "left": 0}
    assert stored(Customer) == before
    assert Customer.history.filter(history_change_reason=again.change_reason).count() == 7


@pytest.mark.django_db
def test_worker_that_lost_the_undo_writes_nothing(oli: User) -> None:
    job = finished(oli)
    make(job, customers(1))
    begun = undo.begin(job, actor=oli)
    late = Undo.objects.select_related("import_job", "owner").get(pk=begun.pk)
    run = jobs_run(begun)
    Undo.objects.filter(pk=begun.pk).update(step=1)
    with pytest.raises(LostError):
        unwriting.Walk(late, run).all()
    assert Customer.objects.count() == 1


def jobs_run(begun: Undo) -> JobRun:
    """Return a try at the job of an undo."""
    Job.objects.filter(pk=_job(begun)).update(state=Job.State.RUNNING, attempt=1)
    return JobRun(Job.objects.get(pk=_job(begun)))


def _job(begun: Undo) -> int:
    assert begun.job_id is not None
    return begun.job_id


@pytest.mark.django_db
def test_undo_whose_job_was_stopped_while_it_waited_can_be_begun_again(oli: User) -> None:
    job = finished(oli)
    make(job, customers(1))
    begun = undo.begin(job, actor=oli)
    assert begun.job is not None
    jobs.cancel(begun.job, actor=oli)
    undo.tidy()
    begun.refresh_from_db()
    assert begun.state == Undo.State.CANCELLED
    take_back(job)
    assert not Customer.objects.exists()


@pytest.mark.django_db
def test_sheet_of_several_kinds_of_records_is_undone_and_comes_in_again(oli: User) -> None:
    first = bring_in(book([line(), line(600002, code=10002)]), oli)
    before = {model: stored(model) for model in MODELS}
    rows = [line(), line(code=10003, price=4), line(600009, 10004, customer=777)]
    again = book([*rows, line("C600010", 10001, -1)])
    second = bring_in(again, oli)
    assert second.state == State.DONE
    assert {model: stored(model) for model in MODELS} != before

    done = take_back(second)
    assert not done.left.exists()
    assert {model: stored(model) for model in MODELS} == before

    third = bring_in(again, oli)
    assert {name: of["created"] for name, of in third.counters.items()} == {
        name: of["created"] for name, of in second.counters.items()
    }
    take_back(third)
    # What the others wrote and their undo took back was no edit of the rows of the first.
    assert not take_back(first).left.exists()
    assert not any(model.objects.exists() for model in MODELS)


@pytest.mark.django_db
def test_import_from_before_the_journal_is_undone_by_its_history(oli: User) -> None:
    job = bring_in(book([line(), line(600002, code=10002)]), oli)
    ImportSpan.objects.all().delete()
    done = take_back(job)
    assert not done.left.exists()
    assert not any(model.objects.exists() for model in MODELS)


@pytest.mark.django_db
def test_undo_of_an_import_that_failed_by_itself_asks_for_no_right(ada: User) -> None:
    job = finished(ada, state=State.FAILED)
    make(job, customers(2))
    with transaction.atomic():
        begun = undo.begin(job, actor=ada, by_itself=True)
    assert begun.by_itself
    execute(_job(begun))
    assert not Customer.objects.exists()


@pytest.mark.both_databases
def test_large_import_comes_back_also_when_workers_are_killed() -> None:
    database = "sqlite" if connection.vendor == "sqlite" else "postgres"
    command = [sys.executable, str(ROOT / "tests" / "soak" / "soak_undo.py")]
    options = [f"--databases={database}", "--rows=2000", "--kills=2", "--seed=7"]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2000 rows, 50 edited since" in done.stdout
