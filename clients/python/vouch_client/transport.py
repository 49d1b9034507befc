"""One call over HTTP, repeated where that can decide nothing twice: a POST keeps its Idempotency-Key through all its attempts."""

import json
import random
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

_AGAIN = frozenset({429, 500, 502, 503, 504})
_ONCE = frozenset({"PATCH", "PUT"})    # no key makes these safe to repeat
_LONGEST_PAUSE = 30.0


class Refused(Exception):
    """The portal said no: `status`, a stable `code`, `request_id`, and under `errors` every wrong field."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code', '')}: {problem.get('detail') or problem.get('title', '')}")
        self.status, self.problem = status, problem
        self.code, self.request_id = str(problem.get("code", "")), str(problem.get("request_id", ""))
        self.errors: list[Mapping[str, Any]] = list(problem.get("errors") or [])


class Unreachable(Exception):
    """Nothing answered, as often as it was tried. A POST may have been done: repeat it with the same idempotency key (`key`)."""

    def __init__(self, cause: Exception, key: str | None) -> None:
        super().__init__(f"{cause}; repeat with idempotency_key={key!r}" if key else str(cause))
        self.key = key


class Transport:
    """Where the portal is, and who asks: an API key, or a person's access token."""

    def __init__(
        self, address: str, key: str | None = None, *, token: str | None = None, timeout: float = 15.0, attempts: int = 5,
        first_pause: float = 0.5, language: str = "en",
    ) -> None:  # fmt: skip
        if urlsplit(address).scheme not in {"http", "https"}:
            raise ValueError(f"{address!r} is no address of a portal: https://<your slug>.<its host>.")
        self._address, self._timeout, self._attempts, self._first_pause = address.rstrip("/"), timeout, max(1, attempts), first_pause
        self._headers = {"Accept": "application/json", "Accept-Language": language, "User-Agent": "vouch-client/0.1"}
        if key is not None:
            self._headers["X-API-Key"] = key
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def _call(
        self, method: str, path: str, *, within: Mapping[str, object] | None = None, query: Mapping[str, Any] | None = None,
        body: Any = None, headers: Mapping[str, str | None] | None = None, idempotency_key: str | None = None,
    ) -> Any:  # fmt: skip
        """What was answered, None for no content. Raises Refused or Unreachable."""
        key = (idempotency_key or str(uuid.uuid4())) if method == "POST" else None
        sent = {**self._headers, **{name: value for name, value in (headers or {}).items() if value is not None}}
        if key is not None:
            sent["Idempotency-Key"] = key
        content = (b"" if method == "POST" else None) if body is None else json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        if content is not None:
            sent["Content-Type"] = "application/json"
        url = self._address + path.format(**{name: quote(str(value), safe="") for name, value in (within or {}).items()})
        if chosen := {name: value for name, value in (query or {}).items() if value is not None}:
            url += "?" + urlencode(chosen)
        return self._tried(urllib.request.Request(url, content, sent, method=method), key)  # noqa: S310 - http or https, see above

    def _tried(self, request: urllib.request.Request, key: str | None) -> Any:
        attempts = 1 if request.method in _ONCE else self._attempts
        for attempt in range(1, attempts + 1):
            try:
                with urllib.request.urlopen(request, timeout=self._timeout) as answer:  # nosec B310 # noqa: S310 - as above
                    return _read(answer.read(), answer.headers.get("Content-Type", ""))
            except urllib.error.HTTPError as error:
                with error:
                    refused = Refused(error.code, _problem(error.read()))
                if error.code not in _AGAIN or attempt == attempts:
                    raise refused from None
                wait = error.headers.get("Retry-After", "")
            except (OSError, HTTPException) as error:    # URLError, a time-out, a connection that broke off
                if attempt == attempts:
                    raise Unreachable(error, key) from error
                wait = ""
            self._rest(attempt, wait)
        raise AssertionError("each way out is above")

    def _rest(self, attempt: int, retry_after: str) -> None:
        """As long as the portal asks for, else twice as long each time, by a random half less, so that many do not come back together."""
        pause = self._first_pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        time.sleep(min(_LONGEST_PAUSE, max(pause, float(retry_after) if retry_after.isdigit() else 0.0)))


def _read(content: bytes, kind: str) -> Any:
    if not content:
        return None
    return json.loads(content) if kind.partition(";")[0].strip() == "application/json" else content


def _problem(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
