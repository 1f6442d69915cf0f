"""A vendor for the tests of `gateway verify`: books in memory, and one fault at a time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Literal

from django.utils import timezone

from backoffice.money import Money
from payments.gateways.base import (
    Caps,
    Gateway,
    GatewayUnavailableError,
    Health,
    NotOfferedError,
    Outcome,
    PaymentSnapshot,
    RefundCommand,
    RefundResult,
    RefundSnapshot,
)


class Vendor(Gateway):
    """`fault` is what goes wrong; `keys` "live" or "test"; `lookup` as in Caps."""

    label = "Vendor"
    vendor_hosts = frozenset({"test.vendor.example"})
    timeout = timedelta(seconds=1)

    def __init__(
        self,
        *,
        fault: str = "",
        keys: str = "test",
        lookup: Literal["list", "none"] = "list",
        address: str = "https://test.vendor.example/v1",
    ) -> None:
        self.address = address
        self.fault = fault
        self.live = keys == "live"
        self.caps = Caps(
            partial=True, key_ttl=timedelta(days=1), lookup=lookup, settle=timedelta(0)
        )
        self.charged = Money(0, "GBP")
        self.sent: list[RefundCommand] = []
        self.refunds: list[RefundSnapshot] = []

    def healthcheck(self) -> Health:
        ok = self.fault != "down"
        return Health(ok=ok, message="" if ok else "It is down", checked_at=timezone.now())

    def charge_for_test(self, amount: Money) -> str:
        if self.fault == "no_charge":
            raise NotOfferedError
        if self.fault == "charge_refused":
            raise GatewayUnavailableError("The card was refused")
        self.charged = amount
        return "pay-1"

    def fetch_payment(self, reference: str) -> PaymentSnapshot:
        refunded = sum((one.amount for one in self.refunds), Money(0, "GBP"))
        return PaymentSnapshot(reference, self.charged, refunded, tuple(self.refunds))

    def refund(self, command: RefundCommand) -> RefundResult:
        fault: Callable[[], RefundResult] | None = {
            "refused": lambda: RefundResult(Outcome.FAILED, code="NO", message="Refused"),
            "unknown": lambda: RefundResult(Outcome.UNKNOWN, message="Nobody knows"),
            "broken": lambda: RefundResult(Outcome(self.fault)),
        }.get(self.fault)
        if fault:
            return fault()
        self.sent.append(command)
        first = len(self.sent) == 1
        if first or self.fault in {"pays_twice", "pays_twice_quietly"}:
            reference = "re-1" if first or self.fault == "pays_twice_quietly" else "re-2"
            self.refunds.append(
                RefundSnapshot(reference, command.number, command.amount, Outcome.SUCCEEDED)
            )
        else:
            reference = self.refunds[0].reference
        return RefundResult(Outcome.SUCCEEDED, reference=reference, amount=command.amount)

    def find_refund(self, command: RefundCommand) -> RefundResult | None:
        if self.fault == "not_listed":
            return None
        found = self.refunds[0]
        if self.fault == "other_amount":
            found = replace(found, amount=Money(1, "GBP"))
        return RefundResult(found.outcome, reference=found.reference, amount=found.amount)
