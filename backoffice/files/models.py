"""Files that were made for a person, until they expire."""

import uuid
from collections.abc import Iterator
from typing import BinaryIO, ClassVar, cast

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from backoffice.files import sealing
from backoffice.files.storage import own_name


def stored_name(instance: "KeptFile", _original: str) -> str:
    """Return a name of our own."""
    return own_name("made", instance.kind)


class KeptFile(models.Model):
    """One file for one person. `name` is what their browser calls it; on the disk it has another.

    `purpose` says what it is ("sheets.failed_rows"), in a word of the app that made it. The file
    lies encrypted by a key of its own, which stands here sealed by the key ring: without the row,
    or without the ring, nobody can read it. `proof_due` files ask for fresh proof at the download.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("made for"),
    )
    file = models.FileField(_("file"), upload_to=stored_name, max_length=120)
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=8)
    purpose = models.CharField(_("purpose"), max_length=60)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    sealed_key = models.TextField(editable=False)
    proof_due = models.BooleanField(_("asks for fresh proof"), default=False)
    made_at = models.DateTimeField(_("made"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), db_index=True)

    objects: ClassVar[models.Manager["KeptFile"]] = models.Manager()

    class Meta:
        """Newest first."""

        verbose_name = _("file")
        verbose_name_plural = _("files")
        ordering = ["-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    @property
    def use(self) -> str:
        """What the key and the chunks are bound to: this file and no other."""
        return f"files.kept:{self.public_id.hex}"

    def prove(self) -> None:
        """Raise DamagedError unless the file is as it was kept; reads all of it."""
        with self.file.storage.open(str(self.file.name)) as source:
            sealing.prove(cast("BinaryIO", source), key=self.sealed_key, use=self.use)

    def chunks(self) -> Iterator[bytes]:
        """Yield what was kept, decrypted, a chunk at a time. Raises DamagedError."""
        with self.file.storage.open(str(self.file.name)) as source:
            file = cast("BinaryIO", source)
            yield from sealing.opened(file, key=self.sealed_key, use=self.use)
