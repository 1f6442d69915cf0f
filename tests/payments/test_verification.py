"""`manage.py gateway`: a proof in the vendor's test mode, and live keys that wait for one."""

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from pytest_django import Settings

from backoffice.audit.models import Event
from backoffice.money import Money
from payments.gateways import gateways
from payments.models import GatewayState, GatewayVerification
from payments.services import health, verification
from payments.services.refusals import RefundRefusedError
from tests.payments.vendor import Vendor
from tests.peers.proxy import FaultProxy
from tests.peers.vendors import ACCOUNT, ADYEN_KEY, HMAC_KEY, TOSS_KEY, TossPeer, fake

pytestmark = pytest.mark.django_db
POUND = Money(100, "GBP")
BACKEND = "tests.payments.vendor.Vendor"
STEPS = 6


@pytest.fixture(autouse=True)
def nothing_accepted(settings: Settings) -> None:
    settings.BACKOFFICE_UNVERIFIED_GATEWAYS = []


def entry(**options: Any) -> dict[str, Any]:
    return {"BACKEND": BACKEND, "OPTIONS": options}


@pytest.fixture
def table(settings: Settings) -> dict[str, Any]:
    settings.GATEWAYS = {"acme": entry()}
    table: dict[str, Any] = settings.GATEWAYS
    return table


def verify(**changes: Any) -> GatewayVerification:
    return verification.verify("acme", POUND, pause=timedelta(0), **changes)


def errors() -> list[str]:
    return [found.id or "" for found in run_checks(include_deployment_checks=True)]


def proof(**changes: Any) -> GatewayVerification:
    values = {"gateway": "acme", "backend": BACKEND, "mode": "test", "ok": True, **changes}
    return GatewayVerification.objects.create(vendor="Vendor", version="1", **values)


def test_verification_charges_refunds_half_once_and_is_kept(table: dict[str, Any]) -> None:
    kept = verify(by="kim")
    assert (kept.ok, kept.mode, kept.by, kept.vendor) == (True, "test", "kim", "Vendor")
    assert (kept.backend, len(kept.details)) == (BACKEND, STEPS)
    vendor = gateways["acme"]
    assert isinstance(vendor, Vendor)
    assert [refund.amount.minor for refund in vendor.refunds] == [50]
    keys = {command.key for command in vendor.sent}
    assert (len(vendor.sent), len(keys)) == (2, 1)
    event = Event.objects.get(verb="payments.gateway_verified")
    assert event.subject_id == str(kept.pk)


@pytest.mark.parametrize(
    ("fault", "steps", "told"),
    [
        ("down", 1, "It is down"),
        ("no_charge", 2, "--payment"),
        ("charge_refused", 2, "The card was refused"),
        ("refused", 3, "Refused"),
        ("unknown", 3, "Nobody knows"),
        ("broken", 3, "ValueError"),
        ("not_listed", 4, "does not list"),
        ("other_amount", 4, "0.01"),
        ("pays_twice", 5, "re-2"),
        ("pays_twice_quietly", 6, "2 x "),
    ],
)
def test_each_failure_is_kept_and_proves_nothing(
    settings: Settings, fault: str, steps: int, told: str
) -> None:
    settings.GATEWAYS = {"acme": entry(fault=fault)}
    kept = verify()
    assert (kept.ok, len(kept.details)) == (False, steps)
    assert [step["ok"] for step in kept.details] == [True] * (steps - 1) + [False]
    assert told in kept.details[-1]["told"]
    assert verification.last_proof("acme") is None
    assert verification.last_run("acme") == kept
    assert Event.objects.filter(verb="payments.gateway_not_verified").count() == 1


def test_gateway_without_a_list_is_proven_by_its_repeat(settings: Settings) -> None:
    settings.GATEWAYS = {"acme": entry(lookup="none")}
    assert verify().ok
    settings.GATEWAYS = {"acme": entry(lookup="none", fault="pays_twice")}
    assert not verify().ok


@pytest.mark.parametrize(
    "address",
    [
        "http://stripe-mock:12111",
        "http://192.168.0.7",
        "http://127.0.0.1:8000",
        "https://test.vendor.example.evil.example",
        "https://test.vendor.example@evil.example",
        "",
    ],
)
def test_server_that_is_not_the_vendors_proves_nothing(settings: Settings, address: str) -> None:
    settings.GATEWAYS = {"acme": entry(address=address), "live": entry(keys="live")}
    kept = verify()
    assert (kept.ok, kept.mode) == (True, "practice")
    with pytest.raises(RefundRefusedError):
        verification.require_usable("live")


