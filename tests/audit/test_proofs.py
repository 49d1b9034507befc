"""Proofs read from the tables: the same as over all leaves, for every event and every two checkpoints, with and without kept subtrees."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from audit import exporting, proofs, tree, vault, verify
from audit.actions import Action
from audit.context import SYSTEM
from audit.errors import CheckpointUnknown, EventNotSealed, PeriodEmpty, TreeBroken
from audit.models import Checkpoint, Event, Leaf, Subtree
from audit.rotation import change_key
from audit.sealer import seal
from audit.services import record
from audit.vault import keyring
from partners.tenancy import as_owner, tenant_context
from tests.conftest import House

Partners = Callable[..., House]


@pytest.fixture
def sealed(new_partner: Partners, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A partner with some checkpoints, whose subtrees of four leaves and more are kept."""
    for module in (tree, proofs):
        monkeypatch.setattr(module, "KEPT_FROM", 2)
    house = new_partner()
    with tenant_context(house.partner):
        for count in (1, 6, 2, 9, 4):
            write(count)
            seal()
        yield house


def write(count: int = 1) -> list[Event]:
    return [record(action=Action.PRODUCT_CHANGED, actor=SYSTEM, object_kind="product", object_id=n) for n in range(count)]


def leaves() -> list[bytes]:
    return [bytes(one) for one in Leaf.objects.order_by("position").values_list("leaf_hash", flat=True)]


def test_the_sealer_keeps_every_complete_subtree_once(sealed: House) -> None:
    every = leaves()
    kept = {(one.level, one.number): bytes(one.node_hash) for one in Subtree.objects.all()}

    expected = {(level, number): tree.root(every[number << level : number + 1 << level])
                for level in range(2, 6) for number in range(len(every) >> level)}  # fmt: skip
    assert kept == expected


def test_every_event_is_proven_under_every_checkpoint_that_counts_it(sealed: House) -> None:
    every = leaves()
    for checkpoint in Checkpoint.objects.all():
        for leaf in Leaf.objects.filter(position__lt=checkpoint.size).select_related("event"):
            assert proofs.inclusion(leaf.event, checkpoint).proof == tree.inclusion_proof(every[: checkpoint.size], leaf.position)


def test_every_two_checkpoints_are_proven_to_continue_one_another(sealed: House) -> None:
    every, sizes = leaves(), list(Checkpoint.objects.order_by("size").values_list("size", flat=True))
    for new in sizes:
        for old in (size for size in sizes if size <= new):
            assert proofs.consistency(old, new).proof == tree.consistency_proof(every[:new], old)
    for old, new in ((sizes[1], sizes[0]), (sizes[0], 10**6), (3, sizes[-1])):
        with pytest.raises(CheckpointUnknown):
            proofs.consistency(old, new)


def test_a_record_from_before_subtrees_were_kept_is_proven_as_well(sealed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "KEPT_FROM", 1)    # what would be kept from there on is not

    for leaf in Leaf.objects.select_related("event"):
        assert proofs.inclusion(leaf.event, proofs.newest_checkpoint())


def test_a_proof_reads_no_more_of_a_long_record(sealed: House, django_assert_max_num_queries: Callable[[int], object]) -> None:
    first = Leaf.objects.select_related("event").get(position=0)
    newest = proofs.newest_checkpoint()

    with django_assert_max_num_queries(2 * newest.size.bit_length() + 2):  # type: ignore[attr-defined]
        proofs.inclusion(first.event, newest)


def test_what_is_not_sealed_yet_has_no_proof(sealed: House) -> None:
    with pytest.raises(EventNotSealed):
        proofs.inclusion(write()[0], proofs.newest_checkpoint())


@pytest.mark.parametrize("damage", ["UPDATE audit_subtree SET node_hash = sha256('x')", "UPDATE audit_leaf SET leaf_hash = sha256('x')"])
def test_no_proof_is_given_over_tables_that_were_tampered_with(sealed: House, damage: str) -> None:
    last = Leaf.objects.select_related("event").get(position=20)
    by_force(sealed, damage)

    with pytest.raises(TreeBroken):
        proofs.inclusion(last.event, proofs.newest_checkpoint())


