"""Who stands before a page."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from backoffice.accounts.models import User


def signed_in(request: HttpRequest) -> User:
    """Return who is signed in. Raises PermissionDenied for nobody, whom no site lets in anyway."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
