"""Our pages, channel by channel: what they show, and what may be asked of them."""

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.checks import run_checks

from backoffice.masking.fields import masked_fields
from backoffice.site import seller_site, staff_site
from customers.models import Customer
from orders.models import Order
from tests.canaries import CUSTOMER
from tests.leaks.channels import Channels
from tests.leaks.stage import EMAIL, FORBIDDEN, NOT_FOUND, OK, Stage

LIST = "/admin/customers/customer/"
ORDERS = "/admin/orders/order/"
channels = Channels()


@pytest.mark.parametrize("name", channels)
def test_channel(name: str, stage: Stage) -> None:
    channels[name](stage)


def page(stage: Stage, ending: str = "change/") -> str:
    """Return the address of a page of the customer."""
    return f"{LIST}{stage.customer.pk}/{ending}"


def order_page(stage: Stage, ending: str = "change/") -> str:
    """Return the address of a page of the order."""
    return f"{ORDERS}{stage.order.pk}/{ending}"


def form(stage: Stage, **values: str) -> dict[str, str]:
    """Return what the customer's form posts when nothing is touched, but for `values`."""
    client = stage.client()
    shown = client.get(page(stage, "change/?edit=1")).context["adminform"].form
    data = {name: str(shown[name].value() or "") for name in shown.fields}
    return {**data, "change_reason": "asked", **values}


@channels("admin index", "admin index recent actions")
def _index(stage: Stage) -> None:
    stage.send(page(stage), form(stage, country="Norway"))
    assert stage.ask("/admin/").status == OK
    assert "recent-actions" not in stage.ask("/admin/").text


@channels("changelist")
def _changelist(stage: Stage) -> None:
    answer = stage.ask(LIST)
    assert answer.status == OK
    assert str(stage.customer.phone) in answer.text


@channels("change form")
def _change_form(stage: Stage) -> None:
    for ending in ("change/", "change/?edit=1"):
        assert str(stage.customer.phone) in stage.ask(page(stage, ending)).text


@channels("add form")
def _add_form(stage: Stage) -> None:
    for site in (staff_site, seller_site):
        for model in site._registry:
            name = f"{model._meta.app_label}/{model._meta.model_name}"
            assert stage.ask(f"/{site.name}/{name}/add/").status in {OK, 302, FORBIDDEN, NOT_FOUND}


@channels("FK label: order change", "plain FK select options")
def _label_of_customer(stage: Stage) -> None:
    for ending in ("change/", "change/?edit=1"):
        assert stage.ask(order_page(stage, ending)).status == OK
    assert str(stage.customer.name) in stage.ask(order_page(stage), stage.world.people["eve"]).text


@channels("FK label: order changelist column")
def _orders(stage: Stage) -> None:
    assert stage.customer.number in stage.ask(ORDERS).text


@channels("autocomplete JSON")
def _autocomplete(stage: Stage) -> None:
    where = "/admin/autocomplete/?app_label=orders&model_name=order&field_name=customer&term="
    for person in (stage.vic, stage.root):
        for term in ("", "q", EMAIL, stage.customer.number):
            assert stage.ask(where + term, person).status in {FORBIDDEN, NOT_FOUND}


@channels("raw_id label")
def _no_raw_ids(stage: Stage) -> None:
    for site in (staff_site, seller_site):
        for admin_page in site._registry.values():
            inlines = [inline for inline in admin_page.inlines if inline.raw_id_fields]
            assert (list(admin_page.raw_id_fields), inlines) == ([], [])


@channels("raw_id popup")
def _popup(stage: Stage) -> None:
    assert stage.ask(f"{LIST}?_popup=1").status == OK


@channels("delete confirmation", "delete confirmation PROTECT")
def _delete(stage: Stage) -> None:
    lonely = Customer.objects.create(number="905", name="Qzoë O'Xyvcanary", email=EMAIL)
    for key in (stage.customer.pk, lonely.pk):
        assert stage.ask(f"{LIST}{key}/delete/").status == OK


@channels("delete_selected action", "delete_selected confirmation (no PROTECT)")
def _delete_selected(stage: Stage) -> None:
    for key in (stage.customer.pk, stage.twins[0].pk):
        data = {"action": "delete_selected", "_selected_action": str(key)}
        stage.send(LIST, data)
        stage.send(LIST, {**data, "post": "yes"})
        assert Customer.objects.filter(pk=key).exists()


@channels("history list and diff")
def _history(stage: Stage) -> None:
    answer = stage.ask(page(stage, "history/"))
    assert answer.status == OK
    assert answer.text.count("•") > len(CUSTOMER)


@channels("history version form (old row)")
def _old_version(stage: Stage) -> None:
    oldest = Customer.history.filter(id=stage.customer.pk).earliest("history_id")
    assert stage.ask(page(stage, f"restore/?version={oldest.pk}")).status == OK
    assert stage.ask(page(stage, f"history/{oldest.pk}/")).status in {302, NOT_FOUND}


@channels("order history (FK diff)", "history: diff of an FK")
def _diff_of_a_customer(stage: Stage) -> None:
    order = Order.objects.get(pk=stage.order.pk)
    order.customer = stage.twins[0]
    order.save()
    assert stage.twins[0].number in stage.ask(order_page(stage, "history/")).text