@pytest.mark.parametrize(
    ("backend", "options"),
    [
        ("stripe.Stripe", {"api_key": "sk_test_1"}),
        ("toss.Toss", {"secret_key": TOSS_KEY}),
        ("adyen.Adyen", {"api_key": "k", "merchant_account": "M", "hmac_keys": [HMAC_KEY]}),
    ],
)
def test_adapters_go_to_their_vendor_and_keys_belong_there(
    settings: Settings, backend: str, options: dict[str, Any]
) -> None:
    """Without an address in the options: the vendor's own. Another credential, another scope."""
    credential = next(iter(options))
    changes: dict[str, dict[str, Any]] = {
        "vendor": {},
        "again": {"read": 9},
        "ours": {"base_url": "http://127.0.0.1:9"},
        "exchanged": {credential: f"{options[credential]}x"},
    }
    settings.GATEWAYS = {
        name: {"BACKEND": f"payments.gateways.{backend}", "OPTIONS": options | more}
        for name, more in changes.items()
        if backend != "stripe.Stripe" or name != "ours"
    }
    modes = {name: verification._mode(name) for name in gateways}
    assert modes.pop("ours", "practice") == "practice"
    assert set(modes.values()) == {"test"}
    scopes = {name: gateways[name].key_scope for name in gateways}
    assert scopes["vendor"] == scopes.pop("again")
    assert "" not in scopes.values()
    assert len(set(scopes.values())) == len(scopes)


def test_live_keys_are_never_charged(settings: Settings) -> None:
    settings.GATEWAYS = {"acme": entry(keys="live")}
    with pytest.raises(verification.LiveKeysError):
        verify()
    vendor = gateways["acme"]
    assert isinstance(vendor, Vendor)
    assert (vendor.sent, vendor.charged.minor) == ([], 0)
    assert not GatewayVerification.objects.exists()


def test_verification_is_never_changed_or_deleted(table: dict[str, Any]) -> None:
    kept = verify()
    with pytest.raises(DatabaseError), transaction.atomic():
        GatewayVerification.objects.filter(pk=kept.pk).update(ok=False)
    with pytest.raises(DatabaseError), transaction.atomic():
        GatewayVerification.objects.filter(pk=kept.pk).delete()


def test_test_keys_need_no_proof(table: dict[str, Any]) -> None:
    verification.require_usable("acme")
    assert "payments.E030" not in errors()


def test_live_keys_without_proof_are_refused(settings: Settings) -> None:
    settings.GATEWAYS = {"acme": entry(keys="live")}
    with pytest.raises(RefundRefusedError, match="real money"):
        verification.require_usable("acme")
    assert "payments.E030" in errors()


@pytest.mark.parametrize(
    "changes", [{"ok": False}, {"backend": "payments.gateways.toss.Toss"}, {"mode": "practice"}]
)
def test_what_proves_something_else_does_not_count(
    settings: Settings, changes: dict[str, Any]
) -> None:
    settings.GATEWAYS = {"acme": entry(keys="live")}
    proof(**changes)
    with pytest.raises(RefundRefusedError):
        verification.require_usable("acme")


def test_proof_under_another_alias_speaks_for_the_adapter(settings: Settings) -> None:
    settings.GATEWAYS = {"live": entry(keys="live"), "acme": entry()}
    assert verify().ok
    verification.require_usable("live")
    assert "payments.E030" not in errors()


def test_live_keys_can_be_accepted_in_so_many_words(settings: Settings) -> None:
    settings.GATEWAYS = {"acme": entry(keys="live") | {"ACCEPT_UNVERIFIED": "yes"}}
    assert verification.why_not_usable("acme")
    settings.GATEWAYS = {"acme": entry(keys="live") | {"ACCEPT_UNVERIFIED": True}}
    verification.require_usable("acme")
    assert "payments.E030" not in errors()
    settings.GATEWAYS = {"acme": entry(keys="live")}
    settings.BACKOFFICE_UNVERIFIED_GATEWAYS = ["other"]
    assert verification.why_not_usable("acme")
    settings.BACKOFFICE_UNVERIFIED_GATEWAYS = ["acme"]
    verification.require_usable("acme")


def test_command_tells_each_step(table: dict[str, Any]) -> None:
    out = io.StringIO()
    call_command("gateway", "verify", "acme", "--amount", "1.00", "GBP", "--by", "kim", stdout=out)
    assert out.getvalue().count("ok  ") == STEPS
    assert GatewayVerification.objects.get().by == "kim"


