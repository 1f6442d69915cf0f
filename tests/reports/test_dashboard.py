"""The start page of the staff site."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from backoffice.accounts.models import User
from backoffice.approvals import registry, services
from backoffice.approvals.models import ApprovalRequest
from backoffice.approvals.registry import Rule
from backoffice.charts.periods import Month
from backoffice.jobs.models import Job, Recurring
from backoffice.sources.models import SourceState
from customers.models import Customer
from orders.models import Order
from payments.models import Refund
from reports.queries import health
from reports.queries.periods import Period, available, newest, parse
from tests.factories import make_order, make_payment
from tests.reports.trade import sell, take_back, two_years


def start(client: Client, user: User, query: str = "") -> Any:
    client.force_login(user)
    response = client.get(f"/admin/{query}")
    assert response.status_code == 200
    return response


def figures(response: Any) -> dict[str, tuple[str, str]]:
    return {str(kpi.label): (kpi.value, kpi.change) for kpi in response.context["kpis"]}


def drawn(response: Any) -> list[dict[str, Any]]:
    texts = re.findall(r'type="application/json">(.*?)</script>', response.content.decode())
    return [json.loads(text) for text in texts]


def test_figures_are_those_of_the_period_against_the_year_before(kim: User, client: Client) -> None:
    two_years()
    take_back("2011-10-10T12:00", 487)
    take_back("2010-10-10T12:00", 46)
    assert figures(start(client, kim)) == {
        "Revenue": ("£49", "▲ 5.9\N{NARROW NO-BREAK SPACE}%"),
        "Orders": ("4", "▲ 100.0\N{NARROW NO-BREAK SPACE}%"),
        "Average order": ("£12.18", "▼ 47.0\N{NARROW NO-BREAK SPACE}%"),
        "Returned share": ("10.0\N{NARROW NO-BREAK SPACE}%", "▲ 9.0 points"),
    }


def test_figures_of_another_period_and_currency(kim: User, client: Client) -> None:
    two_years()
    assert figures(start(client, kim, "?until=2010-11"))["Revenue"] == ("£46", "")
    assert figures(start(client, kim, "?currency=KRW"))["Revenue"] == ("₩4,000", "")
    assert figures(start(client, kim, "?currency=EUR"))["Revenue"][0] == "£49"


def test_the_owner_sees_every_chart(kim: User, client: Client) -> None:
    two_years()
    response = start(client, kim)
    titles = ["Revenue by month", "Revenue by country", "Share by category", "Two years"]
    assert all(title in response.content.decode() for title in titles)
    assert len(drawn(response)) == 8


@pytest.mark.parametrize("person", ["ann", "eve", "oli", "ada", "gus"])
def test_numbers_are_for_those_with_the_right(
    request: pytest.FixtureRequest, client: Client, person: str
) -> None:
    user = request.getfixturevalue(person)
    two_years()
    response = start(client, user)
    text = response.content.decode()
    assert drawn(response) == []
    assert "£" not in text
    assert "plotly" not in text
    assert "Waiting for me" in text


def test_figures_hold_no_personal_data(kim: User, client: Client) -> None:
    two_years()
    customer = Customer.objects.create(
        number="C-CANARY", name="Quilla Xyvmask", email="quilla@example.com", phone="+447700900123"
    )
    Order.objects.update(customer=customer)
    response = start(client, kim)
    text = response.content.decode()
    for personal in ("C-CANARY", "Quilla", "Xyvmask", "quilla", "900123"):
        assert personal not in text


def test_the_start_page_takes_the_same_number_of_queries_for_more_rows(
    kim: User, client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    sell("2011-10-02T12:00", ("Kitchen", 2000), postage=5)
    start(client, kim)
    with django_assert_max_num_queries(31) as few:
        client.get("/admin/")
    two_years()
    make_order(100)
    with django_assert_max_num_queries(len(few.captured_queries)):
        client.get("/admin/")


def test_without_orders_the_page_says_what_fills_it(kim: User, client: Client) -> None:
    text = start(client, kim).content.decode()
    assert text.count("Nothing to draw yet.") == 4


@pytest.fixture
def rule() -> Any:
    made = registry.register(Rule("test.kind", "Test", "payments.approve_refund", lambda _r: None))
    yield made
    registry._rules.pop("test.kind")


def ask(maker: User, summary: str) -> ApprovalRequest:
    return services.ask(
        "test.kind", subject=maker, payload={}, summary=summary, reason="Broken", actor=maker
    )


def test_waiting_for_me_holds_what_i_may_decide(
    rule: Rule, client: Client, kim: User, max_: User, eve: User
) -> None:
    first, own = ask(eve, "Refund of £3.00"), ask(kim, "Refund of £4.00")
    assert start(client, kim).context["waiting"] == [first]
    assert start(client, max_).context["waiting"] == [first, own]
    assert start(client, eve).context["waiting"] == []


def test_waiting_shows_the_oldest_and_counts_all(
    rule: Rule, client: Client, max_: User, eve: User
) -> None:
    for number in range(7):
        ask(eve, f"Refund {number}")
    response = start(client, max_)
    assert [item.summary for item in response.context["waiting"]] == [
        f"Refund {number}" for number in range(5)
    ]
    assert response.context["waiting_count"] == 7
    assert "7 things wait for your decision." in response.content.decode()


def line(user: User, label: str) -> tuple[str, str]:
    return next((one.kind, str(one.word)) for one in health.lines(user) if one.label == label)


def test_a_refund_without_an_answer_shows_as_unknown(kim: User, eve: User) -> None:
    assert line(kim, "Refunds") == ("quiet", "Known")
    Refund.objects.create(
        payment=make_payment(make_order(900)),
        amount_minor=900,
        currency="GBP",
        reason="Broken",
        state=Refund.State.UNKNOWN,
        requested_by=eve,
    )
    assert line(kim, "Refunds") == ("unkn", "Unknown")


def test_a_failed_job_shows_for_a_day(kim: User) -> None:
    job = Job.objects.create(kind="x", title="X", state=Job.State.FAILED)
    Job.objects.update(finished_at=timezone.now() - timedelta(hours=23))
    assert line(kim, "Jobs") == ("fail", "Failed")
    Job.objects.update(finished_at=timezone.now() - timedelta(hours=25))
    assert line(kim, "Jobs") == ("quiet", "At rest")
    Job.objects.filter(pk=job.pk).update(state=Job.State.RUNNING)
    assert line(kim, "Jobs") == ("move", "Running")


def test_a_worker_that_looks_for_nothing_is_down(kim: User) -> None:
    Recurring.objects.all().delete()
    assert line(kim, "Worker") == ("wait", "Waiting")
    due = Recurring.objects.create(name="x", next_at=timezone.now() + timedelta(seconds=5))
    assert line(kim, "Worker") == ("quiet", "Up")
    due.next_at = timezone.now() - timedelta(minutes=3)
    due.save()
    assert line(kim, "Worker") == ("fail", "Down")


def test_the_worst_source_is_told(kim: User) -> None:
    now = timezone.now()
    for name, state in [("customer-api", "up"), ("order-api", "down"), ("third", "slow")]:
        SourceState.objects.create(name=name, state=state, since=now, checked_at=now)
    found = next(one for one in health.lines(kim) if one.label == "Data sources")
    assert (found.kind, str(found.word), found.detail.split(",")[0]) == (
        "fail",
        "Down",
        "order-api",
    )


def test_health_tells_nobody_what_they_may_not_open(gus: User) -> None:
    assert health.lines(gus) == []


def test_periods_are_twelve_full_months() -> None:
    period = newest(Month(2009, 12), Month(2011, 12))
    assert (period.title, period.name, period.key) == (
        "Dec 2010 \N{EN DASH} Nov 2011",
        "Year 2010-2011",
        "2011-11",
    )
    assert newest(Month(2009, 12), Month(2012, 1)).name == "Year 2011"
    assert period.before.title == "Dec 2009 \N{EN DASH} Nov 2010"
    assert parse("2011-11") == period
    assert parse("2011-11\n") is None


def test_periods_to_choose_reach_back_to_the_first_order() -> None:
    assert available(Month(2009, 12), Month(2011, 12)) == [
        Period(Month(2011, 11)),
        Period(Month(2010, 11)),
    ]
    assert available(Month(2011, 12), Month(2011, 12)) == [Period(Month(2011, 12))]
