"""The address to which gateways tell what happened. It knows nobody: no session, no token.

The signature is proven on the raw bytes. What is proven is stored, answered, and worked on later.
"""

from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from backoffice.accounts import limits
from backoffice.audit import context
from payments.gateways import gateways
from payments.gateways.base import BadEventError, BadSignatureError, NotOfferedError
from payments.services import events

MAX_BYTES: Final = 1024 * 1024
# A gateway retries for days what it could not deliver, so these may be strict. What is signed
# counts for its gateway, once that is proven; what is not counts for the address that sent it, so
# that nobody keeps the gateway itself out.
OF_ONE_GATEWAY: Final = limits.Limit(hits=6000, seconds=60)
UNSIGNED_OF_ONE_ADDRESS: Final = limits.Limit(hits=600, seconds=60)
FORGED_OF_ONE_ADDRESS: Final = limits.Limit(hits=30, seconds=60)


@csrf_exempt
@require_POST
def receive(request: HttpRequest, alias: str) -> HttpResponse:
    """Store the items of an event; 200, or why it was not taken."""
    if alias not in gateways:
        return HttpResponse(status=HTTPStatus.NOT_FOUND)
    if (wait := _wait(alias)) > 0:
        return _later(wait)
    body = request.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        return HttpResponse(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return _take(alias, dict(request.headers), body)


def _take(alias: str, headers: dict[str, str], body: bytes) -> HttpResponse:
    try:
        items = gateways[alias].parse_webhook(headers, body)
    except NotOfferedError:
        return HttpResponse(status=HTTPStatus.NOT_FOUND)
    except BadSignatureError:
        limits.hit("webhook-forged-by", context.current().address, FORGED_OF_ONE_ADDRESS)
        events.forged(alias)
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED)
    except BadEventError:
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    if gateways[alias].caps.signed_webhooks:
        if (wait := limits.hit("webhook", alias, OF_ONE_GATEWAY).wait) > 0:
            return _later(wait)
    else:
        items = events.of_ours(alias, items)
    events.store(alias, items, body)
    return HttpResponse("[accepted]", content_type="text/plain")


def _wait(alias: str) -> int:
    """Return the seconds until more may come from this address; 0 when it may now."""
    address = context.current().address
    if gateways[alias].caps.signed_webhooks:
        return limits.peek("webhook-forged-by", address, FORGED_OF_ONE_ADDRESS).wait
    return limits.hit("webhook-unsigned", f"{alias} {address}", UNSIGNED_OF_ONE_ADDRESS).wait


def _later(wait: int) -> HttpResponse:
    headers = {"Retry-After": str(wait)}
    return HttpResponse(status=HTTPStatus.TOO_MANY_REQUESTS, headers=headers)
