"""The gateway simulator plays what its switches say, and its adapter makes the right of it."""

import re
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from backoffice.http import Client, HttpError
from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import (
    BadSignatureError,
    DisputeState,
    Gateway,
    GatewayUnavailableError,
    MovementKind,
    Outcome,
    RefundCommand,
    SettlementRow,
)
from payments.gateways.simulator import Simulator
from tests.simulator import WEBHOOK_SECRET, SimulatorProcess, signed, wait_for

CAPTURED, PART = Money(10_000, "GBP"), Money(2_270, "GBP")


class Shop:
    """Somebody who takes events: keeps each delivery, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.came: list[tuple[dict[str, str], bytes]] = []
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                shop.came.append((dict(self.headers), body))
                self.send_response(shop.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/webhooks/simulator/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def outcomes(self, adapter: Gateway, reference: str) -> list[Outcome | str | None]:
        """Return what the deliveries about a payment tell, "refused" where they prove nothing."""
        told: list[Outcome | str | None] = []
        for headers, body in list(self.came):
            if reference.encode() in body:
                try:
                    told += [event.outcome for event in adapter.parse_webhook(headers, body)]
                except BadSignatureError:
                    told.append("refused")
        return told


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with SimulatorProcess(tmp_path_factory.mktemp("simulator") / "gateway.sqlite3") as process:
        yield process


@pytest.fixture
def simulator(process: SimulatorProcess, settings: Settings) -> SimulatorProcess:
    """Return the one process of this module, calm, and settings that lead to it."""
    process.calm()
    process.send_events_to("")
    options = {"base_url": process.url, "webhook_secret": WEBHOOK_SECRET, "connect": 5, "read": 20}
    entry = {"BACKEND": "payments.gateways.simulator.Simulator", "OPTIONS": options}
    settings.GATEWAYS = {"simulator": entry}
    return process


@pytest.fixture
def adapter(simulator: SimulatorProcess) -> Gateway:
    return gateways["simulator"]


@pytest.fixture
def command(simulator: SimulatorProcess) -> RefundCommand:
    reference = f"pay-{uuid4()}"
    simulator.seed(reference, CAPTURED)
    return RefundCommand(str(uuid4()), uuid4(), reference, PART)


@pytest.fixture
def shop(simulator: SimulatorProcess) -> Iterator[Shop]:
    shop = Shop()
    simulator.send_events_to(shop.url)
    yield shop
    shop.server.shutdown()
    shop.server.server_close()


# Switch -> (what the adapter knows then, how often it was booked, what a repeat of the key tells).
FAULTS = {
    "busy": (Outcome.NOT_SENT, 0, Outcome.SUCCEEDED),
    "fail_500_before": (Outcome.UNKNOWN, 0, Outcome.SUCCEEDED),
    "fail_503_before": (Outcome.UNKNOWN, 0, Outcome.SUCCEEDED),
    "hang_up_before": (Outcome.UNKNOWN, 0, Outcome.SUCCEEDED),
    "wrong_key": (Outcome.NOT_SENT, 0, Outcome.SUCCEEDED),
    "in_progress": (Outcome.UNKNOWN, 0, Outcome.SUCCEEDED),
    "refuse": (Outcome.FAILED, 0, Outcome.FAILED),
    "lose_answer": (Outcome.UNKNOWN, 1, Outcome.SUCCEEDED),
    "fail_500_after": (Outcome.UNKNOWN, 1, Outcome.UNKNOWN),
    "fail_500_once": (Outcome.UNKNOWN, 1, Outcome.SUCCEEDED),
    "html_answer": (Outcome.UNKNOWN, 1, Outcome.SUCCEEDED),
    "cut_answer": (Outcome.UNKNOWN, 1, Outcome.SUCCEEDED),
    "cut_connection": (Outcome.UNKNOWN, 1, Outcome.SUCCEEDED),
    "huge_answer": (Outcome.UNKNOWN, 1, Outcome.SUCCEEDED),
    "unknown_status": (Outcome.UNKNOWN, 1, Outcome.SUCCEEDED),
    "wrong_amount": (Outcome.UNKNOWN, 1, Outcome.SUCCEEDED),
    "wrong_currency": (Outcome.UNKNOWN, 1, Outcome.SUCCEEDED),
    "wrong_number": (Outcome.UNKNOWN, 1, Outcome.SUCCEEDED),
    "book_less": (Outcome.UNKNOWN, 1, Outcome.UNKNOWN),
    "pending": (Outcome.PENDING, 1, Outcome.PENDING),
    "pending_fails": (Outcome.PENDING, 1, Outcome.PENDING),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_played_once_and_the_repeat_pays_nothing_more(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand, fault: str
) -> None:
    first, booked, second = FAULTS[fault]
    simulator.play(**{fault: 1})
    assert adapter.refund(command).outcome is first
    assert len(simulator.refunds(command.payment_reference)) == booked
    assert adapter.refund(command).outcome is second
    assert len(simulator.refunds(command.payment_reference)) == (0 if fault == "refuse" else 1)
    assert simulator.get("/switches")[fault] == 0


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_by_lot_is_the_same_as_by_count(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand, fault: str
) -> None:
    simulator.chaos(7, **{fault: 1})
    assert adapter.refund(command).outcome is FAULTS[fault][0]


def drawn(process: SimulatorProcess, numbers: Iterable[int]) -> dict[int, Outcome]:
    """Return what refunds of numbered payments came to with some chances of the same seed."""
    process.chaos(11, fail_500_once=0.3, pending=0.3)
    adapter, told = Simulator(process.url), {}
    for number in numbers:
        process.seed(f"lot-{number}", CAPTURED)
        command = RefundCommand(str(uuid4()), uuid4(), f"lot-{number}", PART)
        told[number] = adapter.refund(command).outcome
    return told


def test_lots_are_equal_for_equal_seeds_in_any_order(
    simulator: SimulatorProcess, tmp_path: Path
) -> None:
    forth = drawn(simulator, range(30))
    with SimulatorProcess(tmp_path / "other.sqlite3") as other:
        assert drawn(other, reversed(range(30))) == forth
    assert set(forth.values()) == {Outcome.UNKNOWN, Outcome.PENDING, Outcome.SUCCEEDED}


def test_refund_that_the_gateway_finishes_after_we_gave_up(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand
) -> None:
    simulator.play(finish_later=60)
    hasty = Simulator(simulator.url, webhook_secret=WEBHOOK_SECRET, read=1)
    assert hasty.refund(command).outcome is Outcome.UNKNOWN
    again = adapter.refund(command)
    assert (again.outcome, again.code) == (Outcome.UNKNOWN, "in_progress")
    assert adapter.find_refund(command) is None
    simulator.play(finish_later=0)
    found = wait_for(lambda: adapter.find_refund(command))
    assert found.outcome is Outcome.SUCCEEDED
    assert adapter.refund(command).reference == found.reference


def test_two_requests_with_one_key_at_once_are_booked_once(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand
) -> None:
    with ThreadPoolExecutor(8) as pool:
        outcomes = {result.outcome for result in pool.map(adapter.refund, [command] * 16)}
    assert Outcome.SUCCEEDED in outcomes
    assert outcomes <= {Outcome.SUCCEEDED, Outcome.UNKNOWN}
    assert len(simulator.refunds(command.payment_reference)) == 1


def test_key_that_is_forgotten_pays_again(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand
) -> None:
    """Why nothing may be sent again once a key is too old."""
    adapter.refund(command)
    simulator.play(key_life=0.001)
    assert not adapter.refund(command).replayed
    assert len(simulator.refunds(command.payment_reference)) == 2


def test_list_that_lags_hides_a_refund_for_a_while(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand
) -> None:
    simulator.play(list_lag=1)
    adapter.refund(command)
    payment = adapter.fetch_payment(command.payment_reference)
    assert (payment.refunds, payment.refunded) == ((), PART)
    simulator.play(list_lag=0)
    assert wait_for(lambda: adapter.find_refund(command)).outcome is Outcome.SUCCEEDED


def test_read_that_fails_teaches_nothing(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand
) -> None:
    simulator.play(fail_read=1)
    with pytest.raises(GatewayUnavailableError):
        adapter.find_refund(command)
    assert adapter.find_refund(command) is None


def test_pending_ends_by_the_clock_and_by_hand(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand
) -> None:
    simulator.play(pending=1, pending_fails=1, pending_seconds=0.2)
    failing, other = command, replace(command, number=str(uuid4()), key=uuid4())
    for one in (failing, other):
        assert adapter.refund(one).outcome is Outcome.PENDING
    ended = {Outcome.SUCCEEDED, Outcome.FAILED}
    wait_for(lambda: {adapter.find_refund(one).outcome for one in (failing, other)} <= ended)  # type: ignore[union-attr]
    assert adapter.find_refund(failing).outcome is Outcome.FAILED  # type: ignore[union-attr]
    assert adapter.fetch_payment(command.payment_reference).refunded == PART

    simulator.play(pending=1, pending_seconds=0)
    by_hand = replace(command, number=str(uuid4()), key=uuid4())
    reference = adapter.refund(by_hand).reference
    simulator.end(reference, "succeed")
    assert adapter.find_refund(by_hand).outcome is Outcome.SUCCEEDED  # type: ignore[union-attr]
    with pytest.raises(HttpError):
        simulator.end(reference, "fail")


def test_refund_that_is_reversed_had_succeeded_and_is_failed_now(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand
) -> None:
    simulator.play(reverse=1, reverse_seconds=0.3)
    assert adapter.refund(command).outcome is Outcome.SUCCEEDED
    found = wait_for(
        lambda: (one := adapter.find_refund(command)) and one.outcome is Outcome.FAILED and one
    )
    assert found.amount == PART
    assert adapter.fetch_payment(command.payment_reference).refunded == Money(0, "GBP")


def test_refund_in_the_dashboard_has_no_number_and_takes_what_is_left(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand
) -> None:
    simulator.refund_elsewhere(command.payment_reference, Money(9_000, "GBP"))
    (external,) = adapter.fetch_payment(command.payment_reference).refunds
    assert (external.number, external.amount) == ("", Money(9_000, "GBP"))
    result = adapter.refund(command)
    assert (result.outcome, result.code) == (Outcome.FAILED, "amount_too_high")


def test_dispute_holds_the_money_until_it_is_won(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand
) -> None:
    reference = simulator.dispute(command.payment_reference, Money(9_000, "GBP"))
    (dispute,) = adapter.fetch_payment(command.payment_reference).disputes
    assert (dispute.reference, dispute.amount) == (reference, Money(9_000, "GBP"))
    assert (dispute.state, dispute.reason) == (DisputeState.OPEN, "fraudulent")
    assert dispute.opened_at < dispute.answer_by  # type: ignore[operator]
    refused = adapter.refund(command)
    assert (refused.outcome, refused.code) == (Outcome.FAILED, "disputed")
    simulator.decide(reference, "win")
    won = adapter.fetch_payment(command.payment_reference).disputes[0]
    assert won.state is DisputeState.WON
    assert adapter.refund(replace(command, key=uuid4())).outcome is Outcome.SUCCEEDED


def test_event_of_a_refund_comes_signed_and_again_until_it_is_taken(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand, shop: Shop
) -> None:
    shop.status = 500
    refund = adapter.refund(command)
    wait_for(lambda: shop.came)
    shop.status = 200
    wait_for(lambda: simulator.events(command.payment_reference)[0]["state"] == "answered")
    (event,) = adapter.parse_webhook(*shop.came[-1])
    assert (event.kind, event.outcome, event.amount) == ("refund", Outcome.SUCCEEDED, PART)
    assert (event.number, event.refund_reference) == (command.number, refund.reference)
    assert not event.trusted
    ids = {adapter.parse_webhook(*one)[0].id for one in shop.came}
    assert (len(ids), len(shop.came) >= 2) == (1, True)
    assert re.search(r"whsec|secret", str(shop.came)) is None


def test_event_of_a_dispute_is_told(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand, shop: Shop
) -> None:
    reference = simulator.dispute(command.payment_reference, PART)
    wait_for(lambda: shop.came)
    (event,) = adapter.parse_webhook(*shop.came[0])
    assert (event.kind, event.payment_reference) == ("dispute", command.payment_reference)
    assert event.dispute is not None
    assert (event.dispute.reference, event.dispute.state) == (reference, DisputeState.OPEN)


@pytest.mark.parametrize("bad", ["forged", "unsigned", "stale", "reencoded"])
def test_bad_copy_comes_first_and_is_refused(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand, shop: Shop, bad: str
) -> None:
    simulator.play(**{f"event_{bad}": 1})
    adapter.refund(command)
    wait_for(lambda: len(shop.came) == 2)
    told = shop.outcomes(adapter, command.payment_reference)
    assert told == ["refused", Outcome.SUCCEEDED]


def test_event_that_is_lost_never_comes(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand, shop: Shop
) -> None:
    simulator.play(event_lost=1)
    adapter.refund(command)
    (event,) = simulator.events(command.payment_reference)
    assert (event["state"], event["deliveries"]) == ("lost", [])
    simulator.post(f"/events/{event['id']}/again")
    wait_for(lambda: shop.came)


def test_event_may_come_before_the_answer(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand, shop: Shop
) -> None:
    simulator.play(event_early=1, lose_answer=1)
    assert adapter.refund(command).outcome is Outcome.UNKNOWN
    assert shop.outcomes(adapter, command.payment_reference) == [Outcome.SUCCEEDED]


def test_event_may_be_overtaken_by_the_next(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand, shop: Shop
) -> None:
    simulator.play(event_swap=1, pending=1, pending_seconds=0.2)
    adapter.refund(command)
    wait_for(lambda: len(shop.came) == 2)
    told = shop.outcomes(adapter, command.payment_reference)
    assert told == [Outcome.SUCCEEDED, Outcome.PENDING]


def test_event_may_come_many_times_and_at_once(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand, shop: Shop
) -> None:
    simulator.play(event_parallel=4, event_copies=2)
    adapter.refund(command)
    wait_for(lambda: len(shop.came) == 6)
    assert len({body for _headers, body in shop.came}) == 1


@pytest.mark.parametrize("wrong", ["wrong_amount", "wrong_currency", "unknown_status"])
def test_event_may_be_signed_and_wrong(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand, shop: Shop, wrong: str
) -> None:
    simulator.play(**{f"event_{wrong}": 1})
    adapter.refund(command)
    wait_for(lambda: shop.came)
    (event,) = adapter.parse_webhook(*shop.came[0])
    assert (event.outcome, event.amount) != (Outcome.SUCCEEDED, PART)
    assert not event.trusted


def test_signature_is_that_of_the_specification(settings: Settings) -> None:
    """The example that the Standard Webhooks project publishes with its libraries."""
    from fixtures.backends.gateway_events import signature  # noqa: PLC0415 - a program's own

    secret, event_id, body = (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
    )
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret, event_id, 1614265330, body) == expected
    headers = signed(event_id, body, secret=secret, at=1614265330)
    assert headers["webhook-signature"] == expected


def test_event_is_refused_where_no_secret_is_set(settings: Settings) -> None:
    options = {"base_url": "http://127.0.0.1:9"}
    entry = {"BACKEND": "payments.gateways.simulator.Simulator", "OPTIONS": options}
    settings.GATEWAYS = {"simulator": entry}
    with pytest.raises(BadSignatureError):
        gateways["simulator"].parse_webhook(signed("evt_1", b"{}", secret=""), b"{}")


def test_events_go_to_this_machine_alone(simulator: SimulatorProcess) -> None:
    for url in ("https://example.com/", "http://example.com/", "http://10.0.0.1/", "file:///etc"):
        with pytest.raises(HttpError):
            simulator.send_events_to(url)


DAY = date(2026, 3, 14)


def rows_of(adapter: Gateway, day: date) -> list[SettlementRow]:
    return list(adapter.settlement(day))


def kinds(rows: list[SettlementRow], reference: str) -> dict[MovementKind, int]:
    return {row.kind: row.amount.minor for row in rows if row.payment_reference == reference}


def test_day_tells_each_movement_with_its_fee(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand
) -> None:
    refund = adapter.refund(command)
    simulator.end(refund.reference, "reverse")
    dispute = simulator.dispute(command.payment_reference, PART)
    simulator.decide(dispute, "win")
    created = simulator.refunds(command.payment_reference)[0]["created"]
    rows = rows_of(adapter, datetime.fromisoformat(created).date())
    assert kinds(rows, command.payment_reference) == {
        MovementKind.CAPTURE: 10_000,
        MovementKind.REFUND: -2_270,
        MovementKind.REVERSAL: 2_270,
        MovementKind.CHARGEBACK: -2_270,
        MovementKind.CHARGEBACK_REVERSED: 2_270,
    }
    ours = [row for row in rows if row.number == command.number]
    assert {row.reference for row in ours} == {refund.reference}
    fees = {row.kind: row.fee.minor for row in rows if row.reference == command.payment_reference}
    assert fees == {MovementKind.CAPTURE: 160}


@pytest.fixture
def day(simulator: SimulatorProcess) -> tuple[str, ...]:
    """Return the payments of a day that is over, and nobody else's."""
    for number in range(4):
        simulator.seed(f"day-{number}", Money(1_000 * (number + 1), "GBP"), day=str(DAY))
    return tuple(f"day-{number}" for number in range(4))


