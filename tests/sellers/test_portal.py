"""What the people of a shop see and reach on the seller site: their own, and nothing else."""

import re
from datetime import UTC, datetime

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from customers.models import Customer
from orders.models import Order, OrderLine
from sellers import services
from sellers.models import Membership, Product, Seller
from tests.factories import make_line, make_order
from tests.people import PASSWORD, make_shop

FORM = {"code": "T-1", "name": "TEAPOT", "category": "Kitchen", "price": "12.50", "status": "draft"}


@pytest.fixture
def trade(sol: User, sam: User) -> dict[str, Order]:
    """An order of each shop, and one that both have lines in."""
    shops = {code: Seller.objects.get(code=f"{code}-shop") for code in ("sol", "sam")}
    customer = Customer.objects.create(number="C900", name="Quilla Xyvmask", phone="+447700900123")
    orders = {code: make_order(1000, seller=shop) for code, shop in shops.items()}
    orders["both"] = make_order(300, 400, seller=shops["sol"], customer=customer)
    make_line(orders["both"], 7777, position=3, seller=shops["sam"])
    Order.objects.filter(pk=orders["both"].pk).update(total_minor=8477)
    Product.objects.filter(seller=shops["sam"]).update(name="SAMS SECRET LAMP")
    return orders


def as_person(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def product_of(code: str) -> Product:
    return Product.objects.filter(seller__code=f"{code}-shop").order_by("pk")[0]


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("view", ["change/", "history/", "change/?edit=1", "delete/"])
def test_another_shops_product_is_not_found(
    trade: dict[str, Order], client: Client, sol: User, view: str, method: str
) -> None:
    address = f"/seller/sellers/product/{product_of('sam').pk}/{view}"
    data = {**FORM, "name": "STOLEN"}
    response = getattr(as_person(client, sol), method)(address, data if method == "post" else {})
    assert response.status_code == 404
    assert product_of("sam").name == "SAMS SECRET LAMP"


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("view", ["change/", "history/", "delete/"])
def test_another_shops_order_is_not_found(
    trade: dict[str, Order], client: Client, sol: User, view: str, method: str
) -> None:
    address = f"/seller/orders/order/{trade['sam'].pk}/{view}"
    assert getattr(as_person(client, sol), method)(address).status_code == 404


def test_another_shops_line_is_not_found(
    trade: dict[str, Order], client: Client, sol: User
) -> None:
    theirs = OrderLine.objects.filter(seller__code="sam-shop", order=trade["both"]).get()
    address = f"/seller/orders/orderline/{theirs.pk}/change/"
    assert as_person(client, sol).get(address).status_code == 404


def test_lists_hold_own_rows_only(trade: dict[str, Order], client: Client, sol: User) -> None:
    as_person(client, sol)
    listed = {
        name: set(
            client.get(f"/seller/{name}/").context["cl"].queryset.values_list("pk", flat=True)
        )
        for name in ("sellers/product", "orders/order", "orders/orderline")
    }
    mine = OrderLine.objects.filter(seller__code="sol-shop")
    assert listed == {
        "sellers/product": set(mine.values_list("product", flat=True)),
        "orders/order": {trade["sol"].pk, trade["both"].pk},
        "orders/orderline": set(mine.values_list("pk", flat=True)),
    }


def test_a_shared_order_shows_own_lines_and_own_total(
    trade: dict[str, Order], client: Client, sol: User
) -> None:
    page = as_person(client, sol).get(f"/seller/orders/order/{trade['both'].pk}/change/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "£7.00" in text
    assert "£3.00" in text
    for foreign in ("77.77", "84.77", "SAMS SECRET LAMP", "Xyvmask"):
        assert foreign not in text
    assert not re.search(r"\bC900\b|900\W{0,3}123", text)


def test_the_history_of_an_order_is_not_told(
    trade: dict[str, Order], client: Client, sol: User
) -> None:
    address = f"/seller/orders/order/{trade['both'].pk}/history/"
    assert as_person(client, sol).get(address).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "?product__name__startswith=SAMS",
        "?seller__code=sam-shop",
        "?q=SAMS",
        "?customer__phone=1",
        "?lines__product__name=SAMS",
    ],
)
def test_filters_tell_nothing_of_others(
    trade: dict[str, Order], client: Client, sol: User, query: str
) -> None:
    as_person(client, sol)
    for name in ("sellers/product", "orders/order", "orders/orderline"):
        response = client.get(f"/seller/{name}/{query}", follow=True)
        assert "SECRET" not in response.content.decode()
        assert response.status_code in {200, 400}


