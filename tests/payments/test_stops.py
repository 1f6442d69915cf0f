"""The stop switch: one person stops, another lets go on."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.money import Money
from orders.models import Order
from payments import services
from payments.models import RefundStop
from payments.services import RefundRefusedError, stops
from tests.factories import make_order, make_payment


@pytest.fixture
def order(db: None) -> Order:
    order = make_order(1_000)
    make_payment(order)
    return order


def ask(order: Order, actor: User) -> None:
    services.request_refund(order, Money(100, "GBP"), actor=actor, reason="Broken")


@pytest.mark.parametrize("gateway", ["", "simulator"])
def test_stop_refuses_new_refunds_in_words(
    order: Order, eve: User, max_: User, gateway: str
) -> None:
    stopped = stops.stop(gateway, actor=max_, reason="Wrong amounts")
    assert "Max stopped them: Wrong amounts" in stops.held("simulator")
    with pytest.raises(RefundRefusedError, match="stopped"):
        ask(order, eve)
    event = Event.objects.about(stopped).get(verb="payments.refunds_stopped")
    assert (event.actor, event.reason) == (max_, "Wrong amounts")


def test_stop_of_another_gateway_holds_nothing(order: Order, eve: User, max_: User) -> None:
    stops.stop("manual", actor=max_, reason="No cash")
    assert stops.held("simulator") == ""
    ask(order, eve)


def test_second_person_lets_refunds_go_on(order: Order, eve: User, max_: User, kim: User) -> None:
    stopped = stops.stop("", actor=max_, reason="Wrong amounts")
    stops.resume(stopped, actor=kim, reason="Found the fault")
    assert stops.held("simulator") == ""
    ask(order, eve)
    with pytest.raises(ValidationError, match="already"):
        stops.resume(stopped, actor=kim, reason="Again")


def test_who_stopped_does_not_let_go_on(order: Order, max_: User) -> None:
    stopped = stops.stop("", actor=max_, reason="Wrong amounts")
    with pytest.raises(PermissionDenied):
        stops.resume(stopped, actor=max_, reason="Fine again")
    with pytest.raises(IntegrityError, match="refund_stop_ended_by_another"), transaction.atomic():
        RefundStop.objects.filter(pk=stopped.pk).update(ended_by=max_)
    assert stops.held("simulator")


@pytest.mark.parametrize("person", ["eve", "nia", "ada"])
def test_stopping_needs_the_right(request: pytest.FixtureRequest, db: None, person: str) -> None:
    with pytest.raises(PermissionDenied):
        stops.stop("", actor=request.getfixturevalue(person), reason="Why not")


def test_resuming_needs_its_own_right(order: Order, oli: User, max_: User) -> None:
    stopped = stops.stop("", actor=max_, reason="Wrong amounts")
    assert oli.has_perm("payments.stop_refunds")
    with pytest.raises(PermissionDenied):
        stops.resume(stopped, actor=oli, reason="Fine again")


def test_stop_twice_without_reason_or_of_nothing_is_refused(db: None, max_: User) -> None:
    stops.stop("simulator", actor=max_, reason="Wrong amounts")
    for gateway, reason in (("simulator", "Again"), ("", " "), ("nobody", "Gone")):
        with pytest.raises(ValidationError):
            stops.stop(gateway, actor=max_, reason=reason)
    assert len(stops.running()) == 1
