"""No single person gives access to clear values: to a role, to a person, to themselves."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse

from backoffice.accounts import guarded, people, roles, services
from backoffice.accounts.models import Kind, RoleChange, User
from backoffice.approvals import access, registry
from backoffice.approvals import services as approvals
from backoffice.approvals.models import ApprovalRequest
from backoffice.audit.context import in_the_name_of_another
from backoffice.audit.models import Event
from backoffice.masking import services as masking
from backoffice.masking.models import Alarm
from backoffice.policy import may
from customers.models import Customer
from tests.accounts.test_people import NEW, act
from tests.clients import signed_in
from tests.factories import make_customer
from tests.people import make_person

REVEAL, WHY = "customers.reveal_customer", "Calls customers back"
pytestmark = pytest.mark.django_db


@pytest.fixture
def other(db: None) -> User:
    return make_person("kit", "owner")


def fresh(person: User) -> User:
    """Return the person as the next request has them."""
    return User.objects.get(pk=person.pk)


def names_of(person: User) -> set[str]:
    return set(person.groups.values_list("name", flat=True))


def ask(client: Client, role: str, right: str = REVEAL) -> Any:
    return client.post(reverse("admin:role_change", args=[role, right]), {"reason": WHY})


def waiting() -> ApprovalRequest:
    return ApprovalRequest.objects.get(state="requested")


@pytest.mark.parametrize(
    "right",
    [
        REVEAL,
        "customers.unmask_page_customer",
        "customers.export_clear_customer",
        "masking.give_grant",
        "sheets.approve_clearexport",
        "customers.approve_privacycase",
        "customers.manage_privacycase",
        "accounts.approve_access",
        "accounts.change_roles",
        "accounts.manage_people",
    ],
)
def test_right_to_clear_values_is_not_one_persons_to_give(kim: User, eve: User, right: str) -> None:
    with pytest.raises(guarded.NeedsAnotherError):
        services.change_role("support", right, granted=True, actor=kim, reason=WHY)
    assert not RoleChange.objects.exists()


def test_page_asks_and_the_owner_sees_nothing_clear_meanwhile(kim: User, other: User) -> None:
    client, customer = signed_in(kim), make_customer()
    where = reverse("admin:role_change", args=["owner", REVEAL])
    assert "Another person has to agree before" in client.get(where).content.decode()
    assert ask(client, "owner").status_code == 302
    assert not may(fresh(kim), "reveal", customer)
    assert not RoleChange.objects.exists()
    page = client.get(reverse("admin:roles")).content.decode()
    assert ("Waits for another person" in page, WHY in page) == (True, True)
    assert ask(client, "owner").status_code == 400  # it waits already
    with pytest.raises(PermissionDenied):
        approvals.approve(waiting(), actor=kim)


def test_another_person_agrees_and_the_officer_hears(kim: User, pia: User) -> None:
    ask(signed_in(kim), "support")
    request = waiting()
    assert approvals.approve(request, actor=pia).state == "executed"
    assert REVEAL in roles.in_force()["support"]
    event = Event.objects.get(verb=services.ROLE_CHANGED)
    assert (event.actor, event.reason, event.context["agreed_by"]) == (kim, WHY, pia.pk)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.person) == (Alarm.Kind.RIGHT, kim)
    assert alarm.facts == {"to": "support", "given": REVEAL, "agreed_by": pia.pk}
    page = signed_in(pia).get(reverse("admin:masking_alarm_changelist")).content.decode()
    assert f"{REVEAL} to support" in page


@pytest.mark.parametrize("approver", ["eve", "max", "ada"])
def test_who_has_no_right_to_agree_does_not(kim: User, approver: str) -> None:
    person = make_person(approver, {"eve": "support", "max": "finance", "ada": "auditor"}[approver])
    ask(signed_in(kim), "support")
    with pytest.raises(PermissionDenied):
        approvals.approve(waiting(), actor=person)
    assert REVEAL not in roles.in_force()["support"]


def test_asker_who_lost_the_right_voids_it(kim: User, pia: User) -> None:
    ask(signed_in(kim), "support")
    kim.groups.clear()
    assert approvals.approve(waiting(), actor=pia).state == "void"
    assert REVEAL not in roles.in_force()["support"]


def test_somebody_who_joins_the_role_meanwhile_voids_it(kim: User, pia: User, gus: User) -> None:
    ask(signed_in(kim), "analyst")
    gus.groups.add(Group.objects.get(name="analyst"))
    assert approvals.approve(waiting(), actor=pia).state == "void"


def test_taking_is_done_at_once(kim: User, pia: User) -> None:
    right = "customers.unmask_page_customer"
    ask(signed_in(kim), "privacy", right)
    assert not ApprovalRequest.objects.exists()
    assert right not in roles.in_force()["privacy"]
    assert not Alarm.objects.exists()


def test_other_rights_are_given_at_once(kim: User, other: User) -> None:
    ask(signed_in(kim), "support", "audit.view_event")
    assert "audit.view_event" in roles.in_force()["support"]
    assert not ApprovalRequest.objects.exists()


def test_service_alone_gives_nothing_agreed_by_its_maker(kim: User) -> None:
    with pytest.raises(PermissionDenied):
        services.give_agreed("support", REVEAL, actor=kim, agreed_by=kim, reason=WHY)
    assert not RoleChange.objects.exists()


def test_nobody_changes_a_role_while_acting(kim: User, other: User) -> None:
    with in_the_name_of_another(other.pk), pytest.raises(PermissionDenied):
        services.change_role("support", "audit.view_event", granted=True, actor=kim, reason=WHY)


def test_program_and_blocked_person_change_no_role(kim: User) -> None:
    User.objects.filter(pk=kim.pk).update(kind=Kind.SERVICE)
    with pytest.raises(PermissionDenied):
        services.change_role(
            "support", "audit.view_event", granted=True, actor=fresh(kim), reason=WHY
        )
    User.objects.filter(pk=kim.pk).update(kind=Kind.PERSON, is_active=False)
    with pytest.raises(PermissionDenied):
        services.change_role(
            "support", "audit.view_event", granted=True, actor=fresh(kim), reason=WHY
        )


# Roles of people ------------------------------------------------------------------------------


def test_own_roles_are_nobodys_to_give(kim: User, other: User) -> None:
    for names in (["owner", "privacy"], ["owner", "analyst"]):
        with pytest.raises(PermissionDenied):
            people.set_roles(kim, names, actor=kim, reason=WHY)
    assert names_of(kim) == {"owner"}


@pytest.mark.parametrize("role", ["privacy", "owner", "finance"])
def test_role_that_opens_clear_values_waits_for_another(
    kim: User, eve: User, pia: User, role: str
) -> None:
    assert act(signed_in(kim), eve, "change_roles", roles=[role, "ops"]).status_code == 302
    assert names_of(eve) == {"ops"}  # what is lost and what opens nothing is done at once
    request = waiting()
    for nobody in (kim, eve):
        with pytest.raises(PermissionDenied):
            approvals.approve(request, actor=nobody)
    assert approvals.approve(request, actor=pia).state == "executed"
    assert names_of(eve) == {"ops", role}
    event = Event.objects.filter(verb=people.ROLES_SET).latest("pk")
    assert event.context == {
        "before": ["ops"],
        "after": [name for name in roles.ROLES if name in {"ops", role}],
        "agreed_by": pia.pk,
    }
    assert Alarm.objects.get().facts["given"] == role


def test_who_gets_the_role_does_not_agree_to_it(kim: User, pia: User) -> None:
    people.set_roles(pia, ["privacy", "finance"], actor=kim, reason=WHY)
    with pytest.raises(PermissionDenied):
        approvals.approve(waiting(), actor=pia)
    with pytest.raises(PermissionDenied):
        people.give_agreed(pia, ["finance"], actor=kim, agreed_by=pia, reason=WHY)
    assert names_of(pia) == {"privacy"}


def test_second_account_of_ones_own_opens_nothing(kim: User, pia: User) -> None:
    client = signed_in(kim)
    made = client.post("/admin/accounts/user/do/invite/", NEW | {"roles": ["privacy", "support"]})
    assert made.status_code == 302
    second = User.objects.get(username="ivy")
    assert names_of(second) == {"support"}
    with pytest.raises(PermissionDenied):
        approvals.approve(waiting(), actor=kim)
    approvals.approve(waiting(), actor=pia)
    assert names_of(second) == {"support", "privacy"}


def test_inviter_agrees_to_no_access_of_an_account_they_made(
    kim: User, max_: User, other: User
) -> None:
    signed_in(kim).post("/admin/accounts/user/do/invite/", NEW)
    second, customer = User.objects.get(username="ivy"), make_customer()
    request = masking.request_grant(customer, actor=second, reason=WHY)
    assert request not in approvals.waiting_for(kim)
    with pytest.raises(PermissionDenied):
        approvals.approve(request, actor=kim)
    assert approvals.approve(request, actor=max_).state == "executed"
    assert may(second, "reveal", Customer.objects.get())


def test_nobody_becomes_a_superuser_on_a_page(kim: User, other: User) -> None:
    client = signed_in(kim)
    where = reverse("admin:accounts_user_change", args=[kim.pk])
    posted = {"is_superuser": "on", "user_permissions": ["1"], "groups": ["1"], "username": "kim"}
    assert client.post(where, posted).status_code in {403, 404, 405}
    invited = NEW | {"is_superuser": "on", "user_permissions": ["1"]}
    client.post("/admin/accounts/user/do/invite/", invited)
    assert not User.objects.filter(is_superuser=True).exists()
    assert not User.user_permissions.through.objects.exists()


def test_only_somebody_alone_gives_without_another(kim: User, pia: User) -> None:
    User.objects.filter(pk=pia.pk).update(is_active=False)  # blocking the others changes nothing
    with pytest.raises(guarded.NeedsAnotherError):
        services.change_role("owner", REVEAL, granted=True, actor=kim, reason=WHY)
    people.set_roles(pia, ["owner"], actor=kim, reason=WHY)
    assert names_of(pia) == set()


def test_first_owner_makes_the_second(kim: User) -> None:
    people.invite(
        username="ivy", name="Ivy", email="ivy@example.com", role_names=["owner"], staff=True,
        actor=kim,
    )  # fmt: skip
    assert names_of(User.objects.get(username="ivy")) == {"owner"}
    assert Alarm.objects.get().facts == {"to": "ivy", "given": "owner", "agreed_by": None}


def test_stand_in_agrees_to_nothing_guarded() -> None:
    kinds = {access.OF_ROLE, access.OF_PERSON, "masking.grant", "sheets.clear_export"}
    assert {registry.rule(kind).delegable for kind in kinds} == {False}


def test_same_roles_are_asked_for_once(kim: User, eve: User, pia: User) -> None:
    people.set_roles(eve, ["support", "privacy"], actor=kim, reason=WHY)
    with pytest.raises(ValidationError, match="already"):
        people.set_roles(eve, ["support", "privacy"], actor=kim, reason=WHY)
