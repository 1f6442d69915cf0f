"""Links to files: signed, for one person and one file, good for ten minutes."""

from typing import Final
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core import signing
from django.urls import reverse
from django.utils import timezone

from backoffice.files.models import KeptFile

GOOD_SECONDS: Final = 10 * 60
_signer = signing.TimestampSigner(salt="backoffice.files.links")


class LinkError(Exception):
    """The link opens nothing: nobody made it, or its file is gone."""


class ExpiredError(LinkError):
    """It was good once; whoever may can have a new one made."""


class ForeignError(LinkError):
    """It was made for somebody else."""


def address(kept: KeptFile, site: str) -> str:
    """Return the address by which its owner gets the file on this site ("admin", "seller")."""
    return reverse(f"{site}:file", args=[sign(kept)])


def sign(kept: KeptFile) -> str:
    """Return the token of a link for the file's owner."""
    return _signer.sign(f"{kept.public_id.hex}.{kept.owner_id}")


def find(token: str, user: AbstractBaseUser | AnonymousUser) -> KeptFile:
    """Return the file of a token. Raises ForeignError, ExpiredError, LinkError."""
    try:
        told = _signer.unsign(token)
    except signing.BadSignature:
        raise LinkError from None
    number, _dot, person = told.partition(".")
    if person != str(user.pk):
        raise ForeignError
    try:
        _signer.unsign(token, max_age=GOOD_SECONDS)
    except signing.SignatureExpired:
        raise ExpiredError from None
    kept = KeptFile.objects.filter(public_id=UUID(number), owner_id=user.pk).first()
    if kept is None:
        raise LinkError
    if kept.expires_at <= timezone.now() or not kept.file.storage.exists(str(kept.file.name)):
        raise ExpiredError
    return kept
