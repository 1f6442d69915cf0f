"""The vendors' fakes as tests hold them: a process each, behind the fault proxy."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, override
from urllib.parse import quote

from backoffice.http import Client, HttpError
from backoffice.money import Money
from payments.gateways.adyen import DECIMALS
from tests.peers.proxy import FaultProxy, Proxied

HERE = Path(__file__).resolve().parent
HMAC_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
TOSS_KEY = "test_sk_zXLkKEypNArWmo50nX3lmeaxYG5R"
NEW_TOSS_KEY = "test_sk_D5GePWvyJnrK0W0k6q8gLzN97Eoq"
ADYEN_KEY = "AQE-fake-api-key-for-tests"
ACCOUNT = "TestMerchant"


@contextmanager
def fake(script: str, *arguments: str) -> Iterator[str]:
    """Run a fake; yield its address."""
    command = [sys.executable, str(HERE / script), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def renew(proxy: FaultProxy) -> None:
    """Have the proxy run, without rules and without memory of requests."""
    try:
        proxy.forget()
    except HttpError:
        proxy.start()


class VendorPeer(Proxied):
    """A fake behind the proxy; the door of its books is not proxied."""

    def __init__(self, proxy: FaultProxy) -> None:
        super().__init__(proxy)
        self._door = Client(proxy.upstream, allow_loopback=True)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Do something at the door of the books."""
        return self._door.post(f"/__books__/{path}", json=body).json()

    def get(self, path: str) -> Any:
        """Read from the books."""
        return self._door.get(f"/__books__/{path}").json()

    def webhooks(self) -> list[Any]:
        """Return what the vendor would have posted so far."""
        found: list[Any] = self.get("webhooks")
        return found


class TossPeer(VendorPeer):
    """Toss Payments."""

    @override
    def seed(self, amount: Money) -> str:
        return self.pay(amount)

    def pay(self, amount: Money, **more: Any) -> str:
        """Make a payment known; `method`, `partial`, `min_interval` as the fake tells them."""
        body = {"amount": amount.minor, "currency": amount.currency, **more}
        return str(self.post("payments", body)["paymentKey"])

    @override
    def paid_back(self, reference: str) -> list[Money]:
        rows = self.get(f"payments/{quote(reference, safe='')}")
        return [Money(row["cancelAmount"], "KRW") for row in rows]


class AdyenPeer(VendorPeer):
    """Adyen."""

    @override
    def seed(self, amount: Money) -> str:
        body = {"value": wire_value(amount), "currency": amount.currency}
        return str(self.post("payments", body)["pspReference"])

    @override
    def paid_back(self, reference: str) -> list[Money]:
        rows = [row["amount"] for row in self.get(f"payments/{quote(reference, safe='')}")]
        return [Money(row["value"], row["currency"]) for row in rows]


def wire_value(amount: Money) -> int:
    """Return Adyen's value of an amount, told independently: major units times its decimals."""
    if amount.currency not in DECIMALS:
        return amount.minor
    return int(amount.amount * 10 ** {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}[amount.currency])
