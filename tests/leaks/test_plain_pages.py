"""The same channels on pages with no masking code, asked by somebody with every right.

Here nothing but the field and the guards of queries stands between a value and the answer.
"""

import io
import json
import logging
from typing import Any

import pytest
import tablib
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core import checks, mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test.utils import CaptureQueriesContext
from django.views.debug import ExceptionReporter
from import_export.formats import base_formats
from pytest_django import Settings

from customers.models import Customer
from orders.models import Order
from tests.canaries import leaks
from tests.leaks import plain
from tests.leaks.channels import Channels
from tests.leaks.stage import BAD_REQUEST, EMAIL, NAME, NOT_FOUND, OK, PHONE, Stage
from tests.walker.walk import read

LIST = "/plain/customers/customer/"
ORDERS = "/plain/orders/order/"
API = "/rest/customers/"
channels = Channels()


@pytest.fixture(autouse=True)
def _plain(settings: Settings) -> None:
    """Put the plain pages beside ours, in Django's own templates."""
    settings.ROOT_URLCONF = plain.__name__
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [f"{admin.__path__[0]}/templates"]}]


@pytest.mark.parametrize("name", channels)
def test_channel(name: str, stage: Stage) -> None:
    channels[name](stage)


def ask(stage: Stage, url: str, **more: Any) -> Any:
    """GET a page with every right and see that it is there and tells nothing."""
    answer = stage.ask(url, stage.root, **more)
    assert answer.status == OK, url
    return answer


def form(stage: Stage, **values: str) -> dict[str, Any]:
    """Return what the customer's form posts when nothing is touched, but for `values`."""
    shown = stage.client(stage.root).get(page(stage)).context["adminform"].form
    data = {name: shown[name].value() for name in shown.fields}
    return {**{name: value for name, value in data.items() if value is not None}, **values}


def page(stage: Stage, ending: str = "change/") -> str:
    """Return the address of a page of the customer."""
    return f"{LIST}{stage.customer.pk}/{ending}"


def save(stage: Stage, **values: str) -> Any:
    """Post the customer's form."""
    return stage.send(page(stage), form(stage, **values), stage.root)


@channels("admin index", "admin index recent actions", "LogEntry object_repr stored in DB")
def _index(stage: Stage) -> None:
    save(stage, country="Norway")
    ask(stage, "/plain/")
    entries = [vars(entry) for entry in LogEntry.objects.all()]
    assert len(entries) == 1
    stage.tells_nothing(str(entries))


@channels("changelist", "changelist checkbox aria-label", "admin pages no-store")
def _changelist(stage: Stage) -> None:
    answer = ask(stage, LIST)
    assert str(stage.customer.email) in answer.text
    assert "no-store" in answer.headers["Cache-Control"]


@channels("change form", "browser autofill")
def _change_form(stage: Stage) -> None:
    text = ask(stage, page(stage)).text
    assert str(stage.customer.email) in text
    assert 'autocomplete="off"' in text


@channels("add form")
def _add_form(stage: Stage) -> None:
    ask(stage, f"{LIST}add/")


@channels("FK label: order change", "autocomplete JSON")
def _autocomplete(stage: Stage) -> None:
    ask(stage, f"/complete/orders/order/{stage.order.pk}/change/")
    where = "/complete/autocomplete/?app_label=orders&model_name=order&field_name=customer&term="
    assert "17850" in ask(stage, f"{where}17850").text
    stage.indifferent(f"{where}qab", f"{where}Quen", person=stage.root)


@channels("FK label: order changelist column")
def _orders(stage: Stage) -> None:
    ask(stage, ORDERS)


@channels("raw_id label", "raw_id popup")
def _raw_id(stage: Stage) -> None:
    ask(stage, f"/byhand/orders/order/{stage.order.pk}/change/")
    ask(stage, "/byhand/customers/customer/?_popup=1&_to_field=id")


@channels("plain FK select options")
def _options_of_a_select(stage: Stage) -> None:
    assert "<select" in ask(stage, f"{ORDERS}{stage.order.pk}/change/").text


@channels("delete confirmation", "delete confirmation PROTECT")
def _delete(stage: Stage) -> None:
    lonely = Customer.objects.create(number="905", name=NAME, email=EMAIL, phone=PHONE)
    for key in (stage.customer.pk, lonely.pk):
        ask(stage, f"{LIST}{key}/delete/")


