"""A value that has to be single: the answer tells little, is on the record, and has an end."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.forms import CharField, modelform_factory
from django.test import Client, RequestFactory
from pytest_django import Settings
from rest_framework import serializers
from rest_framework.test import APIRequestFactory, force_authenticate
from unfold.admin import TabularInline

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.masking import existence, whole
from backoffice.site import BackofficeAdmin, doing
from backoffice.site.actions import Action, ActionForm
from backoffice.site.api import ReadViewSet
from backoffice.site.inlines import BackofficeInline
from backoffice.site.sites import StaffSite
from backoffice.site.taken import REFUSED, answering, guarded
from customers.models import Customer
from tests.clients import signed_in
from tests.masking.models import Login
from tests.site.standing import beside_ours

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
    Customer.objects.create(number="1", email=TAKEN)
    column: Any = Customer._meta.get_field("email")
    column._unique = True
    column.__dict__.pop("unique", None)  # a cached property
    site = StaffSite("single")
    site.register(Customer, SingleAdmin)
    with beside_ours(site):
        yield signed_in(root)
    column._unique = False
    column.__dict__.pop("unique", None)


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


class EmailForm(ActionForm):
    email = CharField(required=False)
    note = CharField(required=False)


def change(page: Any, request: Any, obj: Login, form: ActionForm) -> str:
    obj.email = form.cleaned_data["email"] or obj.email
    if page.by == "validation":
        obj.full_clean()
    obj.save()
    return "Done."


@pytest.mark.parametrize("by", ["validation", "database"])
def test_dialog_says_neither_whose_nor_what_and_has_an_end(
    root: User, settings: Settings, by: str
) -> None:
    settings.BACKOFFICE_TAKEN_PER_DAY = 2
    other = Login.objects.create(email="qzother@example.com")
    said = [act(root, other, by, email=email) for email in (TAKEN, TAKEN, TAKEN, FREE)]
    cannot, often = [str(existence.CANNOT_BE_USED)], [str(existence.TOO_OFTEN)]
    assert said == [cannot, cannot, often, often]
    assert Event.objects.filter(verb=existence.TOLD).count() == 2
    assert act(root, other, by, note="no single value") == []
    assert not Login.objects.filter(email=whole(FREE)).exists()


def act(root: User, row: Login, by: str, **values: str) -> list[str]:
    """Return what the dialog says; [] when it was done."""
    request = RequestFactory().post("/", values)
    request.user = root
    form = EmailForm(values, request=request, instance=row)
    assert form.is_valid()
    page: Any = SimpleNamespace(model=Login, by=by)
    spec = Action("change", "Change", "x.y", change, EmailForm)
    try:
        doing.perform(page, spec, request, Login.objects.get(pk=row.pk), form)
    except ValidationError as error:
        return error.messages
    return []


def test_value_that_the_dialog_names_differently_is_guarded_too(
    root: User, settings: Settings
) -> None:
    class OtherForm(ActionForm):
        address = CharField()
        single_values = ("address",)

    settings.BACKOFFICE_TAKEN_PER_DAY = 1
    request = RequestFactory().post("/")
    request.user = root
    form = OtherForm({"address": TAKEN}, request=request)
    assert form.is_valid()
    for expected in (existence.CANNOT_BE_USED, existence.TOO_OFTEN):
        with pytest.raises(ValidationError) as caught, answering(request, None, form):
            Login(email=TAKEN).full_clean()
        assert caught.value.messages == [str(expected)]


class LoginInline(BackofficeInline):
    model = Login
    editable = True
    fields = ("email", "code")


def test_row_of_a_table_says_neither_whose_nor_what_and_has_an_end(
    root: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BACKOFFICE_TAKEN_PER_DAY = 1
    request = RequestFactory().post("/")
    request.user = root
    rows = row_form(request, monkeypatch)
    cannot, often = {"email": [str(existence.CANNOT_BE_USED)]}, [str(existence.TOO_OFTEN)]
    assert rows({"email": TAKEN}).errors == cannot
    assert rows({"email": TAKEN}).errors == {"__all__": often}
    assert rows({"email": FREE}).errors == {"__all__": often}
    assert Event.objects.filter(verb=existence.TOLD).count() == 1


def test_row_of_a_table_repeats_what_the_database_refused_only_if_it_may_be_it(
    root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = RequestFactory().post("/")
    request.user = root
    request.META[REFUSED] = "The database says so."
    rows = row_form(request, monkeypatch)
    assert rows({"email": FREE}).errors == {"__all__": [str(existence.CANNOT_BE_USED)]}
    stored = Login.objects.get()
    assert (
        rows({"email": str(stored.email), "code": str(stored.code)}, instance=stored).errors == {}
    )
    assert Event.objects.filter(verb=existence.TOLD).count() == 1


def row_form(request: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the form of a row; the test's table has no column that leads to a parent."""
    made = SimpleNamespace(form=modelform_factory(Login, fields=["email", "code"]))
    monkeypatch.setattr(TabularInline, "get_formset", lambda *_args, **_kwargs: made)
    return LoginInline(Customer, StaffSite("rows")).get_formset(request).form
