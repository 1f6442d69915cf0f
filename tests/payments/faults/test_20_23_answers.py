"""20, 21, 23: another amount or currency, refunds made elsewhere, answers of rubbish."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import pytest
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.approvals.services import AlreadyDecidedError
from backoffice.money import Money
from payments import services
from payments.gateways import gateways
from payments.gateways.base import Outcome, RefundResult
from payments.models import Payment, Refund
from payments.services import outcomes
from tests.contracts.peers import Peer, Said
from tests.factories import make_order, make_payment
from tests.payments.faults.telling import (
    State,
    again,
    assert_once,
    balance,
    booked,
    paid_back,
    reconcile,
    sums,
    verbs,
)
from tests.payments.faults.test_16_19_webhooks import deliver, event_of, inbox, work
from tests.payments.test_gateways import SimulatorPeer

pytestmark = pytest.mark.django_db
type Approved = Callable[..., Refund]
type Paid = Callable[..., Payment]


@pytest.mark.parametrize("fault", ["wrong_amount", "wrong_currency", "book_less"])
def test_20_another_amount_in_the_answer_is_for_people(
    sim: SimulatorPeer, approved: Approved, fault: str
) -> None:
    refund = approved(sim)
    sim.process.play(**{fault: 1})
    services.execute(refund)
    assert again(refund).state == State.NEEDS_REVIEW
    assert reconcile(refund) == [State.NEEDS_REVIEW]  # the machine has ended with it
    assert (sums(refund), booked(refund)) == ((1_275, 0), 0)
    assert len(paid_back(sim, refund)) == 1


def test_20_answer_about_another_number_is_unknown_and_heals(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    sim.process.play(wrong_number=1)
    services.execute(refund)
    assert (again(refund).state, sums(refund)) == (State.UNKNOWN, (1_275, 0))
    reconcile(refund)
    assert_once(refund, sim)


@pytest.mark.parametrize(
    "amount", [Money(1_000, "KRW"), Money(1_000, "USD"), Money(1_274, "GBP"), Money(0, "GBP")]
)
def test_20_answer_of_another_amount_never_succeeds(
    sim: SimulatorPeer, approved: Approved, amount: Money
) -> None:
    refund = approved(sim)
    sim.lose_answer()
    services.execute(refund)
    outcomes.settle(refund, RefundResult(Outcome.SUCCEEDED, reference="re_1", amount=amount))
    assert (again(refund).state, sums(refund)) == (State.NEEDS_REVIEW, (1_275, 0))
    assert booked(refund) == 0


def test_20_event_with_another_amount_moves_nothing(sim: SimulatorPeer, approved: Approved) -> None:
    refund = approved(sim)
    services.execute(refund)
    for wrong in ({"amount_minor": 1_276}, {"currency": "USD"}):
        deliver(event_of(refund, **wrong))
    work()
    assert_once(refund, sim)


@pytest.mark.parametrize("currency", ["JPY", "KRW", "BHD", "ISK"])
def test_20_currencies_without_or_with_three_decimals_go_out_as_they_are(
    sim: SimulatorPeer, eve: User, max_: User, kim: User, currency: str
) -> None:
    order = make_order(10_000)
    order.currency = currency
    type(order).objects.filter(pk=order.pk).update(currency=currency)
    order.lines.update(currency=currency)
    reference = sim.seed(Money(10_000, currency))
    make_payment(order, reference=reference, currency=currency)
    refund = services.request_refund(
        type(order).objects.get(pk=order.pk), Money(1_275, currency), actor=eve, reason="Damaged"
    )
    for checker in (max_, kim):  # a currency without a band wants two people
        with suppress(AlreadyDecidedError):
            services.approve_refund(refund, actor=checker)
    services.execute(again(refund))
    assert sim.paid_back(reference) == [Money(1_275, currency)]
    assert_once(refund, sim)


def test_21_refund_made_in_the_dashboard_is_found_and_held(
    sim: SimulatorPeer, paid: Paid, approved: Approved
) -> None:
    payment = paid(sim)
    reference = sim.process.refund_elsewhere(payment.reference, Money(4_000, "GBP"))
    services.external.look_at(payment)
    found = Refund.objects.get(payment=payment)
    assert (found.state, found.gateway_ref, found.requested_by) == (
        State.EXTERNAL,
        reference,
        None,
    )
    assert balance(payment) == (4_000, 4_000, 0)
    assert booked(found) == 4_000
    services.external.look_at(payment)
    assert Refund.objects.filter(payment=payment).count() == 1


def test_21_refund_in_the_dashboard_is_found_without_an_event(
    sim: SimulatorPeer, approved: Approved
) -> None:
    ours = approved(sim)
    services.execute(ours)
    sim.process.refund_elsewhere(ours.payment.reference, Money(1_000, "GBP"))
    Refund.objects.exclude(pk=ours.pk).update(finished_at=None)
    Payment.objects.exclude(pk=ours.payment_id).update(gateway="gone")
    services.external.look_around()
    states = Refund.objects.filter(payment=ours.payment).order_by("pk")
    assert list(states.values_list("state", flat=True)) == [State.SUCCEEDED, State.EXTERNAL]


def test_21_payment_that_cannot_be_read_hides_no_other(
    sim: SimulatorPeer, paid: Paid, approved: Approved
) -> None:
    first, second = approved(sim), approved(sim)
    for refund in (first, second):
        services.execute(refund)
    Refund.objects.exclude(pk__in=[first.pk, second.pk]).update(finished_at=None)
    mine = [first.payment_id, second.payment_id]
    Payment.objects.exclude(pk__in=mine).update(gateway="gone")
    sim.process.refund_elsewhere(first.payment.reference, Money(1_000, "GBP"))
    sim.process.refund_elsewhere(second.payment.reference, Money(1_000, "GBP"))
    sim.process.play(fail_read=1)
    services.external.look_around()
    found = Refund.objects.filter(payment__in=mine, state=State.EXTERNAL)
    assert found.count() == 1


def test_21_external_refund_makes_room_by_voiding_what_was_not_sent(
    sim: SimulatorPeer, paid: Paid, approved: Approved, eve: User
) -> None:
    payment = paid(sim)
    sent = approved(sim, 3_000, payment=payment)
    services.execute(sent)
    waits = approved(sim, 4_000, payment=payment)
    asked = services.request_refund(payment.order, Money(2_000, "GBP"), actor=eve, reason="More")
    sim.process.refund_elsewhere(payment.reference, Money(6_000, "GBP"))
    services.external.look_at(payment)
    states = [again(refund).state for refund in (sent, waits, asked)]
    assert states == [State.SUCCEEDED, State.VOID, State.VOID]
    assert balance(payment) == (9_000, 9_000, 0)
    assert asked.approval is not None
    asked.approval.refresh_from_db()
    assert asked.approval.state == "void"


def test_21_external_refund_beyond_all_room_is_an_alarm(
    sim: SimulatorPeer, paid: Paid, approved: Approved
) -> None:
    payment = paid(sim)
    Payment.objects.filter(pk=payment.pk).update(captured_minor=5_000)
    payment.refresh_from_db()
    sim.process.refund_elsewhere(payment.reference, Money(6_000, "GBP"))
    refund = Refund(payment=payment, amount_minor=6_000, currency="GBP")
    rows = sim.process.refunds(payment.reference)
    deliver(event_of(refund, id=rows[0]["id"], reference=""))
    work()
    assert inbox(refund) == [("failed", 1)]
    assert verbs(payment) == ["gateway_contradicts"]
    services.external.look_at(payment)
    assert verbs(payment) == ["gateway_contradicts"]
    assert balance(payment) == (0, 0, 0)


def test_21_refusal_since_nothing_is_left_is_not_believed_where_our_own_was_lost(
    peer: Peer, approved: Approved
) -> None:
    """The gateway forgot the key and refuses the repeat: our first request had taken the money."""
    refund = approved(peer, 9_000)
    peer.lose_answer()
    services.execute(refund)
    code = b'{"error": {"type": "invalid_request_error", "code": "charge_already_refunded"}}'
    plain = b'{"error": "amount_too_high", "message": "More than is left"}'
    peer.say(Said(422, plain) if isinstance(peer, SimulatorPeer) else Said(400, code))
    reconcile(refund)
    assert_once(refund, peer)


def test_21_refusal_of_a_repeat_fails_where_nothing_is_listed(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    sim.say(Said(500, b"{}"))
    services.execute(refund)
    sim.say(Said(422, b'{"error": "amount_too_high", "message": "More than is left"}'))
    reconcile(refund)
    assert (again(refund).state, sums(refund)) == (State.FAILED, (0, 0))


def test_21_refusal_of_a_repeat_is_not_believed_while_the_list_may_lag(
    sim: SimulatorPeer, approved: Approved, settings: Settings
) -> None:
    settings.GATEWAYS["simulator"]["OPTIONS"] |= {"settle": 3_600}
    refund = approved(sim)
    before = sim.process.get(f"/payments/{refund.payment.reference}")
    sim.lose_answer()
    services.execute(refund)
    sim.say(Said(422, b'{"error": "amount_too_high", "message": "More than is left"}'))
    sim.say_reads(Said(200, json.dumps(before).encode()))
    assert reconcile(refund) == [State.UNKNOWN]
    assert sums(refund) == (1_275, 0)
    reconcile(refund)
    assert_once(refund, sim)


def test_21_money_that_went_out_though_we_gave_up_is_taken_into_the_books(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    sim.lose_answer()
    services.execute(refund)
    Refund.objects.filter(pk=refund.pk).update(state=State.FAILED)
    Payment.objects.filter(pk=refund.payment_id).update(reserved_minor=0)
    payment = again(refund).payment
    services.external.look_at(payment)
    assert balance(payment) == (1_275, 1_275, 0)
    assert "gateway_contradicts" in verbs(refund)


def again_elsewhere(refund: Refund) -> None:
    """Refund once more under our number, as a lenient gateway or somebody at the vendor may."""
    command = replace(services.commands.of(refund), key=uuid4())
    assert gateways[refund.gateway].refund(command).outcome is Outcome.SUCCEEDED


def test_refund_that_the_gateway_lists_twice_is_for_people_and_never_a_success(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    sim.lose_answer()
    services.execute(refund)
    again_elsewhere(refund)
    Refund.objects.filter(pk=refund.pk).update(sent_under="another")
    assert reconcile(refund) == [State.NEEDS_REVIEW]
    assert (sums(refund), paid_back(sim, refund)) == ((1_275, 0), [1_275, 1_275])


def test_refund_that_the_gateway_lists_twice_after_its_success_is_an_alarm(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    services.execute(refund)
    services.external.look_at(refund.payment)
    assert "gateway_contradicts" not in verbs(refund)
    again_elsewhere(refund)
    replies = services.external.look_at(refund.payment)
    assert sorted(reply.heard.value for reply in replies.values()) == ["done", "person"]
    assert verbs(refund).count("gateway_contradicts") == 1
    services.external.look_at(refund.payment)
    assert verbs(refund).count("gateway_contradicts") == 1
    assert again(refund).state == State.SUCCEEDED


def test_same_reference_for_two_refunds_is_for_people_and_no_loop(
    sim: SimulatorPeer, paid: Paid, approved: Approved
) -> None:
    payment = paid(sim)
    first, second = approved(sim, 100, payment=payment), approved(sim, 100, payment=payment)
    services.execute(first)
    reference = again(first).gateway_ref
    sim.lose_answer()
    services.execute(second)
    same = RefundResult(Outcome.SUCCEEDED, reference=reference, amount=Money(100, "GBP"))
    outcomes.settle(second, same)
    found = again(second)
    assert (found.state, found.gateway_ref) == (State.NEEDS_REVIEW, "")
    assert sums(first) == (200, 100)


RUBBISH = (
    Said(200, b"<html>Welcome</html>", {"Content-Type": "text/html"}),
    Said(200, b'{"id": "re_1", "stat'),
    Said(200, b'{"id": "re_1", "status": "flying"}'),
    Said(200, b"null"),
    Said(200, b"[" * 100_000),
    Said(200, b'"' + b"x" * 3_000_000 + b'"'),
    Said(200, b'{"id": "\\u0000\\u2022", "status": "succeeded", "amount_minor": "1e9"}'),
    Said(302, b"", {"Location": "https://example.com/"}),
)


@pytest.mark.parametrize("said", RUBBISH, ids=lambda said: f"{said.status}-{said.body[:12]!r}")
def test_23_answer_of_rubbish_is_unknown_and_heals(
    peer: Peer, approved: Approved, said: Said
) -> None:
    refund = approved(peer)
    peer.say(said, applied=True)
    services.execute(refund)
    assert refund.state == State.UNKNOWN
    assert sums(refund) == (1_275, 0)
    reconcile(refund)
    assert_once(refund, peer)


def test_23_refusal_with_signs_that_no_column_takes_is_recorded(
    sim: SimulatorPeer, approved: Approved
) -> None:
    refund = approved(sim)
    message = b'{"error": "amount_too_high", "message": "No \\u0000 \\u2022\\u2022 \\ud800 more"}'
    sim.say(Said(422, message))
    services.execute(refund)
    assert again(refund).state == State.FAILED
