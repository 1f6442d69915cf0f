"""Registering and editing products."""

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from sellers import services
from sellers.models import Product, Seller
from sellers.services import ProductData

TEAPOT = ProductData(code="T-1", name="TEAPOT", category="Kitchen", price_minor=1250)


def shop(code: str) -> Seller:
    return Seller.objects.get(code=code)


def test_register_adds_a_draft_with_history_and_event(sol: User) -> None:
    product = services.register_product(shop("sol-shop"), data=TEAPOT, actor=sol)
    product.refresh_from_db()
    assert (product.seller.code, product.status, str(product.price)) == (
        "sol-shop",
        "draft",
        "£12.50",
    )
    history = product.history.get()
    assert (history.history_type, history.history_user) == ("+", sol)
    event = Event.objects.about(product).get()
    assert (event.verb, event.actor, event.context) == (
        services.REGISTERED,
        sol,
        {"code": "T-1"},
    )


def test_register_in_another_shop_is_refused(sol: User, sam: User) -> None:
    with pytest.raises(PermissionDenied):
        services.register_product(shop("sam-shop"), data=TEAPOT, actor=sol)
    assert not Product.objects.exists()


def test_register_without_the_right_is_refused(sol: User) -> None:
    sol.groups.clear()
    person = User.objects.get(pk=sol.pk)
    with pytest.raises(PermissionDenied):
        services.register_product(shop("sol-shop"), data=TEAPOT, actor=person)


def test_a_member_who_is_also_staff_with_no_right_is_refused(gus: User, sol: User) -> None:
    with pytest.raises(PermissionDenied):
        services.register_product(shop("sol-shop"), data=TEAPOT, actor=gus)


def test_operations_may_register_for_a_shop(oli: User, sol: User) -> None:
    product = services.register_product(shop("sol-shop"), data=TEAPOT, actor=oli)
    assert product.history.get().history_user == oli


@pytest.mark.parametrize("status", [Seller.Status.PAUSED, Seller.Status.CLOSED])
def test_a_shop_that_may_not_sell_takes_no_products(sol: User, status: str) -> None:
    Seller.objects.filter(code="sol-shop").update(status=status)
    with pytest.raises(ValidationError):
        services.register_product(shop("sol-shop"), data=TEAPOT, actor=sol)


def test_a_code_is_taken_once_in_a_shop(sol: User, sam: User) -> None:
    services.register_product(shop("sol-shop"), data=TEAPOT, actor=sol)
    services.register_product(shop("sam-shop"), data=TEAPOT, actor=sam)
    with pytest.raises(ValidationError) as refused:
        services.register_product(shop("sol-shop"), data=TEAPOT, actor=sol)
    assert list(refused.value.message_dict) == ["code"]


def test_a_negative_price_is_refused(sol: User) -> None:
    data = ProductData(code="T-1", name="TEAPOT", price_minor=-1)
    with pytest.raises(ValidationError):
        services.register_product(shop("sol-shop"), data=data, actor=sol)


def test_edit_writes_history_and_names_the_fields(sol: User) -> None:
    product = services.register_product(shop("sol-shop"), data=TEAPOT, actor=sol)
    changed = ProductData(code="T-1", name="BLUE TEAPOT", category="Kitchen", price_minor=1300)
    services.edit_product(product, data=changed, actor=sol, reason="New colour")
    newest = product.history.first()
    assert newest is not None
    assert (newest.name, newest.history_user, newest.history_change_reason) == (
        "BLUE TEAPOT",
        sol,
        "New colour",
    )
    event = Event.objects.about(product).first()
    assert event is not None
    assert (event.verb, event.context) == (services.EDITED, {"fields": ["name", "price_minor"]})


def test_an_edit_that_changes_nothing_writes_nothing(sol: User) -> None:
    product = services.register_product(shop("sol-shop"), data=TEAPOT, actor=sol)
    services.edit_product(product, data=TEAPOT, actor=sol)
    assert (product.history.count(), Event.objects.about(product).count()) == (1, 1)


def test_edit_of_another_shops_product_is_refused(sol: User, sam: User) -> None:
    product = services.register_product(shop("sam-shop"), data=TEAPOT, actor=sam)
    with pytest.raises(PermissionDenied):
        services.edit_product(product, data=TEAPOT, actor=sol)


def test_the_shop_of_a_product_is_read_from_the_database(sol: User, sam: User) -> None:
    product = services.register_product(shop("sam-shop"), data=TEAPOT, actor=sam)
    product.seller = shop("sol-shop")
    with pytest.raises(PermissionDenied):
        services.edit_product(product, data=TEAPOT, actor=sol)
