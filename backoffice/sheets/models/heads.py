"""The first rows of an uploaded file, kept so that pages need not read the whole of it again."""

from typing import ClassVar

from django.db import models

from backoffice.sheets.models.imports import ImportJob


class ImportHead(models.Model):
    """The first rows of each sheet, sealed by a key made from the file's: they go with the file."""

    import_job = models.OneToOneField(ImportJob, on_delete=models.CASCADE, related_name="head")
    body = models.BinaryField()

    objects: ClassVar[models.Manager["ImportHead"]] = models.Manager()

    class Meta:
        """Nobody sees it but whose file it is."""

        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)
