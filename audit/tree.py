"""The tree of RFC 9162 over leaf hashes: roots, proofs that a leaf is in it, proofs that it only grew."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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

    def extended(self, leaves: Iterable[bytes]) -> "Frontier":
        """The tree with these leaf hashes added at its end."""
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            node, full = leaf, size
            while full & 1:
                node = node_hash(peaks.pop(), node)
                full >>= 1
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


def inclusion_proof(leaves: Sequence[bytes], position: int) -> list[bytes]:
    """The hashes that lead from the leaf at `position` to the root, lowest first."""
    if not 0 <= position < len(leaves):
        raise IndexError(position)
    first, size, path = 0, len(leaves), []
    while size > 1:
        half = _split(size)
        if position - first < half:
            path.append(root(leaves[first + half : first + size]))
            size = half
        else:
            path.append(root(leaves[first : first + half]))
            first, size = first + half, size - half
    return path[::-1]


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


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """The hashes that show that the tree of the first `old_size` leaves is the beginning of this one."""
    if not 0 < old_size <= len(leaves):
        raise IndexError(old_size)
    path, whole, part, grown = [], True, old_size, leaves
    while part != len(grown):
        half = _split(len(grown))
        if part <= half:
            path.append(root(grown[half:]))
            grown = grown[:half]
        else:
            path.append(root(grown[:half]))
            grown, part, whole = grown[half:], part - half, False
    if not whole:
        path.append(root(grown))
    return path[::-1]


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