def test_day_that_is_over_is_paid_out_and_equal_as_csv(
    adapter: Gateway, simulator: SimulatorProcess, day: tuple[str, ...]
) -> None:
    rows = rows_of(adapter, DAY)
    assert [row.payment_reference for row in rows] == [*day, ""]
    assert (rows[-1].kind, rows[-1].amount) == (MovementKind.PAYOUT, Money(-9_780, "GBP"))
    raw = Client(simulator.url, allow_loopback=True).get(f"/settlements/{DAY}.csv").body
    from_file = list(adapter.read_settlement(BytesIO(raw)))
    assert [replace(row, place="") for row in from_file] == [replace(row, place="") for row in rows]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("settlement_missing", {"day-1": [2_000], "day-2": [3_000], "day-3": [4_000]}),
        ("settlement_amount", {"day-0": [999]}),
        ("settlement_twice", {"day-0": [1_000, 1_000]}),
        ("settlement_fee", {"day-0": [1_000]}),
        ("settlement_currency", {"day-0": [1_000]}),
        ("settlement_stranger", {"day-0": [1_000, -100]}),
    ],
)
def test_day_may_be_wrong(
    adapter: Gateway,
    simulator: SimulatorProcess,
    day: tuple[str, ...],
    fault: str,
    expected: dict[str, list[int]],
) -> None:
    good = rows_of(adapter, DAY)
    simulator.play(**{fault: 1})
    bad = [row for row in rows_of(adapter, DAY) if row.payment_reference]
    of = {name: [row for row in bad if row.payment_reference == name] for name in day}
    amounts = {name: [row.amount.minor for row in rows] for name, rows in of.items()}
    assert {name: amounts[name] for name in expected} == expected
    if fault == "settlement_missing":
        assert amounts["day-0"] == []
    if fault == "settlement_fee":
        assert of["day-0"][0].fee == good[0].fee + Money(1, "GBP")
    if fault == "settlement_currency":
        assert of["day-0"][0].amount.currency == "USD"
    simulator.calm()
    assert rows_of(adapter, DAY) == good


