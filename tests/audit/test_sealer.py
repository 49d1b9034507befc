"""Sealing: every committed event once, in a tree that only grows, under a head that leaves the database."""

import base64
import json
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction

from audit import exporting, sealer, tree, verify
from audit.actions import Action
from audit.context import SYSTEM
from audit.errors import TreeBroken
from audit.models import Checkpoint, Event, Leaf
from audit.sealer import checkpoint_log, seal
from audit.services import record
from audit.vault import keyring
from partners.tenancy import as_owner, tenant_context
from partners.webhooks.delivering import hand_out
from partners.webhooks.models import Delivery
from partners.webhooks.services import create_endpoint
from tests.conftest import House

Partners = Callable[..., House]


def write(count: int = 1) -> None:
    for number in range(count):
        record(action=Action.PRODUCT_CHANGED, actor=SYSTEM, object_kind="product", object_id=number)


def sealed_leaves() -> list[bytes]:
    """The leaves by position, after checking that positions have no gap."""
    rows = list(Leaf.objects.order_by("position").values_list("position", "leaf_hash"))
    assert [position for position, _ in rows] == list(range(len(rows)))
    return [bytes(leaf) for _, leaf in rows]


def assert_sealed_whole() -> None:
    """Every event is one leaf, and the newest checkpoint is the head of the tree over exactly these."""
    leaves = sealed_leaves()
    newest = Checkpoint.objects.order_by("-size").first()
    assert newest is not None
    assert newest.size == len(leaves) == Event.objects.count()
    assert bytes(newest.root) == tree.root(leaves)
    assert set(Leaf.objects.values_list("event_id", flat=True)) == set(Event.objects.values_list("id", flat=True))
    assert all(bytes(leaf.leaf_hash) == bytes(leaf.event.leaf_hash) for leaf in Leaf.objects.select_related("event"))


def test_everything_committed_is_sealed_and_sealing_again_changes_nothing(new_partner: Partners) -> None:
    with tenant_context(new_partner().partner):
        write(3)

        first, again = seal(), seal()

        assert first is not None
        assert again is None
        assert Checkpoint.objects.get() == first
        assert_sealed_whole()


def test_the_tree_grows_consistently_from_checkpoint_to_checkpoint(new_partner: Partners) -> None:
    with tenant_context(new_partner().partner):
        for count in (1, 2, 5, 1):
            write(count)
            seal()

        leaves = sealed_leaves()
        heads = [(head.size, bytes(head.root)) for head in Checkpoint.objects.order_by("size")]
        for old_size, old_root in heads:
            proof = tree.consistency_proof(leaves, old_size)
            assert tree.continues(old_size=old_size, old_root=old_root, size=heads[-1][0], root=heads[-1][1], proof=proof)


def test_what_may_still_roll_back_waits_and_what_commits_late_is_not_skipped(new_partner: Partners) -> None:
    house = new_partner()
    written, finish = threading.Event(), threading.Event()

    def slow() -> None:
        try:
            with tenant_context(house.partner), transaction.atomic():
                write()
                written.set()
                finish.wait(30)
        finally:
            connection.close()

    with tenant_context(house.partner), ThreadPoolExecutor(1) as pool:
        before = seal()
        running = pool.submit(slow)
        assert written.wait(30)
        write(2)
        during = seal()
        finish.set()
        running.result()
        after = seal()

        assert before is not None
        assert during is None
        assert after is not None
        assert after.size == before.size + 3
        assert_sealed_whole()


def test_twenty_writers_with_rollbacks_and_two_sealers_make_one_whole_tree(new_partner: Partners) -> None:
    house = new_partner()
    stop = threading.Event()

    def writer(number: int) -> int:
        draw, committed = random.Random(number), 0
        try:
            with tenant_context(house.partner):
                for _ in range(10):
                    count, fails = draw.randint(1, 3), draw.random() < 0.3
                    try:
                        with transaction.atomic():
                            write(count)
                            if fails:
                                raise InterruptedError
                        committed += count
                    except InterruptedError:
                        pass
        finally:
            connection.close()
        return committed

    def sealing() -> None:
        try:
            with tenant_context(house.partner):
                while not stop.is_set():
                    seal()
        finally:
            connection.close()

    with tenant_context(house.partner):
        before = Event.objects.count()
    with ThreadPoolExecutor(22) as pool:
        sealers = [pool.submit(sealing) for _ in range(2)]
        committed = sum(future.result() for future in [pool.submit(writer, number) for number in range(20)])
        stop.set()
        for running in sealers:
            running.result()

    with tenant_context(house.partner):
        seal()
        assert Event.objects.count() == before + committed
        assert_sealed_whole()


def test_another_process_that_has_seen_nothing_seals_the_same(new_partner: Partners, monkeypatch: pytest.MonkeyPatch) -> None:
    with tenant_context(new_partner().partner):
        write(2)
        seal()
        monkeypatch.setattr(sealer, "_seen", {})
        write(2)

        seal()

        assert_sealed_whole()


