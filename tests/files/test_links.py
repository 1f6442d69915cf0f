"""Files that were made for somebody: private, by a link for one person, for ten minutes."""

import os
import stat
import time
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.core import signing
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event, Outcome
from backoffice.files import content, links, rights, services
from backoffice.files.models import KeptFile

pytestmark = pytest.mark.django_db
XLSX = content.CONTENT_TYPES["xlsx"]


def made(owner: User, name: str = "failed rows.xlsx", kind: str = "xlsx") -> KeptFile:
    return services.keep(b"PK\x03\x04...", name=name, kind=kind, purpose="test", owner=owner)


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let signatures be made and read so many seconds from now."""
    frozen = time.time() + seconds
    monkeypatch.setattr("django.core.signing.time.time", lambda: frozen)


def test_owner_gets_the_file_as_a_download_and_it_is_recorded(oli: User) -> None:
    kept = made(oli)
    answer = client_of(oli).get(links.address(kept, "admin"))
    assert b"".join(answer.streaming_content) == b"PK\x03\x04..."  # type: ignore[attr-defined]
    assert answer.headers["Content-Type"] == XLSX
    assert answer.headers["Content-Disposition"] == 'attachment; filename="failed rows.xlsx"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer.headers["Cache-Control"]
    event = Event.objects.get(verb=services.DOWNLOADED)
    assert (event.actor, event.subject_id) == (oli, str(kept.pk))


def test_seller_gets_a_file_on_their_own_site(sol: User) -> None:
    kept = made(sol)
    assert client_of(sol).get(links.address(kept, "seller")).status_code == 200


def test_kind_without_a_type_is_never_shown(oli: User) -> None:
    kept = made(oli, "page.html", "html")
    answer = client_of(oli).get(links.address(kept, "admin"))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_link_of_another_person_is_refused_and_recorded(oli: User, kim: User) -> None:
    address = links.address(made(oli), "admin")
    assert client_of(kim).get(address).status_code == 403
    event = Event.objects.get(verb=services.LINK_REFUSED)
    assert (event.actor, event.outcome) == (kim, Outcome.REFUSED)
    assert Client().get(address).status_code == 302


def test_link_expires(oli: User, monkeypatch: pytest.MonkeyPatch) -> None:
    address = links.address(made(oli), "admin")
    client = client_of(oli)
    at(monkeypatch, links.GOOD_SECONDS - 2)
    assert client.get(address).status_code == 200
    at(monkeypatch, links.GOOD_SECONDS + 2)
    answer = client.get(address)
    assert answer.status_code == 410
    assert "ask for it again" in answer.content.decode()


def test_link_that_was_changed_opens_nothing(oli: User, kim: User) -> None:
    mine, other = made(oli), made(kim)
    token = links.sign(mine)
    for wrong in (
        token[:-1] + ("A" if token[-1] != "A" else "B"),
        token.replace(mine.public_id.hex, other.public_id.hex),
        token.replace(f".{oli.pk}:", f".{kim.pk}:"),
        str(other.public_id),
        signing.TimestampSigner(salt="another use").sign(f"{mine.public_id.hex}.{oli.pk}"),
    ):
        for user in (oli, kim):
            answer = client_of(user).get(reverse("admin:file", args=[wrong]))
            assert answer.status_code == 404, wrong


def test_expired_file_is_gone_though_its_link_is_fresh(oli: User) -> None:
    kept = made(oli)
    KeptFile.objects.filter(pk=kept.pk).update(expires_at=timezone.now())
    assert client_of(oli).get(links.address(kept, "admin")).status_code == 410


def test_files_have_own_names_and_no_address(oli: User, settings: Settings) -> None:
    kept = made(oli, "../../etc/Mary Smith.xlsx")
    path = Path(kept.file.path)
    assert path.parent == Path(settings.MEDIA_ROOT) / "made"
    assert "Mary" not in path.name
    assert kept.public_id.hex not in path.name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(ValueError, match="no address"):
        _ = kept.file.url
    for address in (f"/files/{path.name}", f"/media/made/{path.name}", f"/static/{path.name}"):
        assert client_of(oli).get(address).status_code == 404


def test_expired_files_and_strays_are_deleted(oli: User) -> None:
    young, old = made(oli), made(oli)
    KeptFile.objects.filter(pk=old.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    stray = default_storage.save("made/stray.bin", ContentFile(b"x"))
    fresh = default_storage.save("made/fresh.bin", ContentFile(b"x"))
    long_ago = time.time() - services.KEPT.total_seconds() - 60
    os.utime(default_storage.path(stray), (long_ago, long_ago))
    services.forget()
    assert list(KeptFile.objects.all()) == [young]
    assert not default_storage.exists(str(old.file.name))
    assert default_storage.exists(str(young.file.name))
    assert default_storage.exists(fresh)
    assert not default_storage.exists(stray)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\x03\x04rest", "xlsx"),
        (b"Invoice,StockCode\n1,2\n", "csv"),
        ("\ufeffRechnung,Stück".encode(), "csv"),
        ("Invoice".encode("utf-16"), "csv"),
        (b"", "csv"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "xls"),
        (b"MZ\x90\x00", "bin"),
        (b"%PDF-1.7", "bin"),
        (b"\x89PNG\r\n", "bin"),
        (b"  <!DOCTYPE html><p>", "bin"),
        (b"\xef\xbb\xbf<svg onload=alert(1)>", "bin"),
        (b"a,b\n\x00\x00", "bin"),
    ],
)
def test_kind_is_told_by_the_content(head: bytes, kind: str) -> None:
    assert content.kind_of(BytesIO(head)) == kind


def test_link_asks_for_the_right_when_it_is_used(
    oli: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = {"oli"}
    monkeypatch.setattr(rights, "_tests", {"test": lambda user, _kept: user.username in held})
    client, address = client_of(oli), links.address(made(oli), "admin")
    assert client.get(address).status_code == 200
    held.clear()
    assert [client.get(address).status_code, client.post(address).status_code] == [403, 403]
    refused = Event.objects.filter(verb=services.RIGHT_LOST, outcome=Outcome.REFUSED)
    assert {one.actor for one in refused} == {oli}
    assert (refused.count(), Event.objects.filter(verb=services.DOWNLOADED).count()) == (2, 1)


def test_file_with_proof_has_a_right(oli: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, "_tests", {})
    with pytest.raises(ValueError, match="register the right"):
        services.keep(b"x", name="x", kind="csv", purpose="gone", owner=oli, proof=True)
    kept = made(oli)
    KeptFile.objects.update(proof_due=True)  # one whose app is not installed any more
    assert client_of(oli).get(links.address(kept, "admin")).status_code == 403


def test_purpose_has_one_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, "_tests", {})
    rights.register("test", lambda _user, _kept: True)
    with pytest.raises(ValueError, match="already"):
        rights.register("test", lambda _user, _kept: False)
