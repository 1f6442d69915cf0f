"""The request beside the list, several at once, handing over: what people see and click."""

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from backoffice.accounts.models import User
from backoffice.approvals import services
from backoffice.approvals.models import ApprovalRequest, Delegation
from backoffice.audit.models import Event
from backoffice.mail.models import Mail
from customers.models import Customer
from tests.approvals.rules import ask_move, effects_of
from tests.clients import signed_in

INBOX = "/admin/approvals/"
SEVERAL, AWAY = f"{INBOX}several/", f"{INBOX}away/"
State = ApprovalRequest.State
pytestmark = pytest.mark.usefixtures("move")


def page_of(user: User, request: ApprovalRequest) -> str:
    answer = signed_in(user).get(f"{INBOX}{request.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()


def states(*requests: ApprovalRequest) -> list[str]:
    return [ApprovalRequest.objects.get(pk=request.pk).state for request in requests]


def test_page_shows_before_and_after_votes_and_who_is_missing(
    ann: User, max_: User, kim: User
) -> None:
    request = ask_move(ann, 50_001)
    services.approve(request, actor=max_, comment="Photos match")
    page = page_of(kim, request)
    for text in ("<del>France</del>", "<ins>Spain</ins>", "Max approved", "Photos match"):
        assert text in page
    assert "1 of 2" in page
    assert "You are the last vote" in page
    assert "You voted already" in page_of(max_, request)
    assert "This is your own request" in page_of(ann, request)


def test_decided_request_clicked_again_says_what_happened(ann: User, max_: User, kim: User) -> None:
    request = ask_move(ann)
    where = f"{INBOX}{request.pk}/approve/"
    signed_in(max_).post(where, {"comment": ""})
    for answer in (signed_in(kim).get(where), signed_in(kim).post(where, {"comment": ""})):
        assert answer.status_code == 409
        assert "approved already, at last by Max" in answer.content.decode()
    assert effects_of(request) == 1


def test_void_request_says_why_to_who_clicked(ann: User, max_: User) -> None:
    request = ask_move(ann)
    Customer.objects.filter(pk=request.subject_id).update(country="Peru")
    client = signed_in(max_)
    client.post(f"{INBOX}{request.pk}/approve/", {"comment": ""})
    page = client.get(INBOX).content.decode()
    assert "void, nothing was done. The record was changed since" in page
    assert "asked for: country" in page
    assert states(request) == [State.VOID]


def test_several_lists_every_line_and_decides_each(ann: User, max_: User) -> None:
    good, other, changed = ask_move(ann), ask_move(ann), ask_move(ann)
    client = signed_in(max_)
    page = client.get(SEVERAL).content.decode()
    for request in (good, other, changed):
        assert f'name="keys" value="{request.pk}"' in page
    Customer.objects.filter(pk=changed.subject_id).update(country="Peru")
    keys = [str(good.pk), str(changed.pk)]
    answer = client.post(SEVERAL, {"keys": keys, "choice": "approve", "comment": "all seen"})
    assert states(good, other, changed) == [State.EXECUTED, State.REQUESTED, State.VOID]
    assert "The record was changed" in answer.content.decode()
    voted = Event.objects.filter(verb="approvals.approved", outcome="done")
    assert [event.subject_id for event in voted] == [str(good.pk)]


def test_several_leaves_out_what_the_person_may_not_decide(ann: User, max_: User) -> None:
    own, good = ask_move(max_), ask_move(ann)
    client = signed_in(max_)
    assert f'value="{own.pk}"' not in client.get(SEVERAL).content.decode()
    keys = [str(own.pk), str(good.pk)]
    answer = client.post(SEVERAL, {"keys": keys, "choice": "approve"})
    assert states(own, good) == [State.REQUESTED, State.EXECUTED]
    assert "your own request" in answer.content.decode()


@pytest.mark.parametrize("values", [{"choice": "reject"}, {"choice": "approve", "keys": []}, {}])
def test_several_decides_nothing_by_half_a_form(
    ann: User, max_: User, values: dict[str, object]
) -> None:
    request = ask_move(ann)
    data = {"keys": [str(request.pk)], **values}
    assert signed_in(max_).post(SEVERAL, data).status_code == 400
    assert states(request) == [State.REQUESTED]


def test_several_asks_for_old_proof_anew(ann: User, max_: User) -> None:
    request, client = ask_move(ann), signed_in(max_)
    session = client.session
    session["stepup_at"] = 0
    session.save()
    answer = client.post(SEVERAL, {"keys": [str(request.pk)], "choice": "approve"})
    assert (answer.status_code, states(request)) == (400, [State.REQUESTED])


def test_several_needs_a_csrf_token(ann: User, max_: User) -> None:
    request, browser = ask_move(ann), Client(enforce_csrf_checks=True)
    browser.force_login(max_)
    answer = browser.post(SEVERAL, {"keys": [str(request.pk)], "choice": "approve"})
    assert (answer.status_code, states(request)) == (403, [State.REQUESTED])


def test_handing_over_opens_the_inbox_of_the_stand_in_and_ends(
    ann: User, max_: User, nia: User
) -> None:
    request, today = ask_move(ann), timezone.localdate()
    client = signed_in(max_)
    values = {
        "stand_in": str(nia.pk),
        "first_day": today.isoformat(),
        "last_day": (today + dt.timedelta(days=2)).isoformat(),
        "reason": "Holiday",
    }
    assert client.post(AWAY, values)["Location"] == AWAY
    assert "You decide in the place of Max" in page_of(nia, request)
    made = Delegation.objects.get()
    assert signed_in(nia).post(f"{AWAY}{made.pk}/end/").status_code == 404
    client.post(f"{AWAY}{made.pk}/end/")
    assert signed_in(nia).get(f"{INBOX}{request.pk}/").status_code == 404


def test_handing_over_to_oneself_is_refused_in_the_form(max_: User) -> None:
    today = timezone.localdate().isoformat()
    values = {"stand_in": str(max_.pk), "first_day": today, "last_day": today, "reason": "x"}
    assert signed_in(max_).post(AWAY, values).status_code == 400
    assert not Delegation.objects.exists()


def test_mail_goes_to_who_may_decide_and_to_the_maker_at_the_end(
    ann: User, max_: User, kim: User, nia: User
) -> None:
    request = ask_move(ann, owner=kim.pk)
    mails = Mail.objects.filter(template="approvals.requested")
    assert [mail.to_user for mail in mails] == [max_]
    assert mails.get().context["link"] == f"{INBOX}{request.pk}/"
    services.approve(request, actor=max_)
    assert Mail.objects.get(template="approvals.ended").to_user == ann
