"""What every gateway adapter must keep, proven against a peer in another process.

A new adapter inherits the suite, names its alias, and gives a `peer` that can play the faults
(`tests/peers/proxy.py` plays all of them before any HTTP server)::

    class TestAcme(GatewayContract):
        gateway = "acme"

        @pytest.fixture
        def peer(self, …) -> AcmePeer: …

What is asked follows from the adapter's `caps` and from what it offers: whether an accepted refund
is final or pending, whether it can be read back, whether events are signed. What a gateway does not
offer has to be refused with NotOfferedError; nothing is left out. The other hooks stand in
`tests/contracts/case.py`.
"""

from tests.contracts.answers import AnswerContract
from tests.contracts.events import EventContract
from tests.contracts.options import OptionContract
from tests.contracts.reads import ReadContract
from tests.contracts.refunds import RefundContract
from tests.contracts.settlements import SettlementContract


class GatewayContract(
    RefundContract, ReadContract, AnswerContract, EventContract, SettlementContract, OptionContract
):
    """The whole suite; `gateway` is the alias in the settings."""