def test_home_counts_own_lines_only(trade: dict[str, Order], client: Client, sol: User) -> None:
    page = as_person(client, sol).get("/seller/")
    text = page.content.decode()
    figures = {str(kpi.label): kpi.value for kpi in page.context["cards"]}
    assert figures == {
        "To ship": "2",
        "Sales in November 2011": "£17.00",
        "Sales in twelve months": "£17",
        "Returned share": "0.0\N{NARROW NO-BREAK SPACE}%",
    }
    assert "SECRET" not in text
    assert "Xyvmask" not in text


def test_home_of_a_new_shop_says_what_starts_it(client: Client, sol: User) -> None:
    page = as_person(client, sol).get("/seller/")
    assert page.status_code == 200
    assert "No order yet" in page.content.decode()


def test_best_products_equal_the_lines_they_open(
    trade: dict[str, Order], client: Client, sol: User
) -> None:
    from backoffice.charts import registry  # noqa: PLC0415
    from backoffice.charts.queries import read  # noqa: PLC0415

    scope = registry.Scope(sol, site="seller")
    [panel] = read(registry.get("orders.best_products"), scope)
    as_person(client, sol)
    assert sorted(mark.row.minor for mark in panel.marks) == [300, 400, 1000]
    for mark in panel.marks:
        listed = client.get(mark.url).context["cl"].queryset
        assert sum(line.total_minor for line in listed) == mark.row.minor


