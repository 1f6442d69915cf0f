"""A page with actions on a site of its own, so that the tests depend on no app's buttons."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.test import Client

from backoffice import policy
from backoffice.accounts.models import User
from backoffice.audit.services import save_with_history
from backoffice.site import BackofficeAdmin, ReasonForm, action
from backoffice.site.sites import StaffSite
from customers.models import Customer
from tests.people import allow
from tests.site.standing import beside_ours

RIGHT = "customers.change_customer"


class MovingAdmin(BackofficeAdmin):
    """Moves customers to Spain, which only those may who may change them."""

    list_display = ("number", "name", "country")
    fields = ("number", "name", "country")

    @action("Move", permission=RIGHT, form=ReasonForm, visible=lambda who: who.country != "Spain")
    def move(self, request: HttpRequest, obj: Customer, form: ReasonForm) -> str:
        if form.cleaned_data["reason"] == "wrong":
            raise ValidationError({"reason": "Not for this reason."})
        obj.country = "Spain"
        save_with_history(obj, actor=request.user, reason=form.cleaned_data["reason"])
        return "Moved."

    @action("Move safely", permission=RIGHT, step_up=True)
    def move_safely(self, request: HttpRequest, obj: Customer, form: Any) -> str:
        Customer.objects.filter(pk=obj.pk).update(country="Spain")
        return "Moved."


@pytest.fixture
def moving_site(monkeypatch: pytest.MonkeyPatch) -> Iterator[StaffSite]:
    """A site at /moving/ with that one page, beside the project's own addresses."""
    everything: dict[Any, Any] = {(Customer, "moving"): lambda _user, rows: rows}
    monkeypatch.setattr(policy.registry, "scopes", {**policy.registry.scopes, **everything})
    site = StaffSite("moving")
    site.register(Customer, MovingAdmin)
    with beside_ours(site):
        yield site


@pytest.fixture
def customer(db: None) -> Customer:
    return Customer.objects.create(number="12437", name="Anna Keller", country="France")


@pytest.fixture
def mover(gus: User) -> User:
    """Somebody who may see and move."""
    allow(gus, "customers.view_customer")
    return allow(gus, RIGHT)


@pytest.fixture
def onlooker(nia: User) -> User:
    """Somebody who may see and not move."""
    return nia


@pytest.fixture
def browser() -> Client:
    """A client that checks CSRF tokens, as a browser's requests are checked."""
    return Client(enforce_csrf_checks=True)
