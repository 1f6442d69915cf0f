"""Sessions: how long they last, who ends them, and that what is ended is dead at once."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.test import Client

from backoffice.accounts import sessions
from backoffice.accounts.models import User
from backoffice.audit.models import Event
from tests.people import PASSWORD, make_person, make_shop

CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1"
HOME = "/admin/sessions/"


def signed_in(user: User, agent: str = CHROME) -> Client:
    client = Client(headers={"user-agent": agent})
    client.force_login(user)
    row = UserSession.objects.filter(session_key=client.session.session_key)
    row.update(user_agent=agent, ip="127.0.0.1")
    return client


def is_in(client: Client, path: str = HOME) -> bool:
    return client.get(path).status_code == 200


def age(client: Client, **seconds: float) -> None:
    """Move moments of the session into the past."""
    session = client.session
    for name, value in seconds.items():
        session[name] = session[name] - value
    session.save()


def test_list_names_devices_and_marks_this_one(ann: User) -> None:
    signed_in(ann, PHONE)
    text = signed_in(ann).get(HOME).content.decode()
    assert "Chrome on Windows" in text
    assert "Safari on iPhone" in text
    assert text.count("This one") == 1


def test_list_says_where_an_address_lies(ann: User, settings: Any) -> None:
    settings.BACKOFFICE_PLACES = "tests.accounts.test_sessions.somewhere"
    assert "Leeds (127.0.0.1)" in signed_in(ann).get(HOME).content.decode()


def somewhere(address: str) -> str:
    return f"Leeds ({address})"


def test_ended_session_is_dead_at_its_next_request(ann: User) -> None:
    phone, desk = signed_in(ann, PHONE), signed_in(ann)
    row = UserSession.objects.get(user_agent=PHONE)
    assert desk.post(f"/admin/sessions/{row.pk}/end/").status_code == 302
    assert not is_in(phone)
    assert is_in(desk)
    assert Event.objects.filter(verb=sessions.ENDED, actor=ann).count() == 1


def test_session_of_somebody_else_is_not_there(ann: User, eve: User) -> None:
    theirs = signed_in(eve)
    row = UserSession.objects.get(user=eve)
    assert signed_in(ann).post(f"/admin/sessions/{row.pk}/end/").status_code == 404
    assert is_in(theirs)


def test_ending_all_others_keeps_this_one(ann: User) -> None:
    others = [signed_in(ann, PHONE), signed_in(ann)]
    # A session that is in no list ends too.
    UserSession.objects.all().delete()
    desk = signed_in(ann)
    assert desk.post("/admin/sessions/end-others/").status_code == 302
    assert not any(is_in(other) for other in others)
    assert is_in(desk)


def test_other_device_in_use_is_shown_until_looked_at(ann: User) -> None:
    signed_in(ann, PHONE)
    desk = signed_in(ann)
    assert "in use on another device too" in desk.get("/admin/").content.decode()
    desk.get(HOME)
    assert "in use on another device too" not in desk.get("/admin/").content.decode()


def test_device_used_long_ago_is_not_shown(ann: User) -> None:
    signed_in(ann, PHONE)
    UserSession.objects.update(last_seen_at="2020-01-01T00:00Z")
    assert "in use on another device too" not in signed_in(ann).get("/admin/").content.decode()


def test_idle_session_ends(ann: User) -> None:
    client = signed_in(ann)
    age(client, seen_at=59 * 60)
    assert is_in(client)
    age(client, seen_at=61 * 60)
    assert not is_in(client)
    assert Event.objects.get(verb=sessions.ENDED).context["limit"] == "idle"


def test_session_ends_after_its_hours_however_busy(ann: User) -> None:
    client = signed_in(ann)
    age(client, began_at=12 * 3600 + 1)
    assert not is_in(client)
    assert Event.objects.get(verb=sessions.ENDED).context["limit"] == "absolute"


def test_strictest_of_the_roles_counts(settings: Any) -> None:
    settings.BACKOFFICE_SESSION_LIMITS = {"": (60, 12), "a": (10, 20), "b": (20, 2)}
    assert sessions.bounds(["a", "b", "c"]) == sessions.Bounds(10 * 60, 2 * 3600)
    assert sessions.bounds([]) == sessions.Bounds(60 * 60, 12 * 3600)


def test_role_of_the_person_sets_the_limit(kim: User, eve: User) -> None:
    owner, support = signed_in(kim), signed_in(eve)
    for client in (owner, support):
        age(client, seen_at=40 * 60)
    assert not is_in(owner)
    assert is_in(support)


def test_last_seen_is_written_once_a_minute(ann: User) -> None:
    client = signed_in(ann)
    before = UserSession.objects.get().last_seen_at
    client.get(HOME)
    assert UserSession.objects.get().last_seen_at == before
    age(client, seen_at=61)
    client.get(HOME)
    assert UserSession.objects.get().last_seen_at > before


def test_page_that_asks_by_itself_keeps_no_session(ann: User) -> None:
    client = signed_in(ann)
    age(client, seen_at=61)
    at = client.session["seen_at"]
    client.get(HOME, headers={"x-backoffice-poll": "1"})
    assert client.session["seen_at"] == at


@pytest.mark.django_db
def test_staff_session_does_not_open_the_other_site() -> None:
    both = make_person("bo", "seller")
    make_shop(both, "bo-shop")
    client = signed_in(both)
    assert is_in(client)
    assert not is_in(client, "/seller/sessions/")
    session = client.session
    session["site"] = "seller"
    session.save()
    assert is_in(client, "/seller/sessions/")
    assert not is_in(client)


def test_session_without_a_site_opens_none(ann: User) -> None:
    client = signed_in(ann)
    session = client.session
    del session["site"]
    session.save()
    assert not is_in(client)


def test_deactivated_person_is_out_at_once(ann: User) -> None:
    client = signed_in(ann)
    ann.is_active = False
    ann.save()
    assert not is_in(client)


def test_losing_a_role_ends_sessions(ann: User) -> None:
    client = signed_in(ann)
    ann.groups.remove(Group.objects.get(name="support"))
    assert not is_in(client)


def test_losing_a_role_from_the_other_end_ends_sessions(ann: User, eve: User) -> None:
    mine, theirs = signed_in(ann), signed_in(eve)
    Group.objects.get(name="support").user_set.remove(ann)
    assert not is_in(mine)
    assert is_in(theirs)


def test_emptied_role_ends_sessions(ann: User) -> None:
    client = signed_in(ann)
    ann.groups.clear()
    assert not is_in(client)


def test_new_password_ends_sessions(ann: User) -> None:
    client = signed_in(ann)
    ann.set_password("another horse battery")
    ann.save()
    assert not is_in(client)


def test_removed_factor_ends_other_sessions(ann: User) -> None:
    other, mine = signed_in(ann, PHONE), signed_in(ann)
    row = Authenticator.objects.create(user=ann, type="totp", data={})
    request: Any = type("Request", (), {"session": mine.session, "user": ann})
    sessions.factor_removed(Authenticator, request, ann, authenticator=row)
    mine.session.save()
    request.session.save()
    assert not is_in(other)
    assert is_in(mine)


def test_sign_in_forgets_rows_without_a_session(ann: User) -> None:
    signed_in(ann)
    Session.objects.all().delete()
    signed_in(ann)
    assert UserSession.objects.filter(user=ann).count() == 1


def test_password_is_still_checked(ann: User) -> None:
    """A stamp changes what a session is bound to, and no password."""
    client = signed_in(ann)
    sessions.end_all(ann, actor=ann)
    assert not is_in(client)
    assert User.objects.get(pk=ann.pk).check_password(PASSWORD)


def test_api_takes_a_session_of_the_persons_own_site_only(ann: User) -> None:
    client = signed_in(ann)
    assert client.get("/api/v1/customers/").status_code == 200
    session = client.session
    session["site"] = "seller"
    session.save()
    assert client.get("/api/v1/customers/").status_code in {401, 403}
