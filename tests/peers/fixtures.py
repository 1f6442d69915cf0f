"""Peers as fixtures: each program starts once a test process; a proxy is cleared each time."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.peers import install, stripe
from tests.peers.proxy import FaultProxy


@pytest.fixture(scope="session")
def stripe_mock() -> Iterator[str]:
    """Return the address of a running stripe-stateful-mock."""
    with stripe.running(install.stripe_mock) as url:
        yield url


@pytest.fixture(scope="session")
def localstripe() -> Iterator[str]:
    """Return the address of a running localstripe."""
    with stripe.running(install.localstripe) as url:
        yield url


@pytest.fixture(scope="session")
def _stripe_proxy(stripe_mock: str) -> Iterator[FaultProxy]:
    with FaultProxy(stripe_mock) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def _lenient_proxy(localstripe: str) -> Iterator[FaultProxy]:
    with FaultProxy(localstripe) as proxy:
        yield proxy


@pytest.fixture
def stripe_proxy(_stripe_proxy: FaultProxy) -> FaultProxy:
    """Return the fault proxy before stripe-stateful-mock, without any rule."""
    return _stripe_proxy.ready()


@pytest.fixture
def lenient_proxy(_lenient_proxy: FaultProxy) -> FaultProxy:
    """Return the fault proxy before localstripe, without any rule."""
    return _lenient_proxy.ready()


@pytest.fixture
def strict_gateway(
    stripe_proxy: FaultProxy, stripe_mock: str, settings: Settings
) -> stripe.StripeMock:
    """Let the alias "stripe" lead to stripe-stateful-mock, through the fault proxy.

    `peer.variables` does the same for another process of ours.
    """
    settings.GATEWAYS = {**settings.GATEWAYS, **stripe.entry(stripe_proxy.url)}
    return stripe.StripeMock(stripe_proxy, stripe_mock)


@pytest.fixture
def lenient_gateway(
    lenient_proxy: FaultProxy, localstripe: str, settings: Settings
) -> stripe.LocalStripe:
    """Let the alias "stripe" lead to localstripe, which pays whatever it is asked for."""
    settings.GATEWAYS = {**settings.GATEWAYS, **stripe.entry(lenient_proxy.url)}
    return stripe.LocalStripe(lenient_proxy, localstripe)
