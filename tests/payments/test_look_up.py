"""The button “Look up now”: a look-up is brought forward, and nothing is sent by it."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.money import Money
from backoffice.site.versions import version_of
from payments import queries, services
from payments.gateways import gateways
from payments.models import GatewayState, Refund, RefundAttempt
from payments.services import execution
from tests.factories import make_order, make_payment

State = Refund.State
LATER = timedelta(minutes=5)


def waiting(
    actor: User, state: str, *, wait: timedelta = LATER, gateway: str = "simulator"
) -> Refund:
    """Return a refund of £1.00 in the state, that the machine looks at after `wait`."""
    order = make_order(1_000)
    make_payment(order, gateway=gateway)
    refund = services.request_refund(order, Money(100, "GBP"), actor=actor, reason="Broken")
    now = timezone.now()
    changes = {"state": state, "sent_at": now, "next_try_at": now + wait, "attempts": 3}
    Refund.objects.filter(pk=refund.pk).update(**changes)
    return Refund.objects.select_related("payment").get(pk=refund.pk)


def do(user: User, refund: Refund) -> int:
    client = Client()
    client.force_login(user)
    address = reverse("admin:payments_refund_do_look_up", args=[refund.pk])
    return client.post(address, {"record_version": version_of(refund)}).status_code


def is_due(refund: Refund) -> bool:
    return refund in queries.due(timezone.now(), 10)


def is_offered(user: User, refund: Refund) -> bool:
    client = Client()
    client.force_login(user)
    shown = client.get(reverse("admin:payments_refund_change", args=[refund.pk]))
    return "do/look_up/" in shown.content.decode()


@pytest.mark.parametrize("state", [State.UNKNOWN, State.PENDING])
def test_agent_brings_the_look_up_forward_and_nothing_is_sent(eve: User, state: str) -> None:
    refund = waiting(eve, state)
    assert (is_offered(eve, refund), is_due(refund)) == (True, False)
    assert do(eve, refund) == 302
    assert is_due(refund)
    after = Refund.objects.get(pk=refund.pk)
    assert (after.state, after.attempts, after.key) == (state, 3, refund.key)
    assert not RefundAttempt.objects.exists()
    event = Event.objects.get(verb=execution.LOOK_UP)
    assert (event.actor, event.subject_id) == (eve, str(refund.pk))
    assert not is_offered(eve, refund)


@pytest.mark.parametrize(
    "state", [one for one in State if one not in {State.UNKNOWN, State.PENDING}]
)
def test_no_other_state_has_it(eve: User, state: str) -> None:
    """One that is being sent least of all: its time is the lease of who sends it."""
    refund = waiting(eve, state)
    before = refund.next_try_at
    assert not is_offered(eve, refund)
    with pytest.raises(ValidationError):
        execution.look_up_now(refund, actor=eve)
    refund.refresh_from_db()
    assert refund.next_try_at == before


def test_lease_of_who_asks_at_this_moment_is_not_broken(eve: User, max_: User) -> None:
    """Somebody takes it up between the page and the click: two must not ask at once."""
    refund = waiting(eve, State.UNKNOWN)
    same = Refund.objects.select_related("payment").get(pk=refund.pk)
    execution.look_up_now(refund, actor=eve)
    gateway = gateways["simulator"]
    assert execution._claim(refund, gateway)
    with pytest.raises(ValidationError, match="by itself"):
        execution.look_up_now(same, actor=max_)  # as it was before the claim
    with pytest.raises(ValidationError, match="by itself"):
        execution.look_up_now(refund, actor=max_)
    assert not is_due(refund)


def test_gateway_that_pauses_or_that_is_people_is_not_asked(eve: User) -> None:
    by_hand = waiting(eve, State.PENDING, gateway="manual")
    assert "People move this money" in execution.why_not_look_up(by_hand)
    refund = waiting(eve, State.UNKNOWN)
    until = timezone.now() + LATER
    GatewayState.objects.create(gateway="simulator", failures=5, open_until=until)
    assert "does not answer" in execution.why_not_look_up(refund)
    Refund.objects.filter(pk=refund.pk).update(gateway="gone")
    refund.refresh_from_db()
    assert "not set up" in execution.why_not_look_up(refund)


def test_right_to_ask_for_refunds_is_needed(eve: User, nia: User) -> None:
    refund = waiting(eve, State.UNKNOWN)
    assert not is_offered(nia, refund)
    assert do(nia, refund) == 403
    with pytest.raises(PermissionDenied):
        execution.look_up_now(refund, actor=nia)
    assert not is_due(refund)
