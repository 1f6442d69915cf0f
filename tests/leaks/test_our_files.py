"""Our files, API and rights, channel by channel; and what is written beside the answers."""

import csv
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
from django.urls import include, path, reverse
from guardian.models import UserObjectPermission
from openpyxl import load_workbook
from pytest_django import Settings

from backoffice.audit.logs import JsonFormatter
from backoffice.audit.services import save_with_history
from backoffice.charts import registry as charts
from backoffice.jobs.models import Job
from backoffice.masking.services import search_exact
from backoffice.masking.values import unseal
from backoffice.policy import may
from backoffice.site import staff_site, writers
from customers.models import Customer
from tests.canaries import leaks
from tests.leaks.channels import Channels
from tests.leaks.stage import (
    BAD_REQUEST,
    EMAIL,
    FORBIDDEN,
    NAME,
    NOT_FOUND,
    OK,
    PHONE,
    SECOND,
    Stage,
)
from tests.people import PASSWORD, allow, make_person
from tests.sheets.made import HEAD, book, check, line, run, upload
from tests.walker import state
from tests.walker.registry import IMPORT_PAGES
from tests.walker.walk import read

LIST = "/admin/customers/customer/"
API = "/api/v1/customers/"
channels = Channels()


@pytest.mark.parametrize("name", channels)
def test_channel(name: str, stage: Stage) -> None:
    channels[name](stage)


# Sheets ---------------------------------------------------------------------------------------


def imported(stage: Stage, *rows: list[Any], head: tuple[str, ...] = HEAD) -> Any:
    """Upload and check a file of oli's; see that no page of the import tells a thing."""
    job = upload(book(list(rows), head=head), stage.world.people["oli"])
    check(job)
    _no_page_tells(stage, job)
    return job


def _no_page_tells(stage: Stage, job: Any) -> None:
    for name in IMPORT_PAGES:
        url = _import_url(name, job)
        for person in (stage.world.people["oli"], stage.root):
            stage.ask(url, person)


def _import_url(name: str, job: Any) -> str:
    more = {"import_rows": ["orders"]}.get(name, [])
    return reverse(f"admin:{name}", args=[job.public_id, *more])


@channels(
    "import preview: file has only some columns",
    "import preview, file with only an id column",
    "import preview diff old to new",
)
def _preview(stage: Stage) -> None:
    """See that a file that names a known customer brings nothing of him to a page."""
    imported(stage, line(customer=stage.customer.number))
    imported(stage, [stage.customer.number], head=("Customer ID",))


@channels(
    "import error row (unique violation)",
    "import unique violation as existence oracle",
    "PostgreSQL unique violation in an import row",
    "import validation error",
)
def _failed_rows(stage: Stage) -> None:
    """See that a row that the database or a rule refuses is told by place and code alone."""
    order = stage.world.of_sol["order"]
    same = {"invoice": str(order), "customer": stage.twins[0].number}
    rows = [
        [*line(**same), NAME],
        [*line(600002, quantity=EMAIL), EMAIL],
        [*line(600003, price=PHONE, customer=f"{EMAIL}"), PHONE],
    ]
    job = imported(stage, *rows, head=(*HEAD, "Note"))
    if job.state == job.State.CHECKED:
        run(job)
        _no_page_tells(stage, job)
    assert leaks(str(list(job.problems.values())), stage.world.secrets) == []


@channels("import and export by staff with no model permission")
def _closed_by_default(stage: Stage) -> None:
    gus, before = stage.world.people["gus"], stage.raw()
    for model in staff_site._registry:
        url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for way in ("export/", "import/", "process_import/"):
            answer = stage.send(f"{url}{way}", {"format": "csv"}, gus)
            assert answer.status in {FORBIDDEN, NOT_FOUND}, f"{url}{way}"
    assert stage.send("/admin/imports/", {"file": io.BytesIO(b"a,b")}, gus).status == FORBIDDEN
    assert stage.raw() == before


@channels("unconfirmed import upload")
def _upload_that_nobody_confirmed(stage: Stage) -> None:
    """See that an upload lies where no address leads, and that its row tells nothing of it."""
    job = imported(stage, [*line(), EMAIL], head=(*HEAD, "Note"))
    kept = [value for value in vars(job).values() if isinstance(value, str)]
    assert leaks(" ".join(kept), stage.world.secrets) == []
    assert stage.ask("/media/").status == NOT_FOUND
    assert project.MEDIA_URL in {"", "/"}


def exported(stage: Stage, kind: str, url: str = LIST) -> Any:
    """Return the answer to an export of a list; what it holds is opened and read."""
    answer = stage.send(f"{url}export/", {"format": kind, "reason": "asked"})
    assert answer.status == OK
    return answer


@channels("export page (GET)")
def _export_by_get(stage: Stage) -> None:
    assert stage.ask(f"{LIST}export/?format=csv").status == 405


@channels("export csv")
def _export_csv(stage: Stage) -> None:
    rows = list(csv.reader(io.StringIO(exported(stage, "csv").text)))
    masked = str(stage.customer.phone)
    assert [row for row in rows if masked in row and stage.customer.number in row] != []


@channels("export xlsx")
def _export_xlsx(stage: Stage) -> None:
    sheet = load_workbook(io.BytesIO(exported(stage, "xlsx").content)).worksheets[0]
    rows = list(sheet.iter_rows(values_only=True))
    stage.tells_nothing(str(rows))
    assert str(stage.customer.email) in str(rows)


