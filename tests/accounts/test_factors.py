"""Of whom a second factor is due, until when, and what one reaches without it."""

from datetime import timedelta

from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts import factors
from backoffice.accounts.models import Kind, User
from sellers.models import Membership
from tests.accounts.factor_codes import app_code, enter, set_up_app
from tests.people import make_person


def without_grace(settings: Settings) -> None:
    settings.BACKOFFICE_SECOND_FACTOR_GRACE_DAYS = 0


def test_factor_is_due_of_staff_and_owners_of_shops(eve: User, gus: User, sol: User) -> None:
    helper = make_person("helper", "seller", staff=False)
    Membership.objects.create(seller=sol.membership.seller, user=helper, is_owner=False)
    due = [factors.is_due(person) for person in (eve, gus, sol, helper)]
    assert due == [True, True, True, False]
    assert not factors.is_due(User(kind=Kind.SERVICE, is_staff=True))


def test_roles_of_whom_a_factor_is_due_can_be_chosen(
    eve: User, max_: User, settings: Settings
) -> None:
    settings.BACKOFFICE_SECOND_FACTOR_ROLES = ["finance"]
    assert [factors.is_due(eve), factors.is_due(max_)] == [False, True]
    eve.groups.add(Group.objects.get(name="finance"))
    assert factors.is_due(eve)


def test_grace_is_counted_in_days_and_never_ends_in_development(
    eve: User, settings: Settings
) -> None:
    assert factors.grace_ends(eve) is None
    settings.BACKOFFICE_SECOND_FACTOR_GRACE_DAYS = 7
    client = Client()
    client.force_login(eve)
    assert client.get("/admin/").status_code == 200
    User.objects.filter(pk=eve.pk).update(factor_due_since=timezone.now() - timedelta(days=6.9))
    assert client.get("/admin/").status_code == 200
    User.objects.filter(pk=eve.pk).update(factor_due_since=timezone.now() - timedelta(days=7.1))
    assert client.get("/admin/")["Location"] == "/account/factors/"


def test_api_says_why_nothing_opens(eve: User, settings: Settings) -> None:
    without_grace(settings)
    client = Client()
    client.force_login(eve)
    answer = client.get("/api/v1/customers/")
    assert answer.status_code == 403
    assert "second factor" in answer.json()["detail"]


def test_page_of_factors_opens_without_the_sites_pages(eve: User, settings: Settings) -> None:
    without_grace(settings)
    client = Client()
    client.force_login(eve)
    page = client.get("/account/factors/").content.decode()
    assert "until then nothing else opens" in page
    assert 'class="bo-nav"' not in page
    assert client.get("/account/factors/app/").status_code == 200
    assert client.post("/admin/logout/").status_code == 200


def test_everything_opens_with_a_factor(eve: User, settings: Settings) -> None:
    without_grace(settings)
    set_up_app(eve)
    client = Client()
    client.force_login(eve)
    assert client.get("/admin/").status_code == 200
    assert client.get("/account/factors/").status_code == 200


def test_reminder_stands_on_pages_until_there_is_a_factor(eve: User) -> None:
    said = "Your role needs a second factor, and you have none yet."
    client = Client()
    enter(client, "eve")
    assert said in client.get("/admin/").content.decode()
    set_up_app(eve)
    client = Client()
    enter(client, "eve")
    client.post("/account/login/factor/", {"code": app_code()})
    assert said not in client.get("/admin/").content.decode()
