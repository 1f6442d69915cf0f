"""The same channels on pages with no masking code, asked by somebody with every right.

Here nothing but the field and the guards of queries stands between a value and the answer.
"""

import logging
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core import checks, mail
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test.utils import CaptureQueriesContext
from django.views.debug import ExceptionReporter

from customers.models import Customer
from orders.models import Order
from tests.canaries import leaks
from tests.leaks import plain
from tests.leaks.channels import Channels
from tests.leaks.stage import BAD_REQUEST, EMAIL, NAME, NOT_FOUND, OK, PHONE, Stage

LIST = "/plain/customers/customer/"
ORDERS = "/plain/orders/order/"
API = "/rest/customers/"
pytestmark = pytest.mark.usefixtures("plain_pages")
channels = Channels()


@pytest.mark.parametrize("name", channels)
def test_channel(name: str, stage: Stage) -> None:
    channels[name](stage)


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
    plain.ask(stage, "/plain/")
    entries = [vars(entry) for entry in LogEntry.objects.all()]
    assert len(entries) == 1
    stage.tells_nothing(str(entries))


@channels("changelist", "changelist checkbox aria-label", "admin pages no-store")
def _changelist(stage: Stage) -> None:
    answer = plain.ask(stage, LIST)
    assert str(stage.customer.email) in answer.text
    assert "no-store" in answer.headers["Cache-Control"]


@channels("change form", "browser autofill")
def _change_form(stage: Stage) -> None:
    text = plain.ask(stage, page(stage)).text
    assert str(stage.customer.email) in text
    assert 'autocomplete="off"' in text


@channels("add form")
def _add_form(stage: Stage) -> None:
    plain.ask(stage, f"{LIST}add/")


@channels("FK label: order change", "autocomplete JSON")
def _autocomplete(stage: Stage) -> None:
    plain.ask(stage, f"/complete/orders/order/{stage.order.pk}/change/")
    where = "/complete/autocomplete/?app_label=orders&model_name=order&field_name=customer&term="
    assert "17850" in plain.ask(stage, f"{where}17850").text
    stage.indifferent(f"{where}qab", f"{where}Quen", person=stage.root)


@channels("FK label: order changelist column")
def _orders(stage: Stage) -> None:
    plain.ask(stage, ORDERS)


@channels("raw_id label", "raw_id popup")
def _raw_id(stage: Stage) -> None:
    plain.ask(stage, f"/byhand/orders/order/{stage.order.pk}/change/")
    plain.ask(stage, "/byhand/customers/customer/?_popup=1&_to_field=id")


@channels("plain FK select options")
def _options_of_a_select(stage: Stage) -> None:
    assert "<select" in plain.ask(stage, f"{ORDERS}{stage.order.pk}/change/").text


@channels("delete confirmation", "delete confirmation PROTECT")
def _delete(stage: Stage) -> None:
    lonely = Customer.objects.create(number="905", name=NAME, email=EMAIL, phone=PHONE)
    for key in (stage.customer.pk, lonely.pk):
        plain.ask(stage, f"{LIST}{key}/delete/")


@channels("delete_selected action", "delete_selected confirmation (no PROTECT)")
def _delete_selected(stage: Stage) -> None:
    lonely = Customer.objects.create(number="905", name=NAME, email=EMAIL, phone=PHONE)
    for key in (stage.customer.pk, lonely.pk):
        data = {"action": "delete_selected", "_selected_action": str(key)}
        assert stage.send(LIST, data, stage.root).status == OK


@channels("history list and diff")
def _history(stage: Stage) -> None:
    assert "•" in plain.ask(stage, page(stage, "history/")).text


@channels("history version form (old row)")
def _old_version(stage: Stage) -> None:
    oldest = Customer.history.filter(id=stage.customer.pk).earliest("history_id")
    plain.ask(stage, page(stage, f"history/{oldest.pk}/"))


@channels("order history (FK diff)", "history: diff of an FK")
def _diff_of_a_customer(stage: Stage) -> None:
    order = Order.objects.get(pk=stage.order.pk)
    order.customer = stage.twins[0]
    order.save()
    plain.ask(stage, f"{ORDERS}{order.pk}/history/")


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


@channels("guardian object permissions page", "guardian user-manage page")
def _guardians_pages(stage: Stage) -> None:
    where = f"/guarded/customers/customer/{stage.customer.pk}/permissions/"
    plain.ask(stage, where)
    plain.ask(stage, f"{where}user-manage/{stage.vic.pk}/")


@channels("Cache-Control on changelist")
def _kept_by_nobody(stage: Stage) -> None:
    assert "no-store" in plain.ask(stage, LIST).headers["Cache-Control"]


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


@channels("slow query log")
def _statements(stage: Stage) -> None:
    with CaptureQueriesContext(connection) as asked:
        plain.ask(stage, LIST)
        plain.ask(stage, page(stage))
    assert leaks(str([query["sql"] for query in asked]), stage.world.secrets) == []


def test_guardians_page_is_not_ours(stage: Stage) -> None:
    where = f"/admin/customers/customer/{stage.customer.pk}/permissions/"
    assert stage.ask(where, stage.root).status in {302, NOT_FOUND}
