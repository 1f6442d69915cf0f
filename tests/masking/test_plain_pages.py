"""Pages with no masking code at all: Django's own admin and REST framework's own views."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import path
from rest_framework import filters, permissions, routers, serializers, viewsets

from backoffice.accounts.models import User
from customers.models import Customer
from tests.masking.conftest import EMAIL, NAME, PHONE, leaks

plain_site = admin.AdminSite(name="plain")


class PlainAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What most teams write."""

    list_display = ["number", "name", "email", "phone"]
    ordering = ["number"]
    search_fields = ["number"]


class PlainSerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    class Meta:
        model = Customer
        fields = "__all__"


class PlainViews(viewsets.ModelViewSet):  # type: ignore[type-arg]
    queryset = Customer.objects.all()
    serializer_class = PlainSerializer
    permission_classes = [permissions.IsAuthenticated]
    filter_backends = [filters.SearchFilter, filters.OrderingFilter]
    search_fields = ["email"]
    ordering_fields = "__all__"


plain_site.register(Customer, PlainAdmin)
router = routers.SimpleRouter()
router.register("customers", PlainViews)
urlpatterns = [path("plain/", plain_site.urls), *router.urls]


@pytest.fixture(autouse=True)
def _urls(settings: Any) -> Iterator[None]:
    settings.ROOT_URLCONF = __name__
    settings.TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [admin.__path__[0] + "/templates"],
            "APP_DIRS": True,
            "OPTIONS": settings.TEMPLATES[0]["OPTIONS"],
        }
    ]
    yield
    admin.sites.all_sites.discard(plain_site)


@pytest.fixture
def customer(db: None) -> Customer:
    return Customer.objects.create(number="12437", name=NAME, email=EMAIL, phone=PHONE)


@pytest.fixture
def client(db: None) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root", password="x"))
    return client


PAGES = [
    "/plain/", "/plain/customers/customer/", "/plain/customers/customer/add/",
    "/plain/customers/customer/{pk}/change/", "/plain/customers/customer/{pk}/delete/",
    "/plain/customers/customer/{pk}/history/", "/plain/customers/customer/?q=12437",
    "/customers/", "/customers/{pk}/",
]  # fmt: skip


@pytest.mark.parametrize("page", PAGES)
def test_page_shows_no_value(customer: Customer, client: Client, page: str) -> None:
    response = client.get(page.format(pk=customer.pk))
    assert (response.status_code, leaks(response.content.decode())) == (200, [])


ORACLES = [
    "email__startswith=qz", "email__regex=.", "email__lt=z", "email__exact=qzx1anna@qzhost.example",
    "email=qzx1anna@qzhost.example", "phone__contains=5550", "name__icontains=a",
    "email__in=qzx1anna@qzhost.example", "email__isnull__startswith=1", "o=2", "o=-3", "o=4.1",
]  # fmt: skip


@pytest.mark.parametrize("query", ORACLES)
def test_question_in_the_address_of_a_list_is_refused(
    customer: Customer, client: Client, query: str
) -> None:
    assert client.get(f"/plain/customers/customer/?{query}").status_code == 400


@pytest.mark.parametrize("query", ["search=qz", "ordering=email", "ordering=-phone"])
def test_question_in_the_address_of_the_api_is_refused(
    customer: Customer, client: Client, query: str
) -> None:
    assert client.get(f"/customers/?{query}").status_code == 400


def test_saving_a_plain_form_untouched_keeps_the_values(customer: Customer, client: Client) -> None:
    page = f"/plain/customers/customer/{customer.pk}/change/"
    form = client.get(page).context["adminform"].form
    data = {name: form[name].value() or "" for name in form.fields}
    columns = Customer.objects.values_list("email_index", "phone_index")
    before = columns.get()
    response = client.post(page, {**data, "country": "Spain"}, follow=True)
    assert leaks(response.content.decode()) == []
    assert (columns.get(), Customer.objects.get().country) == (before, "Spain")
    assert leaks([vars(entry) for entry in LogEntry.objects.all()]) == []


def test_error_in_a_plain_form_shows_no_value(customer: Customer, client: Client) -> None:
    page = f"/plain/customers/customer/{customer.pk}/change/"
    form = client.get(page).context["adminform"].form
    data = {name: form[name].value() or "" for name in form.fields}
    response = client.post(page, {**data, "number": ""})
    assert (response.status_code, leaks(response.content.decode())) == (200, [])


def test_putting_back_what_the_api_gave_changes_nothing(customer: Customer, client: Client) -> None:
    where = f"/customers/{customer.pk}/"
    given = client.get(where).json()
    answer = client.put(where, given, content_type="application/json")
    assert (answer.status_code, leaks(answer.content.decode())) == (200, [])
    assert (
        client.patch(where, {"phone": "***•"}, content_type="application/json").status_code == 400
    )
    kept = Customer.objects.get(pk=customer.pk)
    assert kept.email_index == customer.email_index  # type: ignore[attr-defined]
