"""Peers as fixtures: each program starts once a test process; a proxy is cleared each time."""

from collections.abc import Iterator

import pytest

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
