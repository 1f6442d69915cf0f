"""People on the staff site: inviting, roles, blocking, helping somebody back in."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backoffice import keyring
from backoffice.accounts import people, resets, roles, sessions
from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.mail.models import Mail
from tests.people import PASSWORD, allow, make_person

WHY = "Changes over to finance"
NEW = {
    "username": "ivy",
    "name": "Ivy Irving",
    "email": "ivy@example.com",
    "site": "admin",
    "roles": ["support"],
}
CHOSEN = "four plain words here"


def act(client: Client, person: User, name: str, **data: Any) -> Any:
    """Do an action on the page of the person."""
    where = f"/admin/accounts/user/{person.pk}/do/{name}/"
    page = client.get(where).content.decode()
    found = re.search(r'name="record_version" value="([^"]*)"', page)
    version = found.group(1) if found else ""
    return client.post(where, {"reason": WHY, "record_version": version, **data})


@pytest.fixture
def owner(client: Client, kim: User) -> Client:
    client.force_login(kim)
    return client


def link_of(mail: Mail) -> str:
    return keyring.open_sealed(mail.sealed, use=mail.use_of_secret)


def test_invited_person_chooses_a_password_by_a_link_that_is_good_once(owner: Client) -> None:
    assert owner.post("/admin/accounts/user/do/invite/", NEW).status_code == 302
    ivy = User.objects.get(username="ivy")
    assert (ivy.is_staff, ivy.has_usable_password()) == (True, False)
    assert [group.name for group in ivy.groups.all()] == ["support"]
    mail = Mail.objects.get(template=people.INVITATION)
    link = link_of(mail)
    assert link not in str(mail.context)
    visitor = Client()
    page = visitor.get(link, follow=True)
    chosen = {"password1": CHOSEN, "password2": CHOSEN}
    visitor.post(page.request["PATH_INFO"], chosen)
    ivy.refresh_from_db()
    assert ivy.check_password(CHOSEN)
    other = {"password1": "yet another four words", "password2": "yet another four words"}
    again = Client()
    page = again.get(link, follow=True)
    again.post(page.request["PATH_INFO"], other)
    ivy.refresh_from_db()
    assert ivy.check_password(CHOSEN)


def test_link_of_an_invitation_is_good_for_days_that_of_a_reset_for_an_hour(
    owner: Client, eve: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.post("/admin/accounts/user/do/invite/", NEW)
    ivy, maker = User.objects.get(username="ivy"), resets.LinkGenerator()
    keys = {person: maker.make_token(person) for person in (ivy, eve)}
    now = maker._now()
    later = {"two hours": (7200, True, False), "four days": (4 * 86400, False, False)}
    for seconds, invited, reset in later.values():
        at = now + timedelta(seconds=seconds)
        monkeypatch.setattr(resets.LinkGenerator, "_now", lambda _self, at=at: at)
        assert maker.check_token(ivy, keys[ivy]) is invited
        assert maker.check_token(eve, keys[eve]) is reset
    assert not maker.check_token(ivy, "nonsense")
    assert not maker.check_token(ivy, "zz-" + "0" * 32)


@pytest.mark.parametrize(
    "change",
    [{"username": "eve"}, {"email": "EVE@example.com"}, {"email": "x"}, {"roles": ["seller"]}],
)
def test_wrong_invitation_makes_nobody(owner: Client, eve: User, change: dict[str, Any]) -> None:
    assert owner.post("/admin/accounts/user/do/invite/", NEW | change).status_code == 400
    assert User.objects.count() == 2


def test_roles_change_on_the_record_and_end_sessions(owner: Client, eve: User) -> None:
    hers = Client()
    hers.force_login(eve)
    assert act(owner, eve, "change_roles", roles=["ops", "analyst"]).status_code == 302
    assert {group.name for group in eve.groups.all()} == {"ops", "analyst"}
    event = Event.objects.get(verb=people.ROLES_SET)
    assert event.reason == WHY
    assert event.context == {"before": ["support"], "after": ["ops", "analyst"]}
    assert hers.get("/admin/sessions/").status_code == 302


def test_gained_role_ends_sessions_too(kim: User, eve: User) -> None:
    hers = Client()
    hers.force_login(eve)
    people.set_roles(eve, ["support", "ops"], actor=kim, reason=WHY)
    assert hers.get("/admin/sessions/").status_code == 302


def test_nobody_changes_their_own_account(kim: User) -> None:
    make_person("kit", "owner")
    for deed in (people.block, people.unblock, people.start_reset, people.take_factors):
        with pytest.raises(PermissionDenied):
            deed(kim, actor=kim, reason=WHY)
    with pytest.raises(PermissionDenied):
        people.set_roles(kim, ["owner", "finance"], actor=kim, reason=WHY)


def test_last_owner_stays(kim: User) -> None:
    kit = make_person("kit", "owner")
    people.set_roles(kit, [], actor=kim, reason=WHY)
    root = User.objects.create_superuser("root", "root@example.com", PASSWORD)
    deeds: list[Callable[[], object]] = [
        lambda: people.set_roles(kim, ["support"], actor=root, reason=WHY),
        lambda: people.block(kim, actor=root, reason=WHY),
    ]
    for deed in deeds:
        with pytest.raises(ValidationError):
            deed()


def test_blocked_owner_is_no_owner_that_stays(kim: User) -> None:
    kit = make_person("kit", "owner")
    people.block(kit, actor=kim, reason=WHY)
    root = User.objects.create_superuser("root", "root@example.com", PASSWORD)
    with pytest.raises(ValidationError):
        people.block(kim, actor=root, reason=WHY)


def test_only_an_owner_decides_about_owners(kim: User, oli: User, eve: User) -> None:
    helper = allow(oli, people.MANAGE)
    deeds: list[Callable[[], object]] = [
        lambda: people.set_roles(eve, ["owner"], actor=helper, reason=WHY),
        lambda: people.block(kim, actor=helper, reason=WHY),
        lambda: people.take_factors(kim, actor=helper, reason=WHY),
        lambda: people.invite(
            username="ivy", name="Ivy", email="i@example.com", role_names=["owner"],
            staff=True, actor=helper,
        ),
    ]  # fmt: skip
    for deed in deeds:
        with pytest.raises(PermissionDenied):
            deed()
    people.set_roles(eve, ["analyst"], actor=helper, reason=WHY)


def test_superuser_is_out_of_reach(kim: User) -> None:
    root = User.objects.create_superuser("root", "root@example.com", PASSWORD)
    with pytest.raises(PermissionDenied):
        people.block(root, actor=kim, reason=WHY)


def test_blocked_is_out_at_once_and_old_sessions_stay_dead(owner: Client, eve: User) -> None:
    hers = Client()
    hers.force_login(eve)
    assert act(owner, eve, "block").status_code == 302
    assert hers.get("/admin/sessions/").status_code == 302
    eve.refresh_from_db()
    assert act(owner, eve, "unblock").status_code == 302
    assert User.objects.get(pk=eve.pk).is_active
    assert hers.get("/admin/sessions/").status_code == 302


def test_reset_is_mailed_to_the_person_and_shown_to_nobody(owner: Client, eve: User) -> None:
    answer = act(owner, eve, "reset")
    assert answer.status_code == 302
    mail = Mail.objects.get(template=resets.MAIL)
    assert mail.to_user == eve
    assert eve.check_password(PASSWORD)
    assert Event.objects.get(verb=people.RESET_STARTED).reason == WHY
    outbox = owner.get(f"/admin/mail/{mail.pk}/").content.decode()
    assert link_of(mail) not in outbox


def test_lost_factor_is_taken_away_and_announced(owner: Client, eve: User) -> None:
    totp.TOTP.activate(eve, totp.generate_totp_secret())
    since = timezone.now()
    User.objects.filter(pk=eve.pk).update(factor_due_since=since)
    eve.refresh_from_db()
    assert act(owner, eve, "take_factors").status_code == 302
    assert not Authenticator.objects.filter(user=eve).exists()
    assert Mail.objects.get(template=people.LOST).to_user == eve
    eve.refresh_from_db()
    assert eve.factor_due_since == since


def test_administrator_ends_somebodys_sessions(owner: Client, eve: User) -> None:
    hers = Client()
    hers.force_login(eve)
    page = owner.get(f"/admin/accounts/user/{eve.pk}/change/").content.decode()
    assert "Unknown device" in page
    assert act(owner, eve, "end_sessions").status_code == 302
    assert hers.get("/admin/sessions/").status_code == 302
    assert Event.objects.get(verb=sessions.ENDED, subject_id=str(eve.pk)).reason == WHY


@pytest.mark.parametrize("name", ["block", "change_roles", "reset", "end_sessions", "take_factors"])
def test_deeds_want_right_reason_and_fresh_proof(
    owner: Client, eve: User, oli: User, name: str
) -> None:
    totp.TOTP.activate(eve, totp.generate_totp_secret())
    assert act(owner, eve, name, reason="").status_code == 400
    session = owner.session
    session["stepup_at"] = 0
    session.save()
    assert act(owner, eve, name, roles=["ops"]).status_code == 400
    allow(oli, "accounts.view_user")
    owner.force_login(oli)
    assert act(owner, eve, name).status_code == 403


def test_list_asks_as_much_for_three_as_for_two(owner: Client, eve: User) -> None:
    counts = []
    for more in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert owner.get("/admin/accounts/user/").status_code == 200
        counts.append(len(queries))
        make_person(f"more{more}", "support")
    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_block_each_other_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    roles.sync_roles()
    kim, kit = make_person("kim", "owner"), make_person("kit", "owner")
    both = threading.Barrier(2)
    monkeypatch.setattr(people, "_say_why", lambda _reason: both.wait(timeout=10))

    def block(pair: tuple[User, User]) -> bool:
        try:
            people.block(pair[0], actor=pair[1], reason=WHY)
        except ValidationError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(block, [(kim, kit), (kit, kim)])) == [False, True]
    assert User.objects.filter(is_active=True).count() == 1
