"""One day of money: a customer's wish, support, finance, the gateway, the books, the day's end."""

import re
from datetime import date, datetime, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect
from pytest_django import Settings

from backoffice.accounts import service_accounts, tokens
from backoffice.accounts.models import User
from backoffice.accounts.tokens import Wish
from backoffice.http import Bearer, Client, Secret
from backoffice.jobs import run
from backoffice.jobs.models import Job
from backoffice.mail.models import Mail
from orders.models import ChangeRequest, Order
from payments.models import LedgerTransaction, ReconciledDay, Refund
from payments.services import record_capture
from tests.browser.stage import Actor, Stage, wait_for
from tests.factories import make_order
from tests.people import PASSWORD
from tests.simulator import SimulatorProcess
from tests.walker.world import World

pytestmark = [pytest.mark.browser, pytest.mark.both_databases]

PENCE = (4_200, 1_999)


@pytest.fixture
def orders(world: World, simulator: SimulatorProcess, settings: Settings) -> list[Order]:
    """Return two orders of today, paid at the gateway; it settles each day by itself."""
    settings.GATEWAYS["simulator"]["SETTLING"] = {"LAG_DAYS": 0}
    made = [make_order(pence, customer=world.customer) for pence in PENCE]
    for order in made:
        reference = f"sim-day-{order.number}"
        simulator.seed(reference, order.total)
        record_capture(
            order,
            order.total,
            gateway="simulator",
            reference=reference,
            captured_at=timezone.now(),
            actor=None,
        )
    return made


def tell_by_api(stage: Stage, owner: User, orders: list[Order]) -> None:
    """Let the shop's program bring in that the customers want both orders cancelled."""
    robot = service_accounts.make("Web shop", ["support"], actor=owner, reason="Shop")
    wish = Wish("shop", ["change-requests:write", "change-requests:read"], 1)
    token = tokens.make(robot, wish, actor=owner, reason="Shop").text
    shop = Client(stage.url, auth=Bearer(Secret(token)), allow_loopback=True)
    for order in orders:
        body = {
            "order": order.number,
            "kind": "cancel",
            "why": "mind",
            "reference": f"shop-{order.number}",
        }
        assert shop.post("/api/v1/change-requests/", json=body).status == 201
        assert shop.post("/api/v1/change-requests/", json=body).status == 200


def decide_all(actor: Actor, rows: list[str], verb: str, field: str, words: str) -> None:
    """Tick the rows, choose the verb in the bar, say why, and confirm."""
    for name in rows:
        actor.page.get_by_role("checkbox", name=f"Tick {name}").check()
    actor.page.get_by_role("button", name=verb, exact=True).click()
    if (box := actor.page.get_by_label(re.compile(field))).count():
        box.first.fill(words)
    if (password := actor.page.get_by_label("Your password")).count():
        password.first.fill(PASSWORD)
    actor.look(f"bulk-{verb.lower()}")
    actor.page.get_by_role("button", name=re.compile(f"^{verb}: {len(rows)} rows")).click()


