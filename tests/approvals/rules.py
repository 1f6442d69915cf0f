"""A rule for tests whose effect is a row, so that a rolled-back or doubled effect shows."""

from typing import Any

from django.core.exceptions import ValidationError

from backoffice.accounts.models import User
from backoffice.approvals import services
from backoffice.approvals.models import ApprovalRequest
from backoffice.approvals.registry import Band, Effect, Rule
from backoffice.money import Money
from customers.models import Customer
from sellers.models import Seller

KIND = "tests.move"
RIGHT, HIGHER_RIGHT = "payments.approve_refund", "masking.give_grant"


def effects_of(request: ApprovalRequest) -> int:
    """Return how often the request took effect."""
    return Seller.objects.filter(code__startswith=f"effect-{request.pk}-").count()


def take_effect(request: ApprovalRequest) -> None:
    """Leave a row; a payload may ask to fail instead."""
    if request.payload.get("wish") == "fail":
        raise ValidationError("It cannot be done.")
    if request.payload.get("wish") == "void":
        raise services.VoidError("It does not hold any more.")
    if request.payload.get("wish") == "crash":
        raise RuntimeError("out of order")
    number = effects_of(request)
    Seller.objects.create(code=f"effect-{request.pk}-{number}", name="Effect")


def snapshot(request: ApprovalRequest) -> dict[str, Any]:
    """Return what the decision rests on."""
    customer = request.record()
    return {"country": customer.country if customer else None}


def effects(request: ApprovalRequest) -> list[Effect]:
    """Return the country before and after."""
    customer = request.record()
    return [Effect("country", customer.country, request.payload.get("to", ""))]


def nobody_else(request: ApprovalRequest) -> list[Any]:
    """Return whom the payload names as owner."""
    return [owner] if (owner := request.payload.get("owner")) else []


def move_rule(**values: Any) -> Rule:
    """Return the rule: one person, two above £500, somebody higher above £1,000."""
    usual: dict[str, Any] = {
        "kind": KIND,
        "label": "Move a customer",
        "permission": RIGHT,
        "execute": take_effect,
        "snapshot": snapshot,
        "effects": effects,
        "excluded": nobody_else,
        "excluded_label": "the owner",
        "bands": (
            Band(Money.of("500", "GBP"), approvers=2),
            Band(Money.of("1000", "GBP"), approvers=2, permission=HIGHER_RIGHT),
        ),
    }
    return Rule(**{**usual, **values})


def ask_move(
    maker: User, minor: int = 100, currency: str = "GBP", **payload: Any
) -> ApprovalRequest:
    """Ask for a move to Spain of a new customer in France."""
    count = Customer.objects.count()
    customer = Customer.objects.create(number=f"m-{count}", country="France")
    values = {"to": "Spain", "amount_minor": minor, "currency": currency, **payload}
    return services.ask(
        KIND, subject=customer, payload=values, summary="Move", reason="asked", actor=maker
    )
