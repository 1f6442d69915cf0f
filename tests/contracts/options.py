"""The contract of options: wrong ones are found at start, secrets stay secret, proofs are told."""

import inspect
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from django.conf import settings
from pytest_django import Settings

from payments.gateways import gateways
from payments.gateways.base import (
    Gateway,
    GatewayUnavailableError,
    NotOfferedError,
    RefundCommand,
)
from payments.gateways.wire import Wire
from tests.contracts.case import GatewayCase
from tests.contracts.peers import Peer, Said


class OptionContract(GatewayCase):
    """`check()`, `live`, `proofs`, and what may be seen of secrets."""

    def options(self) -> dict[str, Any]:
        return dict(settings.GATEWAYS[self.gateway].get("OPTIONS", {}))

    def with_options(self, change: Mapping[str, Any], given: Settings) -> None:
        entry = settings.GATEWAYS[self.gateway]
        given.GATEWAYS = {self.gateway: {**entry, "OPTIONS": {**self.options(), **change}}}

    def test_good_options_are_not_complained_about(self, adapter: Gateway) -> None:
        assert gateways.check() == []

    def test_wrong_options_are_found_and_not_shown(
        self, adapter: Gateway, settings: Settings
    ) -> None:
        assert self.broken_options or adapter.caps.by_hand, "name options that cannot work"
        hidden = [self.options()[name] for name in self.secret_options]
        before = self.options()
        for change in self.broken_options:
            self.with_options({**before, **change}, settings)
            found = gateways.check()
            assert found, change
            assert not any(secret in str(found) for secret in hidden), change

    def test_live_keys_are_recognised(self, adapter: Gateway, settings: Settings) -> None:
        assert not adapter.live
        if self.live_options:
            self.with_options(self.live_options, settings)
            assert gateways[self.gateway].live

    def test_peers_are_named_with_version_and_day(self, adapter: Gateway) -> None:
        assert adapter.proofs or adapter.caps.by_hand
        for proof in adapter.proofs:
            assert all((proof.peer, proof.version, proof.what, proof.source)), proof
            assert date(2026, 1, 1) <= proof.on <= date.today()  # noqa: DTZ011 - a day's name
            # Only a run with somebody's account proves that, and it is recorded, not written here.
            assert not proof.live, proof

    def test_limits_are_set(self, adapter: Gateway) -> None:
        assert adapter.label
        assert adapter.timeout.total_seconds() > 0 or adapter.caps.by_hand
        assert adapter.caps.key_ttl.total_seconds() > 0

    def test_write_cannot_be_sent_without_a_key(self) -> None:
        for send in (Wire.send_json, Wire.send_form):
            key = inspect.signature(send).parameters["key"]
            assert key.default is inspect.Parameter.empty
            assert key.kind is inspect.Parameter.KEYWORD_ONLY

    def test_secrets_show_nowhere(
        self, adapter: Gateway, peer: Peer, command: RefundCommand
    ) -> None:
        """Also where the other side repeats what it was sent."""
        secrets = [str(self.options()[name]) for name in self.secret_options]
        echo = " ".join(secrets)
        shown = [repr(adapter), str(adapter), repr(vars(adapter))]
        for status in (400, 401, 409, 422, 500):
            body = f'{{"error": {{"message": "{echo}", "code": "{echo}"}}, "message": "{echo}"}}'
            peer.say(Said(status, body.encode(), {"Echo": echo}))
            shown.append(repr(adapter.refund(command)))
        # Twice: whether the health check reads is the adapter's own business.
        peer.say_reads(*[Said(500, echo.encode())] * 2)
        shown += [repr(adapter.healthcheck()), self.read_error(adapter, command)]
        assert not [secret for secret in secrets if any(secret in text for text in shown)]

    def read_error(self, adapter: Gateway, command: RefundCommand) -> str:
        """Return all that an error of a read says, with what lies behind it."""
        with pytest.raises((GatewayUnavailableError, NotOfferedError)) as error:
            adapter.find_refund(command)
        return repr(error.value) + repr(error.value.__cause__)
