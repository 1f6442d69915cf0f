"""A worker killed with -9 while it sends: nobody knows whether the mail left, nobody repeats it."""

import time
from collections.abc import Callable, Iterator

import pytest

from backoffice.accounts.models import User
from backoffice.mail import services
from backoffice.mail.models import Mail
from tests.mail.server import MailServer
from tests.processes import python

pytestmark = pytest.mark.django_db(transaction=True)
# The lease of a mail is the sum of the two.
QUICK = {"BACKOFFICE_JOB_LOST_AFTER": "2", "BACKOFFICE_MAIL_TIMEOUT": "3"}
WORKER = ("manage.py", "worker")


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def mail(max_: User, eve: User) -> Mail:
    context = {"what": "Refund 12", "maker": "Eve", "until": "Monday", "link": "/admin/approvals/"}
    return services.queue(
        "approvals.requested", to=max_, context=context, reason="You may", actor=eve
    )


def wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def state() -> str:
    return Mail.objects.get().state


def test_worker_sends_a_mail_once(mail: Mail, server: MailServer) -> None:
    with python(*WORKER, BACKOFFICE_MAIL_SERVER=server.address, **QUICK):
        wait_for(lambda: state() == "sent")
        time.sleep(2)
    (text,) = server.mails
    assert f"Message-ID: <{mail.public_id}@127.0.0.1>" in text


def test_mail_of_a_worker_killed_before_the_answer_is_unknown_and_not_repeated(
    mail: Mail, server: MailServer
) -> None:
    server.hold = 60
    with python(*WORKER, BACKOFFICE_MAIL_SERVER=server.address, BACKOFFICE_MAIL_TIMEOUT="60") as it:
        wait_for(lambda: bool(server.mails))
        it.kill()
        it.wait()
    assert state() == "sending"
    server.hold = 0
    with python(*WORKER, BACKOFFICE_MAIL_SERVER=server.address, **QUICK):
        wait_for(lambda: state() == "unknown")
        time.sleep(3)
    assert (state(), len(server.mails)) == ("unknown", 1)