def test_a_server_whose_transaction_numbers_began_again_is_sealed_whole(new_partner: Partners, monkeypatch: pytest.MonkeyPatch) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        monkeypatch.setattr(sealer, "_seen", {house.schema: 2**60})
        write(2)

        seal()

        assert_sealed_whole()


def test_sealing_costs_two_statements_when_nothing_is_new(new_partner: Partners, django_assert_num_queries: Callable[[int], Any]) -> None:
    with tenant_context(new_partner().partner):
        seal()

        with django_assert_num_queries(2):  # the snapshot, and what is unsealed in it
            seal()


def test_many_events_are_sealed_in_parts(new_partner: Partners, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "_AT_ONCE", 4)
    with tenant_context(new_partner().partner):
        write(9)

        seal()

        assert Checkpoint.objects.count() > 1
        assert_sealed_whole()


def test_killed_between_commit_and_publishing_the_next_seal_publishes_both(new_partner: Partners, monkeypatch: pytest.MonkeyPatch) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        with monkeypatch.context() as killed:
            killed.setattr(sealer, "publish", lambda: (_ for _ in ()).throw(SystemExit))
            with pytest.raises(SystemExit):
                seal()
        assert not checkpoint_log(house.schema).exists()
        seal()
        write()
        seal()

        assert logged_sizes(house) == list(Checkpoint.objects.order_by("size").values_list("size", flat=True))
        assert len(logged_sizes(house)) == 2


def test_a_line_cut_off_by_a_kill_is_written_again(new_partner: Partners) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        seal()
        write()
        seal()
        path = checkpoint_log(house.schema)
        path.write_bytes(path.read_bytes()[:-40])

        sealer.publish()

        assert logged_sizes(house) == list(Checkpoint.objects.order_by("size").values_list("size", flat=True))


def test_the_newest_checkpoint_is_told_once_and_what_was_kept_of_it_shows_a_record_that_was_cut_off(new_partner: Partners) -> None:
    with tenant_context(new_partner().partner):
        webhook = create_endpoint(url="https://hooks.example.com/", event_types=["checkpoint.signed"], actor=SYSTEM).endpoint
        before = seal()
        assert before is not None
        early = list(exporting.lines(exporting.whole()))
        for _ in range(2):
            write()
            seal()

        for _ in range(2):
            sealer.announce_newest()
            hand_out()

        (told,) = Delivery.objects.filter(endpoint=webhook)
        kept = json.loads(told.payload)["data"]
        assert (kept["id"], kept["size"]) == (f"vouch/{keyring().schema}", before.size + 2)
        notes = verify.read_notes(json.dumps(kept) + "\n")
        assert verify.verify(exporting.lines(exporting.whole()), keyring().public_keys(), older=notes).size == kept["size"]
        with pytest.raises(verify.Wrong, match="cut off"):
            verify.verify(early, keyring().public_keys(), older=notes)


def logged_sizes(house: House) -> list[int]:
    return [json.loads(line)["size"] for line in checkpoint_log(house.schema).read_text(encoding="utf-8").splitlines()]


def test_the_signed_note_verifies_with_the_public_key_alone(new_partner: Partners) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        checkpoint, ring = seal(), keyring()
    assert checkpoint is not None

    text, _, signature = checkpoint.signed_note.partition("\n\n")
    origin, size, root = text.split("\n")
    mark, name, encoded = signature.strip().split(" ")

    assert (origin, int(size), base64.b64decode(root)) == (f"vouch/{house.schema}", checkpoint.size, bytes(checkpoint.root))
    assert (mark, name) == ("\u2014", origin)
    public = Ed25519PublicKey.from_public_bytes(ring.public_keys()[ring.key_id])
    public.verify(base64.b64decode(encoded)[4:], f"{text}\n".encode())


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM audit_leaf WHERE position = (SELECT max(position) FROM audit_leaf)",
        "UPDATE audit_checkpoint SET root = sha256('x')",
        "DELETE FROM audit_checkpoint",
    ],
)
def test_sealing_stops_over_tables_that_were_tampered_with(new_partner: Partners, damage: str) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        write(3)
        seal()
        by_force(house, damage)
        write()

        with pytest.raises(TreeBroken):
            seal()


def test_sealing_stops_when_the_published_head_is_gone_from_the_table(new_partner: Partners) -> None:
    house = new_partner()
    with tenant_context(house.partner):
        seal()
        write()
        seal()
        by_force(house, "DELETE FROM audit_checkpoint; DELETE FROM audit_leaf; DELETE FROM audit_event")
        write()

        with pytest.raises(TreeBroken, match="taken back"):
            seal()


def by_force(house: House, statement: str) -> None:
    """What an administrator of the database could do: triggers off, then anything."""
    tables = ("audit_event", "audit_leaf", "audit_checkpoint")
    with as_owner(house.schema), connection.cursor() as cursor:
        cursor.execute("; ".join(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables))
        cursor.execute(statement)
        cursor.execute("; ".join(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables))