def test_day_may_be_refused_and_may_cost(
    adapter: Gateway, simulator: SimulatorProcess, day: tuple[str, ...]
) -> None:
    simulator.play(settlement_fail=1, daily_fee=250)
    with pytest.raises(GatewayUnavailableError):
        rows_of(adapter, DAY)
    rows = rows_of(adapter, DAY)
    assert [(row.kind, row.amount.minor) for row in rows[-2:]] == [
        (MovementKind.FEE, -250),
        (MovementKind.PAYOUT, -9_530),
    ]


def test_long_day_comes_in_pages(adapter: Gateway, simulator: SimulatorProcess) -> None:
    many = [
        {
            "reference": f"many-{n}",
            "amount_minor": 100,
            "currency": "JPY",
            "captured_on": "2026-03-15",
        }
        for n in range(2_001)
    ]
    simulator.post("/payments/bulk", payments=many)
    rows = rows_of(adapter, date(2026, 3, 15))
    assert len({row.reference for row in rows}) == 2_002  # and the payout
    assert rows[2_000].place == "row 2001"


def test_books_events_and_switches_survive_kill_9(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand, shop: Shop
) -> None:
    shop.status = 500
    simulator.play(pending=1, pending_seconds=1.5, lose_answer=3, event_delay=0.5)
    simulator.chaos(3, busy=0.001)
    adapter.refund(command)
    simulator.stop()
    shop.status = 200
    simulator.start()
    assert simulator.get("/switches")["lose_answer"] == 2
    assert simulator.get("/chaos") == {"seed": 3, "busy": Decimal("0.001")}
    done = [Outcome.PENDING, Outcome.SUCCEEDED]
    wait_for(lambda: set(shop.outcomes(adapter, command.payment_reference)) == set(done))
    assert len(simulator.refunds(command.payment_reference)) == 1


