"""What a form takes that asks for no file: none."""

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler, StopUpload


class NoFile(FileUploadHandler):
    """Reading ends where a file begins, so nothing of it comes to a disk. Pages that take one put a handler of their own before it is read."""

    def new_file(self, *_arguments: Any, **_named: Any) -> None:
        """No more is read."""
        raise StopUpload(connection_reset=True)

    def receive_data_chunk(self, raw_data: bytes, _start: int) -> bytes:
        """Nothing comes here."""
        return raw_data

    def file_complete(self, _file_size: int) -> None:
        """Nothing is kept."""
