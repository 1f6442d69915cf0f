"""A value that has to be single: the answer tells little, is on the record, and has an end."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.forms import modelform_factory
from django.test import Client, RequestFactory
from django.urls import clear_url_caches, path, set_urlconf
from pytest_django import Settings
from rest_framework import serializers
from rest_framework.test import APIRequestFactory, force_authenticate

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.masking import existence
from backoffice.site import BackofficeAdmin
from backoffice.site.api import ReadViewSet
from backoffice.site.sites import StaffSite
from backoffice.site.taken import guarded
from customers.models import Customer
from tests.masking.models import Login

TAKEN, FREE = "qzholder@example.com", "qznobody@example.com"
ADD = "/single/customers/customer/add/"


class SingleAdmin(BackofficeAdmin):
    list_display = ("number",)
    fields = ("number", "email")


class LoginSerializer(serializers.ModelSerializer[Login]):
    class Meta:
        model = Login
        fields = ("email", "code")


class LoginViewSet(ReadViewSet):
    model = Login
    resource = "logins"
    serializer_class = LoginSerializer

    def create(self, request: Any) -> Any:
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        with transaction.atomic():
            return self.answer(form.save(), 200)


@pytest.fixture
def root(tables: None, db: None) -> User:
    Login.objects.create(email=TAKEN, code="0105550111")
    return User.objects.create_superuser("root", password="x")


@pytest.fixture
def client(root: User) -> Iterator[Client]:
    """Sign in where customers have pages on which no two may share an address."""
    from backoffice.project import urls  # noqa: PLC0415 - needs the sites of the project

    Customer.objects.create(number="1", email=TAKEN)
    column: Any = Customer._meta.get_field("email")
    column._unique = True
    column.__dict__.pop("unique", None)  # a cached property
    site = StaffSite("single")
    site.register(Customer, SingleAdmin)
    entry = path("single/", site.urls)
    urls.urlpatterns.append(entry)
    clear_url_caches()
    set_urlconf(None)
    client = Client()
    client.force_login(root)
    yield client
    column._unique = False
    column.__dict__.pop("unique", None)
    urls.urlpatterns.remove(entry)
    StaffSite.sites.remove(site)
    clear_url_caches()


def add(client: Client, email: str) -> str:
    """Return what the form says back; "" when the row was added."""
    number = f"n{Customer.objects.count()}"
    response = client.post(ADD, {"email": email, "number": number})
    return "" if response.status_code == 302 else response.text


def call(root: User, **values: str) -> Any:
    request = APIRequestFactory().post("/", values, format="json")
    force_authenticate(request, root)
    request.session = {}  # type: ignore[assignment]
    return LoginViewSet.as_view({"post": "create"})(request)


def test_form_says_neither_whose_nor_what_and_records_it(client: Client) -> None:
    said = add(client, TAKEN)
    assert "This value cannot be used." in said
    assert "already exists" not in said
    event = Event.objects.get(verb=existence.TOLD)
    assert (event.subject_id, event.outcome) == ("", "refused")
    assert event.context == {"fields": ["email"]}


def test_constraint_over_an_index_says_no_more(root: User) -> None:
    request = RequestFactory().post("/")
    request.user = root
    form = modelform_factory(Login, fields=["email", "code"])
    refused = "The database says so."  # the index is no field, so no form looks at it
    found = guarded(form, request, refused)({"email": FREE, "code": "0105550111"})
    assert not found.is_valid()
    assert found.errors == {"__all__": [str(existence.CANNOT_BE_USED)]}
    assert Event.objects.filter(verb=existence.TOLD).count() == 1


def test_form_answers_no_more_when_there_were_too_many(client: Client, settings: Settings) -> None:
    settings.BACKOFFICE_TAKEN_PER_DAY = 2
    for _turn in range(2):
        assert "This value cannot be used." in add(client, TAKEN)
    for email in (TAKEN, FREE):
        said = add(client, email)
        assert ("Try again tomorrow" in said, "cannot be used. If" in said) == (True, False)
    assert Customer.objects.count() == 1


def test_free_value_costs_nothing(client: Client, settings: Settings) -> None:
    settings.BACKOFFICE_TAKEN_PER_DAY = 1
    for number in range(3):
        assert add(client, f"qzfree{number}@example.com") == ""


def test_api_says_no_more_of_a_constraint_over_an_index(root: User) -> None:
    with transaction.atomic():
        answer = call(root, email=FREE, code="0105550111")
    assert (answer.status_code, sorted(answer.data)) == (400, ["code", "email"])
    assert Event.objects.filter(verb=existence.TOLD).count() == 1
    assert Login.objects.count() == 1


def test_api_says_neither_whose_nor_what_and_has_an_end(root: User, settings: Settings) -> None:
    settings.BACKOFFICE_TAKEN_PER_DAY = 2
    for _turn in range(2):
        answer = call(root, email=TAKEN)
        assert (answer.status_code, list(answer.data)) == (400, ["email"])
        assert "This value cannot be used." in str(answer.data["email"])
    assert [call(root, email=email).status_code for email in (TAKEN, FREE)] == [429, 429]
    assert Event.objects.filter(verb=existence.TOLD).count() == 2
