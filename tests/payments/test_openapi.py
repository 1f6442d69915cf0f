"""Requests of the adapters and answers of the fakes, held to the vendors' OpenAPI files by Prism.

Runs where BACKOFFICE_OPENAPI names a folder with the files (see tests/peers/openapi.py); most
machines have none, and nothing is missing then.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import Outcome, RefundCommand
from tests.peers import openapi
from tests.peers.proxy import FaultProxy
from tests.peers.vendors import (
    ACCOUNT,
    ADYEN_KEY,
    HMAC_KEY,
    TOSS_KEY,
    AdyenPeer,
    TossPeer,
    VendorPeer,
    fake,
)

CASES: Mapping[str, tuple[type[VendorPeer], tuple[str, ...], dict[str, Any], Money]] = {
    "adyen": (
        AdyenPeer,
        ("fake_adyen.py", "--account", ACCOUNT, "--api-key", ADYEN_KEY, "--hmac", HMAC_KEY),
        {"api_key": ADYEN_KEY, "merchant_account": ACCOUNT, "hmac_keys": [HMAC_KEY]},
        Money(10_000, "EUR"),
    ),
    "toss": (
        TossPeer,
        ("fake_toss.py", "--key", TOSS_KEY),
        {"secret_key": TOSS_KEY},
        Money(10_000, "KRW"),
    ),
}


@pytest.mark.parametrize("alias", CASES)
def test_request_and_answer_are_as_the_vendors_file_says(alias: str, settings: Settings) -> None:
    path = openapi.document(alias)
    if path is None:
        pytest.skip(f"no OpenAPI file of {alias} in BACKOFFICE_OPENAPI")
    kind, script, options, captured = CASES[alias]
    with fake(*script) as address, openapi.held_to(path, address) as url:
        backend = f"payments.gateways.{alias}.{alias.capitalize()}"
        entry = {"BACKEND": backend, "OPTIONS": {**options, "base_url": url}}
        settings.GATEWAYS = {alias: entry}
        reference = kind(FaultProxy(address)).seed(captured)
        amount = Money(2_270, captured.currency)
        adapter = gateways[alias]
        result = adapter.refund(RefundCommand(str(uuid4()), uuid4(), reference, amount))
        expected = Outcome.SUCCEEDED if adapter.caps.refund_sync else Outcome.PENDING
        assert result.outcome is expected, result
        if adapter.caps.lookup == "list":
            assert adapter.fetch_payment(reference).refunded == amount
