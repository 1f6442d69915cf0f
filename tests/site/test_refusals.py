"""What a database refuses is told in our words, on every way in."""

import logging
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction
from django.test import Client
from rest_framework.test import APIRequestFactory, force_authenticate

from backoffice import refusals
from backoffice.accounts.models import User
from backoffice.site.api import ReadViewSet
from backoffice.site.sites import StaffSite
from customers.models import Customer
from tests.clients import version_in
from tests.people import allow

CANARY = "qzholder@example.com"


def refuse(*_args: Any, **_kwargs: Any) -> None:
    """Fail as PostgreSQL does."""
    msg = f"duplicate key\nDETAIL:  Key (email)=({CANARY}) already exists."
    raise IntegrityError(msg)


def duplicate() -> None:
    """Let the database itself refuse a second customer of one number."""
    with transaction.atomic():
        Customer.objects.create(number="12437")


@pytest.mark.django_db
def test_error_of_the_database_is_known_by_its_code() -> None:
    duplicate()
    with pytest.raises(IntegrityError) as found:
        duplicate()
    assert refusals.words(found.value) == "Something with these values is there already."
    with pytest.raises(IntegrityError) as found, transaction.atomic():
        Customer.objects.create(number="")
    assert refusals.words(found.value) == "These values break a rule of the database."


@pytest.mark.postgres
@pytest.mark.django_db
def test_too_long_a_value_is_known_by_its_code() -> None:
    with pytest.raises(DataError) as found, transaction.atomic():
        Customer.objects.create(number="9" * 41)
    assert refusals.words(found.value).startswith("A value is too long")


def test_error_in_words_carries_nothing_of_the_text() -> None:
    with pytest.raises(ValidationError) as found, refusals.in_words():
        refuse()
    error = found.value
    assert (error.__cause__, error.__suppress_context__) == (None, True)
    assert CANARY not in repr(error)


def test_form_is_shown_again_with_what_was_typed(
    moving_site: StaffSite, customer: Customer, mover: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    client.force_login(mover)
    page = moving_site._registry[Customer]
    monkeypatch.setattr(page, "save_model", refuse)
    address = f"/moving/customers/customer/{customer.pk}/change/"
    values = {"name": "", "country": "Iceland", "number": "12437", "change_reason": "moved"}
    response = client.post(address, values)
    assert response.status_code == 200
    assert "The database does not take these values." in response.text
    assert "Iceland" in response.text
    assert CANARY not in response.text


def test_dialog_says_it_in_words(
    moving_site: StaffSite, customer: Customer, mover: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    client.force_login(mover)
    page = type(moving_site._registry[Customer])
    address = f"/moving/customers/customer/{customer.pk}/do/move/"
    version = version_in(client, address)
    monkeypatch.setattr("tests.site.conftest.save_with_history", refuse)
    assert page.__name__ == "MovingAdmin"
    response = client.post(address, {"reason": "moved", "record_version": version})
    assert response.status_code == 400
    assert "The database does not take these values." in response.text
    assert CANARY not in response.text


def test_api_says_it_in_words(
    customer: Customer, eve: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Views(ReadViewSet):
        model = Customer
        resource = "customers"
        list = refuse  # type: ignore[assignment]

    caplog.set_level(logging.DEBUG)
    request = APIRequestFactory().get("/")
    force_authenticate(request, allow(eve, "customers.view_customer"))
    request.session = {}  # type: ignore[assignment]
    answer = Views.as_view({"get": "list"})(request)
    assert answer.status_code == 400
    assert answer.data == {"detail": ["The database does not take these values."]}
    assert CANARY not in caplog.text
