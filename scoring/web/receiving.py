"""Takes an uploaded table straight into the partner's folder, block by block."""

import hashlib
import os
from io import BufferedWriter
from typing import TYPE_CHECKING, Any

from django.core.files.uploadhandler import FileUploadHandler, SkipFile

from audit.ids import uuid7
from scoring.services.uploads import MOST_BYTES, forget_upload, place_of

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

FIELD = "table"


class TableReceiver(FileUploadHandler):
    """One file of the form is written as it comes, up to MOST_BYTES; what comes beyond is read and thrown away, so that it can be said."""

    chunk_size = 1 << 18

    def __init__(self) -> None:
        super().__init__()
        self.batch_id, self.name, self.size, self._digest = uuid7(), "", 0, hashlib.sha256()
        self._out: BufferedWriter | None = None

    @property
    def is_too_large(self) -> bool:
        """Whether there was more of it than is taken."""
        return self.size > MOST_BYTES

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return self._digest.hexdigest()

    def new_file(self, *arguments: Any, **named: Any) -> None:
        """Only the one file that is asked for is taken."""
        super().new_file(*arguments, **named)
        if self.field_name != FIELD or self.name:
            raise SkipFile
        self.name = str(self.file_name)
        self._out = os.fdopen(os.open(place_of(self.batch_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """The block is on disk."""
        self.size += len(raw_data)
        if self._out is not None and not self.is_too_large:
            self._digest.update(raw_data)
            self._out.write(raw_data)
        return None

    def file_complete(self, file_size: int) -> "UploadedFile[bytes] | None":
        """The file is whole; nobody else has to keep it."""
        self._close()
        return None

    def upload_interrupted(self) -> None:
        """What came so far is gone."""
        self.forget()

    def forget(self) -> None:
        """The file is gone."""
        self._close()
        forget_upload(self.batch_id)

    def _close(self) -> None:
        if self._out is not None:
            self._out.close()
            self._out = None