@channels("search oracle ?q= by name", "search oracle ?q= by phone")
def _search(stage: Stage) -> None:
    asked = ("Quen", "qab", "qab@hid.example", "131", "0770090013", "+44 7700 900 131", "Quen Arlo")
    stage.indifferent(*(f"{LIST}?q={value.replace('+', '%2B')}" for value in asked))


LOOKUPS = {
    "lookup ?email__startswith": "email__startswith=q",
    "lookup ?email__regex": "email__regex=.",
    "lookup ?email__lt (bisect)": "email__lt=r",
    "lookup ?birth_date__year (field not shown)": "born__year=1990",
    "lookup relation ?order__customer__email (local reverse)": "orders__customer__email=q",
}


def _lookup(query: str) -> None:
    """Put a check in: the query string is refused, to everybody."""

    def check(stage: Stage) -> None:
        for person in (stage.vic, stage.root):
            stage.refuses(f"{LIST}?{query}", person)

    for name, given in LOOKUPS.items():
        if given == query:
            channels(name)(check)


for _query in LOOKUPS.values():
    _lookup(_query)


@channels("lookup history ?history__email__startswith")
def _lookup_of_history(stage: Stage) -> None:
    for lookup in ("startswith", "lt", "exact"):
        url = f"{LIST}?history__email__{lookup}=q"
        assert stage.ask(url, stage.root).status in {302, 400}
        stage.indifferent(url, person=stage.root)


@channels(
    "lookup via FK order ?customer__email__startswith",
    "lookup via FK where only customer__country filters",
    "?customer__email__startswith without list_filter",
    "search_fields and list_filter through a FK",
)
def _over_a_relation(stage: Stage) -> None:
    for field in masked_fields(Customer):
        for lookup in ("", "__startswith", "__lt", "__isnull"):
            stage.refuses(f"{ORDERS}?customer__{field.name}{lookup}=1", stage.root)
    for person in (stage.vic, stage.root):
        stage.refuses(f"{ORDERS}?customer__email_index__startswith=a", person)


@channels("local field lookups, also of fields not shown")
def _every_local_lookup(stage: Stage) -> None:
    lookups = ("", "__in", "__gte", "__iregex", "__length")
    for field in masked_fields(Customer):
        for lookup in lookups:
            stage.refuses(f"{LIST}?{field.name}{lookup}=1", stage.root)
    for lookup in ("", "__startswith", "__in"):
        stage.refuses(f"{LIST}?email_index{lookup}=a", stage.root)


@channels("ordering oracle ?o= on masked column")
def _order_by(stage: Stage) -> None:
    columns = range(1, len(staff_site._registry[Customer].list_display) + 2)
    stage.indifferent(*(f"{LIST}?o={sign}{column}" for column in columns for sign in ("", "-")))


@channels("unsaved form re-render (validation error)", "ValidationError text")
def _form_with_an_error(stage: Stage) -> None:
    typed = "no address of anybody"
    before = stage.raw()
    answer = stage.send(page(stage), form(stage, email=typed))
    assert (answer.status, stage.raw()) == (OK, before)
    assert "errorlist" in answer.text or "error" in answer.text


@channels("change saved: success message and page", "change saved: changelist message")
def _saved(stage: Stage) -> None:
    answer = stage.send(page(stage), form(stage, country="Norway"))
    assert "Norway" in answer.text
    assert stage.ask(LIST).status == OK
    stage.customer.refresh_from_db()


@channels("LogEntry object_repr stored in DB")
def _no_log_of_django(stage: Stage) -> None:
    stage.send(page(stage), form(stage, country="Norway", phone="+44 7700 904 000"))
    assert LogEntry.objects.count() == 0


@channels("popup response (related-object edit) JSON data")
def _popup_answer(stage: Stage) -> None:
    for extra in ({"_popup": "1"}, {"_popup": "1", "_to_field": "email"}):
        answer = stage.send(page(stage), {**form(stage, country="Norway"), **extra})
        assert "data-popup-response" not in answer.text


@channels("_to_field=email on changelist popup")
def _to_field(stage: Stage) -> None:
    for field in ("email", "phone_index"):
        for person in (stage.vic, stage.root):
            stage.refuses(f"{LIST}?_popup=1&_to_field={field}", person)


@channels("list_filter on masked field", "date_hierarchy drill-down on a birth date")
def _checked_at_start(stage: Stage) -> None:
    """See that the pages pass the check; tests of the check itself stand with it."""
    assert [found for found in run_checks() if str(found.id).startswith("masking.")] == []
    page_of = staff_site._registry[Customer]
    for option in ("list_filter", "date_hierarchy"):
        site = admin.AdminSite(name="checked")
        value = ["email"] if option == "list_filter" else "email"
        site.register(Customer, type("Page", (admin.ModelAdmin,), {option: value}))
        ids = {str(found.id) for found in run_checks()}
        admin.sites.all_sites.discard(site)
        assert "masking.E004" in ids, option
    assert page_of.date_hierarchy is None


@channels("changelist checkbox aria-label")
def _checkbox(stage: Stage) -> None:
    assert str(stage.customer) == stage.customer.number
    for model in staff_site._registry:
        url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert stage.ask(url, stage.root).status == OK


@channels("browser autofill")
def _no_autofill(stage: Stage) -> None:
    shown = stage.client().get(page(stage, "change/?edit=1")).context["adminform"].form
    for field in masked_fields(Customer):
        if field.name in shown.fields:
            assert 'autocomplete="off"' in str(shown[field.name]), field.name
