"""The two programs that play Stripe: how they run, how they are filled, what they keep."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, override

from backoffice.http import Bearer, Client, Secret
from backoffice.money import Money
from tests.contracts.peers import Traits
from tests.peers.proxy import FaultProxy, Proxied

KEY = "sk_test_0123456789abcdefKEYOFTHETESTS"
WEBHOOK_SECRET = "whsec_0123456789abcdefSECRETOFTHETESTS"


def entry(url: str) -> dict[str, Any]:
    """Return the entry of the settings table that leads to a peer.

    Its time limits are long: a busy machine must not look like a fault.
    """
    options = {
        "api_key": KEY,
        "webhook_secret": WEBHOOK_SECRET,
        "base_url": url,
        "connect": 5,
        "read": 20,
        "allow_loopback": True,
    }
    return {"stripe": {"BACKEND": "payments.gateways.stripe.Stripe", "OPTIONS": options}}


@contextmanager
def running(how: Callable[[], tuple[list[str], dict[str, str]]]) -> Iterator[str]:
    """Run a program of others until the end of the block; its address is yielded."""
    command, environment = how()
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:"), url
        yield url
    finally:
        process.kill()
        process.communicate()


class StripePeer(Proxied):
    """What both have in common; `url` is the program's own address, past the proxy."""

    def __init__(self, proxy: FaultProxy, url: str) -> None:
        super().__init__(proxy)
        self.client = Client(url, auth=Bearer(Secret(KEY)), allow_loopback=True)

    @property
    def variables(self) -> dict[str, str]:
        """What makes the settings of another process of ours lead to this peer."""
        return {
            "BACKOFFICE_STRIPE_KEY": KEY,
            "BACKOFFICE_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "BACKOFFICE_STRIPE_URL": self.proxy.url,
        }

    @override
    def paid_back(self, reference: str) -> list[Money]:
        name = "payment_intent" if reference.startswith("pi_") else "charge"
        query: dict[str, str | int] = {name: reference, "limit": 100}
        rows = self.client.get("/v1/refunds", params=query).json()["data"]
        amounts = [Money(ours(row), row["currency"].upper()) for row in rows]
        return amounts[::-1]  # the newest comes first


class StripeMock(StripePeer):
    """stripe-stateful-mock."""

    traits = Traits(keeps_currencies=False, charges=False, unknown_currencies=frozenset({"BHD"}))

    @override
    def seed(self, amount: Money) -> str:
        form = {
            "amount": str(theirs(amount)),
            "currency": amount.currency.lower(),
            "source": "tok_visa",
        }
        return str(self.client.post("/v1/charges", form=form).json()["id"])


class LocalStripe(StripePeer):
    """localstripe: lenient, so that our own limits are all there is."""

    traits = Traits(keeps_keys=False, keeps_limits=False, keeps_currencies=False, tells_codes=False)

    @override
    def seed(self, amount: Money) -> str:
        form = {
            "amount": str(theirs(amount)),
            "currency": amount.currency.lower(),
            "payment_method": "pm_card_visa",
            "confirm": "true",
        }
        return str(self.client.post("/v1/payment_intents", form=form).json()["id"])


# The peers keep whole numbers and know no currency; this is the vendor's page once more, apart from
# the adapter: https://docs.stripe.com/currencies#special-cases
FACTORS = {"ISK": 100, "UGX": 100}


def theirs(amount: Money) -> int:
    """Return the number that Stripe wants for an amount."""
    return amount.minor * FACTORS.get(amount.currency, 1)


def ours(row: dict[str, Any]) -> int:
    """Return our minor units of a refund at the peer."""
    return int(row["amount"]) // FACTORS.get(row["currency"].upper(), 1)
