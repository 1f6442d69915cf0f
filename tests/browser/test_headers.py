"""Headers of answers that no page gives: errors, redirects, files; and of the end of a session.

What the pages answer with is judged by the walk, on every visit (`tests.walker.walk.HEADERS`).
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.browser.middleware import CLEAR_SITE_DATA, PERMISSIONS_POLICY
from tests.walker.walk import unheaded

ROOT = Path(__file__).resolve().parents[2]
CUSTOMERS = "/admin/customers/customer/"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/no/such/page", 404),
        ("get", "/static/no-such-file.js", 404),
        ("get", "/", 302),
        ("get", "/admin", 301),
        ("get", CUSTOMERS, 302),
        ("get", "/api/v1/customers/", 401),
        ("get", "/api/v1/schema/", 401),
        ("get", "/browser-reports/", 405),
        ("post", "/browser-reports/", 415),
    ],
)
@pytest.mark.django_db
def test_answers_without_a_page_carry_all_headers(method: str, path: str, status: int) -> None:
    answer = getattr(Client(raise_request_exception=False), method)(path)
    assert answer.status_code == status
    assert unheaded(answer.headers) == []


@pytest.mark.django_db
def test_refused_host_and_broken_csrf_carry_all_headers(ann: User) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(ann)
    for answer in (
        client.get("/admin/", headers={"host": "elsewhere.example"}),
        client.post(f"{CUSTOMERS}find/", {"kind": "email", "value": "x"}),
    ):
        assert answer.status_code in {400, 403}
        assert unheaded(answer.headers) == []


@pytest.mark.django_db
def test_error_of_our_own_carries_all_headers(ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(ann)
    monkeypatch.setattr("backoffice.site.chrome.context", broken)
    answer = client.get(CUSTOMERS)
    assert answer.status_code == 500
    assert unheaded(answer.headers) == []


def broken(*_args: object, **_kwargs: object) -> object:
    """Fail as a bug would."""
    raise RuntimeError


def test_static_files_may_be_kept_and_stay_ours() -> None:
    answer = Client().get("/static/backoffice/theme.js")
    assert answer.status_code == 200
    assert "no-store" not in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_devices_are_off_and_passkeys_are_ours() -> None:
    rules = dict(rule.split("=") for rule in PERMISSIONS_POLICY.split(", "))
    assert {name for name, who in rules.items() if who != "()"} == {
        "clipboard-write",
        "publickey-credentials-create",
        "publickey-credentials-get",
    }
    assert set(rules.values()) == {"()", "(self)"}


@pytest.mark.django_db
def test_trace_echoes_nothing() -> None:
    for path in ("/admin/", "/account/login/", "/api/v1/", "/no/such/page"):
        answer = Client(raise_request_exception=False).trace(path, headers={"X-Told": "an-echo"})
        assert answer.status_code in {200, 302, 401, 403, 404, 405}
        assert "an-echo" not in answer.content.decode() + str(answer.headers)


@pytest.mark.django_db
def test_signing_out_clears_the_browser(ann: User) -> None:
    client = Client()
    client.force_login(ann)
    assert "Clear-Site-Data" not in client.get(CUSTOMERS).headers
    answer = client.post("/admin/logout/")
    assert answer.headers["Clear-Site-Data"] == CLEAR_SITE_DATA
    assert "Clear-Site-Data" not in Client().get("/admin/").headers


@pytest.mark.django_db
def test_browser_of_a_session_that_ended_elsewhere_is_cleared(ann: User) -> None:
    client = Client()
    client.force_login(ann)
    client.session.delete()
    answer = client.get(CUSTOMERS)
    assert answer.status_code == 302
    assert answer.headers["Clear-Site-Data"] == CLEAR_SITE_DATA


def test_policy_may_not_soften_unseen(settings: Settings) -> None:
    policy = settings.SECURE_CSP
    assert policy["default-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == ["'none'"]
    assert policy["form-action"] == ["'self'"]


PRODUCTION = """
import django
django.setup()
from django.conf import settings
from django.test import Client
client = Client(SERVER_NAME="backoffice.example.com")
print(client.get("/browser-reports/")["Location"])
print(client.get("/api/v1/orders/").status_code, client.get("/api/v1/orders/").content.decode())
print(client.get("/static/x.txt", secure=True)["Strict-Transport-Security"])
for kind in ("SESSION", "CSRF"):
    facts = ("NAME", "SECURE", "PATH", "DOMAIN", "SAMESITE")
    print(*(getattr(settings, f"{kind}_COOKIE_{fact}") for fact in facts))
from backoffice.accounts import devices
print(devices.COOKIE)
"""


@pytest.mark.sqlite
def test_production_asks_for_https_and_binds_its_cookies(tmp_path: Path) -> None:
    kept = {"PATH", "HOME", "LANG", "PYTHONPYCACHEPREFIX"}  # else it compiles all that it imports
    secret = "k" * 25 + "0123456789-abcdefghijklmnopqrs"
    environment = {name: value for name, value in os.environ.items() if name in kept} | {
        "DJANGO_SETTINGS_MODULE": "backoffice.project.settings",
        "BACKOFFICE_PROFILE": "production",
        "BACKOFFICE_SECRET_KEY": secret,
        "BACKOFFICE_MASKING_INDEX_KEY": secret,
        "BACKOFFICE_KEYS": f"k1:{secret}",
        "BACKOFFICE_HOSTS": "backoffice.example.com",
        "BACKOFFICE_VAR": str(tmp_path),
    }
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "x.txt").touch()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PRODUCTION],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == [
        "https://backoffice.example.com/browser-reports/",
        '403 {"detail": "Use https."}',
        "max-age=31536000",
        "__Host-sessionid True / None Lax",
        "__Host-csrftoken True / None Lax",
        "__Host-device",
    ]
