"""Proofs about the sealed tree: that an event is in it, that it only grew. What they read does not grow with the record."""

from collections.abc import Iterable
from dataclasses import dataclass

from audit.errors import CheckpointUnknown, EventNotSealed, TreeBroken
from audit.models import Checkpoint, Event, Leaf, Subtree
from audit.tree import KEPT_FROM, Range, complete_ranges, consistency_ranges, continues, includes, inclusion_ranges, node_hash, root


@dataclass(frozen=True, slots=True)
class Inclusion:
    """An event's place in the tree, and the hashes that lead from there to the checkpoint's root."""

    leaf: Leaf
    checkpoint: Checkpoint
    proof: list[bytes]


@dataclass(frozen=True, slots=True)
class Consistency:
    """Two checkpoints, and the hashes that show that the newer one continues the older."""

    old: Checkpoint
    new: Checkpoint
    proof: list[bytes]


def newest_checkpoint() -> Checkpoint:
    """The newest signed head. Raises CheckpointUnknown where nothing was sealed yet."""
    newest = Checkpoint.objects.order_by("-size").first()
    if newest is None:
        raise CheckpointUnknown("Nothing was sealed yet: that takes a second or two after the first event.")
    return newest


def inclusion(event: Event, checkpoint: Checkpoint) -> Inclusion:
    """The proof that the event is in the tree of this checkpoint. Raises EventNotSealed, and TreeBroken for a tree that was changed."""
    leaf = Leaf.objects.filter(event=event, position__lt=checkpoint.size).first()
    if leaf is None:
        raise EventNotSealed
    proof = hashes(inclusion_ranges(leaf.position, checkpoint.size))
    sealed, head = bytes(event.leaf_hash), bytes(checkpoint.root)
    if not includes(leaf=sealed, position=leaf.position, size=checkpoint.size, proof=proof, root=head):
        raise TreeBroken(f"The event {event.id} does not lead to the checkpoint of {checkpoint.size} events.")
    return Inclusion(leaf, checkpoint, proof)


def consistency(old_size: int, new_size: int) -> Consistency:
    """The proof that the checkpoint of the one size continues the other. Raises CheckpointUnknown and TreeBroken."""
    found = {one.size: one for one in Checkpoint.objects.filter(size__in=[old_size, new_size])}
    for size in (old_size, new_size):
        if size not in found:
            raise CheckpointUnknown(f"There is no checkpoint of {size} events.")
    if old_size > new_size:
        raise CheckpointUnknown("The older checkpoint comes first: `from` is its size, `to` that of the newer one.")
    old, new = found[old_size], found[new_size]
    proof = hashes(consistency_ranges(old_size, new_size))
    if not continues(old_size=old_size, old_root=bytes(old.root), size=new_size, root=bytes(new.root), proof=proof):
        raise TreeBroken(f"The checkpoint of {new_size} events does not continue the one of {old_size}.")
    return Consistency(old, new, proof)


def subtrees_before(position: int) -> list[bytes]:
    """The roots of the complete subtrees over everything before this position, the largest first."""
    return hashes(complete_ranges(position))


def hashes(ranges: Iterable[Range]) -> list[bytes]:
    """The hash of each subtree."""
    return [_hash(first, count) for first, count in ranges]


def _hash(first: int, count: int) -> bytes:
    level = count.bit_length() - 1
    if count == 1 << level and level >= KEPT_FROM:
        kept = Subtree.objects.filter(level=level, number=first >> level).values_list("node_hash", flat=True).first()
        if kept is not None:
            return bytes(kept)
    if count <= 1 << KEPT_FROM:
        leaves = Leaf.objects.filter(position__gte=first, position__lt=first + count).order_by("position")
        return root([bytes(leaf) for leaf in leaves.values_list("leaf_hash", flat=True)])
    half = 1 << (count - 1).bit_length() - 1
    return node_hash(_hash(first, half), _hash(first + half, count - half))
