"""A file on its way out."""

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

from portal.exports.services.opening import File


def attachment(file: File) -> StreamingHttpResponse:
    """A file that the browser saves and never shows."""
    answer = StreamingHttpResponse(file.frames, content_type=file.media_type)
    answer["Content-Disposition"] = content_disposition_header(True, file.name)
    answer["Content-Length"] = str(file.size)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "no-store"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return answer
