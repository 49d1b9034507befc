"""How often a key may ask: a token bucket per key and plan, exact in Redis, roughly kept in the process when Redis is away."""

import math
import os
import threading
import time
from dataclasses import dataclass

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

from partners.tenancy import scoped

HOUR_SECONDS = 3600
LEASE_SHARE = 0.05         # of what the plan allows in a second; small plans take tokens one by one and are exact
LEASE_SECONDS = 0.2
RETRY_REDIS_SECONDS = 2.0
_MOST_BUCKETS = 20_000

# KEYS[1] the bucket; ARGV capacity, tokens per second, tokens wanted. Returns tokens given, tokens left times 1,000.
_TAKE = """
local now = redis.call('TIME')
local at = tonumber(now[1]) + tonumber(now[2]) / 1000000
local capacity, rate, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(kept[1]) or capacity
tokens = math.min(capacity, tokens + math.max(0, at - (tonumber(kept[2]) or at)) * rate)
local given = math.min(wanted, math.floor(tokens))
tokens = tokens - given
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', at))
redis.call('EXPIRE', KEYS[1], math.ceil(capacity / rate) + 60)
return {given, math.floor(tokens * 1000)}
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one request was told: allowed or not, and where the key stands."""

    limit: int
    remaining: int
    is_allowed: bool
    retry_after: int    # until one more is allowed; 0 when one is
    reset_seconds: int    # until everything is allowed again

    @property
    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers-11 names them, and as clients of older services expect them."""
        headers = {
            "RateLimit-Policy": f'"hour";q={self.limit};w={HOUR_SECONDS}',
            "RateLimit": f'"hour";r={self.remaining};t={self.reset_seconds}',
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_seconds),
        }
        return headers if self.is_allowed else {**headers, "Retry-After": str(self.retry_after)}


def take(credential: str, *, plan: str) -> Grant:
    """One request of this credential of the current partner. Never raises for want of Redis."""
    return _limiter.take(scoped("limit", credential), int(settings.PLAN_REQUESTS_PER_HOUR[plan]))


def used_share(credential: str, *, plan: str) -> float | None:
    """How much of its requests of an hour this credential of the current partner has used, 0 to 1. None while Redis is away."""
    limit = int(settings.PLAN_REQUESTS_PER_HOUR[plan])
    left = _limiter.left(scoped("limit", credential), limit)
    return None if left is None else 1 - left / limit


class _Bucket:
    """This process's part of one bucket: a small lease from Redis, and a bucket of its own for when Redis is away."""

    __slots__ = ("at", "leased", "left", "lock", "own", "until")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.leased = 0        # tokens taken from Redis and not used yet
        self.left = 0.0        # tokens left in Redis when it was last asked
        self.until = 0.0       # when the lease ends
        self.own: float | None = None
        self.at = 0.0


class Limiter:
    """Token buckets by name."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()
        self._redis: Redis | None = None
        self._away_until = 0.0

    def take(self, name: str, limit: int) -> Grant:
        """One token of the bucket of this name, which holds `limit` and fills in an hour."""
        bucket = self._bucket(name)
        with bucket.lock:
            rate, now = limit / HOUR_SECONDS, time.monotonic()
            if bucket.leased < 1 or now >= bucket.until:
                bucket.leased = 0
                if now < self._away_until or not self._lease(bucket, name, limit, rate, now):
                    return self._own(bucket, limit, rate, now)
            if bucket.leased < 1:
                return _allowance(limit, bucket.left, rate, is_allowed=False)
            bucket.leased -= 1
            return _allowance(limit, bucket.left + bucket.leased, rate, is_allowed=True)

    def left(self, name: str, limit: int) -> float | None:
        """What is left in the bucket in Redis, which tokens that a process holds in advance are not; None without Redis."""
        try:
            _, left = self._connection().eval(_TAKE, 1, name, str(limit), repr(limit / HOUR_SECONDS), "0")
        except (RedisError, OSError):
            return None
        return int(left) / 1000

    def _bucket(self, name: str) -> _Bucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            with self._lock:
                if len(self._buckets) >= _MOST_BUCKETS:
                    self._buckets.clear()
                bucket = self._buckets.setdefault(name, _Bucket())
        return bucket

    def _lease(self, bucket: _Bucket, name: str, limit: int, rate: float, now: float) -> bool:
        """Whether Redis answered; the bucket then holds what it gave."""
        wanted = max(1, int(rate * LEASE_SHARE))
        try:
            given, left = self._connection().eval(_TAKE, 1, name, str(limit), repr(rate), str(wanted))
        except (RedisError, OSError):
            self._away_until = now + RETRY_REDIS_SECONDS
            return False
        bucket.leased, bucket.left, bucket.until, bucket.own = int(given), int(left) / 1000, now + LEASE_SECONDS, None
        return True

    def _own(self, bucket: _Bucket, limit: int, rate: float, now: float) -> Grant:
        """Without Redis each process keeps its share of the limit."""
        share = 1 / max(1, int(os.environ.get("VOUCH_WEB_WORKERS", "1")))
        capacity = max(1.0, limit * share)
        held = capacity if bucket.own is None else min(capacity, bucket.own + (now - bucket.at) * rate * share)
        is_allowed = held >= 1
        bucket.own, bucket.at = held - is_allowed, now
        return _allowance(limit, bucket.own, rate * share, is_allowed=is_allowed)

    def _connection(self) -> Redis:
        if self._redis is None:
            timeout = settings.REDIS_TIMEOUT_SECONDS
            self._redis = Redis.from_url(settings.REDIS_URL, socket_timeout=timeout, socket_connect_timeout=timeout)
        return self._redis


def _allowance(limit: int, tokens: float, rate: float, *, is_allowed: bool) -> Grant:
    retry = 0 if is_allowed else max(1, math.ceil((1 - tokens) / rate))
    return Grant(limit, max(0, int(tokens)), is_allowed, retry, max(0, math.ceil((limit - tokens) / rate)))


_limiter = Limiter()
