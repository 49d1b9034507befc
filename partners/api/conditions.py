"""A change names the version it changes: ETags of whole numbers, and If-Match."""

import re

from rest_framework.request import Request

from partners.api.errors import ConditionMissing

_ETAG = re.compile(r'(?:W/)?"([0-9]{1,9})"', re.ASCII)
_NONE_OF_OURS = -1


def etag(version: int) -> str:
    """The version as ETag has it."""
    return f'"{version}"'


def version_seen(request: Request) -> int:
    """The version that If-Match names; -1, which no version is, for what is none of our ETags. Raises ConditionMissing."""
    text = request._request.META.get("HTTP_IF_MATCH", "").strip()
    if not text:
        raise ConditionMissing
    found = _ETAG.fullmatch(text)
    return int(found[1]) if found else _NONE_OF_OURS
