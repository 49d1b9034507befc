"""Answers kept for repeated requests: the same body gets the same bytes, another one is refused, and twins wait for each other."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from audit.context import Actor
from audit.errors import IdempotencyMismatch
from audit.models import Idempotency, Outbox
from audit.services import Attempt, announce, begin_attempt, keep_answer
from partners.tenancy import tenant_context
from tests.conftest import House

ACTOR = Actor(kind="api_key", id="key-1")


def attempt(key: str = "k", body: bytes = b"{}", actor: Actor = ACTOR) -> Attempt:
    return Attempt.of(route="POST /users", key=key, actor=actor, body=body)


def test_a_first_attempt_has_no_answer_and_a_second_has_the_firsts(in_north: House) -> None:
    assert begin_attempt(attempt()) is None
    keep_answer(attempt(), status=201, body=b'{"name":"Amina"}')

    again = begin_attempt(attempt())

    assert again is not None
    assert (again.status, again.body) == (201, b'{"name":"Amina"}')


def test_the_kept_answer_is_sealed(in_north: House) -> None:
    keep_answer(attempt(), status=201, body=b'{"name":"Amina"}')

    assert b"Amina" not in bytes(Idempotency.objects.get(key="k").sealed_response)


def test_another_body_is_refused(in_north: House) -> None:
    keep_answer(attempt(), status=201, body=b"{}")

    with pytest.raises(IdempotencyMismatch):
        begin_attempt(attempt(body=b"{} "))


def test_another_caller_or_key_is_another_attempt(in_north: House) -> None:
    keep_answer(attempt(), status=201, body=b"{}")

    assert begin_attempt(attempt(actor=Actor(kind="api_key", id="key-2"))) is None
    assert begin_attempt(attempt(key="other")) is None


def test_after_a_day_the_key_is_free_again(in_north: House) -> None:
    keep_answer(attempt(), status=201, body=b"old")
    Idempotency.objects.filter(key="k").update(created_at=timezone.now() - timedelta(hours=24, seconds=1))

    assert begin_attempt(attempt(body=b"other")) is None
    keep_answer(attempt(body=b"other"), status=200, body=b"new")

    assert begin_attempt(attempt(body=b"other")).body == b"new"  # type: ignore[union-attr]


def test_beginning_outside_of_a_transaction_is_refused(new_partner: Callable[..., House]) -> None:
    with tenant_context(new_partner().partner), pytest.raises(transaction.TransactionManagementError):
        begin_attempt(attempt())


def test_sixteen_twins_do_the_work_once(new_partner: Callable[..., House]) -> None:
    house = new_partner()
    together = threading.Barrier(16)

    def request() -> bytes:
        together.wait()
        try:
            with tenant_context(house.partner), transaction.atomic():
                earlier = begin_attempt(attempt())
                if earlier is not None:
                    return earlier.body
                made = announce(topic="user.created", object_id="1", body={})
                keep_answer(attempt(), status=201, body=str(made.id).encode())
                return str(made.id).encode()
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        answers = [future.result() for future in [pool.submit(request) for _ in range(16)]]

    with tenant_context(house.partner):
        assert set(answers) == {str(Outbox.objects.get().id).encode()}
