"""The two sites: who gets in, what gets on."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.checks import run_checks
from django.test import Client
from django.urls import reverse
from guardian.admin import GuardedModelAdmin, GuardedModelAdminMixin
from import_export.admin import ImportExportModelAdmin
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.site import BackofficeAdmin, register, seller_site, staff_site
from backoffice.site.checks import check_import_export, check_sites
from backoffice.site.sites import StaffSite, opens_past_policy
from customers.models import Customer
from tests.people import PASSWORD
from tests.walker.addresses import addresses


@pytest.fixture
def site() -> Iterator[StaffSite]:
    made = StaffSite("made")
    yield made
    StaffSite.sites.remove(made)


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_register_with_a_plain_page_leaves_it_out_and_is_a_check_error(site: StaffSite) -> None:
    site.register(Customer, admin.ModelAdmin)
    assert not site.is_registered(Customer)
    assert [error.id for error in check_sites(None)] == ["backoffice.E001"]


def test_register_without_a_class_is_a_check_error(site: StaffSite) -> None:
    site.register([Customer])
    assert [error.id for error in check_sites(None)] == ["backoffice.E001"]


def test_register_with_our_page_shows_it(site: StaffSite) -> None:
    @register(Group, site=site)
    class GroupAdmin(BackofficeAdmin):
        pass

    assert site.is_registered(Group)
    assert check_sites(None) == []


def test_our_page_on_the_default_site_is_a_check_error() -> None:
    class StrayAdmin(BackofficeAdmin):
        pass

    stray = admin.AdminSite("stray")
    stray.register(Group, StrayAdmin)
    assert [error.id for error in check_sites(None)] == ["backoffice.E002"]
    stray.unregister(Group)


def test_what_other_packages_register_is_on_neither_site() -> None:
    foreign = {"auth", "guardian", "django_tasks_database", "import_export", "sessions"}
    shown = {
        model._meta.app_label for site in (staff_site, seller_site) for model in site._registry
    }
    assert shown & foreign == set()


def test_the_sites_pass_their_checks() -> None:
    assert run_checks(tags=["admin"]) == []


def test_staff_site_lets_staff_in(eve: User) -> None:
    assert sign_in(eve).get("/admin/").status_code == 200


def test_staff_site_refuses_inactive_staff(eve: User) -> None:
    client = sign_in(eve)
    User.objects.filter(pk=eve.pk).update(is_active=False)
    assert client.get("/admin/").status_code == 302


def test_seller_site_lets_a_member_of_a_shop_in(sol: User) -> None:
    assert sign_in(sol).get("/seller/").status_code == 200


def test_seller_on_the_staff_site_is_sent_home(sol: User) -> None:
    answer = sign_in(sol).get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0] == "/seller/"


def test_staff_on_the_seller_site_is_sent_home(eve: User) -> None:
    answer = sign_in(eve).get("/seller/", follow=True)
    assert answer.redirect_chain[-1][0] == "/admin/"


def test_pages_of_one_site_hold_no_link_to_the_other(eve: User, sol: User) -> None:
    assert b'"/seller/' not in sign_in(eve).get("/admin/").content
    assert b'"/admin/' not in sign_in(sol).get("/seller/").content


def test_somebody_without_shop_or_staff_gets_in_nowhere(db: None) -> None:
    nobody = User.objects.create_user("nobody", password=PASSWORD)
    for address in ("/admin/", "/seller/"):
        answer = sign_in(nobody).get(address, follow=True)
        assert answer.redirect_chain[-1][0].startswith(f"{address}login/")


def test_seller_signs_in_with_the_form(sol: User) -> None:
    client = Client()
    page = client.get("/seller/login/", follow=True)
    assert page.redirect_chain == [("/account/login/?next=%2Fseller%2F", 302)]
    assert 'name="next" value="/seller/"' in page.content.decode()
    form = {"login": "sol", "password": PASSWORD, "next": "/seller/"}
    assert client.post("/account/login/", form)["Location"] == "/seller/"


def test_sign_in_with_a_wrong_password_tells_no_more_than_that(eve: User) -> None:
    wrong = Client().post("/account/login/", {"login": "eve", "password": "wrong"})
    nobody = Client().post("/account/login/", {"login": "nobody", "password": "wrong"})
    message = "User name and password do not match."
    assert message in wrong.content.decode()
    assert message in nobody.content.decode()


def test_unfolds_own_search_is_off(kim: User) -> None:
    assert sign_in(kim).get("/admin/search/?s=cust").status_code == 404


def test_palette_finds_a_page_and_a_record_by_whole_number(eve: User) -> None:
    Customer.objects.create(number="12437")
    found = sign_in(eve).post(reverse("admin:find"), {"term": "12437"}).json()["results"]
    assert [entry["title"] for entry in found] == ["12437"]
    found = sign_in(eve).post(reverse("admin:find"), {"term": "custom"}).json()["results"]
    assert found[0]["url"] == "/admin/customers/customer/"


def test_palette_finds_nothing_without_the_right(gus: User) -> None:
    Customer.objects.create(number="12437")
    assert sign_in(gus).post(reverse("admin:find"), {"term": "12437"}).json()["results"] == []


def test_palette_answers_post_only(eve: User) -> None:
    assert sign_in(eve).get(reverse("admin:find")).status_code == 405


def test_pages_hold_no_inline_script_or_style(kim: User) -> None:
    page = sign_in(kim).get("/admin/customers/customer/").content.decode()
    assert "<style" not in page
    assert " style=" not in page
    assert "onclick=" not in page
    assert "<script>" not in page


def test_seller_page_of_a_model_without_a_scope_is_a_check_error() -> None:
    class AnyAdmin(BackofficeAdmin):
        pass

    seller_site.register(Customer, AnyAdmin)
    try:
        assert [error.id for error in check_sites(None)] == ["backoffice.E004"]
    finally:
        seller_site.unregister(Customer)


class GuardedPage(GuardedModelAdminMixin, BackofficeAdmin):  # type: ignore[misc]
    """A page with guardian's page of rights below it."""


