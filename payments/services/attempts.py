"""Each request about a refund, and each word from its gateway, as a row that nobody changes."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from payments.gateways.base import (
    GatewayUnavailableError,
    NotOfferedError,
    Outcome,
    PaymentUnknownError,
    RefundResult,
)
from payments.models import Refund, RefundAttempt
from payments.models.payment import REFERENCE

logger = logging.getLogger("payments")
Kind = RefundAttempt.Kind

# What the gateway says goes into columns of ours: PostgreSQL refuses NUL, and a bullet is the mark
# of a masked value, which the record of activity refuses.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2022\ud800-\udfff]+")
_DEEPEST, _LONGEST, _MOST = 6, 200, 100


@dataclass(frozen=True, slots=True)
class Told:
    """What one request told.

    `result` is None where the gateway does not list the refund, and where nothing was learnt:
    then `unavailable` says why, or `stranger` is True: the gateway does not know the payment.
    """

    kind: RefundAttempt.Kind
    took_ms: int = 0
    result: RefundResult | None = None
    unavailable: str = ""
    stranger: bool = False

    @property
    def alive(self) -> bool:
        """Whether the gateway gave an answer that means something."""
        if self.result is None:
            return not self.unavailable
        answered = self.result.outcome not in {Outcome.UNKNOWN, Outcome.NOT_SENT}
        return answered or self.result.amount is not None

    @property
    def outcome(self) -> str:
        """The outcome in a word."""
        if self.result is not None:
            return self.result.outcome.value
        if self.unavailable:
            return "unavailable"
        return "stranger" if self.stranger else "absent"


def sent(kind: RefundAttempt.Kind, call: Callable[[], RefundResult]) -> Told:
    """Call, once; an error of the adapter leaves the outcome open like a lost answer."""
    began = time.monotonic()
    try:
        result = _clean(call())
    except Exception:
        logger.exception("an adapter raised while it sent a refund")
        result = RefundResult(Outcome.UNKNOWN, code="adapter", message=_("The adapter failed"))
    return Told(kind, _since(began), result)


def looked_up(call: Callable[[], RefundResult | None]) -> Told:
    """Call, once, and sort what may come of a look-up."""
    began = time.monotonic()
    try:
        found = call()
    except PaymentUnknownError:
        return Told(Kind.LOOKED_UP, _since(began), stranger=True)
    except NotOfferedError:
        return Told(Kind.LOOKED_UP, _since(began))
    except GatewayUnavailableError as error:
        return Told(Kind.LOOKED_UP, _since(began), unavailable=text(error) or "?")
    except Exception:
        logger.exception("an adapter raised while it looked a refund up")
        return Told(Kind.LOOKED_UP, _since(began), unavailable=_("The adapter failed"))
    return Told(Kind.LOOKED_UP, _since(began), None if found is None else _clean(found))


def note(refund: Refund, told: Told) -> RefundAttempt:
    """Write the row, in the running transaction."""
    result = told.result or RefundResult(Outcome.UNKNOWN, message=told.unavailable)
    return RefundAttempt.objects.create(
        refund=refund,
        kind=told.kind,
        took_ms=told.took_ms,
        outcome=told.outcome,
        reference=result.reference[:REFERENCE],
        code=result.code[:80],
        message=result.message[:200],
        raw=result.raw,
    )


def text(value: object, longest: int = _LONGEST) -> str:
    """Return what a gateway said as one line that every column takes."""
    return _CONTROL.sub(" ", str(value)).strip()[:longest]


def _clean(result: RefundResult) -> RefundResult:
    return replace(
        result,
        reference=text(result.reference, REFERENCE),
        code=text(result.code, 80),
        message=text(result.message),
        raw=_plain(result.raw),
    )


def _plain(raw: Mapping[str, object]) -> dict[str, Any]:
    """Return an answer as plain JSON of a bounded size."""
    found = _part(raw, _DEEPEST)
    return found if isinstance(found, dict) else {}


def _part(value: object, deep: int) -> Any:
    if isinstance(value, Mapping):
        rows = list(value.items())[:_MOST]
        return {text(k, 80): _part(v, deep - 1) for k, v in rows} if deep else {}
    if isinstance(value, list | tuple):
        return [_part(one, deep - 1) for one in value[:_MOST]] if deep else []
    if value is None or isinstance(value, bool | int):
        return value
    return text(value)


def _since(began: float) -> int:
    return max(round((time.monotonic() - began) * 1000), 0)