def test_home_asks_a_constant_number_of_queries(
    trade: dict[str, Order],
    client: Client,
    sol: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    as_person(client, sol).get("/seller/")
    for _again in range(8):
        make_order(500, 600, seller=Seller.objects.get(code="sol-shop"))
    with django_assert_max_num_queries(15):
        client.get("/seller/")


def test_register_a_product(client: Client, sol: User) -> None:
    response = as_person(client, sol).post("/seller/sellers/product/add/", FORM)
    product = Product.objects.get()
    assert (response.status_code, response["Location"]) == (
        302,
        f"/seller/sellers/product/{product.pk}/change/",
    )
    assert (product.seller.code, product.price_minor, product.status) == ("sol-shop", 1250, "draft")
    assert product.history.get().history_user == sol
    assert list(Event.objects.about(product).values_list("verb", "actor")) == [
        (services.REGISTERED, sol.pk)
    ]


def test_a_foreign_shop_in_the_form_is_ignored(client: Client, sol: User, sam: User) -> None:
    theirs = Seller.objects.get(code="sam-shop").pk
    data = {**FORM, "seller": theirs, "seller_id": theirs, "shop": theirs}
    as_person(client, sol).post("/seller/sellers/product/add/", data)
    assert Product.objects.get().seller.code == "sol-shop"
    own = Product.objects.get()
    client.post(f"/seller/sellers/product/{own.pk}/change/", {**data, "name": "MINE"})
    own.refresh_from_db()
    assert (own.seller.code, own.name) == ("sol-shop", "MINE")


def test_a_taken_code_is_an_error_of_the_form(client: Client, sol: User) -> None:
    as_person(client, sol).post("/seller/sellers/product/add/", FORM)
    page = client.post("/seller/sellers/product/add/", FORM)
    assert page.status_code == 200
    assert page.context["adminform"].form.errors == {
        "code": ["Your shop has a product with this code."]
    }
    assert Product.objects.count() == 1


@pytest.mark.parametrize("price", ["-1", "12.505", "free", "NaN"])
def test_a_price_that_is_none_is_an_error_of_the_form(
    client: Client, sol: User, price: str
) -> None:
    page = as_person(client, sol).post("/seller/sellers/product/add/", {**FORM, "price": price})
    assert list(page.context["adminform"].form.errors) == ["price"]


def test_an_edit_goes_on_the_record(client: Client, sol: User) -> None:
    as_person(client, sol).post("/seller/sellers/product/add/", FORM)
    product = Product.objects.get()
    client.post(
        f"/seller/sellers/product/{product.pk}/change/",
        {**FORM, "price": "13", "status": "active", "change_reason": "Dearer clay"},
    )
    product.refresh_from_db()
    assert (product.price_minor, product.status, product.history.count()) == (1300, "active", 2)
    event = Event.objects.about(product).first()
    assert event is not None
    assert (event.verb, event.reason) == (services.EDITED, "Dearer clay")


def test_a_paused_shop_has_no_place_to_add(client: Client, sol: User) -> None:
    Seller.objects.update(status=Seller.Status.PAUSED)
    as_person(client, sol)
    assert client.get("/seller/sellers/product/add/").status_code == 403
    assert client.post("/seller/sellers/product/add/", FORM).status_code == 403
    assert not Product.objects.exists()


def test_an_order_cannot_be_changed(trade: dict[str, Order], client: Client, sol: User) -> None:
    address = f"/seller/orders/order/{trade['sol'].pk}/change/"
    response = as_person(client, sol).post(address, {"number": "1", "country": "Spain"})
    assert response.status_code == 403
    assert client.get("/seller/orders/order/add/").status_code == 403


@pytest.mark.parametrize("address", ["/admin/", "/admin/orders/order/", "/admin/sellers/product/"])
def test_a_seller_stays_out_of_the_staff_site(client: Client, sol: User, address: str) -> None:
    response = as_person(client, sol).get(address)
    assert (response.status_code, response["Location"].split("?")[0]) == (302, "/admin/login/")


@pytest.mark.parametrize("address", ["/seller/", "/seller/sellers/product/"])
def test_staff_without_a_shop_stay_out_of_the_seller_site(
    client: Client, kim: User, address: str
) -> None:
    assert as_person(client, kim).get(address).status_code == 302


def test_people_of_a_closed_shop_stay_out(client: Client, sol: User) -> None:
    Seller.objects.update(status=Seller.Status.CLOSED)
    assert as_person(client, sol).get("/seller/").status_code == 302


def test_staff_with_a_shop_see_that_shop_alone_on_the_seller_site(
    trade: dict[str, Order], client: Client, kim: User
) -> None:
    shop = make_shop(kim, "kim-shop")
    make_order(50, seller=shop)
    credentials = {"login": "kim", "password": PASSWORD, "next": "/seller/"}
    assert client.post("/account/login/", credentials)["Location"] == "/seller/"
    listed = client.get("/seller/orders/order/").context["cl"].queryset
    assert [order.own_minor for order in listed] == [50]
    assert client.get(f"/seller/orders/order/{trade['sol'].pk}/change/").status_code == 404
    assert "SECRET" not in client.get("/seller/").content.decode()


def test_leaving_a_shop_ends_the_view(trade: dict[str, Order], client: Client, sol: User) -> None:
    assert as_person(client, sol).get("/seller/orders/order/").status_code == 200
    Membership.objects.filter(user=sol).delete()
    assert client.get("/seller/orders/order/").status_code == 302


def test_sales_of_the_month_count_in_local_time(client: Client, sol: User) -> None:
    order = make_order(900, seller=Seller.objects.get(code="sol-shop"))
    Order.objects.filter(pk=order.pk).update(placed_at=datetime(2011, 6, 30, 23, 30, tzinfo=UTC))
    page = as_person(client, sol).get("/seller/")
    assert "Sales in July 2011" in {str(kpi.label) for kpi in page.context["cards"]}
