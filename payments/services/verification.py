"""Whether an adapter has met its vendor: proven by a person's run, or refused with live keys.

Everything else in this house is proven against other programs than the vendor's. `verify` charges
and refunds a little in the vendor's own test mode, looks the refund up, repeats its key, and keeps
what it saw as a row that nobody can change. It belongs to the adapter (its dotted path), so that a
run with test keys under one alias speaks for the live keys of another. A run against any address
but the vendor's own is practice, and proves nothing.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.audit import verbs
from backoffice.audit.services import record
from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import (
    Gateway,
    GatewayUnavailableError,
    NotOfferedError,
    Outcome,
    PaymentUnknownError,
    RefundCommand,
    RefundResult,
)
from payments.models import GatewayVerification
from payments.services.refusals import RefundRefusedError

logger = logging.getLogger("payments")
VERIFIED = verbs.register("payments.gateway_verified", gettext_lazy("Gateway verified"))
NOT_VERIFIED = verbs.register(
    "payments.gateway_not_verified", gettext_lazy("Verification of a gateway failed")
)

TEST, PRACTICE = "test", "practice"
"""Modes of a run: the vendor's own test system, or a server of ours."""
ACCEPTED = frozenset({Outcome.SUCCEEDED, Outcome.PENDING})
LOOKS = 10
"""Look-ups before a refund counts as not listed."""
PAUSE = timedelta(seconds=1)


class LiveKeysError(Exception):
    """A test charge with keys that move real money."""


class StepError(Exception):
    """What was looked for did not happen; the text says what did."""


@dataclass
class Run:
    """One verification: what it works on, and the steps so far (name, whether it held, what)."""

    gateway: Gateway
    amount: Money
    reference: str = ""
    steps: list[dict[str, Any]] = field(default_factory=list)
    command: RefundCommand | None = None
    first: RefundResult | None = None

    def step(self, name: str, function: "Callable[[Run], str]") -> bool:
        """Do one step and note it; False ends the run."""
        try:
            told, held = function(self), True
        except NotOfferedError as error:
            told, held = str(error) or _("This gateway does not offer it."), False
        except (StepError, GatewayUnavailableError, PaymentUnknownError) as error:
            told, held = f"{type(error).__name__}: {error}", False
        except Exception as error:
            logger.exception("verification broke at %s", name)
            told, held = f"{type(error).__name__}", False
        self.steps.append({"step": name, "ok": held, "told": told[:500]})
        return held


def why_not_usable(alias: str) -> str | None:
    """Return why this gateway must not refund, in words; None when it may.

    Raises UnknownAliasError.
    """
    if not gateways[alias].live or accepted(alias) or last_proof(alias) is not None:
        return None
    return _(
        "%(gateway)s has keys that move real money, and nobody has proven yet that its adapter "
        "works there. Run “manage.py gateway verify” with test keys first."
    ) % {"gateway": gateways[alias].label}


def require_usable(alias: str) -> None:
    """Raise RefundRefusedError unless this gateway may refund."""
    why = why_not_usable(alias)
    if why is not None:
        raise RefundRefusedError(why)


def accepted(alias: str) -> bool:
    """Say whether the settings take the adapter as it is.

    ``"ACCEPT_UNVERIFIED": True`` in its entry, or its alias in BACKOFFICE_UNVERIFIED_GATEWAYS.
    """
    entry = settings.GATEWAYS[alias].get("ACCEPT_UNVERIFIED") is True
    return entry or alias in getattr(settings, "BACKOFFICE_UNVERIFIED_GATEWAYS", ())


def last_proof(alias: str) -> GatewayVerification | None:
    """Return the newest verification of this adapter that held, under whatever alias."""
    backend = settings.GATEWAYS[alias]["BACKEND"]
    proofs = GatewayVerification.objects.filter(backend=backend, ok=True, mode=TEST)
    return proofs.order_by("-id").first()


def last_run(alias: str) -> GatewayVerification | None:
    """Return the newest verification of this adapter, also one that failed."""
    backend = settings.GATEWAYS[alias]["BACKEND"]
    return GatewayVerification.objects.filter(backend=backend).order_by("-id").first()


def check_usable(**kwargs: object) -> list[CheckMessage]:
    """Return an error for each gateway whose live keys nobody has answered for.

    Nothing before the tables are there: a new system has to be able to migrate.
    """
    return [found for alias in _aliases() for found in _check(alias)]


def verify(
    alias: str,
    amount: Money,
    *,
    reference: str = "",
    by: str = "",
    pause: timedelta = PAUSE,
) -> GatewayVerification:
    """Charge `amount` in the vendor's test mode, refund half of it, and record what was seen.

    `reference` names a test payment that was made by hand, where the vendor has no test charge by
    API; `by` who runs it. Whatever happens is recorded; the row's `ok` says whether all of it held.
    Raises LiveKeysError before anything is sent.
    """
    gateway = gateways[alias]
    if gateway.live:
        raise LiveKeysError
    run = Run(gateway, amount, reference)
    held = all(run.step(name, step) for name, step in _steps(pause))
    return _keep(alias, run, held=held, by=by)


