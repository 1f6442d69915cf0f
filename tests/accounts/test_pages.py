"""The page Who may do what: all may look who may, the owner alone changes, on the record."""

import pytest
from django.contrib.auth.models import Group

from backoffice.accounts.models import RoleChange, User
from backoffice.audit.models import Event
from tests.clients import data, signed_in

PAGE = "/admin/who-may-do-what/"
RIGHT = "orders.cancel_order"
CHANGE = f"{PAGE}analyst/{RIGHT}/"


def has(role: str, right: str) -> bool:
    app, codename = right.split(".")
    rights = Group.objects.get(name=role).permissions
    return rights.filter(content_type__app_label=app, codename=codename).exists()


def test_owner_gives_a_right_on_the_record(kim: User) -> None:
    answer = signed_in(kim).post(CHANGE, {"reason": "Analysts cover the night"})
    assert answer["Location"] == PAGE
    assert has("analyst", RIGHT)
    change = RoleChange.objects.get()
    assert (change.actor, change.granted, change.reason) == (kim, True, "Analysts cover the night")
    assert Event.objects.get(verb="accounts.role_changed").actor == kim


def test_owner_takes_a_right_again(kim: User) -> None:
    client = signed_in(kim)
    for reason in ("Cover the night", "No longer needed"):
        client.post(CHANGE, {"reason": reason})
    assert not has("analyst", RIGHT)


def test_change_without_a_reason_is_refused(kim: User) -> None:
    assert signed_in(kim).post(CHANGE, {"reason": " "}).status_code == 400
    assert not has("analyst", RIGHT)


def test_get_changes_nothing(kim: User) -> None:
    answer = signed_in(kim).get(CHANGE)
    assert "gets the right" in answer.content.decode()
    assert not has("analyst", RIGHT)


@pytest.mark.parametrize("who", ["ann", "max_", "oli", "nia", "ada"])
def test_nobody_else_changes_a_role(who: str, request: pytest.FixtureRequest) -> None:
    answer = signed_in(request.getfixturevalue(who)).post(CHANGE, {"reason": "I want it"})
    assert answer.status_code == 403
    assert not has("analyst", RIGHT)
    assert not RoleChange.objects.exists()


def test_auditor_sees_the_table_without_switches(ada: User) -> None:
    page = signed_in(ada).get(PAGE).content.decode()
    assert RIGHT in page
    assert CHANGE not in page


@pytest.mark.parametrize("who", ["ann", "max_", "oli", "nia"])
def test_others_do_not_see_the_table(who: str, request: pytest.FixtureRequest) -> None:
    assert signed_in(request.getfixturevalue(who)).get(PAGE).status_code == 403


def test_unknown_role_or_right_is_not_there(kim: User) -> None:
    client = signed_in(kim)
    assert client.get(f"{PAGE}king/{RIGHT}/").status_code == 404
    assert client.get(f"{PAGE}ops/orders.fly/").status_code == 404


def test_change_is_marked_in_the_table(kim: User) -> None:
    client = signed_in(kim)
    client.post(CHANGE, {"reason": "Cover the night"})
    groups = data(client.get(PAGE))["groups"]
    rights = [right for group in groups for right in group.rights if right.name == RIGHT]
    changed = {cell.role for cell in rights[0].cells if cell.changed}
    assert changed == {"analyst"}
