"""Changing the key: every sealed value moves to the newest one, also when stopped half way."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from backoffice import keyring
from backoffice.accounts import mfa, sealed
from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.mail.models import Mail
from tests.walker.state import _rows, tables

pytestmark = pytest.mark.django_db
OLD, NEW = ("older", "o" * 32), ("newer", "n" * 32)
SECRETS = ["JBSWY3DPEHPK3PXP", "seed-of-the-codes", "first-code", "second-code"]


def factor_secrets() -> list[str]:
    """Return the secrets of all factors, opened."""
    found = []
    for row in Authenticator.objects.order_by("pk"):
        codes = row.data.get("migrated_codes", [])
        values = [row.data[name] for name in ("secret", "seed") if name in row.data]
        found += [mfa.MfaAdapter().decrypt(value) for value in [*values, *codes]]
    return found


@pytest.fixture
def filled(settings: Settings, oli: User, kim: User) -> Client:
    """Seal something of each kind with the older key, then put the newer one first."""
    settings.BACKOFFICE_KEYS = [OLD]
    seal = mfa.MfaAdapter().encrypt
    secret, seed, *codes = SECRETS
    kinds = Authenticator.Type
    make = Authenticator.objects.create
    make(user=oli, type=kinds.TOTP, data={"secret": seal(secret)})
    make(user=oli, type=kinds.RECOVERY_CODES, data={"seed": seal(seed), "used_mask": 5})
    make(user=kim, type=kinds.RECOVERY_CODES, data={"migrated_codes": [seal(c) for c in codes]})
    make(user=kim, type=kinds.WEBAUTHN, data={"name": "key", "credential": {"id": "x"}})
    mail = Mail.objects.create(
        template="x", to_user=oli, subject="x", reason="x", good_until=timezone.now()
    )
    mail.sealed = keyring.seal("/account/reset/", use=mail.use_of_secret)
    mail.save()
    client = Client()
    client.force_login(oli)
    settings.BACKOFFICE_KEYS = [NEW, OLD]
    return client


def left() -> dict[str, int]:
    """Return how many values of each kind need the older key."""
    known = {name: state.old for name, state in sealed.check().items()}
    return {name: known[name] for name in ("factors", "mails", "sessions")}


def test_rotation_moves_everything_to_the_newest_key(filled: Client, settings: Settings) -> None:
    assert left() == {"factors": 4, "mails": 1, "sessions": 1}
    done = sealed.rotate()
    assert [done[name] for name in ("factors", "mails", "sessions")] == [3, 1, 1]
    assert left() == {"factors": 0, "mails": 0, "sessions": 0}
    settings.BACKOFFICE_KEYS = [NEW]
    assert factor_secrets() == SECRETS
    assert Authenticator.objects.get(data__used_mask=5)
    mail = Mail.objects.get(template="x")
    assert keyring.open_sealed(mail.sealed, use=mail.use_of_secret) == "/account/reset/"
    assert filled.get("/admin/jobs/").status_code == 200  # the session lives on
    facts = Event.objects.get(verb=sealed.ROTATED).context
    assert facts == {"key": "newer", "rows": done}
    assert set(sealed.rotate().values()) == {0}


@pytest.mark.usefixtures("filled")
def test_no_table_beside_the_registered_ones_holds_a_sealed_value() -> None:
    holding = {table for table in tables() if "v1.older." in repr(_rows(table))}
    registered = {holder.model._meta.db_table for holder in sealed.holders()}
    assert holding
    assert holding <= registered
    sealed.rotate()
    assert not [table for table in tables() if "v1.older." in repr(_rows(table))]


@pytest.mark.parametrize("done", range(6))
def test_rotation_that_is_stopped_half_way_goes_on(
    done: int, filled: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seal = keyring.seal
    calls: list[str] = []

    def stopping(text: str, *, use: str) -> str:
        if len(calls) == done:
            raise KeyboardInterrupt
        calls.append(use)
        return seal(text, use=use)

    with monkeypatch.context() as patched:
        patched.setattr(keyring, "seal", stopping)
        with pytest.raises(KeyboardInterrupt):
            sealed.rotate()
    assert sum(left().values()) >= 6 - done
    assert factor_secrets() == SECRETS
    sealed.rotate()
    assert sum(left().values()) == 0
    settings.BACKOFFICE_KEYS = [NEW]
    assert factor_secrets() == SECRETS
    assert filled.get("/admin/jobs/").status_code == 200


def said(verb: str) -> str:
    """Run the command; what it says."""
    out = StringIO()
    call_command("keys", verb, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("filled")
def test_command_tells_when_the_old_key_can_go(settings: Settings) -> None:
    with pytest.raises(CommandError, match="4 of factors need an older key"):
        said("check")
    assert "older keys can go" in said("rotate")
    settings.BACKOFFICE_KEYS = [NEW]
    assert "older keys can go" in said("check")


@pytest.mark.usefixtures("filled")
def test_command_tells_of_values_that_no_key_opens(settings: Settings) -> None:
    settings.BACKOFFICE_KEYS = [NEW]
    before = list(Authenticator.objects.values_list("data", flat=True))
    with pytest.raises(CommandError, match="4 of factors open with no key"):
        said("rotate")
    assert list(Authenticator.objects.values_list("data", flat=True)) == before


@pytest.mark.usefixtures("filled")
def test_session_that_is_over_or_broken_stops_nothing() -> None:
    row = Session.objects.get()
    Session.objects.create(session_key="x" * 32, session_data="torn", expire_date=row.expire_date)
    assert sealed.check()["sessions"].unreadable == 1
    Session.objects.filter(pk=row.pk).update(expire_date=timezone.now() - timedelta(days=1))
    assert sealed.rotate()["sessions"] == 0


def test_rows_go_in_batches(filled: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "_BATCH", 1)
    assert sealed.rotate()["factors"] == 3


def test_change_made_meanwhile_is_not_lost(filled: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row is read under its lock, not when the rows were listed."""
    keys = sealed._keys

    def late(holder: sealed.Holder) -> Any:
        for key in list(keys(holder)):
            if holder.name == "factors":
                row = Authenticator.objects.get(pk=key)
                if "used_mask" in row.data:
                    row.data["used_mask"] = 7
                    row.save()
            yield key

    monkeypatch.setattr(sealed, "_keys", late)
    sealed.rotate()
    assert Authenticator.objects.get(data__used_mask=7)
