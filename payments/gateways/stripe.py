"""Stripe: refunds by charge or PaymentIntent, signed events, settlements from balance transactions.

Sources, read 2026-11-22: https://docs.stripe.com/api/refunds (calls),
https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes (what a refusal means),
https://docs.stripe.com/api/idempotent_requests (keys). How objects, events and amounts are read
stands in `stripe_objects.py`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from django.core import checks
from django.utils import timezone

from backoffice.http import Bearer, HttpError, Response, Secret
from backoffice.money import Money
from payments.gateways import stripe_objects as objects
from payments.gateways.base import (
    BadEventError,
    Caps,
    DisputeSnapshot,
    Gateway,
    GatewayEvent,
    GatewayUnavailableError,
    Health,
    NotOfferedError,
    Outcome,
    PaymentSnapshot,
    PaymentUnknownError,
    Proof,
    RefundCommand,
    RefundResult,
    SettlementRow,
)
from payments.gateways.wire import Wire, cleaned, refusal, retry_after, scope

HOST = "https://api.stripe.com"
API_VERSION = "2026-10-28.endive"
"""Pinned, so that an upgrade in the vendor's dashboard changes nothing here."""
PAGE = 100
"""Rows asked for at once, the most that Stripe gives."""
DAY_PAGE = 25
"""Balance transactions at once: with their sources a hundred may be more than `wire.MAX_ANSWER`."""
MAX_PAGES = 20_000
_COPY = "Copy it from the developers' pages of the Stripe dashboard."
KEY = re.compile(r"(sk|rk)_(test|live)_[0-9A-Za-z_]{10,}")
# Refused before anything was looked at. Whether a key is known is judged before the request.
NOT_EXECUTED = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
)
DEFINITE = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.NOT_FOUND})
# Codes of https://docs.stripe.com/error-codes that say that this request moved no money. After a
# lost answer `charge_already_refunded` may speak of our own refund: the core looks it up first.
REFUSALS = frozenset(
    {
        "amount_too_large",
        "amount_too_small",
        "balance_insufficient",
        "charge_already_refunded",
        "charge_disputed",
        "charge_invalid_parameter",
        "charge_not_refundable",
        "insufficient_funds",
        "invalid_charge_amount",
        # https://support.stripe.com/questions/deprecation-of-fractional-isk-charges-and-refunds
        "invalid_charge_amount_no_decimal_compatible",
        "parameter_invalid_empty",
        "parameter_invalid_integer",
        "parameter_invalid_string_blank",
        "parameter_invalid_string_empty",
        "parameter_missing",
        "parameter_unknown",
        "parameters_exclusive",
        "refund_disputed_payment",
        "resource_missing",
    }
)
# More than is left is refused without a code, by the name of the parameter.
REFUSED_PARAMETERS = frozenset({"amount", "charge", "payment_intent", "reason"})


