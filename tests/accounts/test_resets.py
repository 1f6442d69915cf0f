"""A new password by a mailed link."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts import resets
from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.mail import delivery
from backoffice.mail.models import Mail
from tests.accounts.factor_codes import enter, is_in, secret_of, set_up_app

NEW = "quite another long phrase"


def ask(email: str) -> str:
    return Client().post("/account/reset/", {"email": email}, follow=True).content.decode()


def link_for(user: User) -> str:
    return secret_of(Mail.objects.filter(to_user=user, template="accounts.reset").latest("id"))


def choose(client: Client, link: str, password: str = NEW) -> int:
    """Open the link, choose a password; return the status of the last answer."""
    form = client.get(link)
    if form.status_code == 200:
        return 200  # the link is not good, the page says so
    return client.post(form["Location"], {"password1": password, "password2": password}).status_code


def test_link_sets_a_password_once_and_ends_all_sessions(eve: User) -> None:
    before = Client()
    enter(before, "eve")
    ask("eve@example.com")
    link = link_for(eve)
    assert choose(Client(), link) == 302
    assert not is_in(before)
    assert choose(Client(), link) == 200
    client = Client()
    enter(client, "eve", NEW)
    assert is_in(client)
    done = Event.objects.about(eve).values_list("verb", flat=True)
    assert {"accounts.reset_asked", "accounts.reset_done"} <= set(done)


def test_answer_tells_not_whether_there_is_an_account(eve: User, settings: Settings) -> None:
    assert _text(ask("eve@example.com")) == _text(ask("nobody@example.com"))
    assert Mail.objects.filter(template="accounts.reset").count() == 1


def _text(page: str) -> str:
    return page[page.index("<main") :]


def test_second_factor_is_asked_after_a_reset_too(eve: User) -> None:
    set_up_app(eve)
    ask("eve@example.com")
    client = Client()
    assert choose(client, link_for(eve)) == 302
    assert not is_in(client)
    assert enter(client, "eve", NEW)["Location"] == "/account/login/factor/"
    assert not is_in(client)


def test_link_is_good_for_an_hour(eve: User, monkeypatch: pytest.MonkeyPatch) -> None:
    ask("eve@example.com")
    link = link_for(eve)
    real = resets.LinkGenerator._now
    later = lambda self: real(self) + timedelta(minutes=61)  # noqa: E731 - one line says it
    monkeypatch.setattr(resets.LinkGenerator, "_now", later)
    assert choose(Client(), link) == 200
    assert not User.objects.get(pk=eve.pk).check_password(NEW)


def test_link_dies_with_a_sign_in_a_block_or_a_newer_stamp(eve: User) -> None:
    for change in ({"is_active": False}, {"stamp": 7}, {"last_login": timezone.now()}):
        resets.send_link(User.objects.get(pk=eve.pk), actor=None, reason="test")
        link = link_for(eve)
        User.objects.filter(pk=eve.pk).update(**change)
        assert choose(Client(), link) == 200, change
        User.objects.filter(pk=eve.pk).update(is_active=True)


def test_weak_password_is_refused(eve: User) -> None:
    resets.send_link(eve, actor=None, reason="test")
    for weak in ("short", "eve@example.com1", "passwordpassword"):
        assert choose(Client(), link_for(eve), weak) == 200, weak


def test_nobody_without_password_here_gets_a_link(eve: User) -> None:
    eve.set_unusable_password()
    eve.save()
    ask("eve@example.com")
    assert not Mail.objects.filter(template="accounts.reset").exists()


def test_link_is_readable_in_the_mail_alone_and_only_while_good(eve: User) -> None:
    resets.send_link(eve, actor=None, reason="test")
    row, link = Mail.objects.get(template="accounts.reset"), link_for(eve)
    key = link.split("-", 1)[1].rstrip("/")
    stored = str(Mail.objects.filter(pk=row.pk).values().get())
    assert key not in stored
    assert key not in delivery.text_of(row)
    assert f"http://127.0.0.1:8000{link}" in delivery.compose(row).body
    row.good_until = timezone.now() - timedelta(seconds=1)
    with pytest.raises(delivery.NotSentError):
        delivery.compose(row)


def test_reset_requests_are_counted(eve: User, settings: Settings) -> None:
    settings.BACKOFFICE_LOCKOUT = {
        kind: {who: [(2, 900)] for who in ("pair", "address", "account")}
        for kind in ("password", "code", "reset")
    }
    pages = [ask("eve@example.com") for _try in range(3)]
    assert "Too many tries" in pages[2]
    assert Mail.objects.filter(template="accounts.reset").count() == 2
