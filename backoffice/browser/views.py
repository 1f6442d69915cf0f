"""The address to which browsers report. It knows nobody: no session, no cookie, no token."""

from http import HTTPStatus
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from backoffice.accounts import limits
from backoffice.audit import context
from backoffice.browser import reports, services

MAX_BYTES: Final = 32 * 1024
# Of one address, and of all together.
OF_ONE: Final = limits.Limit(hits=60, seconds=60)
OF_ALL: Final = limits.Limit(hits=600, seconds=60)


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> HttpResponse:
    """Count the violations of a report; 204, or why it was not taken."""
    kind = (request.content_type or "").lower()
    if kind not in {reports.LEGACY, reports.REPORTING}:
        return HttpResponse(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    body = request.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        return HttpResponse(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    if (wait := _wait()) > 0:
        headers = {"Retry-After": str(wait)}
        return HttpResponse(status=HTTPStatus.TOO_MANY_REQUESTS, headers=headers)
    try:
        found = reports.read(body, kind, request.get_host())
    except reports.ReportError:
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    for report in found:
        services.count(report)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def _wait() -> int:
    """Return the seconds until this address may report again; 0 when it may now."""
    one = limits.hit("browser-reports", context.current().address, OF_ONE)
    if not one.allowed:
        return one.wait
    return limits.hit("browser-reports", "", OF_ALL).wait
