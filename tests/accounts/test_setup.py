"""The first run: everything leads to it, once; what it decided takes effect."""

import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.utils import timezone, translation

from backoffice.accounts import factors, installation, roles, setup
from backoffice.accounts.models import Installation, User
from backoffice.accounts.setup_view import SetupMiddleware
from backoffice.audit.models import Event
from backoffice.project import seed
from backoffice.project.checks import check_demo
from sellers import portal
from tests.people import make_person, make_shop

PASSWORD = "four plain words here"
VALUES = {
    "company": "Marlow Trading",
    "currency": "KRW",
    "time_zone": "Asia/Seoul",
    "language": "ko",
    "name": "Olga Owner",
    "username": "olga",
    "email": "olga@example.com",
    "password": PASSWORD,
    "again": PASSWORD,
}


@pytest.fixture
def empty(db: None, settings: Any, tmp_path: Path) -> Iterator[None]:
    """A production database with nobody in it."""
    settings.BACKOFFICE_SETUP = True
    settings.BACKOFFICE_SECOND_FACTOR_GRACE_DAYS = 7
    settings.VAR_DIR = tmp_path
    installation.forget()
    yield
    installation.forget()


def printed_code() -> str:
    out = StringIO()
    call_command("setup_code", stdout=out)
    return out.getvalue().strip()


def plan(**changes: str) -> setup.Plan:
    names = setup.Plan.__dataclass_fields__
    return setup.Plan(**{name: (VALUES | changes)[name] for name in names})


@pytest.mark.parametrize("path", ["/", "/admin/", "/seller/", "/account/login/", "/api/v1/", "/x/"])
def test_every_page_leads_to_the_set_up(client: Client, empty: None, path: str) -> None:
    assert client.get(path)["Location"] == "/setup/"
    assert client.get("/setup/").status_code == 200


def test_set_up_makes_the_owner_who_first_sets_up_a_second_factor(
    client: Client, empty: None
) -> None:
    answer = client.post("/setup/", VALUES | {"code": printed_code().lower()})
    assert answer["Location"] == "/account/factors/"
    olga = User.objects.get()
    assert (olga.is_staff, olga.is_superuser, olga.check_password(PASSWORD)) == (True, False, True)
    assert [group.name for group in olga.groups.all()] == ["owner"]
    assert Installation.objects.get().owner == olga
    assert Event.objects.filter(verb=setup.SET_UP, actor=olga).exists()
    assert client.get("/admin/")["Location"] == "/account/factors/"
    request = client.get("/account/factors/").wsgi_request
    assert factors.is_held(request)


def test_afterwards_there_is_no_such_page(client: Client, empty: None) -> None:
    client.post("/setup/", VALUES | {"code": printed_code()})
    stranger = Client()
    assert stranger.get("/setup/").status_code == 404
    assert stranger.post("/setup/", VALUES).status_code == 404
    assert "/setup/" not in stranger.get("/admin/")["Location"]
    with pytest.raises(CommandError):
        printed_code()


def test_people_without_an_installation_close_it_too(client: Client, empty: None) -> None:
    make_person("old", "owner")
    assert client.get("/setup/").status_code == 404
    with pytest.raises(setup.AlreadySetUpError):
        setup.set_up(plan(), code="x", address="")


@pytest.mark.django_db
def test_in_development_there_is_none(client: Client) -> None:
    assert client.get("/setup/").status_code == 404
    assert client.get("/admin/")["Location"] != "/setup/"


def test_code_is_kept_as_a_digest_that_only_the_server_reads(empty: None) -> None:
    code = printed_code()
    assert code.replace("-", "") not in setup.code_file().read_text()
    assert stat.S_IMODE(setup.code_file().stat().st_mode) == 0o600


def test_code_before_the_last_is_good_no_longer(empty: None) -> None:
    first = printed_code()
    second = printed_code()
    assert not setup.is_right(first)
    assert setup.is_right(second)


def test_code_of_yesterday_is_good_no_longer(empty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    code = printed_code()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + setup.CODE_SECONDS + 1)
    assert not setup.is_right(code)


def test_wrong_codes_are_limited(client: Client, empty: None) -> None:
    code = printed_code()
    for _try in range(setup.WRONG.hits):
        assert client.post("/setup/", VALUES | {"code": "wrong"}).status_code == 400
    assert client.post("/setup/", VALUES | {"code": code}).status_code == 400
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "change",
    [{"code": ""}, {"again": "other words than those"}, {"password": "short", "again": "short"},
     {"currency": "XXX"}, {"time_zone": "Mars/Olympus"}, {"username": "no spaces"}],
)  # fmt: skip
def test_wrong_values_set_nothing_up(client: Client, empty: None, change: dict[str, str]) -> None:
    values = VALUES | {"code": printed_code()} | change
    assert client.post("/setup/", values).status_code == 400
    assert not User.objects.exists()
    assert not Installation.objects.exists()


def test_company_zone_language_and_currency_take_effect(
    client: Client, empty: None, settings: Any
) -> None:
    client.post("/setup/", VALUES | {"code": printed_code()})
    settings.BACKOFFICE_SECOND_FACTOR_GRACE_DAYS = None
    stranger = Client()
    page = stranger.get("/account/login/")
    assert "Marlow Trading" in page.content.decode()
    assert 'lang="ko"' in page.content.decode()
    english = stranger.get("/account/login/", headers={"accept-language": "en-GB,en"})
    assert 'lang="en"' in english.content.decode()
    assert str(installation.zone()) == "Asia/Seoul"
    seller = make_person("sol", "seller", staff=False)
    make_shop(seller, "sol-shop")
    form: Any = portal.ProductForm()
    assert form.currency == "KRW"
    assert form.fields["price"].widget.attrs["step"] == "1"
    assert str(timezone.get_current_timezone()) != "Asia/Seoul"
    assert translation.get_language() == "en"
    seoul: list[str] = []
    middleware = setup_middleware(seoul)
    middleware(page.wsgi_request)
    assert seoul == ["Asia/Seoul"]


def setup_middleware(seen: list[str]) -> Any:
    def answer(_request: HttpRequest) -> HttpResponse:
        seen.append(str(timezone.get_current_timezone()))
        return HttpResponse()

    return SetupMiddleware(answer)


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_wins(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BACKOFFICE_SETUP, settings.VAR_DIR = True, tmp_path
    roles.sync_roles()
    code = setup.make_code()
    both = threading.Barrier(2)
    original = setup.is_right

    def at_once(typed: str) -> bool:
        both.wait(timeout=10)
        return original(typed)

    def one(name: str) -> str:
        changed = plan(username=name, email=f"{name}@example.com")
        try:
            return setup.set_up(changed, code=code, address=name).username
        except (setup.AlreadySetUpError, ValidationError):
            return ""
        finally:
            connection.close()

    monkeypatch.setattr(setup, "is_right", at_once)
    with ThreadPoolExecutor(2) as pool:
        won = [name for name in pool.map(one, ["olga", "otto"]) if name]
    installation.forget()
    assert len(won) == 1
    assert [user.username for user in User.objects.all()] == won
    assert Installation.objects.count() == 1


def test_demo_is_refused_in_production(db: None, settings: Any) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError):
        call_command("demo")
    ann = make_person("ann", "support")
    assert check_demo(None, databases=["default"]) == []
    ann.set_password(seed.PASSWORD)
    ann.save()
    found = check_demo(None, databases=["default"])
    assert [message.id for message in found] == ["project.E001"]
    assert "ann" in str(found[0].msg)
    assert isinstance(found[0], checks.Error)
    with pytest.raises(CommandError, match="ann"):
        call_command("serve", "web")
