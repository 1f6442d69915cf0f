"""Where files of people lie: below MEDIA_ROOT, under names of our own, without an address."""

import secrets
from typing import NoReturn

from django.core.files.storage import FileSystemStorage
from django.utils.deconstruct import deconstructible

OWNER_ONLY, OWNER_ONLY_FOLDER = 0o600, 0o700


@deconstructible
class PrivateStorage(FileSystemStorage):
    """Files that only this system reads; no server gives them out by their name."""

    def __init__(self, location: str | None = None) -> None:
        """Let nobody else of the machine read them, whatever the settings say."""
        super().__init__(
            location=location,
            file_permissions_mode=OWNER_ONLY,
            directory_permissions_mode=OWNER_ONLY_FOLDER,
        )

    def url(self, name: str | None) -> NoReturn:
        """Refuse: a file is handed out by `links` alone."""
        msg = "a private file has no address"
        raise ValueError(msg)


def own_name(folder: str, kind: str) -> str:
    """Return a name that nobody can guess and that tells nothing of the file."""
    return f"{folder}/{secrets.token_hex(16)}.{kind}"
