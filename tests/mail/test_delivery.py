"""Sending: once, or unknown; what surely did not leave is tried again."""

import smtplib
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as outgoing
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.jobs import run
from backoffice.jobs.models import Job
from backoffice.mail import delivery, services
from backoffice.mail.models import Mail

GOOD = {"what": "Refund 12", "link": "/admin/jobs/?tab=mine"}


class Broken(EmailBackend):
    """A mail server that answers as the test says: `fault` when opened or when given a mail."""

    at_open: Exception | None = None
    at_send: Exception | None = None

    def open(self) -> None:
        if self.at_open:
            raise self.at_open

    def send_messages(self, messages: Any) -> int:
        if self.at_send:
            raise self.at_send
        return int(super().send_messages(messages))


@pytest.fixture
def row(note: str, max_: User) -> Mail:
    return services.queue(note, to=max_, context=GOOD, reason="You may decide it.", actor=None)


@pytest.fixture
def server(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> type[Broken]:
    settings.MAILERS = {"default": {"BACKEND": f"{__name__}.Broken"}}
    monkeypatch.setattr("django.core.mail.handler.import_string", lambda _path: Broken)
    monkeypatch.setattr(Broken, "at_open", None)
    monkeypatch.setattr(Broken, "at_send", None)
    return Broken


def send() -> Job | None:
    delivery.start_sending()
    job = Job.objects.filter(kind=delivery.SEND, state="queued").first()
    if job:
        run.execute(job.pk)
        job.refresh_from_db()
    return job


def test_mail_leaves_once_with_a_message_id_of_its_own(row: Mail, max_: User) -> None:
    job = send()
    assert job is not None
    assert (job.state, job.result) == ("done", {"sent": 1, "not_sent": 0})
    assert send() is None
    (message,) = outgoing.outbox
    assert message.to == [max_.email]
    assert message.extra_headers["Message-ID"] == f"<{row.public_id}@127.0.0.1>"
    assert message.body == (
        "Dear Max,\nRefund 12 waits & waits.\nhttp://127.0.0.1:8000/admin/jobs/?tab=mine\n"
    )
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("sent", 1)


def test_intent_is_committed_before_the_server_is_called(
    row: Mail, server: type[Broken], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look(self: Broken) -> None:
        seen.append(Mail.objects.get().state)

    monkeypatch.setattr(server, "open", look)
    send()
    assert seen == ["sending"]


def test_what_a_dead_worker_left_is_unknown_and_not_sent_again(row: Mail) -> None:
    old = timezone.now() - timedelta(minutes=5)
    Mail.objects.update(state="sending", attempts=1, sending_at=old)
    assert send() is None
    row.refresh_from_db()
    assert (row.state, outgoing.outbox) == ("unknown", [])
    Mail.objects.update(next_try_at=old)
    assert send() is None


def test_late_answer_of_a_slow_worker_counts(row: Mail) -> None:
    assert delivery._claim(row)
    Mail.objects.update(state="unknown")
    assert delivery.deliver(row)
    row.refresh_from_db()
    assert row.state == "sent"


def test_two_that_take_the_same_mail_send_it_once(row: Mail) -> None:
    same = Mail.objects.get(pk=row.pk)
    assert delivery._claim(row)
    assert not delivery._claim(same)


@pytest.mark.parametrize(
    "fault", [smtplib.SMTPServerDisconnected("max@example.com"), TimeoutError(), OSError()]
)
def test_missing_answer_is_unknown(row: Mail, server: type[Broken], fault: Exception) -> None:
    server.at_send = fault
    send()
    row.refresh_from_db()
    assert row.state == "unknown"
    assert "example.com" not in row.problem


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (smtplib.SMTPDataError(451, b"later"), "queued"),
        (smtplib.SMTPDataError(554, b"spam"), "failed"),
        (smtplib.SMTPRecipientsRefused({"a": (550, b"unknown")}), "failed"),
        (smtplib.SMTPRecipientsRefused({"a": (450, b"busy")}), "queued"),
    ],
)
def test_refusal_is_known(row: Mail, server: type[Broken], fault: Exception, state: str) -> None:
    server.at_send = fault
    send()
    row.refresh_from_db()
    assert row.state == state


def test_unreachable_server_is_tried_again_a_few_times(row: Mail, server: type[Broken]) -> None:
    server.at_open = ConnectionRefusedError()
    for _ in range(delivery.MAX_ATTEMPTS + 2):
        send()
        Mail.objects.update(next_try_at=timezone.now())
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("failed", delivery.MAX_ATTEMPTS)


def test_sent_again_has_the_same_message_id(row: Mail, oli: User, server: type[Broken]) -> None:
    server.at_send = TimeoutError()
    send()
    row.refresh_from_db()
    server.at_send = None
    services.resend(row, actor=oli, reason="She got nothing.")
    send()
    (message,) = outgoing.outbox
    assert message.extra_headers["Message-ID"].startswith(f"<{row.public_id}@")


def test_person_without_address_gets_nothing(row: Mail, max_: User) -> None:
    User.objects.filter(pk=max_.pk).update(is_active=False)
    send()
    row.refresh_from_db()
    assert (row.state, outgoing.outbox) == ("failed", [])


def test_row_that_is_queued_twice_starts_one_job(row: Mail) -> None:
    delivery.start_sending()
    delivery.start_sending()
    assert Job.objects.filter(kind=delivery.SEND).count() == 1