def test_command_fails_where_the_proof_fails(settings: Settings) -> None:
    settings.GATEWAYS = {"acme": entry(fault="pays_twice")}
    with pytest.raises(CommandError, match="not proven"):
        call_command("gateway", "verify", "acme", stdout=io.StringIO())
    assert not GatewayVerification.objects.get().ok


@pytest.mark.parametrize(
    ("options", "arguments", "told"),
    [
        ({"keys": "live"}, ["verify", "acme"], "real money"),
        ({}, ["verify", "nobody"], "there are acme"),
        ({}, ["verify", "acme", "--amount", "1.001", "GBP"], "decimals"),
        ({}, ["verify", "acme", "--amount", "0.01", "GBP"], "half"),
        ({"fault": "down"}, ["check", "acme"], "It is down"),
    ],
)
def test_command_says_what_is_wrong(
    settings: Settings, options: dict[str, Any], arguments: list[str], told: str
) -> None:
    settings.GATEWAYS = {"acme": entry(**options)}
    with pytest.raises(CommandError, match=told):
        call_command("gateway", *arguments, stdout=io.StringIO())
    assert not GatewayVerification.objects.exists()


def test_list_tells_keys_and_proofs(settings: Settings) -> None:
    toss = {"BACKEND": "payments.gateways.toss.Toss", "OPTIONS": {"secret_key": "live_sk_x"}}
    settings.GATEWAYS = {"acme": entry(), "toss": toss}
    proof()
    out = io.StringIO()
    call_command("gateway", "list", stdout=out)
    assert "acme: Vendor, test keys, verified " in out.getvalue()
    assert "toss: Toss Payments, live keys, not verified live" in out.getvalue()
    assert "API 2022-11-16" in out.getvalue()


def test_check_asks_the_gateway(table: dict[str, Any]) -> None:
    out = io.StringIO()
    call_command("gateway", "check", "acme", stdout=out)
    assert "it works" in out.getvalue()


@pytest.fixture
def adyen(settings: Settings) -> Iterator[None]:
    arguments = ("--account", ACCOUNT, "--api-key", ADYEN_KEY, "--hmac", HMAC_KEY)
    with fake("fake_adyen.py", *arguments) as address:
        options = {
            "api_key": ADYEN_KEY,
            "merchant_account": ACCOUNT,
            "hmac_keys": [HMAC_KEY],
            "base_url": address,
        }
        backend = "payments.gateways.adyen.Adyen"
        settings.GATEWAYS = {"acme": {"BACKEND": backend, "OPTIONS": options}}
        yield


def test_adyen_is_practised_against_its_fake_and_that_is_no_proof(adyen: None) -> None:
    kept = verify()
    assert (kept.ok, kept.mode) == (True, "practice")
    assert verification.last_proof("acme") is None


def test_toss_wants_a_payment_made_by_hand(settings: Settings) -> None:
    with fake("fake_toss.py", "--key", TOSS_KEY) as address:
        options = {"secret_key": TOSS_KEY, "base_url": address}
        backend = "payments.gateways.toss.Toss"
        settings.GATEWAYS = {"acme": {"BACKEND": backend, "OPTIONS": options}}
        won = Money(1_000, "KRW")
        asked = verification.verify("acme", won, pause=timedelta(0))
        assert "--payment" in asked.details[-1]["told"]
        reference = TossPeer(FaultProxy(address)).pay(won)
        assert verification.verify("acme", won, reference=reference, pause=timedelta(0)).ok


def test_look_notes_the_health_of_each_gateway(settings: Settings) -> None:
    settings.GATEWAYS = {
        "acme": entry(fault="down"),
        "other": entry(),
        "broken": {"BACKEND": BACKEND, "OPTIONS": {"nothing": "such"}},
        "manual": {"BACKEND": "payments.gateways.manual.Manual"},
    }
    assert health.look() == 2
    states = GatewayState.objects.order_by("gateway").values_list("gateway", "healthy", "message")
    assert list(states) == [("acme", False, "It is down"), ("other", True, "")]


def test_gateway_that_works_again_is_noted(settings: Settings) -> None:
    settings.GATEWAYS = {"acme": entry(fault="down")}
    health.look()
    settings.GATEWAYS = {"acme": entry()}
    health.look()
    state = GatewayState.objects.get()
    assert (state.healthy, state.failures) == (True, 0)
    assert state.checked_at is not None
