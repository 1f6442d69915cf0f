"""Errors of the API: in words of ours, not of the database, and none that tells whose value."""

from typing import Any

from django.db import connections
from django.db.models import Model
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from backoffice import refusals
from backoffice.masking import existence


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an error; None for what is a fault of ours (500)."""
    if isinstance(error, refusals.REFUSED):
        for connection in connections.all(initialized_only=True):
            if connection.settings_dict["ATOMIC_REQUESTS"] and connection.in_atomic_block:
                connection.set_rollback(True)
        error = exceptions.ValidationError({"detail": [refusals.words(error)]})
    return exception_handler(error, context)


def require_answers(actor: Any, model: type[Model], data: Any) -> None:
    """Raise the API's 429 for who changes a single value and got too many answers today."""
    single = existence.single_fields(model)
    if single and isinstance(data, dict) and single & set(data) and existence.is_over(actor):
        raise TooOftenError


class TooOftenError(exceptions.APIException):
    """Over the cap of such answers."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_detail = existence.TOO_OFTEN
    default_code = "too_often"


def reworded(error: Exception, actor: Any, model: type[Model], data: Any) -> Exception:
    """Return what a serializer or the database refused, without what tells a value is taken."""
    single = existence.single_fields(model)
    detail: dict[str, Any] = {}
    if isinstance(error, exceptions.ValidationError) and isinstance(error.detail, dict):
        detail = error.detail
        told = {name for name in single & set(detail) if _has(detail[name], existence.CODE)}
    elif isinstance(error, refusals.REFUSED) and isinstance(data, dict):
        told = single & set(data)
    else:
        return error
    if not told:
        return error
    if existence.note(actor, model, told):
        return TooOftenError()
    words = {name: [str(existence.CANNOT_BE_USED)] for name in told}
    return exceptions.ValidationError({**detail, **words})


def _has(errors: Any, code: str) -> bool:
    found = errors if isinstance(errors, list) else [errors]
    return any(getattr(one, "code", "") == code for one in found)