@channels("delete_selected action", "delete_selected confirmation (no PROTECT)")
def _delete_selected(stage: Stage) -> None:
    lonely = Customer.objects.create(number="905", name=NAME, email=EMAIL, phone=PHONE)
    for key in (stage.customer.pk, lonely.pk):
        data = {"action": "delete_selected", "_selected_action": str(key)}
        assert stage.send(LIST, data, stage.root).status == OK


@channels("history list and diff")
def _history(stage: Stage) -> None:
    assert "•" in ask(stage, page(stage, "history/")).text


@channels("history version form (old row)")
def _old_version(stage: Stage) -> None:
    oldest = Customer.history.filter(id=stage.customer.pk).earliest("history_id")
    ask(stage, page(stage, f"history/{oldest.pk}/"))


@channels("order history (FK diff)", "history: diff of an FK")
def _diff_of_a_customer(stage: Stage) -> None:
    order = Order.objects.get(pk=stage.order.pk)
    order.customer = stage.twins[0]
    order.save()
    ask(stage, f"{ORDERS}{order.pk}/history/")


QUESTIONS = {
    "search oracle ?q= by name": "/asking/customers/customer/?q=Quen",
    "search oracle ?q= by phone": "/asking/customers/customer/?q=0770090",
    "lookup ?email__startswith": f"{LIST}?email__startswith=q",
    "lookup ?email__regex": f"{LIST}?email__regex=.",
    "lookup ?email__lt (bisect)": f"{LIST}?email__lt=r",
    "lookup ?birth_date__year (field not shown)": f"{LIST}?born__year=1990",
    "lookup via FK where only customer__country filters": f"{ORDERS}?customer__country__email=q",
    "ordering oracle ?o= on masked column": f"{LIST}?o=1",
    "search_fields and list_filter through a FK": "/asking/orders/order/?q=qab",
    "local field lookups, also of fields not shown": f"{LIST}?born__lt=1990-01-01",
    "DRF ?search oracle": f"{API}?search=q",
    "DRF ?ordering=email oracle": f"{API}?ordering=email",
    "DRF ?ordering=birth_date (not in serializer)": f"{API}?ordering=-born",
    "DRF ?email__startswith filter oracle": "/rest/orders/?ordering=customer__email",
    "_to_field=email on changelist popup": f"{LIST}?_popup=1&_to_field=email",
    "date_hierarchy drill-down on a birth date": "/drilling/customers/customer/?born__month=5",
}


def _question(name: str, url: str) -> None:
    """Put a check in: the question is refused or says nothing, whatever is hidden."""

    @channels(name)
    def check(stage: Stage) -> None:
        assert stage.ask(url, stage.root).status in {302, BAD_REQUEST}
        stage.indifferent(url, person=stage.root)


for _name, _url in QUESTIONS.items():
    _question(_name, _url)


@channels(
    "lookup relation ?order__customer__email (local reverse)",
    "lookup history ?history__email__startswith",
    "lookup via FK order ?customer__email__startswith",
    "?customer__email__startswith without list_filter",
)
def _over_relations(stage: Stage) -> None:
    for url in (
        f"{LIST}?orders__customer__email__startswith=q",
        f"{LIST}?history__email__startswith=q",
        f"{ORDERS}?customer__email__startswith=q",
        f"{ORDERS}?customer__email_index__startswith=a",
    ):
        assert stage.ask(url, stage.root).status in {302, BAD_REQUEST}, url
        stage.indifferent(url, person=stage.root)


@channels("list_filter on masked field")
def _filter_of_masks(stage: Stage) -> None:
    stage.ask("/listing/customers/customer/", stage.root)
    page_of = plain.SITES["listing"]._registry[Customer]
    assert isinstance(page_of, plain.ListingAdmin)
    admin.sites.all_sites.add(plain.SITES["listing"])
    found = [message.id for message in checks.run_checks()]
    admin.sites.all_sites.discard(plain.SITES["listing"])
    assert found.count("masking.E004") == len(plain.ListingAdmin.list_filter)


@channels("unsaved form re-render (validation error)", "ValidationError text")
def _form_with_an_error(stage: Stage) -> None:
    assert "errorlist" in save(stage, number="").text
    assert "errorlist" in save(stage, email="no address").text


