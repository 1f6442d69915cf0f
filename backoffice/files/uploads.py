"""Uploads on their way: what is too large for memory waits on the disk sealed, without a name.

Django's own handler would leave it in the temporary folder in clear, and for good where the process
is killed meanwhile. The key lives as long as the request.
"""

import io
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Final, cast, override

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler

from backoffice.files import sealing

_USE: Final = "files.upload"


class SealedUploadHandler(FileUploadHandler):
    """Takes what MemoryFileUploadHandler, which stands before it, leaves."""

    @override
    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        folder = settings.FILE_UPLOAD_TEMP_DIR
        self._sealed = cast("BinaryIO", TemporaryFile(dir=folder))  # noqa: SIM115 - the request's
        self._key = sealing.new_key(_USE)
        self._sealer = sealing.Sealer(self._sealed, key=self._key, use=_USE)

    @override
    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._sealer.write(raw_data)

    @override
    def file_complete(self, file_size: int) -> UploadedFile[bytes]:
        self._sealer.end()
        clear = sealing.Clear(self._sealed, key=self._key, use=_USE)
        return UploadedFile(
            file=io.BufferedReader(clear, sealing.CHUNK),
            name=self.file_name,
            content_type=self.content_type,
            size=file_size,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )

    @override
    def upload_interrupted(self) -> None:
        if hasattr(self, "_sealed"):
            self._sealed.close()
