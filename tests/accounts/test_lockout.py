"""Pauses after wrong tries: they grow, end, tell nothing, and stop strangers only."""

import re

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory
from pytest_django import Settings

from backoffice.accounts import limits, lockout
from backoffice.accounts.lockout import PausedError
from backoffice.accounts.models import Counter, Device, User
from backoffice.audit.models import Event
from tests.people import PASSWORD

HOME, AWAY, FAR = "198.51.100.7", "203.0.113.1", "203.0.113.2"
QUARTER = 15 * 60


class Clock:
    """Time as the limits see it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000 - 1_800_000_000 % (3 * 60 * 60)

    def time(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, db: None) -> Clock:
    clock = Clock()
    monkeypatch.setattr(limits, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def _devices(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(request: HttpRequest, person: User) -> Device | None:
        return Device.objects.filter(user=person, digest=request.COOKIES.get("dev", "")).first()

    monkeypatch.setattr(lockout, "_finders", [find])


@pytest.fixture(autouse=True)
def _table(settings: Settings) -> None:
    steps = {
        "pair": [(3, 60), (5, QUARTER)],
        "address": [(8, QUARTER)],
        "account": [(6, QUARTER)],
    }
    settings.BACKOFFICE_LOCKOUT = {"password": steps, "code": steps, "reset": steps}


def at(address: str, device: str = "") -> HttpRequest:
    request = RequestFactory().post("/account/login/", REMOTE_ADDR=address)
    if device:
        request.COOKIES["dev"] = device
    return request


def wrong(name: str, address: str = AWAY, device: str = "", kind: str = "password") -> int:
    """Try in vain; return how long to wait, 0 when the try was looked at."""
    try:
        lockout.failed(lockout.begin(at(address, device), kind, name=name))
    except PausedError as error:
        return error.wait
    return 0


def looked_at(name: str, address: str = AWAY, device: str = "") -> bool:
    """Say whether a right password would have been looked at; it is given back."""
    try:
        attempt = lockout.begin(at(address, device), "password", name=name)
    except PausedError:
        return False
    lockout.succeeded(attempt)
    return True


def many(name: str, tries: int, step: int = 100) -> None:
    """Try so often, each from an address of its own."""
    for number in range(tries):
        wrong(name, f"192.0.{step}.{number}")


def test_pauses_grow_and_end_by_themselves(eve: User, clock: Clock) -> None:
    waits = [wrong("eve") for _ in range(4)]
    assert waits == [0, 0, 0, 60]
    clock.now += 59
    assert wrong("eve") == 1
    clock.now += 1
    assert [wrong("eve") for _ in range(3)] == [0, 0, QUARTER - 60]
    clock.now += QUARTER - 60
    assert looked_at("eve")


def test_try_that_waits_uses_up_nothing_further(eve: User, clock: Clock) -> None:
    for _ in range(50):
        wrong("eve")
    hits = dict(Counter.objects.values_list("bucket", "hits"))
    assert hits["password.pair.60"] == 50
    assert (hits["password.pair.900"], hits["password.account.900"]) == (3, 3)
    assert hits["password.address.900"] == 3


def test_right_password_wipes_own_wrong_ones_out_and_gives_the_rest_back(eve: User) -> None:
    wrong("eve")
    wrong("eve")
    assert looked_at("eve")
    hits = dict(Counter.objects.values_list("bucket", "hits"))
    assert hits == {"password.address.900": 2, "password.account.900": 2}


def test_names_at_one_address_are_counted_together(eve: User) -> None:
    waits = [wrong(f"name{number}") for number in range(9)]
    assert waits == [0] * 8 + [QUARTER]
    assert wrong("eve", FAR) == 0


def test_strangers_at_many_addresses_cannot_try_one_name_for_long(eve: User) -> None:
    many("eve", 6)
    assert not looked_at("eve", AWAY)
    assert not looked_at("eve@example.com", AWAY)
    assert not looked_at("EVE ", AWAY)


def test_strangers_cannot_shut_a_known_address_out(eve: User) -> None:
    Device.objects.create(user=eve, digest="d1", label="Firefox", address=HOME)
    many("eve", 20)
    assert looked_at("eve", HOME)
    assert not looked_at("eve", AWAY)
    for number in range(20):
        wrong(f"name{number}", HOME)
    assert looked_at("eve", HOME)
    assert not looked_at("kim", HOME)


def test_strangers_cannot_shut_a_known_device_out(eve: User) -> None:
    Device.objects.create(user=eve, digest="d1", label="Firefox", address=HOME)
    many("eve", 20)
    for _ in range(20):
        wrong("eve", HOME)
    assert not looked_at("eve", HOME)
    assert looked_at("eve", HOME, "d1")
    assert looked_at("eve", AWAY, "d1")


def test_device_of_another_person_is_no_known_device(eve: User, kim: User) -> None:
    Device.objects.create(user=kim, digest="d1", label="Firefox", address=HOME)
    many("eve", 20)
    assert not looked_at("eve", AWAY, "d1")


def test_known_device_has_a_limit_of_its_own(eve: User) -> None:
    Device.objects.create(user=eve, digest="d1", label="Firefox", address=HOME)
    assert [wrong("eve", AWAY, "d1") > 0 for _ in range(4)] == [False, False, False, True]


def test_stranger_hears_the_same_of_a_name_that_nobody_has(eve: User) -> None:
    assert [wrong("eve") for _ in range(8)] == [wrong("nobody", FAR) for _ in range(8)]
    many("eve", 6)
    many("nobody", 6, step=101)
    assert wrong("eve", "192.0.200.1") == wrong("nobody", "192.0.200.1") > 0


def test_wrong_password_at_a_known_address_sounds_as_to_a_stranger(eve: User) -> None:
    Device.objects.create(user=eve, digest="d1", label="Firefox", address=HOME)
    for number in range(9):
        wrong(f"name{number}", HOME)
    assert wrong("eve", HOME) == wrong("nobody", HOME) == QUARTER
    assert looked_at("eve", HOME)


def test_codes_and_reset_requests_have_counts_of_their_own(eve: User) -> None:
    for kind in ("password", "code", "reset"):
        assert [wrong("eve", kind=kind) > 0 for _ in range(4)] == [False, False, False, True]


def test_known_person_and_typed_name_are_one_account(eve: User) -> None:
    for _ in range(3):
        wrong("eve@example.com")
    with pytest.raises(PausedError):
        lockout.begin(at(AWAY), "password", user=eve)


def test_pause_is_an_event_once_a_window(eve: User, clock: Clock) -> None:
    for _ in range(30):
        wrong("eve")
    event = Event.objects.get(verb="session.paused")
    assert event.context == {"tries": "password", "of": "pair", "within_seconds": 60}
    assert (event.subject_id, event.actor, event.outcome) == (str(eve.pk), None, "refused")
    clock.now += 60
    for _ in range(30):
        wrong("eve")
    assert Event.objects.filter(verb="session.paused").count() == 2


def test_event_of_an_address_names_nobody(eve: User) -> None:
    for number in range(8):
        wrong(f"name{number}")
    wrong("eve")
    event = Event.objects.get(verb="session.paused")
    assert (event.context["of"], event.subject_id) == ("address", "")


def test_reset_lifts_the_pause_of_the_account(eve: User) -> None:
    many("eve", 20)
    assert not looked_at("eve")
    lockout.lift(eve)
    assert looked_at("eve")


def test_who_chose_a_new_password_by_mail_gets_in_under_the_attack(eve: User, clock: Clock) -> None:
    lockout.reset_done(None, at(AWAY), eve)
    many("eve", 20)
    assert looked_at("eve", AWAY)
    assert not looked_at("eve", FAR)
    clock.now += 2 * 30 * 60
    many("eve", 20, step=101)
    assert not looked_at("eve", AWAY)


def sign_in(name: str, address: str, password: str) -> tuple[bool, str]:
    """Post the form; return whether it led on, and the refusal in words."""
    values = {"login": name, "password": password}
    answer = Client().post("/account/login/", values, REMOTE_ADDR=address)
    said = re.findall(r"Too many tries[^<]*|do not match", answer.content.decode())
    return answer.status_code == 302, "".join(said[:1])


def test_page_says_the_same_of_a_name_that_nobody_has(eve: User) -> None:
    mine = [sign_in("eve", AWAY, "wrong") for _ in range(5)]
    nobodys = [sign_in("nobody", FAR, "wrong") for _ in range(5)]
    assert mine == nobodys
    assert (
        mine
        == [(False, "do not match")] * 3
        + [(False, "Too many tries. Wait a minute, then try again.")] * 2
    )
    assert Event.objects.filter(verb="session.sign_in_failed").count() == 6


def test_right_password_is_not_looked_at_in_a_pause(eve: User, clock: Clock) -> None:
    for _ in range(3):
        sign_in("eve", AWAY, "wrong")
    assert sign_in("eve", AWAY, PASSWORD)[0] is False
    clock.now += 60
    assert sign_in("eve", AWAY, PASSWORD)[0] is True


def test_second_factor_and_reset_meet_pauses_too(eve: User) -> None:
    answers = []
    for _ in range(4):
        answer = Client().post("/account/reset/", {"email": "eve@example.com"}, REMOTE_ADDR=AWAY)
        answers.append((answer.status_code, "Too many tries" in answer.content.decode()))
    assert answers == [(302, False)] * 3 + [(200, True)]


def test_neighbours_of_one_ipv6_line_count_together(eve: User) -> None:
    for number in range(3):
        wrong("eve", f"2001:db8::{number + 1}")
    assert wrong("eve", "2001:db8::ffff") > 0
    assert wrong("eve", "2001:db8:0:1::1") == 0


def test_counts_hold_no_name_and_no_address(eve: User) -> None:
    wrong("eve@example.com")
    kept = str(list(Counter.objects.values_list()))
    assert "eve" not in kept
    assert AWAY not in kept


def test_text_says_how_long() -> None:
    assert lockout.text(1) == "Too many tries. Wait a minute, then try again."
    assert lockout.text(61) == "Too many tries. Wait 2 minutes, then try again."
