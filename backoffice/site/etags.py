"""Strong entity tags: of a record as one person gets it, and of its state behind the masks.

A write has to say which state it rests on (`If-Match`): without it 428, with an old one 412. So
nobody writes over what somebody else just changed, and a masked value that changed without changing
its mask counts as changed.
"""

import hashlib
import json
from typing import Any

from django.db.models import Model
from django.utils.http import parse_etags
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.request import Request

from backoffice.site.versions import version_of


class PreconditionFailedError(exceptions.APIException):
    """The record is not what the caller saw any more."""

    status_code = 412
    default_detail = _("This record was changed since. Read it again.")
    default_code = "changed"


class PreconditionRequiredError(exceptions.APIException):
    """The caller did not say what they saw."""

    status_code = 428
    default_detail = _("Send If-Match with the ETag of the record as you read it.")
    default_code = "if_match_required"


def etag_of(obj: Model, data: Any) -> str:
    """Return the tag of a record whose answer is `data`."""
    text = json.dumps([version_of(obj), data], sort_keys=True, default=str)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def check(request: Request, etag: str, *, required: bool) -> None:
    """Compare If-Match with the tag of the present state. Raises the two errors above."""
    wanted = request.headers.get("If-Match")
    if wanted is None:
        if required:
            raise PreconditionRequiredError
        return
    if wanted.strip() != "*" and etag not in parse_etags(wanted):
        raise PreconditionFailedError
