"""Asking for a mail: what a row may hold, where a link may lead, who may send again."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.jobs.plain import NotPlainError
from backoffice.mail import registry, services
from backoffice.mail.models import Mail
from backoffice.masking.values import Sealed

GOOD = {"what": "Refund 12", "link": "/admin/jobs/"}


def ask(note: str, to: User, **context: object) -> Mail:
    return services.queue(note, to=to, context={**GOOD, **context}, reason="You may", actor=None)


def test_row_holds_subject_and_reason_and_no_address(note: str, max_: User, eve: User) -> None:
    row = services.queue(note, to=max_, context=GOOD, reason="You may decide it.", actor=eve)
    assert (row.subject, row.state, row.to_user, row.actor) == (
        "Refund 12 waits",
        "queued",
        max_,
        eve,
    )
    values = repr(list(Mail.objects.values()))
    assert max_.email not in values
    event = Event.objects.get(verb="mail.queued")
    assert (event.actor, event.subject_id) == (eve, str(row.pk))


@pytest.mark.parametrize(
    "value", ["a•••", "ann@example.com", Sealed("A", "Ann"), {"password": "x"}, {1: 2}, object()]
)
def test_personal_value_is_refused(note: str, max_: User, value: object) -> None:
    with pytest.raises(NotPlainError):
        ask(note, max_, what=value)
    assert not Mail.objects.exists()


@pytest.mark.parametrize(
    "link", ["https://evil.example/admin/", "/admin/login/", "/nowhere/", "//evil/", "/api/v1/"]
)
def test_link_outside_the_signed_in_pages_is_refused(note: str, max_: User, link: str) -> None:
    with pytest.raises(services.LinkError):
        ask(note, max_, link=link)


def test_link_asks_for_sign_in(note: str, max_: User) -> None:
    row = ask(note, max_)
    answer = Client().get(row.context["link"])
    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")


def test_fields_are_those_of_the_template(note: str, max_: User) -> None:
    with pytest.raises(ValueError, match="more"):
        ask(note, max_, more=1)
    with pytest.raises(registry.UnknownTemplateError):
        ask("tests.none", max_)


def test_ops_sends_again_with_a_reason(note: str, max_: User, oli: User) -> None:
    row = ask(note, max_)
    Mail.objects.update(state="unknown", attempts=1)
    row.refresh_from_db()
    with pytest.raises(ValidationError):
        services.resend(row, actor=oli, reason=" ")
    services.resend(row, actor=oli, reason="She says she got nothing.")
    row.refresh_from_db()
    assert row.state == "queued"
    assert Event.objects.filter(verb="mail.resent", actor=oli).count() == 1


@pytest.mark.parametrize("state", ["queued", "sending", "sent"])
def test_only_unknown_and_failed_are_sent_again(
    note: str, max_: User, oli: User, state: str
) -> None:
    row = ask(note, max_)
    Mail.objects.update(state=state, sent_at=row.created_at)
    with pytest.raises(ValidationError):
        services.resend(row, actor=oli, reason="again")


def test_who_may_not_send_again_is_refused(note: str, max_: User, eve: User) -> None:
    row = ask(note, max_)
    Mail.objects.update(state="failed")
    with pytest.raises(PermissionDenied):
        services.resend(row, actor=eve, reason="again")
