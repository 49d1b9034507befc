"""The tree against the definitions of RFC 9162 written out naively, and against published roots."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import tree

ENTRIES = [bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", bytes(range(0x60, 0x70)).hex())]
SIZES = st.integers(1, 200)


def leaves(size: int) -> list[bytes]:
    return [tree.leaf_hash(number.to_bytes(4)) for number in range(size)]


def naive_root(hashes: list[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return hashlib.sha256(b"\x01" + naive_root(hashes[:half]) + naive_root(hashes[half:])).digest()


def naive_subproof(size: int, hashes: list[bytes], whole: bool) -> list[bytes]:
    if size == len(hashes):
        return [] if whole else [naive_root(hashes)]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    if size <= half:
        return [*naive_subproof(size, hashes[:half], whole), naive_root(hashes[half:])]
    return [*naive_subproof(size - half, hashes[half:], False), naive_root(hashes[:half])]


@pytest.mark.parametrize(
    ("size", "root"),
    [
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ],
)
def test_roots_are_the_published_ones(size: int, root: str) -> None:
    assert tree.root([tree.leaf_hash(entry) for entry in ENTRIES[:size]]).hex() == root


@given(st.integers(0, 200))
def test_root_is_the_naive_root(size: int) -> None:
    assert tree.root(leaves(size)) == naive_root(leaves(size))


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_frontier_grows_to_the_same_root_from_any_point(first: int, more: int) -> None:
    every = leaves(first + more)
    stored = tree.Frontier().extended(every[:first])

    grown = tree.Frontier.from_bytes(first, stored.to_bytes()).extended(every[first:])

    assert (grown.size, grown.root()) == (len(every), naive_root(every))


@given(SIZES, st.data())
def test_an_inclusion_proof_shows_exactly_its_leaf_and_place(size: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, size - 1))
    every = leaves(size)
    proof = tree.inclusion_proof(every, position)
    root = tree.root(every)

    assert tree.includes(leaf=every[position], position=position, size=size, proof=proof, root=root)
    assert not tree.includes(leaf=tree.leaf_hash(b"other"), position=position, size=size, proof=proof, root=root)
    assert not tree.includes(leaf=every[position], position=(position + 1) % size, size=size, proof=proof, root=root) or size == 1
    assert not tree.includes(leaf=every[position], position=position, size=size, proof=[*proof, root], root=root)
    assert not proof or not tree.includes(leaf=every[position], position=position, size=size, proof=proof[:-1], root=root)


@given(SIZES, st.data())
def test_a_consistency_proof_is_the_naive_one_and_shows_growth_only(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, size))
    every = leaves(size)
    old_root, root = tree.root(every[:old_size]), tree.root(every)
    rewritten = tree.root([tree.leaf_hash(b"other"), *every[1:old_size]])

    proof = tree.consistency_proof(every, old_size)

    assert proof == naive_subproof(old_size, every, True)
    assert tree.continues(old_size=old_size, old_root=old_root, size=size, root=root, proof=proof)
    assert not tree.continues(old_size=old_size, old_root=rewritten, size=size, root=root, proof=proof)
    assert not tree.continues(old_size=old_size, old_root=old_root, size=size, root=rewritten, proof=proof)


def test_proofs_outside_of_the_tree_are_refused() -> None:
    with pytest.raises(IndexError):
        tree.inclusion_proof(leaves(3), 3)
    with pytest.raises(IndexError):
        tree.consistency_proof(leaves(3), 0)
    assert not tree.includes(leaf=b"", position=3, size=3, proof=[], root=b"")
    assert not tree.continues(old_size=4, old_root=b"", size=3, root=b"", proof=[])


def test_a_frontier_with_missing_subtrees_is_refused() -> None:
    with pytest.raises(ValueError, match="one subtree for each bit"):
        tree.Frontier.from_bytes(3, b"x" * 32)