@channels("export json", "export html")
def _other_kinds(stage: Stage) -> None:
    """See that what else is on offer holds masks, and what is not offered is refused."""
    for kind in ("json", "html", "yaml", "ods", "tsv"):
        answer = stage.send(f"{LIST}export/", {"format": kind, "reason": "asked"})
        assert answer.status == (OK if kind in writers.kinds() else BAD_REQUEST), kind


@channels("export action on selection")
def _export_action(stage: Stage) -> None:
    key = str(stage.customer.pk)
    for action in ("export_admin_action", "export"):
        answer = stage.send(LIST, {"action": action, "_selected_action": key, "format": "0"})
        assert "attachment" not in answer.headers.get("Content-Disposition", "")


@channels("formula injection on export")
def _formula(stage: Stage) -> None:
    cells = ["=HYPERLINK(0)", "+1+1", "-1+1", "@SUM(1)", "\t=1"]
    for number, text in enumerate(cells):
        Customer.objects.create(number=f"95{number}", country=text)
    rows = list(csv.reader(io.StringIO(exported(stage, "csv").text)))
    assert [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))] == []
    sheet = load_workbook(io.BytesIO(exported(stage, "xlsx").content)).worksheets[0]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {
        "s",
        "inlineStr",
        "n",
        "d",
    }


# The API --------------------------------------------------------------------------------------


def detail(stage: Stage, customer: Customer | None = None) -> str:
    """Return the address of a customer in the API."""
    return f"{API}{(customer or stage.customer).number}/"


def write(stage: Stage, method: str, data: dict[str, Any], customer: Customer | None = None) -> Any:
    """PUT or PATCH a customer as somebody who read it just before."""
    client, url = stage.client(), detail(stage, customer)
    etag = client.get(url).headers["ETag"]
    call = getattr(client, method)
    return read(call(url, data, content_type="application/json", headers={"If-Match": etag}))


@channels("DRF list json", "Cache-Control on API")
def _api_list(stage: Stage) -> None:
    for name in ("customers", "orders", "returns", "payments", "refunds"):
        answer = stage.ask(f"/api/v1/{name}/")
        assert (answer.status, answer.headers["Cache-Control"]) == (OK, "no-store")


@channels(
    "DRF browsable customers detail",
    "DRF browsable orders list (FK select in form)",
    "DRF browsable filter form",
)
def _no_browsable_api(stage: Stage) -> None:
    for url in (detail(stage), "/api/v1/orders/", f"{API}?format=api"):
        for accept in ("text/html", "text/html;q=0.9,*/*;q=0.1"):
            answer = stage.ask(url, headers={"Accept": accept})
            assert "html" not in answer.headers["Content-Type"], url


@channels("DRF orders OPTIONS")
def _options(stage: Stage) -> None:
    for url in ("/api/v1/orders/", detail(stage)):
        stage.tells_nothing(read(stage.client().options(url)))


@channels(
    "DRF ?search oracle",
    "DRF ?email__startswith filter oracle",
    "DRF ?ordering=email oracle",
    "DRF ?ordering=birth_date (not in serializer)",
)
def _api_queries(stage: Stage) -> None:
    for query in ("search=q", "email__startswith=q", "ordering=email", "ordering=born", "email=q",
                  "born__lt=1990-01-01", "customer__email=q", "phone_index=a"):  # fmt: skip
        for name in ("customers", "orders"):
            stage.refuses(f"/api/v1/{name}/?{query}", stage.root)


@channels("DRF unique validator as existence oracle")
def _taken_or_not(stage: Stage) -> None:
    """See that a value that somebody has already is answered as one that nobody has."""
    free = {"email": "qfree@hid.example", "phone": "+44 7700 900 731"}
    taken = {name: SECOND[name] for name in free}
    answers = []
    for values in (free, taken):
        answer = write(stage, "patch", {**values, "reason": "asked"}, stage.twins[0])
        shown = [part for part in answer.text.split(",") if "updated_at" not in part]
        answers.append((answer.status, shown))
    assert answers[0] == answers[1]
    assert answers[0][0] == OK


@channels("DRF GET masked, then PUT back")
def _put_back(stage: Stage) -> None:
    before = stage.raw()
    given = stage.client().get(detail(stage)).json()
    answer = write(stage, "put", {**given, "reason": "asked"})
    assert (answer.status, stage.raw()) == (OK, before)


@channels("DRF PATCH of a mask")
def _patch_a_mask(stage: Stage) -> None:
    before = stage.raw()
    shown = str(stage.customer.phone)
    assert write(stage, "patch", {"phone": shown}).status == OK
    for other in (f"{shown}1", "•••", str(stage.customer.email)):
        assert write(stage, "patch", {"phone": other}).status == BAD_REQUEST
    assert stage.raw() == before


# Heads ----------------------------------------------------------------------------------------


@channels("Cache-Control on changelist", "admin pages no-store", "Referrer-Policy", "CSP")
def _heads_of_pages(stage: Stage) -> None:
    for url in (LIST, f"{LIST}{stage.customer.pk}/change/", "/admin/", "/no/such/page/"):
        head = stage.ask(url).headers
        assert "no-store" in head["Cache-Control"]
        assert head["Referrer-Policy"] in {"same-origin", "no-referrer"}
        assert "script-src 'self';" in head["Content-Security-Policy"]
        assert "unsafe" not in head["Content-Security-Policy"]


@channels("Cache-Control on export download")
def _head_of_a_file(stage: Stage) -> None:
    for kind in ("csv", "xlsx"):
        assert "no-store" in exported(stage, kind).headers["Cache-Control"]


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
    version = stage.client(eve).get(url).context["form"]["record_version"].value()
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