def test_money_from_the_customers_wish_to_the_closed_day(
    stage: Stage,
    world: World,
    orders: list[Order],
    simulator: SimulatorProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = stage.start_worker()
    tell_by_api(stage, world.people["kim"], orders)

    ann, max_ = stage.enter(world.people["ann"]), stage.enter(world.people["max"])
    ann.go("Change requests")
    wishes = ChangeRequest.objects.filter(order__in=orders).order_by("pk")
    decide_all(ann, [str(wish) for wish in wishes], "Approve", "Why|Comment|check", "in time")
    wait_for(lambda: Refund.objects.filter(payment__order__in=orders).count() == len(orders))
    refunds = list(Refund.objects.filter(payment__order__in=orders).order_by("pk"))
    assert [refund.amount_minor for refund in refunds] == list(PENCE)
    assert {refund.requested_by for refund in refunds} == {world.people["ann"]}

    stage.age_proofs()
    max_.go("Refunds")
    max_.look("refunds-waiting")
    decide_all(max_, [refund.code for refund in refunds], "Approve", "check", "photos seen")
    wait_for(lambda: _states(refunds) == {Refund.State.SUCCEEDED})

    booked = [simulator.refunds(refund.payment.reference) for refund in refunds]
    assert [[row["amount_minor"] for row in rows] for rows in booked] == [[4_200], [1_999]]
    assert {order.status for order in Order.objects.filter(pk__in=[one.pk for one in orders])} == {
        Order.Status.CANCELLED
    }
    _look_at_order(max_, orders[0], refunds[0])
    _look_at_mail(refunds, world)
    _look_at_ledger(max_, refunds)

    worker.end()
    times = _times_of(refunds)
    _let_a_night_pass(monkeypatch, times[-1])
    finance = stage.enter(world.people["max"])
    # One day, or two where midnight of UTC, the gateway's, came between: then what came in
    # on the first is paid out on the second.
    days = sorted({time.date() for time in times})
    matched = sum(_close_the_day(finance, day) for day in days)
    assert matched == len(times) + len(days) - 1


def _times_of(refunds: list[Refund]) -> list[datetime]:
    """Return when each payment was captured and each refund paid, sorted."""
    rows = Refund.objects.filter(pk__in=[refund.pk for refund in refunds])
    found = rows.values_list("payment__captured_at", "finished_at")
    return sorted(time for row in found for time in row if time is not None)


def _states(refunds: list[Refund]) -> set[str]:
    keys = [refund.pk for refund in refunds]
    return set(Refund.objects.filter(pk__in=keys).values_list("state", flat=True))


def _look_at_order(actor: Actor, order: Order, refund: Refund) -> None:
    actor.open(f"/admin/orders/order/{order.pk}/change/")
    actor.sees("Cancelled")
    timeline = actor.page.get_by_role("region", name="Timeline")
    for words in ("Order cancelled", "Refund requested", "Refund approved", "Refund succeeded"):
        expect(timeline.get_by_text(words).first).to_be_visible()
    expect(actor.page.get_by_role("link", name=refund.code).first).to_be_visible()
    actor.look("order-after-refund")


def _look_at_mail(refunds: list[Refund], world: World) -> None:
    """Whoever asked hears of each end, and so does the customer, by the key of their row."""
    mails = Mail.objects.filter(template__in=("payments.refund_ended", "payments.refunded"))
    wait_for(lambda: mails.filter(state=Mail.State.SENT).count() == 2 * len(refunds))
    ann = {"to_user": world.people["ann"].pk, "to_kind": "", "to_key": ""}
    customer = {"to_user": None, "to_kind": "customers.customer", "to_key": str(world.customer.pk)}
    readers = mails.order_by("template", "pk").values("to_user", "to_kind", "to_key")
    assert list(readers) == [ann, ann, customer, customer]


def _look_at_ledger(actor: Actor, refunds: list[Refund]) -> None:
    booked = LedgerTransaction.objects.filter(refund__in=refunds)
    assert sorted(booked.values_list("kind", flat=True)) == ["refund", "refund"]
    actor.go("Ledger")
    actor.look("ledger")
    for refund in refunds:
        row = actor.page.get_by_role("row").filter(has_text=f"Refund {refund.code}")
        expect(row.first).to_be_visible()


def _let_a_night_pass(monkeypatch: pytest.MonkeyPatch, ended: datetime) -> None:
    """Put the clock of this process, pages included, on noon of the next day of the gateway."""
    later = ended.replace(hour=12, minute=0) + timedelta(days=1) - timezone.now()
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + later)


def _work_off_jobs() -> None:
    """Do what the worker of the next day would do."""
    for job in Job.objects.filter(state=Job.State.QUEUED).order_by("pk"):
        run.execute(job.pk)


def _close_the_day(finance: Actor, day: date) -> int:
    """Fetch, match and close a day; return how many movements were matched on it."""
    finance.go("Reconciliation")
    finance.act("Fetch a day")
    dialog = finance.dialog()
    dialog.get_by_label("Gateway").select_option("simulator")
    dialog.get_by_label("Day").fill(day.isoformat())
    dialog.get_by_role("button", name="Fetch a day").click()
    finance.sees("The settlement is being fetched.")
    _work_off_jobs()
    row = ReconciledDay.objects.get(gateway="simulator", day=day)
    finance.open(f"/admin/payments/reconciledday/{row.pk}/change/")
    finance.look("day")
    finance.act("Close the day")
    dialog = finance.dialog()
    if (password := dialog.get_by_label("Your password")).count():
        password.fill(PASSWORD)
    dialog.get_by_role("button", name="Close the day").click()
    finance.sees("The day is closed.")
    row.refresh_from_db()
    assert row.state == ReconciledDay.State.CLOSED
    assert row.closed_by is not None
    assert row.closed_by.username == "max"
    finance.look("day-closed")
    return row.matched
