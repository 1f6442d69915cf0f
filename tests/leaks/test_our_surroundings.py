"""Heads, palette and rights of our pages, and what is written beside the answers."""

import io
import logging
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth.models import AnonymousUser
from django.core import mail
from django.core.management import call_command
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from guardian.models import UserObjectPermission
from pytest_django import Settings

from backoffice.audit.logs import JsonFormatter
from backoffice.audit.services import save_with_history
from backoffice.charts import registry as charts
from backoffice.jobs.models import Job
from backoffice.masking.services import search_exact
from backoffice.masking.values import unseal
from backoffice.policy import may
from backoffice.site import staff_site
from customers.models import Customer
from tests.canaries import leaks
from tests.clients import version_in
from tests.leaks.channels import Channels
from tests.leaks.stage import (
    EMAIL,
    FORBIDDEN,
    NAME,
    NOT_FOUND,
    OK,
    PHONE,
    Stage,
)
from tests.leaks.test_our_files import imported
from tests.people import PASSWORD, allow, make_person
from tests.sheets.made import HEAD, line, run
from tests.walker import state
from tests.walker.walk import read

LIST = "/admin/customers/customer/"
channels = Channels()


@pytest.mark.parametrize("name", channels)
def test_channel(name: str, stage: Stage) -> None:
    channels[name](stage)


@channels("Cache-Control on changelist", "admin pages no-store", "Referrer-Policy", "CSP")
def _heads_of_pages(stage: Stage) -> None:
    for url in (LIST, f"{LIST}{stage.customer.pk}/change/", "/admin/", "/no/such/page/"):
        head = stage.ask(url).headers
        assert "no-store" in head["Cache-Control"]
        assert head["Referrer-Policy"] in {"same-origin", "no-referrer"}
        assert "script-src 'self';" in head["Content-Security-Policy"]
        assert "unsafe" not in head["Content-Security-Policy"]


# Palette and guardian -------------------------------------------------------------------------


def found(stage: Stage, term: str, person: Any = None) -> Any:
    """Return what the palette finds."""
    return stage.client(person).post("/admin/find/", {"term": term}).json()["results"]


@channels("palette search", "palette search as oracle")
def _palette(stage: Stage) -> None:
    assert stage.ask("/admin/search/?s=ann").status == NOT_FOUND
    for value in (NAME, EMAIL, PHONE, EMAIL[:5], "Quen Arlo", str(stage.customer.phone)):
        assert found(stage, value) == []


@channels("palette, person with only add")
def _palette_of_who_only_adds(stage: Stage) -> None:
    adds = allow(make_person("tim"), "customers.add_customer")
    assert found(stage, stage.customer.number, adds) == []
    assert stage.ask(LIST, adds).status == FORBIDDEN


@channels("palette after all permissions are revoked")
def _palette_after_a_right_went(stage: Stage) -> None:
    assert found(stage, stage.customer.number) != []
    stage.vic.user_permissions.clear()
    assert found(stage, stage.customer.number) == []


@channels("palette, very many hits")
def _palette_is_bounded(stage: Stage) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert len(found(stage, "9")) <= 16
    rows = [query["sql"] for query in asked if "customers_customer" in query["sql"]]
    assert [sql for sql in rows if "LIMIT" not in sql and "SELECT" in sql] == []


@channels("guardian object permissions page", "guardian user-manage page")
def _guardians_pages(stage: Stage) -> None:
    where = f"{LIST}{stage.customer.pk}/permissions/"
    for url in (where, f"{where}user-manage/{stage.vic.pk}/", f"{where}group-manage/1/"):
        for person in (stage.vic, stage.root):
            assert stage.ask(url, person).status in {302, NOT_FOUND}
    assert [
        page for page in staff_site._registry.values() if hasattr(page, "obj_perms_manage_view")
    ] == []


@channels("guardian page: self-grant of reveal on an object")
def _self_grant(stage: Stage) -> None:
    where = f"{LIST}{stage.customer.pk}/permissions/"
    rights = {"permissions": ["reveal_customer"], "submit": "Save"}
    for url in (where, f"{where}user-manage/{stage.vic.pk}/"):
        stage.send(url, rights)
        stage.send(url, rights, stage.root)
    assert not UserObjectPermission.objects.exists()
    assert not may(stage.vic, "reveal", stage.customer)


# What is written beside the answers -----------------------------------------------------------


def broken(request: HttpRequest) -> HttpResponse:
    """Fail with a clear value in the frame and in the error's text."""
    number = str(unseal(Customer.objects.get(number="17850").phone))
    msg = f"no line to {number}"
    raise RuntimeError(msg)


urlpatterns = [path("broken/", broken), path("", include("backoffice.project.urls"))]


