"""A person with former values, and who deals with their requests."""

from pathlib import Path
from typing import Any

import pytest

from backoffice.accounts.models import User
from backoffice.audit.services import save_with_history
from customers.models import Customer
from tests.customers.traces import (
    ACCOUNT,
    ADDRESS,
    BORN,
    EMAIL,
    NAME,
    OLD_EMAIL,
    OLD_NAME,
    OLD_PHONE,
    PHONE,
)


@pytest.fixture
def own_places(settings: Any, tmp_path: Path) -> None:
    """Let files, and the list of who was erased, lie in a folder of the test's own."""
    settings.BACKOFFICE_ERASED_LIST = str(tmp_path / "erased.jsonl")
    settings.MEDIA_ROOT = str(tmp_path / "files")


@pytest.fixture
def people(kim: User, ann: User, max_: User, pia: User) -> dict[str, User]:
    """Return who asks, agrees and answers."""
    return {"kim": kim, "ann": ann, "max": max_, "pia": pia}


@pytest.fixture
def customer(kim: User) -> Customer:
    """Return the person, with former values in the history."""
    customer = Customer(number="17850", country="Iceland")
    customer.name, customer.email, customer.phone = OLD_NAME, OLD_EMAIL, OLD_PHONE
    save_with_history(customer, actor=kim, reason=f"first contact of {OLD_NAME}")
    customer.name, customer.email, customer.phone = NAME, EMAIL, PHONE
    customer.address, customer.born, customer.bank_account = ADDRESS, BORN, ACCOUNT
    save_with_history(customer, actor=kim, reason="moved to Quzzwick")
    return Customer.objects.get(pk=customer.pk)
