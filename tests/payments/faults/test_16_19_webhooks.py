"""16-19: events that come often, early, in the wrong order, or from somebody else."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, override
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from backoffice.audit.models import Event
from payments import services, webhooks
from payments.gateways.base import GatewayEvent, Outcome
from payments.gateways.simulator import Simulator
from payments.models import InboxEvent, Payment, Refund
from payments.services.external import Heard, Word
from tests.payments.faults.crew import Crew
from tests.payments.faults.telling import (
    State,
    again,
    assert_once,
    booked,
    reconcile,
    sums,
)
from tests.payments.test_gateways import SimulatorPeer
from tests.simulator import signed

pytestmark = pytest.mark.django_db
type Approved = Callable[..., Refund]
AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


class Unlisted(Simulator):
    """A gateway that lists nothing and signs its events: they have to be believed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.caps = replace(self.caps, lookup="none", refund_sync=False)

    @override
    def parse_webhook(self, headers: Any, body: bytes) -> list[GatewayEvent]:
        return [replace(one, trusted=True) for one in super().parse_webhook(headers, body)]


@pytest.fixture
def unlisted(sim: SimulatorPeer, settings: Settings) -> SimulatorPeer:
    """The simulator, as a gateway that can only tell."""
    backend = f"{__name__}.Unlisted"
    settings.GATEWAYS = {"simulator": settings.GATEWAYS["simulator"] | {"BACKEND": backend}}
    return sim


def event_of(refund: Refund, status: str = "succeeded", **values: Any) -> dict[str, Any]:
    """Return an event as the simulator words it."""
    at = values.pop("at", AT)
    data = {
        "id": refund.gateway_ref or "re_unknown",
        "payment": refund.payment.reference,
        "reference": str(refund.number),
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "status": status,
        "created": AT.isoformat(),
        **values,
    }
    return {"type": f"refund.{status}", "created": at.isoformat(), "data": data}