def test_totals_and_lists_tell_the_whole_truth(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand
) -> None:
    before = simulator.get("/totals")["refunds"]
    adapter.refund(command)
    assert simulator.get("/totals")["refunds"] == before + 1
    listed = simulator.all_refunds()
    assert len(listed) == before + 1
    assert listed[-1]["reference"] == command.number


def page(simulator: SimulatorProcess, path: str, **form: str) -> str:
    client = Client(simulator.url, allow_loopback=True, headers={"Accept": "text/html"})
    return client.get(path).body.decode()


def test_pages_show_what_the_gateway_believes(
    adapter: Gateway, simulator: SimulatorProcess, command: RefundCommand, shop: Shop
) -> None:
    simulator.play(event_forged=1)
    adapter.refund(command)
    wait_for(lambda: len(shop.came) == 2)
    payment = f"/payments/{command.payment_reference}"
    day = simulator.refunds(command.payment_reference)[0]["created"][:10]
    shown = {
        path: page(simulator, path)
        for path in ("/", payment, "/switches", "/events", "/keys", f"/settlements/{day}")
    }
    assert command.number in shown["/"]
    assert "77.30 GBP" in shown[payment]
    assert all(f'name="{name}"' in shown["/switches"] for name in simulator.get("/switches"))
    assert "forged" in shown["/events"]
    assert str(command.key) in shown["/keys"]
    assert command.number in shown[f"/settlements/{day}"]
    assert not [path for path, html in shown.items() if "<script" in html or WEBHOOK_SECRET in html]