@channels("change saved: success message and page", "change saved: changelist message")
def _saved(stage: Stage) -> None:
    before = stage.raw("country", "updated_at")
    assert "success" in save(stage, country="Norway").text
    assert stage.raw("country", "updated_at") == before
    assert "success" in save(stage, phone="+44 7700 904 831").text


@channels("popup response (related-object edit) JSON data", "messages cookie")
def _popup(stage: Stage) -> None:
    answer = save(stage, country="Norway", _popup="1")
    assert "data-popup-response" in answer.text


# Import and export of the stock kind -----------------------------------------------------------


def upload(stage: Stage, rows: list[list[str]], head: list[str]) -> Any:
    """Post a csv to the stock import; the answer is its preview."""
    content = tablib.Dataset(*rows, headers=head).export("csv").encode()
    data = {"import_file": SimpleUploadedFile("c.csv", content), "format": "0", "resource": ""}
    return stage.send(f"{LIST}import/", data, stage.root)


@channels(
    "import preview: file has only some columns",
    "import preview, file with only an id column",
    "import preview diff old to new",
)
def _preview(stage: Stage) -> None:
    for head, row in (
        (["number"], ["17850"]),
        (["number", "country"], ["17850", "Norway"]),
        (["number", "phone"], ["17850", "+44 1"]),
    ):
        answer = upload(stage, [row], head)
        assert answer.status == OK
        assert "17850" in answer.text


@channels("import validation error")
def _bad_rows(stage: Stage) -> None:
    mask = "z•••••@z•••••.org"
    answer = upload(stage, [["17850", "no address"], ["901", mask]], ["number", "email"])
    assert answer.status == OK


@channels(
    "import error row (unique violation)",
    "import unique violation as existence oracle",
    "PostgreSQL unique violation in an import row",
)
def _unique(stage: Stage) -> None:
    """See that a unique number says no more than itself, and no row names a hidden value."""
    answer = upload(stage, [["17850", "twice"], ["17850", "twice"]], ["number", "country"])
    assert answer.status == OK
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        Customer.objects.create(number="17850", name=NAME, email=EMAIL)
    # The database names the column of the constraint; no masked column of ours is one.
    stage.tells_nothing(str(refused.value))
    unique = [one for one in Customer._meta.get_fields() if getattr(one, "unique", False)]
    assert {one.name for one in unique} == {"id", "number"}


@channels("unconfirmed import upload")
def _temporary_file(stage: Stage) -> None:
    """See that the stock import is closed where no right for it was given."""
    gus = stage.world.people["gus"]
    for person, way in ((stage.vic, "import/"), (gus, "import/"), (gus, "export/")):
        assert stage.ask(f"{LIST}{way}", person).status in {302, 403}


@channels("export page (GET)")
def _export_page(stage: Stage) -> None:
    ask(stage, f"{LIST}export/")


def _export(name: str, kind: type[base_formats.Format]) -> None:
    @channels(name)
    def check(stage: Stage) -> None:
        dataset = plain.CustomerResource().export()
        content = kind().export_data(dataset)
        stage.tells_nothing(content)
        data = {"format": str(base_formats.DEFAULT_FORMATS.index(kind)), "resource": ""}
        fields = dict.fromkeys(
            [f"customerresource_{name}" for name in ("number", "name", "email", "phone")], "on"
        )
        answer = stage.send(f"{LIST}export/", {**data, **fields}, stage.root)
        assert answer.status == OK
        assert "attachment" in answer.headers["Content-Disposition"]


for _name, _kind in (
    ("export csv", base_formats.CSV),
    ("export xlsx", base_formats.XLSX),
    ("export json", base_formats.JSON),
    ("export html", base_formats.HTML),
):
    _export(_name, _kind)


@channels("export action on selection", "Cache-Control on export download")
def _export_action(stage: Stage) -> None:
    data = {"action": "export_admin_action", "_selected_action": str(stage.customer.pk)}
    answer = stage.send(LIST, data, stage.root)
    assert "no-store" in answer.headers["Cache-Control"]


@channels("formula injection on export")
def _formula(stage: Stage) -> None:
    """See that a mask begins no formula, whatever it hides."""
    for number, text in enumerate(("=HYPERLINK(0)", "+1 222 333 4444", "-x", "@x")):
        made = Customer.objects.create(number=f"96{number}", name=text, phone=text)
        assert str(made.phone).startswith("•")
    for row in plain.CustomerResource().export().dict:
        assert not str(row["phone"]).startswith(("=", "+", "-", "@"))


