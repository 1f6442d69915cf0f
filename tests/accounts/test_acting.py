"""Acting for a seller's member: who may, how long, what is never for it, and both names."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from backoffice.accounts import acting, stepup
from backoffice.accounts.models import Acting, User
from backoffice.audit.context import in_the_name_of_another
from backoffice.audit.models import Event
from backoffice.mail.models import Mail
from backoffice.masking import services as masking
from backoffice.policy import may
from customers.models import Customer
from sellers.models import Product, Seller
from tests.people import PASSWORD, allow

WHY = "Cannot find the price field"


def start(client: Client, actor: User, person: User, *, signed_in: bool = False) -> Any:
    """Begin by the dialog on the page of the shop."""
    if not signed_in:
        client.force_login(actor)
    shop = Seller.objects.get(memberships__user=person)
    where = f"/admin/sellers/seller/{shop.pk}/do/act_for/"
    page = client.get(where).content.decode()
    version = page.partition('name="record_version" value="')[2].partition('"')[0]
    data = {"member": person.membership.pk, "reason": WHY, "record_version": version}
    return client.post(where, data)


@pytest.fixture
def acting_client(client: Client, eve: User, sol: User) -> Client:
    """Return the browser of eve, of support, who acts for sol."""
    assert start(client, eve, sol)["Location"] == "/seller/"
    return client


def test_page_shows_the_shop_with_a_banner_and_an_end(acting_client: Client) -> None:
    text = acting_client.get("/seller/sellers/product/").content.decode()
    assert "you act for <b>Sol</b>" in text
    assert '/seller/acting/end/"' in text


def test_whoever_acts_stays_themselves_on_the_staff_site(acting_client: Client) -> None:
    page = acting_client.get("/admin/sessions/")
    assert page.wsgi_request.user.username == "eve"
    assert "you act for" not in page.content.decode()


def test_person_is_told_by_mail(acting_client: Client, sol: User) -> None:
    mail = Mail.objects.get(template=acting.MAIL)
    assert mail.to_user == sol
    assert mail.context["why"] == WHY


def test_both_names_stand_on_the_event_and_in_the_history(
    acting_client: Client, eve: User, sol: User
) -> None:
    data = {"code": "A1", "name": "Mug", "category": "", "price": "3.50", "status": "draft"}
    acting_client.post("/seller/sellers/product/add/", data)
    product = Product.objects.get(code="A1")
    event = Event.objects.get(verb="sellers.product_registered")
    assert (event.actor, event.real_actor) == (sol, eve)
    row: Any = product.history.get()
    assert (row.history_user, row.history_real_actor) == (sol, eve)
    acting_client.force_login(eve)
    page = acting_client.get(f"/admin/sellers/product/{product.pk}/history/").content.decode()
    assert "Eve for Sol" in page


def test_end_leads_back_and_closes_the_other_site(acting_client: Client, eve: User) -> None:
    assert acting_client.post("/seller/acting/end/")["Location"] == "/admin/"
    assert Acting.objects.get().ended_at is not None
    assert acting_client.get("/seller/").status_code == 302
    assert Event.objects.filter(verb=acting.ENDED, actor=eve).exists()


def test_it_ends_by_itself_after_half_an_hour(acting_client: Client) -> None:
    row = Acting.objects.get()
    assert row.ends_at - row.began_at <= timedelta(minutes=30, seconds=1)
    Acting.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    assert acting_client.get("/seller/").status_code == 302
    assert Acting.objects.get().ended_at is not None


def test_it_ends_when_the_role_loses_the_right(acting_client: Client) -> None:
    """The session of whoever acts lives on; the acting does not."""
    Group.objects.get(name="support").permissions.clear()
    assert acting_client.get("/seller/").status_code == 302
    assert Acting.objects.get().ended_at is not None
    assert acting_client.get("/admin/sessions/").status_code == 200


def test_it_ends_with_the_session_of_whoever_acts(acting_client: Client, eve: User) -> None:
    eve.groups.clear()
    assert acting_client.get("/seller/").status_code == 302
    assert acting_client.get("/admin/sessions/").status_code == 302


def test_it_ends_when_the_person_is_blocked(acting_client: Client, sol: User) -> None:
    sol.is_active = False
    sol.save()
    assert acting_client.get("/seller/").status_code == 302
    assert Acting.objects.get().ended_at is not None
    assert acting_client.get("/admin/sessions/").status_code == 200


def test_it_ends_with_signing_out(acting_client: Client) -> None:
    acting_client.post("/admin/logout/")
    assert Acting.objects.get().ended_at is not None


def test_key_of_somebody_elses_acting_opens_nothing(
    acting_client: Client, ann: User, sol: User
) -> None:
    other = Client()
    other.force_login(ann)
    session = other.session
    session[acting.KEY] = Acting.objects.get().pk
    session.save()
    assert other.get("/seller/").status_code == 302


def test_without_the_right_nobody_acts(client: Client, max_: User, sol: User) -> None:
    with pytest.raises(PermissionDenied):
        acting.begin(sol, actor=max_, reason=WHY)
    assert start(client, max_, sol).status_code == 403


def test_without_a_reason_nobody_acts(eve: User, sol: User) -> None:
    with pytest.raises(ValidationError):
        acting.begin(sol, actor=eve, reason=" ")


def test_nobody_acts_for_staff_or_themselves(eve: User, kim: User) -> None:
    for person in (kim, eve):
        with pytest.raises(ValidationError):
            acting.begin(person, actor=eve, reason=WHY)


def test_person_of_staff_with_a_shop_is_staff(eve: User, sol: User) -> None:
    sol.is_staff = True
    sol.save()
    with pytest.raises(ValidationError):
        acting.begin(sol, actor=eve, reason=WHY)


def test_nobody_acts_while_acting(eve: User, sol: User) -> None:
    with in_the_name_of_another(eve.pk), pytest.raises(PermissionDenied):
        acting.begin(sol, actor=eve, reason=WHY)


def test_a_second_one_ends_the_first(eve: User, sol: User, sam: User) -> None:
    first = acting.begin(sol, actor=eve, reason=WHY)
    acting.begin(sam, actor=eve, reason=WHY)
    first.refresh_from_db()
    assert first.ended_at is not None


@pytest.mark.parametrize("path", ["/account/password/", "/account/factors/"])
def test_never_passwords_and_factors(acting_client: Client, path: str) -> None:
    assert acting_client.get(path).status_code == 403
    assert acting_client.post(path).status_code == 403
    assert Event.objects.filter(verb=acting.REFUSED).count() == 2


@pytest.mark.parametrize("path", ["sessions/", "sessions/end-others/"])
def test_never_the_persons_own_account(acting_client: Client, path: str) -> None:
    assert acting_client.get(f"/seller/{path}").status_code == 403


def test_never_a_proof_in_the_persons_name(acting_client: Client, sol: User) -> None:
    """The password of the person does not do either: dangerous things stay closed."""
    assert acting_client.post("/seller/step-up/challenge/").status_code == 403
    request = acting_client.get("/seller/").wsgi_request
    with in_the_name_of_another(1):
        assert not stepup.is_fresh(request)
        assert not stepup.confirm(request, PASSWORD)


def test_never_reveals_and_exports(eve: User, sol: User) -> None:
    customer = Customer.objects.create(number="1", name="Anna Keller", country="France")
    for right in ("customers.reveal_customer", "customers.export_customer"):
        sol = allow(sol, right)
    reason = masking.Reason("call", "asked to be called")
    assert may(sol, "customers.export_customer", None)
    with in_the_name_of_another(eve.pk):
        assert not may(sol, "customers.reveal_customer", None)
        assert not may(sol, "customers.export_customer", None)
        with pytest.raises(masking.RevealRefusedError):
            masking.reveal(customer, "name", actor=sol, reason=reason, fresh=True)
        with pytest.raises(PermissionDenied):
            masking.request_grant(customer, actor=sol, reason=WHY)


def test_grant_of_the_person_is_none_for_whoever_acts(eve: User, kim: User, ann: User) -> None:
    customer = Customer.objects.create(number="1", name="Anna Keller", country="France")
    masking.give_grant(customer, user=eve, actor=kim, reason=WHY)
    assert may(eve, "reveal", customer)
    reason = masking.Reason("call", "asked to be called")
    with in_the_name_of_another(ann.pk):
        assert not may(eve, "reveal", customer)
        with pytest.raises(masking.RevealRefusedError):
            masking.reveal(customer, "name", actor=eve, reason=reason, fresh=True)


def test_factor_of_whoever_acts_counts_and_not_that_of_the_shop(
    client: Client, eve: User, sol: User, settings: Settings
) -> None:
    settings.BACKOFFICE_SECOND_FACTOR_GRACE_DAYS = 0
    Authenticator.objects.create(user=eve, type="webauthn", data={"name": "Phone"})
    client.force_login(eve)
    session = client.session
    session["stepup_by"] = stepup.PASSKEY
    session.save()
    start(client, eve, sol, signed_in=True)
    assert client.get("/seller/").status_code == 200
    Authenticator.objects.all().delete()
    answer = client.get("/seller/")
    assert (answer.status_code, answer.get("Location")) == (302, "/account/factors/")