def test_pages_escape_what_they_show(simulator: SimulatorProcess, command: RefundCommand) -> None:
    body: dict[str, Any] = {"amount_minor": 1, "currency": "GBP", "reference": "<b>x</b>"}
    Client(simulator.url, allow_loopback=True).post(
        f"/payments/{command.payment_reference}/refunds",
        json=body,
        headers={"Idempotency-Key": "<i>k</i>"},
    )
    shown = page(simulator, f"/payments/{command.payment_reference}") + page(simulator, "/keys")
    assert "&lt;b&gt;x" in shown
    assert "&lt;i&gt;k" in shown
    assert not re.search(r"<[bi]>", shown)


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example:80"}]
)
def test_pages_of_other_sites_move_nothing(
    simulator: SimulatorProcess, headers: dict[str, str]
) -> None:
    client = Client(simulator.url, allow_loopback=True, headers=headers)
    with pytest.raises(HttpError) as error:
        client.post("/switches", form={"busy": "5"})
    assert error.value.status == 403
    assert simulator.get("/switches")["busy"] == 0


def test_form_of_the_page_sets_count_and_chance(simulator: SimulatorProcess) -> None:
    client = Client(simulator.url, allow_loopback=True, headers={"Accept": "text/html"})
    with pytest.raises(HttpError) as redirect:
        client.post("/switches", form={"busy": "5", "delay": "", "chance.busy": "2.5"})
    assert redirect.value.status == 303
    assert simulator.get("/switches")["busy"] == 5
    assert simulator.get("/chaos") == {"seed": 0, "busy": Decimal("0.025")}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/switches", {"nonsense": 1}),
        ("/switches", {"delay": 1e9}),
        ("/switches", {"busy": -1}),
        ("/switches", {"busy": "NaN"}),
        ("/chaos", {"busy": 1.5}),
        ("/chaos", {"settlement_missing": 0.5}),
        ("/webhook", {"url": "", "secret": "whsec_%%%"}),
        ("/payments", {"reference": "a b", "amount_minor": 1, "currency": "GBP"}),
        ("/payments", {"reference": "x", "amount_minor": True, "currency": "GBP"}),
        ("/payments", {"reference": "x", "amount_minor": 1, "currency": "GBP", "captured_on": "x"}),
        ("/payments", []),
        ("/settlements/2026-13-01", {}),
    ],
)
def test_nonsense_is_refused(simulator: SimulatorProcess, path: str, body: Any) -> None:
    client = Client(simulator.url, allow_loopback=True)
    before = simulator.get("/switches"), simulator.get("/chaos")
    with pytest.raises(HttpError) as error:
        client.post(path, json=body)
    assert error.value.status in {400, 404, 422}
    assert (simulator.get("/switches"), simulator.get("/chaos")) == before
