"""Pages of tokens: one's own on both sites, service accounts for who has the right."""

import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backoffice.accounts import people, service_accounts, tokens
from backoffice.accounts.models import Kind, Token, User
from backoffice.audit.models import Event
from tests.people import PASSWORD, allow

WISH = {
    "name": "Nightly job",
    "scopes": ["products:read"],
    "days": "30",
    "addresses": "",
    "reason": "Stock",
}


def made(client: Client, where: str, **more: Any) -> tuple[int, str]:
    answer = client.post(where, WISH | more)
    return answer.status_code, answer.content.decode()


def secret_in(html: str) -> str:
    found = re.search(r"bo_[a-z2-7]{8}_[A-Za-z0-9_-]{43}", html)
    return found[0] if found else ""


def call(text: str) -> int:
    where, headers = "/api/v1/products/", {"Authorization": f"Bearer {text}"}
    return Client().get(where, headers=headers).status_code


@pytest.mark.parametrize(("person", "site"), [("oli", "admin"), ("sol", "seller")])
def test_own_token_is_shown_once_and_works(
    client: Client, request: pytest.FixtureRequest, person: str, site: str
) -> None:
    client.force_login(request.getfixturevalue(person))
    assert "You have no token." in client.get(f"/{site}/tokens/").content.decode()
    answer = client.post(f"/{site}/tokens/new/", WISH)
    text = secret_in(answer.content.decode())
    assert (answer.status_code, call(text)) == (200, 200)
    assert "no-store" in answer["Cache-Control"]
    after = client.get(f"/{site}/tokens/").content.decode()
    assert "Nightly job" in after
    assert secret_in(after) == ""
    assert text not in str([session.get_decoded() for session in Session.objects.all()])
    token = Token.objects.get()
    assert client.post(f"/{site}/tokens/{token.pk}/end/", {"reason": "Done"}).status_code == 302
    assert call(text) == 401


def test_token_wants_fresh_proof_and_keeps_what_was_typed(client: Client, oli: User) -> None:
    client.force_login(oli)
    session = client.session
    session["stepup_at"] = 0
    session.save()
    status, html = made(client, "/admin/tokens/new/")
    assert (status, secret_in(html), "Nightly job" in html) == (400, "", True)
    assert not Token.objects.exists()
    status, html = made(client, "/admin/tokens/new/", step_up_proof=PASSWORD)
    assert (status, call(secret_in(html))) == (200, 200)


@pytest.mark.parametrize(
    "wrong", [{"name": ""}, {"scopes": []}, {"days": "9999"}, {"addresses": "x"}, {"reason": ""}]
)
def test_wrong_wish_is_shown_at_its_field(client: Client, oli: User, wrong: dict[str, Any]) -> None:
    client.force_login(oli)
    status, html = made(client, "/admin/tokens/new/", **wrong)
    assert (status, "bo-form-row--bad" in html) == (400, True)
    assert not Token.objects.exists()


def test_token_of_somebody_else_is_not_there(client: Client, oli: User, eve: User) -> None:
    client.force_login(oli)
    made(client, "/admin/tokens/new/")
    where = f"/admin/tokens/{Token.objects.get().pk}/end/"
    client.force_login(eve)
    assert client.post(where, {"reason": "Mine"}).status_code == 404
    client.force_login(allow(eve, tokens.MANAGE))
    assert client.post(where, {"reason": "Leaked"}).status_code == 302
    assert Token.objects.get().ended_by == eve


def test_service_accounts_are_for_who_has_the_right(client: Client, oli: User, kim: User) -> None:
    client.force_login(oli)
    for where in ("", "new/", "1/token/", "1/block/"):
        assert client.get(f"/admin/service-accounts/{where}").status_code == 403
    client.force_login(kim)
    assert client.get("/admin/service-accounts/").status_code == 200


def test_service_account_from_making_to_blocking(client: Client, kim: User) -> None:
    client.force_login(kim)
    values = {"name": "Stock sync", "roles": ["ops"], "reason": "Nightly"}
    assert client.post("/admin/service-accounts/new/", values).status_code == 302
    robot = User.objects.get(kind=Kind.SERVICE)
    assert (robot.username, robot.has_usable_password()) == ("service-stock-sync", False)
    where = f"/admin/service-accounts/{robot.pk}"
    text = secret_in(made(client, f"{where}/token/")[1])
    assert call(text) == 200
    page = client.get("/admin/service-accounts/").content.decode()
    assert ("Stock sync" in page, secret_in(page)) == (True, "")
    assert client.post(f"{where}/block/", {"reason": "Replaced"}).status_code == 302
    assert call(text) == 401
    assert client.post(f"{where}/token/", WISH).status_code == 403
    kinds = ("accounts.service_made", "tokens.made", "accounts.service_blocked", "tokens.ended")
    for verb in kinds:
        assert Event.objects.get(verb=verb).actor == kim
        assert Event.objects.get(verb=verb).reason != ""


def test_list_of_service_accounts_costs_the_same_queries(client: Client, kim: User) -> None:
    client.force_login(kim)
    counts = []
    for number in range(3):
        robot = service_accounts.make(f"Robot {number}", ["ops"], actor=kim, reason="Test")
        wish = tokens.Wish("Job", ["products:read"], 30)
        tokens.make(robot, wish, actor=kim, reason="Test")
        tokens.make(kim, wish, actor=kim, reason="Test")
        client.get("/admin/service-accounts/")
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/admin/service-accounts/").status_code == 200
        counts.append(len(queries))
    assert len(set(counts)) == 1


@pytest.mark.parametrize("role", ["owner", "seller", "nonsense"])
def test_program_is_neither_owner_nor_shop(kim: User, role: str) -> None:
    with pytest.raises(ValidationError):
        service_accounts.make("Robot", [role], actor=kim, reason="Test")


def test_service_account_signs_in_nowhere(client: Client, kim: User) -> None:
    robot = service_accounts.make("Robot", ["ops"], actor=kim, reason="Test")
    answer = client.post("/account/login/", {"login": robot.username, "password": ""})
    assert answer.status_code == 200
    assert "_auth_user_id" not in client.session


def test_blocked_person_has_no_token_left(kim: User, oli: User) -> None:
    wish = tokens.Wish("Job", ["products:read"], 30)
    text = tokens.make(oli, wish, actor=oli, reason="Test").text
    people.block(oli, actor=kim, reason="Left")
    people.unblock(oli, actor=kim, reason="Came back")
    assert call(text) == 401
