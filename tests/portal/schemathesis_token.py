"""A hook of schemathesis: it calls with a person's token and takes the next one in time, as a client does."""

import json
import os
import urllib.request
from typing import Any

import schemathesis


@schemathesis.auth(refresh_interval=120)
class Token:
    """The access token, from the refresh token in VOUCH_REFRESH at the portal VOUCH_SITE."""

    refresh = os.environ["VOUCH_REFRESH"]

    def get(self, _case: Any, _context: Any) -> str:
        """A new pair."""
        address, sent = f"{os.environ['VOUCH_SITE']}/api/v1/auth/refresh", json.dumps({"refresh": self.refresh}).encode()
        headers = {"Host": os.environ["VOUCH_HOST"], "Content-Type": "application/json"}
        request = urllib.request.Request(address, sent, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            pair = json.load(answer)
        self.refresh = pair["refresh"]
        return str(pair["access"])

    def set(self, case: Any, data: str, _context: Any) -> None:
        """Into the request."""
        case.headers["Authorization"] = f"Bearer {data}"