class ImportPage(ImportExportModelAdmin):  # type: ignore[misc]
    """A page that imports and exports by rights of its own."""


@pytest.mark.parametrize("page", [GuardedPage, ImportPage])
def test_page_that_goes_past_the_policy_is_left_out_and_a_check_error(
    page: Any, site: StaffSite
) -> None:
    site.register(Customer, page)
    assert not site.is_registered(Customer)
    assert [error.id for error in check_sites(None)] == ["backoffice.E027"]


def test_page_that_goes_past_the_policy_on_djangos_site_is_a_check_error() -> None:
    admin.site.register(Customer, GuardedModelAdmin)
    try:
        assert [error.id for error in check_sites(None)] == ["backoffice.E027"]
    finally:
        admin.site.unregister(Customer)


def test_no_page_of_ours_goes_past_the_policy() -> None:
    pages = [type(page) for site in StaffSite.sites for page in site._registry.values()]
    assert [page for page in pages if opens_past_policy(page)] == []
    routes = [address.route for address in addresses()]
    assert [route for route in routes if "user-manage" in route or "/permissions/" in route] == []


@pytest.mark.parametrize("name", ["IMPORT", "EXPORT"])
def test_import_and_export_open_to_all_is_a_check_error(name: str, settings: Settings) -> None:
    assert check_import_export(None) == []
    setattr(settings, f"IMPORT_EXPORT_{name}_PERMISSION_CODE", None)
    assert [error.id for error in check_import_export(None)] == ["backoffice.E028"]


def test_staff_without_a_right_import_and_export_nothing(gus: User) -> None:
    client = sign_in(gus)
    lists = [
        reverse(address.key)
        for address in addresses()
        if address.key.startswith("admin:") and address.key.endswith("_export")
        if not address.parameters
    ]
    assert len(lists) > 4
    sent = {url: client.post(url, {"format": "csv"}).status_code for url in lists}
    assert set(sent.values()) <= {403, 404, 405}, sent
    assert client.post("/admin/imports/", {}).status_code == 403
    assert client.get("/admin/imports/").status_code == 403
