"""Limits: what the plan says, exactly, over all processes; roughly that when Redis is away; never an error."""

import threading
import time
from collections import Counter

import pytest
from django.test import override_settings

from partners.limits import Limiter
from partners.tenancy import scoped
from tests.conftest import House

FREE = 100


def name_of(test: str) -> str:
    return scoped("limit", test, time.monotonic_ns())


def test_a_free_key_may_ask_a_hundred_times_and_is_then_told_when(in_north: House) -> None:
    limiter, name = Limiter(), name_of("free")

    grants = [limiter.take(name, FREE) for _ in range(130)]

    assert sum(grant.is_allowed for grant in grants) in {FREE, FREE + 1}
    refused = grants[-1]
    assert 0 < refused.retry_after <= 36
    assert refused.headers["Retry-After"] == str(refused.retry_after)
    assert refused.headers["RateLimit-Policy"] == '"hour";q=100;w=3600'
    assert refused.headers["X-RateLimit-Remaining"] == "0"


def test_processes_share_one_bucket(in_north: House) -> None:
    name, allowed = name_of("shared"), Counter[bool]()
    limiters = [Limiter() for _ in range(4)]
    lock = threading.Lock()

    def ask(limiter: Limiter) -> None:
        for _ in range(60):
            grant = limiter.take(name, FREE)
            with lock:
                allowed[grant.is_allowed] += 1

    threads = [threading.Thread(target=ask, args=(limiter,)) for limiter in limiters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert abs(allowed[True] - FREE) <= 1
    assert allowed[False] == 240 - allowed[True]


def test_remaining_counts_down(in_north: House) -> None:
    limiter, name = Limiter(), name_of("down")

    remaining = [limiter.take(name, 1_000).remaining for _ in range(5)]

    assert remaining == [999, 998, 997, 996, 995]


@override_settings(REDIS_URL="redis://127.0.0.1:1/0")
def test_without_redis_each_process_keeps_its_share(in_north: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOUCH_WEB_WORKERS", "2")
    limiter, name = Limiter(), name_of("away")

    began = time.monotonic()
    grants = [limiter.take(name, FREE) for _ in range(80)]

    assert sum(grant.is_allowed for grant in grants) == FREE // 2
    assert time.monotonic() - began < 1
    assert grants[-1].headers["RateLimit-Policy"] == '"hour";q=100;w=3600'


@override_settings(REDIS_URL="redis://127.0.0.1:1/0")
def test_two_keys_have_two_buckets_without_redis_too(in_north: House) -> None:
    limiter = Limiter()

    for _ in range(FREE):
        limiter.take(name_of("first"), FREE)

    assert limiter.take(name_of("second"), FREE).is_allowed