def test_channel_of_errors(
    stage: Stage, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """The same failing view, whoever is to be told of it."""
    settings.ROOT_URLCONF = __name__
    settings.ADMINS = ["ops@example.com"]
    for name in ERRORS:
        ERRORS[name](stage, caplog)


ERRORS = Channels()


@ERRORS("500 mail, text", "500 mail with HTML", "500 page", "4xx log line")
def _errors(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    data = {"email": EMAIL, "phone": PHONE}
    answer = read(stage.client().post("/broken/", data))
    assert answer.status == 500
    assert leaks(answer.content, stage.world.secrets) == []
    assert mail.outbox == []
    stage.refuses(f"{LIST}?email={EMAIL}")
    told = [JsonFormatter().format(one) for one in caplog.records]
    assert [one for one in caplog.records if one.name == "django.request"] != []
    assert leaks("\n".join(told), stage.world.secrets) == []
    loggers = [logging.getLogger(name) for name in ("", "django", "django.request")]
    handlers = {type(one).__name__ for logger in loggers for one in logger.handlers}
    assert "AdminEmailHandler" not in handlers


@channels("messages cookie", "session store")
def _messages(stage: Stage) -> None:
    client = stage.client()
    for kind, value in (("email", EMAIL), ("phone", PHONE), ("email", "nobody@hid.example")):
        answer = read(client.post(f"{LIST}find/", {"kind": kind, "value": value}))
        stage.tells_nothing(answer)
        assert "messages" not in client.cookies
    assert state.kept(stage.world.secrets, "") == []


@channels("task rows")
def _task_rows(stage: Stage) -> None:
    job = imported(stage, [*line(), EMAIL], head=(*HEAD, "Note"))
    run(job)
    assert Job.objects.exists()
    assert state.kept(stage.world.secrets, "") == []


@channels("mail text")
def _mails(stage: Stage) -> None:
    url = f"{LIST}{stage.customer.pk}/ask/phone/"
    eve = stage.world.people["eve"]
    version = version_in(stage.client(eve), url)
    stage.send(url, {"reason": "the carrier calls", "record_version": version}, eve)
    for message in mail.outbox:
        stage.tells_nothing(str(message.message()))
    assert state.kept(stage.world.secrets, "") == []


@channels("chart JSON holds the rows")
def _charts(stage: Stage) -> None:
    assert charts.every() != []
    for person in (stage.root, stage.world.people["nia"], stage.world.people["kim"]):
        assert stage.ask("/admin/", person).status == OK


@channels("dumpdata")
def _dump(stage: Stage) -> None:
    out = io.StringIO()
    call_command("dumpdata", "customers", stdout=out)
    assert stage.customer.number in out.getvalue()
    stage.tells_nothing(out.getvalue())


@channels("slow query log")
def _statements(stage: Stage) -> None:
    """See that what finds by a value names its index; a write has to bring the value itself."""
    with CaptureQueriesContext(connection) as asked:
        rows = Customer.objects.all()
        assert search_exact(rows, "email", EMAIL, actor=stage.vic).count() == 1
    values = [canary for canary in stage.world.secrets if "index" not in canary.label]
    assert leaks(str([query["sql"] for query in asked]), values) == []


# Who is let in --------------------------------------------------------------------------------


@channels("deactivated user or changed password keeps session")
def _sessions_end(stage: Stage) -> None:
    eve = stage.world.people["eve"]
    first = stage.client(eve)
    assert first.get(LIST).status_code == OK
    eve.set_password("another correct horse")
    eve.save()
    assert first.get(LIST).status_code == 302
    second = Client()
    second.force_login(eve)
    eve.is_active = False
    eve.save()
    assert second.get(LIST).status_code == 302


@channels("brute force")
def _brute_force(stage: Stage) -> None:
    client = Client()
    for number in range(8):
        client.post("/account/login/", {"login": "eve", "password": f"wrong {number}"})
    client.post("/account/login/", {"login": "eve", "password": PASSWORD})
    assert "_auth_user_id" not in client.session


@channels("session cookie")
def _cookie(stage: Stage) -> None:
    client = Client()
    client.post("/account/login/", {"login": "kim", "password": PASSWORD})
    cookie = client.cookies["sessionid"]
    assert project.SESSION_COOKIE_HTTPONLY
    assert project.SESSION_COOKIE_SAMESITE == "Lax"
    assert project.SESSION_COOKIE_AGE <= 12 * 60 * 60
    assert cookie["httponly"]
    assert not may(AnonymousUser(), "view", Customer)


@channels("check --deploy")
def _deploy(stage: Stage) -> None:
    """See that the step of the checks that asks it of production settings is there and strict."""
    steps = (project.BASE_DIR / ".ci" / "test").read_text(encoding="utf-8")
    assert 'manage("check", "--deploy", "--fail-level", "WARNING")' in steps


def test_saving_is_not_what_makes_it_quiet(stage: Stage) -> None:
    """A leak would be seen: the same search finds a value put into a plain field."""
    customer = Customer.objects.get(pk=stage.customer.pk)
    customer.country = EMAIL
    save_with_history(customer, actor=stage.root)
    with pytest.raises(AssertionError):
        stage.ask(LIST)