class Stripe(Gateway):
    """Speaks Stripe's API. `connect` and `read` are time limits in seconds.

    `api_key` is a secret or restricted key (refunds: write; charges, PaymentIntents, disputes,
    balance: read), `webhook_secret` that of the endpoint.
    """

    label = "Stripe"
    caps = Caps(
        partial=True,
        # Keys may be pruned "after they're at least 24 hours old".
        key_ttl=timedelta(hours=24),
        lookup="list",
        settle=timedelta(minutes=1),
        signed_webhooks=True,
    )
    vendor_hosts = frozenset({"api.stripe.com"})
    proofs = (
        Proof(
            peer="stripe-stateful-mock",
            version="0.0.16",
            on=date(2026, 11, 22),
            what="refunds, keys, limits, errors, look-up (as of API 2020-08-27, by charge)",
            source="https://www.npmjs.com/package/stripe-stateful-mock",
        ),
        Proof(
            peer="localstripe",
            version="1.15.10",
            on=date(2026, 11, 22),
            what="PaymentIntents, test charges, signed events; it keeps neither keys nor limits",
            source="https://pypi.org/project/localstripe/",
        ),
        Proof(
            peer="stripe (the vendor's own library)",
            version="16.1.0",
            on=date(2026, 11, 22),
            what="signatures of events, in both directions",
            source="https://pypi.org/project/stripe/",
        ),
        Proof(
            peer="recorded answers",
            version=API_VERSION,
            on=date(2026, 11, 22),
            what="objects and errors as the vendor's pages show them",
            source="https://docs.stripe.com/api",
        ),
    )

    def __init__(
        self,
        api_key: str,
        webhook_secret: str = "",
        *,
        base_url: str = HOST,
        connect: float = 3,
        read: float = 30,
        allow_loopback: bool = False,
    ) -> None:
        self._key, self._webhook_secret = Secret(api_key), Secret(webhook_secret)
        self.address, self._loopback = base_url, allow_loopback
        self.key_scope = scope(base_url, api_key)
        self._wire = Wire(
            base_url,
            connect=connect,
            read=read,
            headers={**Bearer(self._key).headers(), "Stripe-Version": API_VERSION},
            allow_loopback=allow_loopback,
        )
        self.timeout = self._wire.timeout
        self.live = "_live_" in api_key

    def check(self) -> list[checks.CheckMessage]:
        """Return E001 for the key, E002 for the secret (W002 without), E003 for the address."""
        found: list[checks.CheckMessage] = []
        if not KEY.fullmatch(self._key.clear()):
            text = "api_key is no secret key (sk_… or rk_…)"
            found.append(checks.Error(text, hint=_COPY, id="stripe.E001"))
        secret = self._webhook_secret.clear()
        if secret and not secret.startswith("whsec_"):
            text = "webhook_secret does not begin with whsec_"
            found.append(checks.Error(text, hint=_COPY, id="stripe.E002"))
        if not secret:
            text = "without webhook_secret every event is refused"
            found.append(checks.Warning(text, hint=_COPY, id="stripe.W002"))
        if self.address != HOST and (self.live or not self._loopback):
            text = "base_url is not Stripe's own: only test keys on this machine may go there"
            hint = "Leave base_url out, or use a test key and allow_loopback."
            found.append(checks.Error(text, hint=hint, id="stripe.E003"))
        return found

    def fetch_payment(self, reference: str) -> PaymentSnapshot:
        """Read the charge, its refunds and, where there are any, its disputes."""
        try:
            charge = self._charge(reference)
            refunds = tuple(objects.refund(row) for row in self._refunds(reference))
            gone = [one.amount for one in refunds if one.outcome is not Outcome.FAILED]
            currency = str(charge["currency"]).upper()
            return PaymentSnapshot(
                reference=reference,
                captured=objects.captured(charge),
                refunded=sum(gone, Money(0, currency)),
                refunds=refunds,
                disputes=self._disputes(charge),
            )
        except objects.UNREADABLE as error:
            raise _unreadable() from error

    def refund(self, command: RefundCommand) -> RefundResult:
        """Send the refund with its key, once."""
        try:
            form = objects.form(command)
        except ValueError as error:
            return RefundResult(Outcome.FAILED, code="amount_not_writable", message=str(error))
        try:
            return _accepted(self._wire.send_form("/v1/refunds", form, key=command.key), command)
        except HttpError as error:
            return self._not_accepted(error)

    def find_refund(self, command: RefundCommand) -> RefundResult | None:
        """Look through the payment's refunds for our number in their metadata."""
        try:
            all_of_it = [objects.refund(row) for row in self._refunds(command.payment_reference)]
        except objects.UNREADABLE as error:
            raise _unreadable() from error
        found = [one for one in all_of_it if one.number == command.number]
        if not found:
            return None
        alive = [one for one in found if one.outcome is not Outcome.FAILED]
        if len(alive) > 1:
            return RefundResult(
                Outcome.UNKNOWN,
                reference=alive[0].reference,
                code="listed_twice",
                message="The gateway lists this refund more than once",
            )
        return objects.result((alive or found)[0], command)

    def healthcheck(self) -> Health:
        """Ask for one refund: what this adapter needs most."""
        try:
            self._wire.read("/v1/refunds", {"limit": 1})
        except GatewayUnavailableError as error:
            return Health(ok=False, message=str(error), checked_at=timezone.now())
        return Health(ok=True, message="", checked_at=timezone.now())

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> list[GatewayEvent]:
        """Return the event, once the signature over the raw body and its age are proven."""
        objects.verify(headers, body, self._webhook_secret)
        try:
            return [objects.event(json.loads(body), live=self.live)]
        except (*objects.UNREADABLE, RecursionError) as error:
            raise BadEventError("The body is no event of this account") from error

    def settlement(self, day: date) -> Iterator[SettlementRow]:
        """Return the balance transactions created on that day (UTC), each with its source."""
        begin = datetime.combine(day, time(), UTC)
        asked: dict[str, str | int] = {
            "created[gte]": int(begin.timestamp()),
            "created[lt]": int((begin + timedelta(days=1)).timestamp()),
            "expand[]": "data.source",
        }
        for number, row in enumerate(self._list("/v1/balance_transactions", asked, DAY_PAGE), 1):
            yield from objects.movements(row, f"row {number}")

    def charge_for_test(self, amount: Money) -> str:
        """Confirm a PaymentIntent with the test card https://docs.stripe.com/testing names."""
        if self.live:
            raise NotOfferedError
        form = {
            "amount": str(objects.to_stripe(amount)),
            "currency": amount.currency.lower(),
            "payment_method": "pm_card_visa",
            "confirm": "true",
            "payment_method_types[]": "card",
        }
        try:
            made = self._wire.send_form("/v1/payment_intents", form, key=uuid4()).json()
            return str(made["id"])
        except (HttpError, *objects.UNREADABLE) as error:
            raise GatewayUnavailableError(cleaned(error, self._secrets)) from error

    @property
    def _secrets(self) -> list[Secret]:
        return [one for one in (self._key, self._webhook_secret) if one.clear()]

    def _not_accepted(self, error: HttpError) -> RefundResult:
        told = refusal(error.response).get("error")
        told = told if isinstance(told, dict) else {}
        outcome = Outcome.UNKNOWN
        if not error.sent or error.status in NOT_EXECUTED:
            outcome = Outcome.NOT_SENT
        elif error.status in DEFINITE and _is_definite(told):
            outcome = Outcome.FAILED
        return RefundResult(
            outcome,
            code=cleaned(told.get("code") or told.get("type") or error.kind, self._secrets),
            message=cleaned(told.get("message") or error, self._secrets),
            retry_after=retry_after(error.response),
            replayed=_replayed(error.response),
        )

    def _charge(self, reference: str) -> Mapping[str, Any]:
        """Return the charge that a reference (pi_… or ch_…) stands for."""
        name = quote(reference, safe="")
        if not reference.startswith("pi_"):
            return self._read(f"/v1/charges/{name}")
        intent = self._read(f"/v1/payment_intents/{name}", {"expand[]": "latest_charge"})
        charge = intent["latest_charge"]
        if charge is None:  # nothing was paid yet
            return {"currency": intent["currency"], "amount_captured": 0, "disputed": False}
        return charge if isinstance(charge, dict) else self._read(f"/v1/charges/{charge}")

    def _refunds(self, reference: str) -> Iterator[Mapping[str, Any]]:
        return self._list("/v1/refunds", {objects.parameter(reference): reference})

    def _disputes(self, charge: Mapping[str, Any]) -> tuple[DisputeSnapshot, ...]:
        if not charge.get("disputed"):
            return ()
        return tuple(
            objects.dispute(row) for row in self._list("/v1/disputes", {"charge": charge["id"]})
        )

    def _list(
        self, path: str, asked: Mapping[str, str | int], size: int = PAGE
    ) -> Iterator[Mapping[str, Any]]:
        """Yield every row of a list; a list whose end is not told is an error, not shorter."""
        after: dict[str, str | int] = {}
        for _page in range(MAX_PAGES):
            body = self._read(path, {**asked, "limit": size, **after})
            rows, more = body.get("data"), body.get("has_more")
            if not isinstance(rows, list) or not isinstance(more, bool) or (more and not rows):
                raise _unreadable()
            yield from rows
            if not more:
                return
            after = {"starting_after": objects.text(rows[-1], "id")}
        raise GatewayUnavailableError("The list does not end")

    def _read(self, path: str, asked: Mapping[str, str | int] | None = None) -> Mapping[str, Any]:
        """Read an object; raise PaymentUnknownError where Stripe itself says that it has none."""
        try:
            return self._wire.read(path, asked)
        except GatewayUnavailableError as error:
            cause = error.__cause__
            if isinstance(cause, HttpError) and cause.status == HTTPStatus.NOT_FOUND:
                told = refusal(cause.response).get("error")
                if isinstance(told, dict) and told.get("type") == "invalid_request_error":
                    raise PaymentUnknownError(path) from error
            raise


def _accepted(response: Response, command: RefundCommand) -> RefundResult:
    """Read a 2xx; an answer that cannot be understood proves nothing."""
    body = response.json()
    try:
        found = objects.refund(body, of=command.payment_reference)
    except objects.UNREADABLE:
        return RefundResult(Outcome.UNKNOWN, message="The answer could not be read")
    return objects.result(found, command, raw=body, replayed=_replayed(response))


def _replayed(response: Response | None) -> bool:
    return response is not None and response.headers.get("Idempotent-Replayed") == "true"


def _is_definite(told: Mapping[str, Any]) -> bool:
    """Say whether a refusal proves that this request moved no money."""
    if told.get("type") not in {"invalid_request_error", "card_error"}:
        return False
    if code := told.get("code"):
        return code in REFUSALS
    return told.get("param") in REFUSED_PARAMETERS


def _unreadable() -> GatewayUnavailableError:
    return GatewayUnavailableError("The gateway's answer could not be read")
