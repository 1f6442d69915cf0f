"""Errors of the API: in words of ours, never in those of the database."""

from typing import Any

from django.db import connections
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from backoffice import refusals


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an error; None for what is a fault of ours (500)."""
    if isinstance(error, refusals.REFUSED):
        for connection in connections.all(initialized_only=True):
            if connection.settings_dict["ATOMIC_REQUESTS"] and connection.in_atomic_block:
                connection.set_rollback(True)
        error = exceptions.ValidationError({"detail": [refusals.words(error)]})
    return exception_handler(error, context)
