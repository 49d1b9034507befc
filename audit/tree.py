"""The tree of RFC 9162 over leaf hashes: roots, proofs that a leaf is in it, proofs that it only grew."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

# Subtrees of 2 ** KEPT_FROM leaves and more are kept by the sealer, so that a proof reads as little of a long record as of a short one.
KEPT_FROM = 8
EMPTY_ROOT = hashlib.sha256(b"").digest()
_HASH = 32


def leaf_hash(content: bytes) -> bytes:
    """The hash of one entry."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of `size` leaves as its complete subtrees, largest first: all that is needed to add leaves and know the root."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if len(self.peaks) != self.size.bit_count():
            raise ValueError("a frontier has one subtree for each bit of its size")

    def extended(self, leaves: Iterable[bytes], completed: Callable[[int, int, bytes], None] | None = None) -> "Frontier":
        """The tree with these leaf hashes added at its end.

        `completed` is told the level, number and hash of each subtree that became complete, from level KEPT_FROM on."""
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            node, full, level = leaf, size, 0
            while full & 1:
                node = node_hash(peaks.pop(), node)
                full >>= 1
                level += 1
                if completed is not None and level >= KEPT_FROM:
                    completed(level, full, node)
            peaks.append(node)
            size += 1
        return Frontier(size, tuple(peaks))

    def root(self) -> bytes:
        """The tree's root hash."""
        if not self.peaks:
            return EMPTY_ROOT
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = node_hash(peak, node)
        return node

    def to_bytes(self) -> bytes:
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, size: int, peaks: bytes) -> "Frontier":
        return cls(size, tuple(peaks[at : at + _HASH] for at in range(0, len(peaks), _HASH)))


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes."""
    return Frontier().extended(leaves).root()


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


Range = tuple[int, int]    # the first leaf of a subtree, and how many it has


def inclusion_ranges(position: int, size: int) -> list[Range]:
    """The subtrees whose hashes lead from the leaf at `position` to the root of the first `size` leaves, lowest first."""
    if not 0 <= position < size:
        raise IndexError(position)
    first, path = 0, []
    while size > 1:
        half = _split(size)
        if position - first < half:
            path.append((first + half, size - half))
            size = half
        else:
            path.append((first, half))
            first, size = first + half, size - half
    return path[::-1]


def consistency_ranges(old_size: int, size: int) -> list[Range]:
    """The subtrees whose hashes show that the tree of the first `old_size` leaves is the beginning of the one of `size`."""
    if not 0 < old_size <= size:
        raise IndexError(old_size)
    first, path = 0, []
    while old_size - first != size:
        half = _split(size)
        if old_size - first <= half:
            path.append((first + half, size - half))
            size = half
        else:
            path.append((first, half))
            first, size = first + half, size - half
    if first:
        path.append((first, size))
    return path[::-1]


def complete_ranges(size: int) -> list[Range]:
    """The complete subtrees of the first `size` leaves, largest first: what a Frontier holds."""
    found, first = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            found.append((first, 1 << level))
            first += 1 << level
    return found


def inclusion_proof(leaves: Sequence[bytes], position: int) -> list[bytes]:
    """The hashes that lead from the leaf at `position` to the root, lowest first."""
    return [root(leaves[first : first + count]) for first, count in inclusion_ranges(position, len(leaves))]


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """The hashes that show that the tree of the first `old_size` leaves is the beginning of this one."""
    return [root(leaves[first : first + count]) for first, count in consistency_ranges(old_size, len(leaves))]


def includes(*, leaf: bytes, position: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof shows that the leaf is at this position of the tree of this size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= position < size:
        return False
    at, last, node = position, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and node == root


def continues(*, old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree of this size and root begins with the old one (RFC 9162, 2.1.4.2)."""
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root
    hashes = list(proof)
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and old == old_root and new == root
