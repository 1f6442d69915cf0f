"""The stage of the fault tests: peers, people and processes shared by all of them.

The database is emptied once, after the last of them: each test makes rows of its own, and what
earlier ones left open is put to rest before it. (A flush after each would take longer than all of
the tests together.)
"""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoDbBlocker, Settings

from backoffice.accounts.models import Counter, User
from backoffice.audit import triggers
from backoffice.jobs.models import Job
from backoffice.money import Money
from payments import services
from payments.models import GatewayState, InboxEvent, Payment, Refund
from payments.models import triggers as books
from tests.contracts.peers import Peer
from tests.factories import make_order, make_payment
from tests.payments.faults import crew as crews
from tests.payments.test_gateways import SimulatorPeer
from tests.peers import stripe
from tests.peers.proxy import FaultProxy
from tests.people import make_person
from tests.simulator import WEBHOOK_SECRET, SimulatorProcess

SIMULATOR = "payments.gateways.simulator.Simulator"
# Seconds: a busy machine must not look like a gateway that does not answer.
PATIENT = {"connect": 8, "read": 5}


@pytest.fixture(scope="package")
def _stage(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield
        triggers.lift(connection)
        books.lift(connection)
        call_command("flush", verbosity=0, interactive=False)
        triggers.install(connection)
        books.install(connection)


@pytest.fixture
def _django_db_helper(_stage: None) -> None:
    """Neither wrap the test in a transaction nor flush after it; stands for pytest-django's own."""


@pytest.fixture(scope="package")
def _people(_stage: None) -> dict[str, User]:
    roles = {"eve": "support", "max": "finance", "kim": "owner"}
    return {name: make_person(name, role) for name, role in roles.items()}


@pytest.fixture(scope="package")
def _processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorPeer]:
    state = tmp_path_factory.mktemp("simulator") / "gateway.sqlite3"
    with SimulatorProcess(state) as simulator, FaultProxy(simulator.url) as proxy:
        yield SimulatorPeer(proxy, simulator)


@pytest.fixture(scope="package")
def _crew(_stage: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[crews.Crew]:
    with crews.crew(tmp_path_factory.mktemp("crew")) as made:
        yield made


@pytest.fixture(autouse=True)
def _quiet(_stage: None) -> None:
    """Put to rest what earlier tests left open."""
    Refund.objects.exclude(next_try_at=None).update(next_try_at=None)
    InboxEvent.objects.filter(state="waiting").update(state="done")
    Job.objects.filter(state="queued").update(state="cancelled", finished_at=timezone.now())
    GatewayState.objects.all().delete()
    Counter.objects.all().delete()


@pytest.fixture
def crew(_crew: crews.Crew, sim: SimulatorPeer) -> crews.Crew:
    return _crew


@pytest.fixture
def eve(_people: dict[str, User]) -> User:
    return _people["eve"]


@pytest.fixture
def max_(_people: dict[str, User]) -> User:
    return _people["max"]


@pytest.fixture
def kim(_people: dict[str, User]) -> User:
    return _people["kim"]


@pytest.fixture
def sim(_processes: SimulatorPeer, settings: Settings) -> SimulatorPeer:
    """The simulator behind the fault proxy, without any fault; the alias leads to it."""
    _processes.process.calm()
    _processes.proxy.ready()
    options = {
        "base_url": _processes.proxy.url,
        "webhook_secret": WEBHOOK_SECRET,
        "connect": 5,
        "read": 20,
    }
    entry = {"BACKEND": SIMULATOR, "OPTIONS": options}
    settings.GATEWAYS = {**settings.GATEWAYS, "simulator": entry}
    return _processes


@pytest.fixture(params=["simulator", "stripe"])
def peer(request: pytest.FixtureRequest, sim: SimulatorPeer, settings: Settings) -> Peer:
    """Each of the two: our simulator, and a program that nobody here wrote."""
    if request.param == "simulator":
        return sim
    found: stripe.StripeMock = request.getfixturevalue("strict_gateway")
    settings.GATEWAYS["stripe"]["OPTIONS"] |= PATIENT
    return found


@pytest.fixture
def paid() -> Callable[..., Payment]:
    """Make a paid order; its payment is known to the peer."""

    def make(peer: Peer, minor: int = 10_000, *lines: int) -> Payment:
        alias = "simulator" if isinstance(peer, SimulatorPeer) else "stripe"
        order = make_order(*(lines or (minor,)))
        reference = peer.seed(Money(minor, "GBP"))
        return make_payment(order, captured=minor, gateway=alias, reference=reference)

    return make


@pytest.fixture
def approved(paid: Callable[..., Payment], eve: User, max_: User) -> Callable[..., Refund]:
    """Make an approved refund of a new paid order, or of the order of a payment."""

    def make(peer: Peer, minor: int = 1_275, *, payment: Payment | None = None) -> Refund:
        order = (payment or paid(peer)).order
        refund = services.request_refund(
            order, Money(minor, "GBP"), actor=eve, reason=f"Damaged {uuid4()}"
        )
        services.approve_refund(refund, actor=max_)
        return Refund.objects.select_related("payment").get(pk=refund.pk)

    return make