def by_force(house: House, statement: str, *more: str) -> None:
    """What an administrator of the database could do: triggers off, also of these tables, then anything."""
    tables = ("audit_event", "audit_leaf", "audit_checkpoint", "audit_subtree", *more)
    with as_owner(house.schema), connection.cursor() as cursor:
        cursor.execute("; ".join(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables))
        cursor.execute(statement)
        cursor.execute("; ".join(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables))


# exports of what the tables hold


def test_the_record_is_exported_whole_and_in_periods_and_both_verify(sealed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 4)
    keys = keyring().public_keys()

    assert verify.verify(exporting.lines(exporting.whole()), keys).events == len(leaves())
    for leaf in Leaf.objects.select_related("event"):
        span = exporting.period(leaf.event.recorded_at, Event.objects.latest("id").recorded_at)
        found = verify.verify(exporting.lines(span), keys) if span.first else None
        assert span.first == leaf.position
        assert found is None or found.events == span.events
        if leaf.position == len(leaves()) - 2:
            break
    with pytest.raises(PeriodEmpty):
        exporting.period(Event.objects.latest("id").recorded_at, Event.objects.earliest("id").recorded_at)


def test_parts_of_the_record_verify_and_changed_ones_do_not(sealed: House) -> None:
    keys = keyring().public_keys()
    some = list(exporting.parts(Event.objects.filter(leaf__position__in=[2, 7, 21])))

    assert verify.verify(some, keys).events == 3
    for changed in ([some[0], some[2], some[1]], [some[0], some[1].replace(b"system", b"sistem")], [some[0], some[1], some[1]]):
        with pytest.raises(verify.Wrong):
            verify.verify(changed, keys)


DAMAGE = {
    "edited": ("UPDATE audit_event SET actor_label = 'Mallory' WHERE id = (SELECT event_id FROM audit_leaf WHERE position = 9)", 9, 9),
    "edited with its hash": (
        "UPDATE audit_event SET leaf_hash = sha256('x') WHERE id = (SELECT event_id FROM audit_leaf WHERE position = 9);"
        "UPDATE audit_leaf SET leaf_hash = sha256('x') WHERE position = 9", 9, 9,
    ),
    "deleted": ("DELETE FROM audit_leaf WHERE position = 9", 9, 9),
    "swapped": ("UPDATE audit_leaf SET position = -position WHERE position IN (9, 12);"
                "UPDATE audit_leaf SET position = 21 + position WHERE position < 0", 9, 9),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_what_somebody_did_to_the_tables_is_found_where_it_was_done(sealed: House, what: str) -> None:
    statement, first, last = DAMAGE[what]
    if what == "swapped":
        statement = f"ALTER TABLE audit_leaf DROP CONSTRAINT leaf_position_counts_up; {statement}"
    by_force(sealed, statement)

    with pytest.raises(verify.Wrong) as caught:
        verify.verify(exporting.lines(exporting.whole()), keyring().public_keys())

    assert caught.value.position is not None
    assert caught.value.position <= first <= last <= (caught.value.until or 0)
    assert caught.value.position >= 9 or what == "swapped"


def test_checkpoints_of_earlier_keys_stay_checkable_and_new_ones_carry_the_new_key(sealed: House) -> None:
    old = keyring()
    change_key("sign", actor=SYSTEM)
    write()
    newest = seal()

    assert newest is not None
    found = verify.verify(exporting.lines(exporting.whole()), keyring().public_keys())
    assert (found.checkpoints, old.key_id in keyring().public_keys()) == (6, True)
    verify.read_note(newest.signed_note).check({"new": keyring().public_keys()[keyring().key_id]})
    with pytest.raises(verify.Wrong):
        verify.read_note(newest.signed_note).check(old.public_keys())
    assert Event.objects.filter(action=Action.KEYRING_ROTATED, object_id="sign").count() == 1


def test_a_sealer_that_knows_only_the_old_key_learns_of_the_new_one(sealed: House, monkeypatch: pytest.MonkeyPatch) -> None:
    old = keyring()
    change_key("sign", actor=SYSTEM)
    new = keyring()
    monkeypatch.setitem(vault._rings, sealed.schema, old)    # as another process has it
    write()

    newest = seal()

    assert newest is not None
    verify.read_note(newest.signed_note).check({"new": new.public_keys()[new.key_id]})
