"""Revealing through real server processes: many clients at once, and one that hangs up."""

import json
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from threading import Barrier
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.masking.models import Alarm
from backoffice.masking.services import REVEALED
from customers.models import Customer
from tests.clients import signed_in
from tests.masking.conftest import PHONE
from tests.masking.test_pages import WHY, address
from tests.masking.test_services import make_customer
from tests.processes import python

pytestmark = pytest.mark.django_db(transaction=True)
CAP, CLIENTS = 7, 20
PATIENCE = 60


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[int]:
    """Run two processes of the web server on the tests' database; return their port."""
    port = _free_port()
    arguments = ("-m", "gunicorn", "backoffice.project.wsgi:application", "--preload",
        "--workers=2",
                 "--threads=10", f"--bind=127.0.0.1:{port}", "--log-level=critical")  # fmt: skip
    with python(*arguments, BACKOFFICE_REVEALS_PER_HOUR=str(CAP)) as process:
        deadline = time.monotonic() + PATIENCE
        while not _answers(port):
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.1)
        yield port
        process.terminate()  # its workers too, which kill -9 would leave
        process.wait(PATIENCE)


def message(client: Client, customer: Customer) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a reveal by a person who is signed in."""
    secret = "a" * 32
    cookies = {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value,
               settings.CSRF_COOKIE_NAME: secret}  # fmt: skip
    body = urlencode({**WHY, "csrfmiddlewaretoken": secret}).encode()
    headers = {
        "Host": "127.0.0.1",
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
        "X-Backoffice-Dialog": "1",
    }
    return body, headers


def revealed() -> int:
    return int(Event.objects.filter(verb=REVEALED, outcome="done").count())


def test_twenty_clients_at_once_cannot_exceed_the_cap(server: int, ann: User, pia: User) -> None:
    customers = [make_customer(str(number)) for number in range(CLIENTS)]
    clients = [signed_in(ann) for _number in range(CLIENTS)]
    start = Barrier(CLIENTS)

    def look(number: int) -> tuple[int, bool]:
        body, headers = message(clients[number], customers[number])
        with closing(HTTPConnection("127.0.0.1", server, timeout=PATIENCE)) as link:
            start.wait(PATIENCE)
            link.request("POST", address("reveal", customers[number]), body, headers)
            answer = link.getresponse()
            return answer.status, PHONE in answer.read().decode()

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = sorted(pool.map(look, range(CLIENTS)))
    assert answers == [(200, True)] * CAP + [(429, False)] * (CLIENTS - CAP)
    assert (revealed(), Alarm.objects.count()) == (CAP, 1)


def test_record_stands_though_the_connection_is_cut_right_after(server: int, ann: User) -> None:
    customer = make_customer()
    body, headers = message(signed_in(ann), customer)
    head = [
        f"POST {address('reveal', customer)} HTTP/1.1",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    with socket.create_connection(("127.0.0.1", server), timeout=PATIENCE) as link:
        # Closing sends a reset at once: nobody is there to read the answer.
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        link.sendall("\r\n".join([*head, "", ""]).encode() + body)
        time.sleep(0.05)  # long enough for the kernel to hand the request on
    deadline = time.monotonic() + PATIENCE
    while not revealed() and time.monotonic() < deadline:
        time.sleep(0.1)
    event = Event.objects.get(verb=REVEALED)
    assert (event.actor, event.subject_id, event.outcome) == (ann, str(customer.pk), "done")


SPOILT = {
    "sqlite": """CREATE TRIGGER full_disk BEFORE INSERT ON audit_event
        BEGIN SELECT RAISE(ABORT, 'disk full'); END""",
    "postgresql": """CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'disk full'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON audit_event
        FOR EACH ROW EXECUTE FUNCTION full_disk()""",
}
REPAIRED = {
    "sqlite": "DROP TRIGGER full_disk",
    "postgresql": "DROP TRIGGER full_disk ON audit_event; DROP FUNCTION full_disk()",
}


def test_no_value_leaves_when_the_record_cannot_be_written(ann: User) -> None:
    customer, client = make_customer(), signed_in(ann)
    client.raise_request_exception = False
    with connection.cursor() as cursor:
        cursor.execute(SPOILT[connection.vendor])
        try:
            answer = client.post(address("reveal", customer), WHY)
        finally:
            cursor.execute(REPAIRED[connection.vendor])
    assert (answer.status_code, PHONE in answer.content.decode()) == (500, False)
    assert json.dumps(WHY) not in answer.content.decode()
    assert client.post(address("reveal", customer), WHY).status_code == 200
