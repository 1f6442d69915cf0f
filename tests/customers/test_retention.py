"""Retention: what falls due by the clock, and clearing it with the books unchanged."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.audit import chain
from backoffice.audit.services import save_with_history
from backoffice.audit.verify import verify
from backoffice.jobs import run
from backoffice.jobs import services as jobs
from backoffice.jobs.models import Job
from backoffice.masking.values import unseal
from backoffice.money import Money
from customers.models import Customer, PrivacyCase
from customers.services import erased, privacy, request_merge, request_undo, retention
from orders.models import Order
from payments import services as payments
from tests.customers.desk import carried_out
from tests.factories import make_customer, make_order, make_payment

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _frozen(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    """Let the clock of everything stand still."""
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    settings.BACKOFFICE_ERASED_LIST = str(tmp_path / "erased.jsonl")
    settings.BACKOFFICE_RETENTION = {"without_order": 24}


def customer_of(day: date, *, order: date | None = None, **values: str) -> Customer:
    """Return a customer who was added on a day, and ordered on another."""
    made = make_customer(**{"name": "Persona Retentova", **values})
    Customer.objects.filter(pk=made.pk).update(
        created_at=datetime(*day.timetuple()[:3], tzinfo=UTC)
    )
    if order:
        placed = make_order(900, customer=made)
        Order.objects.filter(pk=placed.pk).update(
            placed_at=datetime(*order.timetuple()[:3], tzinfo=UTC)
        )
    return Customer.objects.get(pk=made.pk)


def cleared(pia: User, kim: User) -> PrivacyCase:
    case = retention.ask(actor=pia, reason="the yearly look")
    assert case.approval is not None
    approvals.approve(case.approval, actor=kim)
    return carried_out(case)


@pytest.mark.parametrize(
    ("months", "expected"),
    [
        (24, date(2024, 5, 31)),
        (3, date(2026, 2, 28)),
        (5, date(2025, 12, 31)),
        (6, date(2025, 11, 30)),
    ],
)
def test_period_is_counted_in_months(months: int, expected: date) -> None:
    assert retention.before(months, date(2026, 5, 31)) == expected


def test_no_period_is_set_by_default(settings: Any, pia: User) -> None:
    settings.BACKOFFICE_RETENTION = {}
    customer_of(date(1999, 1, 1))
    assert retention.due() == []
    with pytest.raises(ValidationError):
        retention.ask(actor=pia, reason="now")


def test_due_is_who_neither_came_nor_ordered_since(settings: Any) -> None:
    old = customer_of(date(2024, 5, 30))
    customer_of(date(2024, 5, 31))  # the day itself is not older
    customer_of(date(2020, 1, 1), order=date(2024, 6, 1))
    oldest = customer_of(date(2020, 1, 1), order=date(2021, 3, 4))
    (due,) = retention.due()
    assert (due.count, [row.pk for row in due.rows]) == (2, [oldest.pk, old.pk])
    assert due.oldest == datetime(2021, 3, 4, tzinfo=UTC)


def test_customer_who_was_added_today_with_old_orders_is_not_due(pia: User, kim: User) -> None:
    imported = customer_of(date(2026, 5, 31), order=date(2019, 3, 4))
    assert retention.due()[0].count == 0
    assert cleared(pia, kim).receipt["customers"] == 0
    assert Customer.objects.get(pk=imported.pk).erased_at is None


def test_customer_who_stands_for_a_newer_one_is_not_due() -> None:
    top, middle, old = (customer_of(date(2020, 1, 1)) for _ in range(3))
    newest = customer_of(date(2026, 5, 1))
    Customer.objects.filter(pk=newest.pk).update(merged_into=middle)
    Customer.objects.filter(pk=middle.pk).update(merged_into=top)
    assert [row.pk for row in retention.due()[0].rows] == [old.pk]


def test_open_request_of_a_person_keeps_them(pia: User, kim: User) -> None:
    asking, silent = (customer_of(date(2020, 1, 1)) for _ in range(2))
    asked = privacy.Asked(PrivacyCase.Ground.ASKED, "by letter", date(2026, 5, 30))
    privacy.open_case(asking, PrivacyCase.Kind.EXPORT, asked, actor=pia)
    case = cleared(pia, kim)
    assert (case.receipt["customers"], case.receipt["left"]) == (1, 1)
    erased_ones = Customer.objects.exclude(erased_at=None)
    assert [row.pk for row in erased_ones] == [silent.pk]


def test_undo_of_a_merge_writes_no_blanks_where_former_values_went(
    settings: Any, pia: User, kim: User, eve: User
) -> None:
    settings.BACKOFFICE_RETENTION = {"former_values": 12}
    kept = make_customer(number="K1", name="Anna Almeida", email="anna@kept-canary.example")
    gone = make_customer(number="G1", name="Ana Almeida", email="ana@gone-canary.example")
    merge = request_merge(kept, gone, taken=["email"], actor=eve, reason="One person")
    assert merge.approval is not None
    approvals.approve(merge.approval, actor=kim)
    for row in (kept, gone):
        row.history.update(history_date=datetime(2024, 1, 1, tzinfo=UTC))
    assert cleared(pia, kim).receipt["rows"]["customers.former"] > 0
    merge.refresh_from_db()
    approvals.approve(request_undo(merge, actor=eve, reason="Two after all"), actor=kim)
    merge.refresh_from_db()
    assert (merge.state, merge.stayed) == ("undone", {"fields": ["email"]})
    present = Customer.objects.get(pk=kept.pk).email
    assert unseal(present) == "ana@gone-canary.example"


def test_wrong_periods_fail_the_check(settings: Any) -> None:
    assert retention.check_periods(None) == []
    settings.BACKOFFICE_RETENTION = {"without_order": 0, "unknown": 3}
    (found,) = retention.check_periods(None)
    assert found.id == "customers.E001"


def test_clearing_erases_the_due_and_leaves_the_books(pia: User, kim: User) -> None:
    old = [customer_of(date(2020, 1, 1), order=date(2021, 3, 4)) for _ in range(3)]
    fresh = customer_of(date(2026, 1, 1))
    sums = list(Order.objects.order_by("pk").values_list("total_minor", "customer_id"))
    case = cleared(pia, kim)
    assert (case.state, case.receipt["customers"], case.receipt["left"]) == ("done", 3, 0)
    assert [bool(row.name) for row in Customer.objects.filter(pk__in=[one.pk for one in old])] == [
        False,
        False,
        False,
    ]
    assert str(Customer.objects.get(pk=fresh.pk).name) == "P••••• R•••••"
    assert list(Order.objects.order_by("pk").values_list("total_minor", "customer_id")) == sums
    assert sorted(entry.customer for entry in erased.read()) == sorted(one.pk for one in old)
    chain.seal()
    assert verify().problems == []
    assert retention.due()[0].count == 0


def test_more_people_than_a_pass_takes_are_all_erased(
    pia: User, kim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    for _ in range(5):
        customer_of(date(2020, 1, 1))
    case = cleared(pia, kim)
    assert (case.receipt["customers"], case.receipt["rows"]["customers.customer"]) == (5, 5)


def test_who_is_needed_still_is_left_alone(pia: User, kim: User, eve: User) -> None:
    needed = customer_of(date(2020, 1, 1), order=date(2021, 3, 4))
    order = Order.objects.get(customer=needed)
    make_payment(order)
    payments.request_refund(order, Money(100, "GBP"), actor=eve, reason="late")
    customer_of(date(2020, 1, 1))
    case = cleared(pia, kim)
    assert (case.receipt["customers"], case.receipt["left"]) == (1, 1)
    assert Customer.objects.get(pk=needed.pk).erased_at is None


def test_what_falls_due_later_is_not_taken_along(
    pia: User, kim: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = customer_of(date(2024, 6, 2))
    case = retention.ask(actor=pia, reason="now")
    monkeypatch.setattr(timezone, "now", lambda: NOW + timedelta(days=5))
    assert case.approval is not None
    approvals.approve(case.approval, actor=kim)
    carried_out(case)
    assert Customer.objects.get(pk=later.pk).erased_at is None


def test_former_values_go_and_the_present_ones_stay(settings: Any, pia: User, kim: User) -> None:
    settings.BACKOFFICE_RETENTION = {"former_values": 12}
    customer = Customer(number="R1", name="Alt Formerova", email="alt@former-canary.example")
    save_with_history(customer, actor=kim, reason="said so")
    customer.email = "neu@former-canary.example"
    save_with_history(customer, actor=kim, reason="")
    rows = customer.history.count()
    customer.history.update(history_date=datetime(2024, 1, 1, tzinfo=UTC))
    assert retention.due()[0].count == 1
    case = cleared(pia, kim)
    first, second = customer.history.order_by("history_id")
    assert (first.email, first.history_change_reason) == ("", None)
    assert str(second.email) == "n•••••@f•••••.•••"
    assert (customer.history.count(), case.receipt["rows"]) == (rows, {"customers.former": 1})
    assert str(Customer.objects.get(pk=customer.pk).email) == "n•••••@f•••••.•••"


def test_schedule_needs_to_be_switched_on(settings: Any) -> None:
    customer_of(date(2020, 1, 1))
    job = jobs.start(
        privacy.JOBS[PrivacyCase.Kind.RETENTION], actor=None, title="retention", params={}
    )
    run.execute(job.pk)
    assert Job.objects.get(pk=job.pk).state == Job.State.FAILED
    settings.BACKOFFICE_RETENTION_UNATTENDED = True
    job = jobs.start(
        privacy.JOBS[PrivacyCase.Kind.RETENTION], actor=None, title="retention", params={}
    )
    run.execute(job.pk)
    case = PrivacyCase.objects.get()
    assert (case.state, case.asked_by, case.receipt["customers"]) == ("done", None, 1)


def test_page_shows_counts_and_no_values(client: Client, pia: User) -> None:
    due = customer_of(date(2020, 1, 1), order=date(2021, 3, 4))
    client.force_login(pia)
    text = client.get("/admin/privacy/retention/").text
    assert (due.number in text, "4 Mar 2021" in text, "Retentova" in text) == (True, True, False)


def test_rejected_clearing_can_be_asked_for_again_or_closed(
    client: Client, pia: User, kim: User
) -> None:
    customer_of(date(2020, 1, 1), order=date(2021, 3, 4))
    case = retention.ask(actor=pia, reason="the yearly look")
    assert case.approval is not None
    approvals.reject(case.approval, actor=kim, comment="not this month")
    client.force_login(pia)
    page = client.get(f"/admin/privacy/{case.pk}/").text
    assert all(f"/admin/privacy/{case.pk}/{what}/" in page for what in ("ask", "refuse"))
    assert "older than 31 May 2024" in page
    due = client.get("/admin/privacy/retention/").text
    assert (str(case) in due, "/retention/ask/" in due) == (True, False)
    privacy.refuse(case, actor=pia, reason="later")
    assert "/retention/ask/" in client.get("/admin/privacy/retention/").text
    assert retention.ask(actor=pia, reason="the next look").state == "waiting"


def test_page_says_when_nothing_is_set(client: Client, ada: User, settings: Any) -> None:
    settings.BACKOFFICE_RETENTION = {}
    client.force_login(ada)
    assert "No period is set" in client.get("/admin/privacy/retention/").text
