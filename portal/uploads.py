"""Files that come with a form: none where none is asked for, else kept in memory and read no further than is taken."""

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler, MemoryFileUploadHandler, StopUpload
from django.http import HttpRequest


class InMemory(MemoryFileUploadHandler):
    """Keeps one file in memory, so that nothing unsealed comes to a disk; reading ends at the first byte too many."""

    def __init__(self, request: HttpRequest, *, largest: int) -> None:
        super().__init__(request)
        self.is_too_large, self.taken, self.largest = False, 0, largest

    def handle_raw_input(self, *arguments: Any, **named: Any) -> None:
        """Whatever the request says its length is."""
        self.activated = True

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """The next part of the file."""
        self.taken += len(raw_data)
        if self.taken > self.largest:
            self.is_too_large = True
            raise StopUpload(connection_reset=True)
        self.file.write(raw_data)


class NoFile(FileUploadHandler):
    """Reading ends where a file begins, so nothing of it comes to a disk; pages that take one put their own handler first."""

    def new_file(self, *_arguments: Any, **_named: Any) -> None:
        """No more is read."""
        raise StopUpload(connection_reset=True)

    def receive_data_chunk(self, raw_data: bytes, _start: int) -> bytes:
        """Nothing comes here."""
        return raw_data

    def file_complete(self, _file_size: int) -> None:
        """Nothing is kept."""
