"""Whether a cache of predictions would pay: whole decisions without one, with one that never has the answer, with one that always has it.

Both caches are only here, not in the product: one in the process (an OrderedDict under a lock), one in Redis. What is kept is all that
scoring gives (features, kernel, calibration, policy, reasons), under tenant, model version, policy, day, language and a digest of the
inputs; the decision is encrypted, recorded and stored in every case, since a cached answer is a decision too."""

import hashlib
import pickle
import statistics
import sys
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import msgspec

from bench.in_process import Client, measured, postgres
from bench.site import made_partners, processor_seconds, row, state_folder

DECISIONS = 1_500
LARGEST = 10_000


class _InProcess:
    """The last 10,000 results of this process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: bytes) -> Any:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: bytes, results: Any) -> None:
        with self._lock:
            self._kept[key] = results
            while len(self._kept) > LARGEST:
                self._kept.popitem(last=False)


class _InRedis:
    """Results that all workers share, for half an hour."""

    def __init__(self) -> None:
        from django.conf import settings
        from redis import Redis

        self._redis = Redis.from_url(settings.REDIS_URL)

    def get(self, key: bytes) -> Any:
        found: Any = self._redis.get(key)
        return None if found is None else pickle.loads(found)

    def put(self, key: bytes, results: Any) -> None:
        self._redis.set(key, pickle.dumps(results), ex=1800)


class _Cached:
    """While entered, scoring asks the cache first; `is_new`: under a key that was never used."""

    def __init__(self, cache: Any, *, is_new: bool) -> None:
        self.cache, self.is_new = cache, is_new

    def __enter__(self) -> None:
        self._service = vars(sys.modules["scoring.services.score"])
        self._plain: Callable[..., Any] = self._service["score"]
        self._service["score"] = self._score

    def __exit__(self, *_: object) -> None:
        self._service["score"] = self._plain

    def _score(self, model: Any, policy: Any, values: Any, *, decided_on: Any, language: str) -> Any:
        from django.db import connection

        place = (connection.schema_name, id(model), id(policy), decided_on, language, str(uuid.uuid4()) if self.is_new else "", values)  # type: ignore[attr-defined]
        key = hashlib.blake2b(msgspec.msgpack.encode(place), digest_size=32).digest()
        found = self.cache.get(key)
        if found is None:
            found = self._plain(model, policy, values, decided_on=decided_on, language=language)
            self.cache.put(key, found)
        return found


def hits_and_misses(client: Client, decisions: int) -> dict[str, Any]:
    """Medians of us of processor time of a decision, each way, and PostgreSQL's of each (the same whichever way)."""
    client.block()
    local, shared = _InProcess(), _InRedis()
    ways: dict[str, AbstractContextManager[object]] = {
        "without": nullcontext(), "miss": _Cached(local, is_new=True), "hit": _Cached(local, is_new=False),
        "Redis miss": _Cached(shared, is_new=True), "Redis hit": _Cached(shared, is_new=False),
    }    # fmt: skip
    before = processor_seconds(postgres())
    spent = client.interleaved(ways, decisions)
    each = 1e6 * (processor_seconds(postgres()) - before) / sum(map(len, spent.values()))
    return {"postgres": each, **{name: statistics.median(found) for name, found in spent.items()}}


def run() -> list[dict[str, Any]]:
    """A row each way: what a decision costs with PostgreSQL's part, against one without a cache."""
    with state_folder() as (folder, environment):
        found = measured("cache", environment, folder, made_partners(environment, folder), DECISIONS)
    database = found.pop("postgres")
    plain = found.pop("without") + database
    rows = [row("prediction cache: decision without one", plain, "us CPU")]
    for name, spent in found.items():
        rows.append(row(f"prediction cache: {name}", spent + database, "us CPU", peer=plain, ratio=plain / (spent + database)))
    saved, lost = plain - found["hit"] - database, found["miss"] + database - plain
    print(f"a hit saves {saved:,.0f} us ({saved / plain:.1%}), a miss costs {lost:,.0f} us", file=sys.stderr)
    return rows
