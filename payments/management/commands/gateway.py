"""`manage.py gateway …`: which gateways there are, whether they work, and a proof in test mode."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backoffice.adapters import UnknownAliasError
from backoffice.money import Money
from payments.gateways import gateways
from payments.gateways.base import Gateway
from payments.models import GatewayVerification
from payments.services import verification


def made(alias: str) -> Gateway:
    """Return the adapter. Raises CommandError."""
    try:
        return gateways[alias]
    except UnknownAliasError as error:
        raise CommandError(f"{error}; there are {', '.join(gateways)}.") from None


class Command(BaseCommand):
    """Gateways from a terminal."""

    help = (
        "List gateways, ask one whether it works, or prove its adapter in the vendor's test mode."
    )
    # An adapter without its proof is an error of the checks; it must be possible to give the proof.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add one parser a verb."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="alias, keys, what it was proven against")
        check = verbs.add_parser("check", help="ask the gateway whether it works")
        check.add_argument("alias")
        verify = verbs.add_parser("verify", help="charge and refund a little in test mode")
        verify.add_argument("alias")
        verify.add_argument(
            "--amount",
            nargs=2,
            default=("1.00", "GBP"),
            metavar=("AMOUNT", "CURRENCY"),
            help="what is charged; half of it is refunded (1.00 GBP)",
        )
        verify.add_argument(
            "--payment", default="", help="a test payment of that amount that was made by hand"
        )
        verify.add_argument("--by", default="", help="who runs it (the account that is signed in)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do the verb."""
        getattr(self, f"_{options['verb']}")(**options)

    def _list(self, **options: Any) -> None:
        for alias in gateways:
            gateway = made(alias)
            keys = "live keys" if gateway.live else "test keys"
            self.stdout.write(f"{alias}: {gateway.label}, {keys}, {self._proof(alias, gateway)}")
            for proof in gateway.proofs:
                self.stdout.write(f"    {proof.on} {proof.peer} ({proof.version}): {proof.what}")

    def _proof(self, alias: str, gateway: Gateway) -> str:
        proof = verification.last_proof(alias)
        if proof is not None:
            return f"verified {proof.at:%Y-%m-%d}"
        if gateway.caps.by_hand:
            return "moved by people"
        if gateway.practice:
            return "for practice"
        return "not verified live" + (", accepted" if verification.accepted(alias) else "")

    def _check(self, *, alias: str, **options: Any) -> None:
        health = made(alias).healthcheck()
        if not health.ok:
            raise CommandError(f"{alias}: {health.message}")
        self.stdout.write(f"{alias}: it works")

    def _verify(
        self, *, alias: str, amount: tuple[str, str], payment: str, by: str, **options: Any
    ) -> None:
        gateway, money = made(alias), self._money(*amount)
        try:
            run = verification.verify(
                alias, money, reference=payment, by=(by or getpass.getuser())[:80]
            )
        except verification.LiveKeysError:
            text = "has live keys: a test charge would be real money. Use test keys."
            raise CommandError(f"{alias} ({gateway.label}) {text}") from None
        self._tell(run)
        if not run.ok:
            raise CommandError(f"{alias} is not proven; this run is on record.")
        if run.mode != verification.TEST:
            self.stdout.write("This was a server of our own: it proves nothing about the vendor.")

    def _money(self, amount: str, currency: str) -> Money:
        try:
            money = Money.of(amount, currency.upper())
        except ValueError as error:
            raise CommandError(str(error)) from None
        if money.minor < 2:  # noqa: PLR2004 - half of it is refunded
            raise CommandError("Too little: half of it is refunded.")
        return money

    def _tell(self, run: GatewayVerification) -> None:
        for step in run.details:
            mark = "ok  " if step["ok"] else "FAIL"
            self.stdout.write(f"{mark} {step['step']}: {step['told']}")
