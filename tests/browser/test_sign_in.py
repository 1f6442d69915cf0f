"""Signing in, as people do it: passkeys, codes, a lost phone, a new device, a reset, a provider."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from pytest_django import Settings

from backoffice.accounts.models import User
from backoffice.mail.models import Mail
from backoffice.project import providers
from tests.accounts.factor_codes import code_of, other_process, recovery_codes, secret_of
from tests.browser.passkeys import Phone
from tests.browser.stage import Actor, Stage
from tests.oidc import ProviderProcess
from tests.people import PASSWORD

pytestmark = pytest.mark.browser


@pytest.fixture
def here(stage: Stage) -> Stage:
    """Set the stage at localhost: a passkey belongs to a name, not to an address."""
    stage.url = re.sub(r"//[^:]+:", "//localhost:", stage.url)
    return stage


def go_in(actor: Actor, name: str, password: str = PASSWORD) -> None:
    actor.page.get_by_label("User name").fill(name)
    actor.page.get_by_label("Password", exact=True).fill(password)
    actor.click("Continue", "button")


def leave(actor: Actor) -> None:
    actor.open("/account/logout/")
    actor.click("Sign out", "button")
    actor.page.wait_for_url("**/account/login/")


def enter_code(actor: Actor, code: str) -> None:
    actor.page.get_by_label("Code", exact=True).fill(code)
    actor.page.get_by_role("button", name=re.compile("Continue|Set up")).first.click()


def test_passkey_is_enrolled_and_lets_in_alone_and_after_the_password(
    here: Stage, eve: User
) -> None:
    actor = here.enter(eve)
    phone = Phone(actor.page)
    actor.open("/account/factors/")
    actor.look("factors")
    actor.click("Add a passkey")
    actor.look("passkey-add")
    actor.page.get_by_label("Name").fill("Phone")
    actor.click("Add the passkey", "button")
    actor.sees("These codes are shown now and never again")
    actor.look("recovery-codes")
    assert phone.keys() == 1
    actor.open("/account/factors/passkeys/")
    actor.look("passkeys")
    actor.sees("Phone")

    leave(actor)
    actor.open("/admin/jobs/")
    actor.click("Sign in with a passkey", "button")
    actor.page.wait_for_url("**/admin/jobs/")

    leave(actor)
    actor.open("/admin/")
    go_in(actor, "eve")
    actor.sees("One more step")
    actor.look("second-factor")
    actor.click("Use a passkey", "button")
    actor.page.wait_for_url("**/admin/")

    leave(actor)
    phone.refuse()
    actor.open("/account/login/")
    actor.click("Sign in with a passkey", "button")
    actor.sees("The passkey was not used")
    assert actor.open("/account/factors/") == 200
    assert "/account/login/" in actor.page.url


def test_held_person_reaches_enrolment_alone_then_uses_app_and_recovery_code(
    here: Stage, oli: User, settings: Settings
) -> None:
    settings.BACKOFFICE_SECOND_FACTOR_GRACE_DAYS = 0
    actor = here.visitor()
    actor.open("/admin/")
    go_in(actor, "oli")
    for path in ("/admin/jobs/", "/admin/", "/account/password/"):
        actor.open(path)
        assert actor.page.url.endswith("/account/factors/")
    actor.sees("until then nothing else opens")
    actor.look("held")
    actor.click("Set up an app")
    actor.look("app-set-up")
    key = actor.page.locator(".bo-secret").inner_text()
    expect(actor.page.locator(".bo-qr svg path")).to_be_visible()
    other_process()
    enter_code(actor, code_of(key))
    actor.click("I have kept them")
    actor.page.wait_for_url("**/admin/")
    codes = recovery_codes(oli)

    leave(actor)
    other_process()
    go_in(actor, "oli")
    enter_code(actor, "000000")
    actor.sees("This code is not right, or was used before.")
    enter_code(actor, code_of(key, 1))
    actor.page.wait_for_url("**/")
    actor.open("/admin/jobs/")
    assert actor.page.url.endswith("/admin/jobs/")

    leave(actor)
    go_in(actor, "oli")
    enter_code(actor, codes[0])
    actor.open("/admin/jobs/")
    assert actor.page.url.endswith("/admin/jobs/")


def test_new_device_is_asked_for_a_mailed_code(here: Stage, sol: User, settings: Settings) -> None:
    settings.BACKOFFICE_DEVICE_CHALLENGE = True
    actor = here.visitor()
    actor.open("/seller/")
    go_in(actor, "sol")
    actor.sees("This device is new to us")
    actor.look("new-device")
    enter_code(actor, secret_of(Mail.objects.get(template="accounts.sign_in_code")))
    actor.page.wait_for_url("**/seller/")
    assert Mail.objects.filter(template="accounts.new_device", to_user=sol).count() == 1
    leave(actor)
    actor.open("/seller/")
    go_in(actor, "sol")
    actor.page.wait_for_url("**/seller/")


def test_forgotten_password_is_chosen_anew_by_a_mailed_link(here: Stage, eve: User) -> None:
    inside = here.enter(eve)
    actor = here.visitor()
    actor.open("/account/login/")
    actor.click("I forgot my password")
    actor.look("reset")
    actor.page.get_by_label("Your mail address").fill("eve@example.com")
    actor.click("Mail me a link", "button")
    actor.sees("If an account has this address")
    actor.look("reset-sent")
    actor.open(secret_of(Mail.objects.get(template="accounts.reset")))
    actor.look("reset-choose")
    actor.page.get_by_label("New password", exact=True).fill("a new and longer phrase")
    actor.page.get_by_label("New password, once more").fill("a new and longer phrase")
    actor.click("Set the password", "button")
    actor.sees("All your sessions are ended")
    inside.open("/admin/jobs/")
    assert "/account/login/" in inside.page.url
    actor.click("To the sign-in page")
    go_in(actor, "eve", "a new and longer phrase")
    actor.page.wait_for_url("**/admin/")


@pytest.fixture
def peer(settings: Settings) -> Iterator[ProviderProcess]:
    """Run an OpenID provider that knows eve."""
    process = ProviderProcess()
    settings.BACKOFFICE_SSO = process.settings()
    settings.SOCIALACCOUNT_PROVIDERS = providers.for_allauth(settings.BACKOFFICE_SSO)
    process.person("eve-1", email="eve@example.com", email_verified=True, groups=["desk"])
    yield process
    process.end()


def test_provider_lets_in(here: Stage, peer: ProviderProcess, eve: User) -> None:
    actor = here.visitor()
    # The provider's own page wants a style sheet from afar.
    actor.page.route(
        "https://cdn.*/**", lambda route: route.fulfill(body="", content_type="text/css")
    )
    actor.open("/admin/jobs/")
    actor.look("sign-in-with-provider")
    actor.click("Sign in with Corporate")
    actor.page.get_by_label("Subject").fill("eve-1")
    actor.page.get_by_role("button", name="Authorize", exact=True).click()
    actor.page.wait_for_url("**/admin/jobs/")
    assert set(eve.groups.values_list("name", flat=True)) == {"support"}