def _aliases() -> Iterable[str]:
    """Return the aliases of entries that can be made; of others `adapters` complains."""
    for alias in gateways:
        try:
            gateways[alias]
        except Exception:  # noqa: BLE001, S112 - whatever it raises is an adapters.E00x
            continue
        yield alias


def _check(alias: str) -> list[CheckMessage]:
    try:
        why = why_not_usable(alias)
    except DatabaseError:
        return []
    if why is None:
        return []
    hint = (
        "Verify the adapter with test keys, or accept it as it is: 'ACCEPT_UNVERIFIED': True "
        "beside BACKEND, or its alias in BACKOFFICE_UNVERIFIED_GATEWAYS."
    )
    return [Error(f"GATEWAYS[{alias!r}]: {why}", hint=hint, id="payments.E030")]


def _steps(pause: timedelta) -> list[tuple[str, Callable[[Run], str]]]:
    return [
        (_("Asked whether it works"), _healthy),
        (_("Made a test charge"), _charge),
        (_("Refunded half of it"), _refund),
        (_("Looked the refund up"), lambda run: _look_up(run, pause)),
        (_("Sent the same key again"), _replay),
        (_("Counted what went out"), _count),
    ]


def _healthy(run: Run) -> str:
    health = run.gateway.healthcheck()
    if not health.ok:
        raise StepError(health.message)
    return _("It does.")


def _charge(run: Run) -> str:
    if run.reference:
        return _("The payment %(reference)s was made by hand.") % {"reference": run.reference}
    try:
        run.reference = run.gateway.charge_for_test(run.amount)
    except NotOfferedError as error:
        text = _(
            "%(gateway)s has no test charge by API. Pay %(amount)s once in its test mode, and name "
            "that payment with --payment."
        )
        given = {"gateway": run.gateway.label, "amount": run.amount}
        raise StepError(str(error) or text % given) from error
    return run.reference


def _refund(run: Run) -> str:
    half = Money(run.amount.minor // 2, run.amount.currency)
    run.command = RefundCommand(
        number=str(uuid4()),
        key=uuid4(),
        payment_reference=run.reference,
        amount=half,
        reason="test",
    )
    run.first = run.gateway.refund(run.command)
    if run.first.outcome not in ACCEPTED or not run.first.reference:
        raise StepError(f"{run.first.outcome}: {run.first.code} {run.first.message}")
    return f"{half}: {run.first.outcome}, {run.first.reference}"


def _look_up(run: Run, pause: timedelta) -> str:
    command, first = _sent(run)
    if run.gateway.caps.lookup == "none":
        return _("It cannot be asked; its event has to arrive.")
    for look in range(LOOKS):
        if look:
            time.sleep(pause.total_seconds())
        found = run.gateway.find_refund(command)
        if found is not None:
            break
    else:
        raise StepError(_("It does not list the refund."))
    if (found.reference, found.amount) != (first.reference, command.amount):
        raise StepError(f"{found.reference} {found.amount} {found.message}")
    return f"{found.outcome}, {found.reference}"


def _replay(run: Run) -> str:
    command, first = _sent(run)
    again = run.gateway.refund(command)
    if again.outcome not in ACCEPTED or again.reference != first.reference:
        raise StepError(f"{again.outcome}: {again.reference} {again.code} {again.message}")
    return _("The same refund came back: %(reference)s") % {"reference": again.reference}


def _count(run: Run) -> str:
    command, _first = _sent(run)
    if run.gateway.caps.lookup == "none":
        return _("It cannot be asked; that the same refund came back is all there is to see.")
    payment = run.gateway.fetch_payment(run.reference)
    mine = [refund for refund in payment.refunds if refund.number == command.number]
    others = [refund.amount for refund in payment.refunds if refund.number != command.number]
    rest = sum(others, Money(0, command.amount.currency))
    if len(mine) != 1 or payment.refunded != command.amount + rest:
        raise StepError(f"{len(mine)} x {command.number}, {payment.refunded}")
    return _("%(amount)s went out, once.") % {"amount": command.amount}


def _sent(run: Run) -> tuple[RefundCommand, RefundResult]:
    if run.command is None or run.first is None:
        raise StepError("nothing was sent")
    return run.command, run.first


def _keep(alias: str, run: Run, *, held: bool, by: str) -> GatewayVerification:
    with transaction.atomic():
        kept = GatewayVerification.objects.create(
            gateway=alias,
            backend=settings.GATEWAYS[alias]["BACKEND"],
            vendor=str(run.gateway.label),
            mode=_mode(alias),
            ok=held,
            details=run.steps,
            version=our_version(),
            by=by,
        )
        record(
            VERIFIED if held else NOT_VERIFIED,
            actor=None,
            subject=kept,
            context={"gateway": alias, "steps": len(run.steps)},
        )
    return kept


def _mode(alias: str) -> str:
    """Return TEST where its requests go to the vendor's own test system, and nowhere else."""
    gateway = gateways[alias]
    return TEST if urlsplit(gateway.address).hostname in gateway.vendor_hosts else PRACTICE


def our_version() -> str:
    """Return the version of the installed framework, "" where it runs from its source."""
    try:
        return version_of("django-backoffice")
    except PackageNotFoundError:
        return ""