@channels("guardian object permissions page", "guardian user-manage page")
def _guardians_pages(stage: Stage) -> None:
    where = f"/guarded/customers/customer/{stage.customer.pk}/permissions/"
    ask(stage, where)
    ask(stage, f"{where}user-manage/{stage.vic.pk}/")


# REST -------------------------------------------------------------------------------------------


@channels("DRF list json", "Cache-Control on API", "Referrer-Policy")
def _list(stage: Stage) -> None:
    answer = ask(stage, API)
    assert str(stage.customer.email) in json.loads(answer.text)["results"][0].values()
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["Referrer-Policy"] == "same-origin"


@channels("Cache-Control on changelist")
def _kept_by_nobody(stage: Stage) -> None:
    assert "no-store" in ask(stage, LIST).headers["Cache-Control"]


@channels(
    "DRF browsable customers detail",
    "DRF browsable orders list (FK select in form)",
    "DRF browsable filter form",
)
def _browsable(stage: Stage) -> None:
    for url in (f"{API}{stage.customer.pk}/", "/rest/orders/", API):
        answer = ask(stage, url, headers={"Accept": "text/html"})
        assert "html" in answer.headers["Content-Type"]


@channels("DRF orders OPTIONS")
def _options(stage: Stage) -> None:
    for url in ("/rest/orders/", f"{API}{stage.customer.pk}/"):
        stage.tells_nothing(read(stage.client(stage.root).options(url)))


def write(stage: Stage, method: str, data: Any) -> Any:
    """PUT or PATCH the customer."""
    call = getattr(stage.client(stage.root), method)
    answer = read(call(f"{API}{stage.customer.pk}/", data, content_type="application/json"))
    stage.tells_nothing(answer)
    return answer


@channels("DRF GET masked, then PUT back")
def _put_back(stage: Stage) -> None:
    before = stage.raw("updated_at")
    given = stage.client(stage.root).get(f"{API}{stage.customer.pk}/").json()
    assert write(stage, "put", given).status == OK
    assert stage.raw("updated_at") == before


@channels("DRF PATCH of a mask")
def _patch_a_mask(stage: Stage) -> None:
    before = stage.raw()
    for value in (f"{stage.customer.phone}1", "•••", str(stage.customer.email)):
        assert write(stage, "patch", {"phone": value}).status == BAD_REQUEST
    assert stage.raw() == before


@channels("DRF unique validator as existence oracle")
def _taken_or_not(stage: Stage) -> None:
    for email in ("qfree@hid.example", "qzb@hid.example"):
        assert write(stage, "patch", {"email": email}).status == OK


# What is written beside the answers -------------------------------------------------------------


def failing(request: HttpRequest) -> HttpResponse:
    """Fail with a row in the frame, as a plain view would."""
    customer = Customer.objects.get(number="17850")
    raise RuntimeError(customer, customer.email)


@channels("500 mail, text", "500 mail with HTML", "500 page", "4xx log line")
def _errors(stage: Stage) -> None:
    """See that the report of an error, made of the frames of a plain view, shows masks."""
    try:
        failing(HttpRequest())
    except RuntimeError as error:
        frames = error.__traceback__.tb_next if error.__traceback__ else None  # the view's alone
        reporter = ExceptionReporter(None, type(error), error, frames)
        stage.tells_nothing(reporter.get_traceback_html())
        stage.tells_nothing(reporter.get_traceback_text())
        stage.tells_nothing(str(error))
    logger = logging.getLogger("plain")
    record = logger.makeRecord("plain", 10, "", 0, "%s", (stage.customer.email,), None)
    stage.tells_nothing(record.getMessage())
    assert mail.outbox == []


@channels("dumpdata")
def _dump(stage: Stage) -> None:
    for kind in ("json", "xml"):
        out = io.StringIO()
        call_command("dumpdata", "customers", "orders", format=kind, stdout=out)
        stage.tells_nothing(out.getvalue())


@channels("slow query log")
def _statements(stage: Stage) -> None:
    with CaptureQueriesContext(connection) as asked:
        ask(stage, LIST)
        ask(stage, page(stage))
    assert leaks(str([query["sql"] for query in asked]), stage.world.secrets) == []


def test_guardians_page_is_not_ours(stage: Stage) -> None:
    where = f"/admin/customers/customer/{stage.customer.pk}/permissions/"
    assert stage.ask(where, stage.root).status in {302, NOT_FOUND}
