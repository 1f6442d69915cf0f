"""Single sign-on against a provider that nobody here wrote."""

from collections.abc import Iterator
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.project import providers
from tests.accounts.factor_codes import enter, is_in, set_up_app
from tests.oidc import ProviderProcess, sign_in


@pytest.fixture(scope="module")
def peer() -> Iterator[ProviderProcess]:
    """Run the provider once for these tests."""
    process = ProviderProcess()
    yield process
    process.end()


@pytest.fixture
def use(peer: ProviderProcess, settings: Settings) -> Any:
    """Return a function that sets the provider up with these words."""

    def configure(**more: Any) -> ProviderProcess:
        settings.BACKOFFICE_SSO = peer.settings(**more)
        settings.SOCIALACCOUNT_PROVIDERS = providers.for_allauth(settings.BACKOFFICE_SSO)
        return peer

    return configure


def roles(user: User) -> set[str]:
    return set(user.groups.values_list("name", flat=True))


def test_person_is_found_by_a_verified_address_once_and_then_by_the_provider(
    use: Any, eve: User
) -> None:
    use().person("e1", email="eve@example.com", email_verified=True, groups=["desk"])
    client = Client()
    assert sign_in(client, "e1", "/admin/jobs/")["Location"] == "/admin/jobs/"
    assert is_in(client)
    assert SocialAccount.objects.get(user=eve).uid == "e1"
    assert Event.objects.about(eve).filter(verb="accounts.sso_linked").count() == 1
    use().person("e1", email="changed@example.com", groups=["desk"])
    again = Client()
    sign_in(again, "e1")
    assert again.session["_auth_user_id"] == str(eve.pk)


@pytest.mark.parametrize("verified", [False, None, "true"])
def test_address_that_is_not_verified_links_nobody(use: Any, eve: User, verified: Any) -> None:
    use(makes_accounts=True).person("e2", email="eve@example.com", email_verified=verified)
    client = Client()
    answer = sign_in(client, "e2")
    assert "No account for you here" in answer.content.decode()
    assert not is_in(client)
    assert not SocialAccount.objects.exists()


def test_unknown_person_gets_no_account(use: Any, eve: User) -> None:
    use().person("new", email="new@example.com", email_verified=True, groups=["desk"])
    assert "No account for you here" in sign_in(Client(), "new").content.decode()
    assert not User.objects.filter(email="new@example.com").exists()


def test_unknown_person_gets_an_account_where_the_setting_says_so(use: Any, eve: User) -> None:
    peer = use(makes_accounts=True, staff=["desk"])
    peer.person(
        "n2", email="n2@example.com", email_verified=True, groups=["desk"], preferred_username="n2"
    )
    client = Client()
    sign_in(client, "n2")
    made = User.objects.get(email="n2@example.com")
    assert (made.username, made.is_staff, roles(made)) == ("n2", True, {"support"})
    assert not made.has_usable_password()
    assert is_in(client)


def test_roles_follow_the_groups_at_every_sign_in(use: Any, eve: User) -> None:
    peer = use()
    peer.person("e3", email="eve@example.com", email_verified=True, groups=["desk", "money"])
    client = Client()
    sign_in(client, "e3")
    assert roles(eve) == {"support", "finance"}
    assert is_in(client)
    peer.person("e3", email="eve@example.com", email_verified=True, groups=["desk", "other"])
    later = Client()
    sign_in(later, "e3")
    assert roles(eve) == {"support"}
    assert (is_in(later), is_in(client)) == (True, False)
    last = Event.objects.about(eve).filter(verb="accounts.sso_roles").latest("id")
    assert (last.context["given"], last.context["taken"]) == ([], ["finance"])


def test_role_that_no_group_decides_stays(use: Any, oli: User) -> None:
    use().person("o1", email="oli@example.com", email_verified=True, groups=[])
    sign_in(Client(), "o1")
    assert roles(oli) == {"ops"}


def test_person_out_of_the_staff_groups_gets_in_no_more(use: Any, eve: User) -> None:
    peer = use(staff=["staff"])
    peer.person("e4", email="eve@example.com", email_verified=True, groups=["desk", "staff"])
    client = Client()
    sign_in(client, "e4")
    assert is_in(client)
    peer.person("e4", email="eve@example.com", email_verified=True, groups=["desk"])
    later = Client()
    sign_in(later, "e4")
    assert (is_in(later), is_in(client)) == (False, False)
    assert Event.objects.about(eve).filter(verb="session.ended").exists()


def test_blocked_person_stays_out(use: Any, eve: User) -> None:
    peer = use()
    peer.person("e5", email="eve@example.com", email_verified=True, groups=["desk"])
    sign_in(Client(), "e5")
    User.objects.filter(pk=eve.pk).update(is_active=False)
    client = Client()
    assert sign_in(client, "e5")["Location"] == "/account/inactive/"
    assert not is_in(client)


FACTOR = "/account/login/factor/"


@pytest.mark.parametrize(
    ("setting", "amr", "leads_to"),
    [
        ({"trusts_factor": True}, ["pwd", "mfa"], "/admin/"),
        ({"trusts_factor": True}, ["pwd"], FACTOR),
        ({}, ["pwd", "mfa"], FACTOR),
        ({"trusts_factor": True, "strong": ["hwk"]}, ["mfa"], FACTOR),
    ],
)
def test_second_factor_of_the_provider_counts_only_where_trusted(
    use: Any, eve: User, setting: dict[str, Any], amr: list[str], leads_to: str
) -> None:
    set_up_app(eve)
    peer = use(**setting)
    peer.person("e6", email="eve@example.com", email_verified=True, groups=["desk"], amr=amr)
    client = Client()
    assert sign_in(client, "e6")["Location"] == leads_to
    assert is_in(client) is (leads_to == "/admin/")


def test_proof_of_a_provider_is_for_its_person_and_sign_in(use: Any, eve: User, oli: User) -> None:
    set_up_app(oli)
    peer = use(trusts_factor=True)
    peer.person("e7", email="eve@example.com", email_verified=True, groups=["desk"], amr=["mfa"])
    client = Client()
    sign_in(client, "e7")
    session = client.session
    assert session["factor_by_provider"] == eve.pk
    for key in ("_auth_user_id", "_auth_user_hash", "_auth_user_backend"):
        del session[key]
    session["factor_by_provider"] = oli.pk
    session.save()
    assert enter(client, "oli")["Location"] == "/account/login/factor/"


def test_answer_that_nobody_asked_for_is_refused(use: Any, eve: User) -> None:
    use().person("e8", email="eve@example.com", email_verified=True)
    client = Client()
    answer = client.get("/account/sso/corp/back/?code=made-up&state=made-up")
    assert "Signing in did not work" in answer.content.decode()
    assert not is_in(client)


def test_unknown_provider_is_not_there(use: Any, db: None) -> None:
    use()
    assert Client().get("/account/sso/other/").status_code == 404


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ("{}", "must be a list"),
        ('[{"id": "a"}]', "is missing"),
        ('[{"id":"a","name":"A","server_url":"https://a","client_id":"c","rols":{}}]', "no rols"),
        ('[{"id":"a","name":"A","server_url":"http://a","client_id":"c"}]', "https://"),
        (
            '[{"id":"a","name":"A","server_url":"https://a","client_id":"c","secret_env":"NOPE"}]',
            "NOPE is not set",
        ),
    ],
)
def test_wrong_setting_is_an_error_at_start(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKOFFICE_SSO", text)
    with pytest.raises(ImproperlyConfigured, match=said):
        providers.read("BACKOFFICE_SSO", production=True)
