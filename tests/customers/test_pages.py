"""The list of customers and the page of one: columns, filters, search, tabs, merges."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backoffice.accounts.models import User
from backoffice.approvals import services as approvals
from backoffice.audit.models import Event
from backoffice.audit.services import record
from backoffice.masking.services import REVEALED, Purpose, Reason, reveal
from backoffice.site.models import ColumnChoice
from customers.models import Customer, CustomerMerge
from customers.services import edit_customer, request_merge
from payments.services import request_refund
from tests.clients import data, signed_in, version_in
from tests.factories import AT, make_customer, make_order, make_payment

LIST = "/admin/customers/customer/"
TABS = ("orders", "refunds", "timeline", "reveals")


def numbers(client: Client, query: str = "") -> list[str]:
    """Return the public numbers in the list."""
    return [row.obj.number for row in data(client.get(f"{LIST}{query}"))["rows"]]


def labels(client: Client) -> list[str]:
    return [column.label for column in data(client.get(LIST))["columns"]]


def queries(client: Client, address: str) -> int:
    client.get(address)  # what is kept between requests (kinds of content) is not counted
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def merged(kept: Customer, gone: Customer, maker: User, approver: User) -> CustomerMerge:
    merge = request_merge(kept, gone, taken=[], actor=maker, reason="One person")
    assert merge.approval is not None
    approvals.approve(merge.approval, actor=approver)
    return CustomerMerge.objects.get(pk=merge.pk)


def busy(maker: User) -> Customer:
    """Return a customer with everything that the tabs show, one row more each time."""
    customer = make_customer(name="Anna Almeida", country="Spain")
    order = make_order(700, customer=customer)
    make_payment(order)
    request_refund(order, order.total, actor=maker, reason="broken")
    return customer


@pytest.mark.parametrize("who", ["ann", "eve", "kim", "max_"])
def test_list_asks_as_much_for_a_hundred_busy_rows_as_for_one(
    who: str, request: pytest.FixtureRequest, oli: User, eve: User
) -> None:
    client = signed_in(request.getfixturevalue(who))
    busy(eve)
    one = queries(client, LIST)
    for _number in range(3):
        busy(eve)
    Customer.objects.bulk_create([Customer(number=f"X{number}") for number in range(100)])
    assert queries(client, LIST) == one


def test_columns_of_orders_are_of_the_rows_in_sight(eve: User) -> None:
    customer = make_customer(number="1")
    make_customer(number="2")
    for status in ("paid", "delivered", "cancelled"):
        make_order(500, customer=customer, status=status)
    rows = data(signed_in(eve).get(LIST))["rows"]
    cells = [{cell.label: str(cell.html) for cell in row.cells} for row in rows]
    assert [cell["Orders"] for cell in cells] == ["3", "0"]
    assert ["£10.00" in cell["Ordered in all"] for cell in cells] == [True, False]
    assert ["30 Nov 2011" in cell["Last order"] for cell in cells] == [True, False]


def test_chosen_columns_are_kept_for_the_person_and_the_list(eve: User, ann: User) -> None:
    make_customer(number="1", address="1 Wxqylane")
    client, other = signed_in(eve), signed_in(ann)
    usual = labels(client)
    answer = client.post(
        f"{LIST}columns/?country=Spain&o=2", {"column": ["address", "country", "password"]}
    )
    assert answer["Location"] == f"{LIST}?country=Spain"
    assert labels(client) == ["Number", "Country", "Address"]
    assert "Wxqylane" not in client.get(LIST).content.decode()
    assert labels(other) == usual
    assert ColumnChoice.objects.get().columns == ["number", "country", "address"]
    client.post(f"{LIST}columns/", {"usual": "1"})
    assert (labels(client), ColumnChoice.objects.count()) == (usual, 0)


def test_columns_are_not_chosen_by_get_nor_without_the_right(eve: User, gus: User) -> None:
    assert signed_in(eve).get(f"{LIST}columns/?column=number").status_code == 405
    assert signed_in(gus).post(f"{LIST}columns/", {"column": "number"}).status_code == 403
    assert not ColumnChoice.objects.exists()


def test_list_is_not_sorted_by_what_is_masked(eve: User) -> None:
    make_customer(number="1", name="Zoe")
    make_customer(number="2", name="Adam")
    client = signed_in(eve)
    heads = data(client.get(LIST))["columns"]
    assert [head.label for head in heads if head.url] == ["Number", "Country"]
    for place, head in enumerate(heads, start=1):
        if head.masked:
            assert numbers(client, f"?o=-{place}") == ["1", "2"]


def test_merged_customers_are_left_out_unless_asked_for(eve: User, kim: User) -> None:
    kept, gone = make_customer(number="K1"), make_customer(number="G1")
    merged(kept, gone, eve, kim)
    client = signed_in(eve)
    assert numbers(client) == ["K1"]
    assert numbers(client, "?merged=only") == ["G1"]
    assert numbers(client, "?merged=all") == ["G1", "K1"]


def test_erased_and_merged_ones_are_marked_in_the_list_and_on_their_page(eve: User) -> None:
    kept, gone = make_customer(number="K1"), make_customer(number="G1")
    Customer.objects.filter(pk=gone.pk).update(merged_into=kept)
    Customer.objects.exclude(number="K1").update(erased_at=AT)
    only = make_customer(number="E1")
    Customer.objects.filter(pk=only.pk).update(erased_at=AT)
    client = signed_in(eve)
    answer = client.get(f"{LIST}?merged=all")
    marks = {row.obj.number: [str(one) for one in row.badges] for row in data(answer)["rows"]}
    assert marks == {"E1": ["Erased"], "G1": ["Merged", "Erased"], "K1": []}
    assert answer.content.decode().count("Erased</span>") == 2
    assert "Erased</span>" in client.get(f"{LIST}{only.pk}/change/").content.decode()
    assert "Erased</span>" not in client.get(f"{LIST}{kept.pk}/change/").content.decode()


def test_filters_find_who_has_something_open(eve: User, kim: User) -> None:
    make_customer(number="A")
    asked = busy(eve)
    kept, gone = make_customer(number="K1"), make_customer(number="G1")
    request_merge(kept, gone, taken=[], actor=eve, reason="One person")
    client = signed_in(eve)
    assert numbers(client, "?refund=open") == [asked.number]
    assert numbers(client, "?merging=open") == ["G1", "K1"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", "K1"),
        ("email", "Anna@Example.com"),
        ("phone", "00351 210 555 0111"),
        ("name", "anna  ALMEIDA"),
    ],
)
def test_exact_search_leads_to_the_customer(eve: User, kind: str, value: str) -> None:
    customer = make_customer(
        number="K1", name="Anna Almeida", email="anna@example.com", phone="+351 210 555 0111"
    )
    make_customer(number="K2", name="Anna", email="anna@example.org", phone="+351 210 555 0112")
    answer = signed_in(eve).post(f"{LIST}find/", {"kind": kind, "value": value})
    assert answer["Location"] == f"{LIST}{customer.pk}/change/"


def test_exact_search_by_a_merged_one_leads_to_who_stands_for_them(eve: User, kim: User) -> None:
    last, kept = make_customer(number="L1"), make_customer(number="K1")
    gone = make_customer(number="G1", email="old@example.com")
    merged(kept, gone, eve, kim)
    merged(last, Customer.objects.get(pk=kept.pk), eve, kim)
    client = signed_in(eve)
    for kind, value in (("number", "G1"), ("email", "old@example.com")):
        page = client.post(f"{LIST}find/", {"kind": kind, "value": value}, follow=True)
        assert page.redirect_chain[-1] == (f"{LIST}{last.pk}/change/", 302)
        assert "Customer G1 was merged into customer L1" in page.content.decode()
    page = client.get(f"{LIST}{gone.pk}/change/", follow=True)
    assert page.redirect_chain == [(f"{LIST}{last.pk}/change/", 302)]
    assert "Customer G1 was merged into customer L1" in page.content.decode()


def test_miss_says_so_and_the_box_says_how_it_searches(eve: User) -> None:
    client = signed_in(eve)
    answer = client.post(f"{LIST}find/", {"kind": "phone", "value": "123"}, follow=True)
    page = " ".join(answer.content.decode().split())
    assert "No customer has exactly this phone." in page
    assert "Finds whole values only: number, e-mail, phone or name, spelled in full." in page
    assert '<option value="phone" selected>' in page
    assert "123" not in answer.redirect_chain[0][0]


@pytest.mark.parametrize("tab", TABS)
def test_tab_asks_as_much_for_three_rows_as_for_one(ann: User, eve: User, tab: str) -> None:
    client, customer = signed_in(ann), busy(eve)
    looked: dict[str, Any] = {
        "actor": ann,
        "subject": customer,
        "context": {"field": "phone", "purpose": "call"},
    }
    edit_customer(customer, changes={"country": "Italy"}, actor=eve)
    record(REVEALED, **looked)
    address = f"{LIST}{customer.pk}/tab/{tab}/"
    one = queries(client, address)
    for country in ("France", "Norway"):
        order = make_order(700, customer=customer)
        make_payment(order)
        request_refund(order, order.total, actor=eve, reason="broken")
        edit_customer(customer, changes={"country": country}, actor=eve)
        record(REVEALED, **looked)
    assert queries(client, address) == one


def test_tabs_are_links_and_the_open_one_is_marked(eve: User) -> None:
    customer = busy(eve)
    client = signed_in(eve)
    tabs = data(client.get(f"{LIST}{customer.pk}/change/"))["tabs"]
    assert [(tab.label, tab.count, tab.current) for tab in tabs] == [
        ("Profile", "", True),
        ("Orders", "1", False),
        ("Refunds", "1", False),
        ("Timeline", "", False),
        ("Reveals", "0", False),
    ]
    opened = client.get(tabs[1].url)
    assert [tab.current for tab in data(opened)["tabs"]] == [False, True, False, False, False]
    assert f'<a href="{tabs[1].url}" aria-current="page">' in opened.content.decode()
    assert "Almeida" not in opened.content.decode()


@pytest.mark.parametrize(
    ("who", "tab", "status"),
    [
        ("eve", "reveals", 200),
        ("ada", "reveals", 200),
        ("max_", "reveals", 403),
        ("nia", "reveals", 403),
        ("max_", "refunds", 200),
        ("eve", "nonsense", 404),
        ("gus", "orders", 403),
    ],
)
def test_tab_opens_by_right(
    request: pytest.FixtureRequest, customer: Customer, who: str, tab: str, status: int
) -> None:
    client = signed_in(request.getfixturevalue(who))
    assert client.get(f"{LIST}{customer.pk}/tab/{tab}/").status_code == status


@pytest.fixture
def customer(db: None) -> Customer:
    return make_customer(number="K1", name="Anna Almeida", phone="+351 210 555 0111")


@pytest.mark.parametrize("tab", TABS)
def test_empty_tab_says_what_will_stand_there(eve: User, customer: Customer, tab: str) -> None:
    Customer.history.all().delete()
    page = signed_in(eve).get(f"{LIST}{customer.pk}/tab/{tab}/").content.decode()
    assert "bo-empty" in page


def test_tab_is_cut_into_pages(eve: User, customer: Customer) -> None:
    for _number in range(27):
        make_order(100, customer=customer)
    client = signed_in(eve)
    where = f"{LIST}{customer.pk}/tab/orders/"
    first, second = data(client.get(where))["page"], data(client.get(f"{where}?p=2"))["page"]
    assert (len(first.rows), first.newer, first.older) == (25, None, 2)
    assert (len(second.rows), second.newer, second.older) == (2, 1, None)
    for nonsense in ("0", "-1", "x", "99999999999"):
        assert client.get(f"{where}?p={nonsense}").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_reveals_tell_who_saw_what_and_the_typed_reason_to_auditors_only(
    ann: User, eve: User, ada: User, customer: Customer
) -> None:
    reason = Reason(Purpose.CALL, "he waits for a call")
    reveal(customer, "phone", actor=ann, reason=reason, fresh=True)
    told = {}
    for name, person in (("eve", eve), ("ada", ada)):
        told[name] = data(signed_in(person).get(f"{LIST}{customer.pk}/tab/reveals/"))["rows"][0]
    assert (told["eve"].who, told["eve"].what, told["eve"].why) == (
        "Ann", "Phone", "Call the customer back",
    )  # fmt: skip
    assert "he waits for a call" in told["ada"].why


def test_what_was_found_long_ago_is_not_called_empty(eve: User) -> None:
    make_customer(number="K1")
    page = signed_in(eve).get(f"{LIST}?found=gone-long-ago").content.decode()
    assert "What was found is not kept any more" in page
    assert "Nothing matches" not in page


def test_empty_personal_value_is_a_dash_and_no_mask(eve: User) -> None:
    customer = make_customer(number="K1", name="Anna Almeida", email="", phone="")
    page = signed_in(eve).get(f"{LIST}{customer.pk}/change/").content.decode()
    details = page[page.index('id="values-') : page.index("</dl>")]
    assert "None" not in details
    assert details.count('class="bo-masked"') == details.count("data-reveal-field") == 1


def test_comparing_two_customers_is_a_search_and_no_act(eve: User) -> None:
    left, right = make_customer(number="K1"), make_customer(number="K2")
    client, where = signed_in(eve), f"{LIST}{left.pk}/do/merge/"
    values = {"number": "K2", "record_version": version_in(client, where)}
    answer = client.post(where, values)
    assert answer["Location"] == f"{LIST[:-1]}/{left.pk}/merge/{right.pk}/"
    event = Event.objects.get(actor=eve, verb="record.searched")
    assert (event.subject_id, event.context) == ("", {"field": "number", "found": 1})
    assert not Event.objects.filter(verb="record.action_done").exists()
