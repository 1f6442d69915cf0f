"""What needs a person reaches people: a difference, its mail once, and looking again."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.mail.models import Mail
from backoffice.money import Money
from backoffice.site.versions import version_of
from payments.gateways.base import Outcome
from payments.models import Break, InboxEvent, Payment
from payments.services import alarms, breaks, events, external
from payments.services.external import Heard, Word
from tests.payments.settled import paid, refunded
from tests.people import PASSWORD, make_person

pytestmark = pytest.mark.django_db
LIST = "admin:payments_inboxevent_changelist"


@pytest.fixture
def payment() -> Payment:
    return paid(2_000)


def mails() -> int:
    return Mail.objects.filter(template=alarms.MAIL).count()


def too_much(payment: Payment, reference: str = "re_1") -> Word:
    return Word(reference, "", Money(9_000, payment.currency), Outcome.SUCCEEDED)


def failed(payment: Payment, number: int = 1) -> InboxEvent:
    return InboxEvent.objects.create(
        gateway=payment.gateway,
        event_id=f"evt_{number}",
        kind="refund",
        payment_reference=payment.reference,
        state=InboxEvent.State.FAILED,
        tries=events.MOST_TRIES,
    )


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_contradiction_is_a_difference_and_a_mail_once(payment: Payment, max_: User) -> None:
    for _time in range(3):
        assert external.hear(payment, too_much(payment)).heard is Heard.PERSON
    found = Break.objects.get()
    assert (found.kind, found.state, found.payment) == ("person", "open", payment)
    assert found.gateway == payment.gateway
    assert "More went back than was captured" in alarms.why(found)
    assert mails() == len(alarms.solvers()) == 1
    assert breaks.adjustments(found) == []
    assert breaks.Solution.BOOK not in breaks.solutions(found)


def test_refund_that_is_paid_twice_is_a_difference(payment: Payment, eve: User, max_: User) -> None:
    refund = refunded(payment, 500, eve)
    word = Word("re_other", str(refund.number), refund.amount, Outcome.SUCCEEDED)
    assert external.hear(payment, word).heard is Heard.PERSON
    assert Break.objects.get().refund == refund
    assert mails() == 1


def test_another_reference_is_another_difference(payment: Payment, max_: User) -> None:
    """Also where one begins like the other."""
    for reference in ("re_12", "re_1", f"{'x' * 190}1", f"{'x' * 190}2"):
        external.hear(payment, too_much(payment, reference))
    assert Break.objects.count() == 4


def test_difference_that_was_solved_may_come_again(payment: Payment) -> None:
    wrong = alarms.Wrong("event", "event 1", "It failed", payment.pk)
    alarms.call(wrong)
    alarms.call(wrong)
    Break.objects.update(state=Break.State.HEALED)
    alarms.call(wrong)
    assert sorted(Break.objects.values_list("state", flat=True)) == ["healed", "open"]


def test_difference_stands_though_nobody_can_be_told(
    payment: Payment, max_: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_more: Any) -> None:
        raise LookupError

    monkeypatch.setattr("backoffice.mail.services.queue", broken)
    external.hear(payment, too_much(payment))
    assert Break.objects.count() == 1


def test_event_that_meets_an_error_for_ever_is_a_difference(
    payment: Payment, max_: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = failed(payment)
    InboxEvent.objects.update(state="waiting", tries=events.MOST_TRIES - 1, trusted=True)

    def broken(*_args: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(events, "_believe", broken)
    events.process()
    event.refresh_from_db()
    found = Break.objects.get()
    assert (event.state, found.kind, found.payment) == ("failed", "person", payment)
    assert f"event {event.pk} of {payment.gateway}" in alarms.why(found)
    assert mails() == 1


def test_difference_says_why(payment: Payment, max_: User) -> None:
    external.hear(payment, too_much(payment))
    url = reverse("admin:payments_break_change", args=[Break.objects.get().pk])
    assert "More went back than was captured" in browser(max_).get(url).content.decode()


def test_look_again_lets_the_event_be_worked_on(
    payment: Payment, max_: User, settings: Settings
) -> None:
    event = failed(payment)
    url = reverse("admin:payments_inboxevent_do_look_again", args=[event.pk])
    data = {"record_version": version_of(event), "step_up_proof": PASSWORD}
    assert browser(max_).post(url, data).status_code == 302
    event.refresh_from_db()
    assert (event.state, event.tries) == ("waiting", 0)
    assert event.next_try_at <= timezone.now()
    assert Event.objects.about(event).get(verb="payments.event_again").actor == max_
    with pytest.raises(ValidationError, match="any more"):
        events.look_again(event, actor=max_)


def test_events_that_fail_of_one_cause_are_one_mail_and_their_differences_end_when_looked_at(
    payment: Payment, max_: User
) -> None:
    for number in (1, 2):
        events._call_people(failed(payment, number), "It cannot be read")
    assert (Break.objects.count(), mails()) == (2, 1)
    events.look_again(InboxEvent.objects.get(event_id="evt_1"), actor=max_)
    assert sorted(Break.objects.values_list("state", flat=True)) == ["healed", "open"]
    events._call_people(InboxEvent.objects.get(event_id="evt_1"), "It cannot be read")
    states = sorted(Break.objects.values_list("state", flat=True))
    assert states == ["healed", "open", "open"]


@pytest.mark.parametrize("role", ["owner", "auditor", "support"])
def test_look_again_needs_its_right(payment: Payment, role: str) -> None:
    event, person = failed(payment), make_person("somebody", role)
    with pytest.raises(PermissionDenied):
        events.look_again(event, actor=person)
    url = reverse("admin:payments_inboxevent_do_look_again", args=[event.pk])
    data = {"record_version": version_of(event), "step_up_proof": PASSWORD}
    assert browser(person).post(url, data).status_code in {403, 404}
    event.refresh_from_db()
    assert event.state == "failed"


def test_events_are_listed_with_as_many_queries_for_one_as_for_three(
    payment: Payment, max_: User, eve: User
) -> None:
    client = browser(max_)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(reverse(LIST)).status_code == 200
        return len(captured)

    failed(payment)
    queries()
    before = queries()
    for number in (2, 3):
        failed(payment, number)
    assert queries() == before
    assert "evt_3" in client.get(reverse(LIST)).content.decode()
    assert browser(eve).get(reverse(LIST)).status_code == 403