def deliver(
    body: dict[str, Any] | bytes, *, name: str = "", alias: str = "simulator", **how: Any
) -> int:
    """Post an event as the gateway would; return the status of the answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = how.pop("headers", None) or signed(name or f"evt_{uuid4()}", raw, **how)
    answer = Client().post(
        f"/webhooks/{alias}/", raw, content_type="application/json", headers=headers
    )
    assert not answer.cookies
    return answer.status_code


def work() -> None:
    """Let the time of all waiting events come, and work on them."""
    InboxEvent.objects.filter(state="waiting").update(next_try_at=timezone.now())
    services.events.process()


def inbox(refund: Refund) -> list[tuple[str, int]]:
    found = InboxEvent.objects.filter(payment_reference=refund.payment.reference).order_by("pk")
    return list(found.values_list("state", "deliveries"))


def pending(sim: SimulatorPeer, approved: Approved) -> Refund:
    sim.process.play(pending=1, pending_seconds=0)
    refund = approved(sim)
    services.execute(refund)
    assert refund.state == State.PENDING
    return refund


def end(sim: SimulatorPeer, refund: Refund, how: str) -> None:
    sim.process.end(again(refund).gateway_ref, how)


def test_event_ends_what_pends(sim: SimulatorPeer, approved: Approved) -> None:
    refund = pending(sim, approved)
    end(sim, refund, "succeed")
    assert deliver(event_of(refund)) == 200
    work()
    assert_once(refund, sim)
    assert inbox(refund) == [("done", 1)]


def test_16_same_event_ten_times_is_one(sim: SimulatorPeer, approved: Approved) -> None:
    refund = pending(sim, approved)
    end(sim, refund, "succeed")
    body = event_of(refund)
    assert {deliver(body, name=f"evt_{refund.number}") for _ in range(10)} == {200}
    work()
    assert inbox(refund) == [("done", 10)]
    assert_once(refund, sim)


def test_16_same_event_in_parallel_is_one(sim: SimulatorPeer, approved: Approved) -> None:
    refund = pending(sim, approved)
    end(sim, refund, "succeed")
    body, name = event_of(refund), f"evt_{refund.number}"

    def once(_: int) -> int:
        try:
            return deliver(body, name=name)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(once, range(12))) == {200}
    work()
    assert inbox(refund) == [("done", 12)]
    assert_once(refund, sim)


def test_16_many_workers_book_an_event_once(
    sim: SimulatorPeer, crew: Crew, approved: Approved
) -> None:
    refund = pending(sim, approved)
    end(sim, refund, "succeed")
    for _ in range(3):
        deliver(event_of(refund))
    crew.race("process", times=4)
    work()
    assert_once(refund, sim)
    assert [state for state, _count in inbox(refund)] == ["done"] * 3


def test_17_event_before_our_own_answer_waits(
    sim: SimulatorPeer, crew: Crew, approved: Approved
) -> None:
    refund = approved(sim)
    child = crew.start(
        "execute", refund.pk, stop="after the answer, before its record", ready=False
    )
    child.stands_still()
    deliver(event_of(again(refund), id="re_x"))
    deliver(event_of(again(refund), id="re_y", reference=""))
    work()
    assert again(refund).state == State.EXECUTING
    assert {state for state, _count in inbox(refund)} == {"waiting"}
    child.kill()
    reconcile(refund)
    work()
    assert_once(refund, sim)
    assert Refund.objects.filter(payment=refund.payment).count() == 1


def test_17_unknown_refund_of_the_payment_waits_while_ours_is_unknown(
    unlisted: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(unlisted)
    unlisted.lose_answer()
    services.execute(refund)
    assert refund.state == State.UNKNOWN
    deliver(event_of(refund, id="re_of_nobody", reference=""))
    work()
    assert inbox(refund) == [("waiting", 1)]
    assert Refund.objects.filter(payment=refund.payment).count() == 1


def test_18_pending_after_succeeded_moves_nothing_back(
    unlisted: SimulatorPeer, approved: Approved
) -> None:
    refund = pending(unlisted, approved)
    deliver(event_of(refund, at=AT + timedelta(minutes=2)))
    work()
    deliver(event_of(refund, "pending", at=AT))
    work()
    assert (again(refund).state, sums(refund)) == (State.SUCCEEDED, (1_275, 1_275))
    assert inbox(refund) == [("done", 1), ("ignored", 1)]


def test_18_older_failure_after_a_newer_success_moves_nothing_back(
    unlisted: SimulatorPeer, approved: Approved
) -> None:
    refund = pending(unlisted, approved)
    deliver(event_of(refund, at=AT + timedelta(minutes=2)))
    work()
    deliver(event_of(refund, "failed", at=AT))
    work()
    assert (again(refund).state, sums(refund)) == (State.SUCCEEDED, (1_275, 1_275))


def test_18_failed_after_succeeded_came_back(sim: SimulatorPeer, approved: Approved) -> None:
    refund = approved(sim)
    services.execute(refund)
    assert booked(refund) == 1_275
    end(sim, refund, "reverse")
    deliver(event_of(refund, "failed"))
    work()
    assert (again(refund).state, sums(refund), booked(refund)) == (State.REVERSED, (0, 0), 0)


def test_18_success_that_comes_after_the_reversal_is_only_late(
    unlisted: SimulatorPeer, approved: Approved
) -> None:
    refund = pending(unlisted, approved)
    for status, minutes in (("succeeded", 1), ("failed", 3), ("succeeded", 2)):
        deliver(event_of(refund, status, at=AT + timedelta(minutes=minutes)))
        work()
    assert (again(refund).state, sums(refund)) == (State.REVERSED, (0, 0))
    assert Refund.objects.filter(payment=refund.payment).count() == 1


@pytest.mark.parametrize(
    ("state", "heard"), [(State.REVERSED, Heard.NOTHING), (State.FAILED, Heard.PERSON)]
)
def test_18_success_from_before_the_end_is_late_of_what_came_back_alone(
    unlisted: SimulatorPeer, approved: Approved, state: State, heard: Heard
) -> None:
    """Of a refund that failed here it means that money went out: people have to look."""
    refund = pending(unlisted, approved)
    for status in ("succeeded", "failed") if state == State.REVERSED else ("failed",):
        deliver(event_of(refund, status))
        work()
    assert again(refund).state == state
    word = Word(refund.gateway_ref, str(refund.number), refund.amount, Outcome.SUCCEEDED, AT)
    assert services.external.hear(refund.payment, word).heard is heard
    assert again(refund).state == state


def test_18_event_is_a_hint_and_the_state_is_read(sim: SimulatorPeer, approved: Approved) -> None:
    """A true signature on what is not so any more, or never was, moves nothing."""
    refund = pending(sim, approved)
    deliver(event_of(refund, "succeeded"))
    deliver(event_of(refund, "failed"))
    work()
    assert (again(refund).state, sums(refund)) == (State.PENDING, (1_275, 0))


@pytest.mark.parametrize(
    "how",
    [
        {"secret": "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldCBrZXk="},
        {"at": 1e9},
        {"at": 4e9},
        {"headers": {"X-Nothing": "1"}},
    ],
    ids=["wrong secret", "stale", "from the future", "unsigned"],
)
def test_19_event_that_is_not_the_gateways_is_refused(
    unlisted: SimulatorPeer, approved: Approved, how: dict[str, Any]
) -> None:
    refund = pending(unlisted, approved)
    assert deliver(event_of(refund), **how) == 401
    work()
    assert (again(refund).state, inbox(refund)) == (State.PENDING, [])


def test_19_body_that_was_written_anew_is_refused(
    unlisted: SimulatorPeer, approved: Approved
) -> None:
    refund = pending(unlisted, approved)
    raw = json.dumps(event_of(refund)).encode()
    headers = signed("evt_1", raw)
    assert deliver(json.dumps(event_of(refund), indent=1).encode(), headers=headers) == 401
    assert inbox(refund) == []


def test_19_forgeries_are_counted_on_the_record_and_do_not_flood_it(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    before = Event.objects.filter(verb="payments.event_forged").count()
    told = [deliver(event_of(refund), headers={"X-Nothing": "1"}) for _ in range(40)]
    assert set(told) <= {401, 429}
    assert told[-1] == 429
    assert Event.objects.filter(verb="payments.event_forged").count() - before <= 2


def test_19_body_that_is_too_large_unreadable_or_for_nobody(sim: SimulatorPeer) -> None:
    assert deliver(b"x" * (webhooks.MAX_BYTES + 1)) == 413
    assert deliver(b"{}", alias="nobody") == 404
    assert deliver(b"not json") == 400
    assert Client().get("/webhooks/simulator/").status_code == 405
    assert deliver(b"{}", alias="manual") == 404


def test_event_of_a_payment_that_is_not_ours_ends_by_itself(sim: SimulatorPeer) -> None:
    refund = Refund(payment=Payment(reference="of-another-shop"), amount_minor=1, currency="GBP")
    deliver(event_of(refund))
    for _ in range(10):
        work()
    assert inbox(refund) == [("ignored", 1)]


def test_event_that_names_the_payment_otherwise_is_found_by_our_number(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = pending(sim, approved)
    end(sim, refund, "succeed")
    deliver(event_of(refund, payment="another-name"))
    work()
    assert_once(refund, sim)
