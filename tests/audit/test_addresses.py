"""Which address a request counts under: forged headers change nothing."""

import pytest
from django.test import Client, RequestFactory
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.addresses import client_address, line_of, within
from backoffice.audit.models import Event
from tests.people import PASSWORD


def seen(peer: str, forwarded: str | None = None) -> str:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return client_address(RequestFactory().get("/", headers=headers, REMOTE_ADDR=peer))


@pytest.mark.parametrize(
    "forwarded", [None, "1.2.3.4", "10.0.0.1, 1.2.3.4", "127.0.0.1", "nonsense"]
)
def test_without_proxies_of_ours_the_header_is_nothing(
    settings: Settings, forwarded: str | None
) -> None:
    settings.BACKOFFICE_PROXIES = []
    assert seen("203.0.113.9", forwarded) == "203.0.113.9"


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.0.0.2", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.2", "198.51.100.7, 10.0.0.9", "198.51.100.7"),
        # What the client wrote itself stands before what our proxy added, and is not read.
        ("10.0.0.2", "1.2.3.4, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.2", "10.0.0.3, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.2", "1.2.3.4, nonsense, 10.0.0.9", "10.0.0.9"),
        ("10.0.0.2", "nonsense", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
        ("10.0.0.2", None, "10.0.0.2"),
        ("10.0.0.2", "198.51.100.7:4711", "10.0.0.2"),
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),
        ("::ffff:10.0.0.2", "198.51.100.7", "198.51.100.7"),
        ("fd00::2", "2001:db8::7", "2001:db8::7"),
        ("fd00::2", "::ffff:198.51.100.7", "198.51.100.7"),
        ("", "198.51.100.7", ""),
    ],
)
def test_only_what_our_proxies_wrote_counts(
    settings: Settings, peer: str, forwarded: str | None, expected: str
) -> None:
    settings.BACKOFFICE_PROXIES = ["10.0.0.0/8", "fd00::/8"]
    assert seen(peer, forwarded) == expected


def test_proxy_by_a_socket_file_has_to_be_named(settings: Settings) -> None:
    settings.BACKOFFICE_PROXIES = ["unix"]
    assert seen("", "198.51.100.7") == "198.51.100.7"


def test_long_header_is_read_from_its_end_only(settings: Settings) -> None:
    settings.BACKOFFICE_PROXIES = ["10.0.0.0/8"]
    assert seen("10.0.0.2", "198.51.100.7" + ", 10.0.0.1" * 5000) == "10.0.0.1"


def test_line_is_the_address_or_the_network_of_64_bits() -> None:
    assert line_of("198.51.100.7") == line_of("::ffff:198.51.100.7") == "198.51.100.7"
    assert line_of("2001:db8:1:2:a::1") == line_of("2001:db8:1:2:b::2")
    assert line_of("2001:db8:1:2::1") != line_of("2001:db8:1:3::1")


def test_within_networks() -> None:
    assert within("10.1.2.3", ["192.0.2.1", "10.0.0.0/8"])
    assert not within("11.1.2.3", ["192.0.2.1", "10.0.0.0/8"])
    assert not within("2001:db8::1", ["10.0.0.0/8"])
    assert not within("", ["0.0.0.0/0"])


def test_events_stand_under_the_address_behind_our_proxy(
    settings: Settings, client: Client, eve: User
) -> None:
    settings.BACKOFFICE_PROXIES = ["127.0.0.1"]
    headers = {"X-Forwarded-For": "1.1.1.1, 198.51.100.7"}
    client.force_login(eve)
    assert client.post("/admin/logout/", headers=headers).status_code in {200, 302}
    assert Event.objects.get(verb="session.signed_out").address == "198.51.100.7"
    assert PASSWORD not in str(Event.objects.values_list())
