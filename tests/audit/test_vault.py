"""The vault: what is sealed opens in its own place only, what is indexed is found however it was written."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings

from audit import vault
from audit.errors import KeyringMissing, RootKeyMissing, RootKeyWrong, SealBroken
from audit.models import Keyring
from audit.vault import ensure_keyring, keyring, refresh_keyring, rotate_key
from partners.tenancy import tenant_context
from tests.conftest import House

PLACE: dict[str, Any] = {"table": "scoring_decision", "column": "sealed", "owner": uuid.UUID(int=7)}


@pytest.fixture(autouse=True)
def _remembers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test does to north's keys is rolled back, so the process must forget it too."""
    monkeypatch.setattr(vault, "_rings", {})


def test_what_is_sealed_opens_again_and_never_looks_the_same(in_north: House) -> None:
    ring = keyring()
    key = ring.new_data_key()

    first, second = (ring.seal(key, b"Amina Odhiambo", **PLACE) for _ in range(2))

    assert ring.unseal(key, first, **PLACE) == ring.unseal(key, second, **PLACE) == b"Amina Odhiambo"
    assert first != second
    assert b"Amina" not in first


@pytest.mark.parametrize("change", [{"table": "audit_idempotency"}, {"column": "inputs"}, {"owner": uuid.UUID(int=8)}])
def test_what_is_moved_to_another_table_column_or_row_is_refused(in_north: House, change: dict[str, Any]) -> None:
    ring = keyring()
    for key in (ring.new_data_key(), ring.partner_key):
        sealed = ring.seal(key, b"text", **PLACE)

        with pytest.raises(SealBroken):
            ring.unseal(key, sealed, **(PLACE | change))


def test_what_is_moved_to_another_partner_is_refused(north: House, south: House) -> None:
    with tenant_context(north.partner):
        norths = keyring()
        key = norths.new_data_key()
        sealed, wrapped = norths.seal(key, b"text", **PLACE), norths.wrap(key, owner=uuid.UUID(int=7))

    with tenant_context(south.partner):
        souths = keyring()
        with pytest.raises(SealBroken):
            souths.unseal(key, sealed, **PLACE)
        with pytest.raises(SealBroken):
            souths.unwrap(wrapped, key_id=key.id, owner=uuid.UUID(int=7))


@pytest.mark.parametrize("at", [0, 1, 12, 13, -1])
def test_one_changed_byte_is_refused(in_north: House, at: int) -> None:
    ring = keyring()
    for key in (ring.new_data_key(), ring.partner_key):
        sealed = bytearray(ring.seal(key, b"some text", **PLACE))
        sealed[at] ^= 1

        with pytest.raises(SealBroken):
            ring.unseal(key, bytes(sealed), **PLACE)


@pytest.mark.parametrize("length", [0, 1, 12, 28])
def test_what_is_too_short_is_refused(in_north: House, length: int) -> None:
    ring = keyring()

    with pytest.raises(SealBroken):
        ring.unseal(ring.new_data_key(), bytes(length), **PLACE)


def test_a_data_key_unwraps_for_its_own_applicant_only(in_north: House) -> None:
    ring, applicant = keyring(), uuid.uuid4()
    key = ring.new_data_key()
    wrapped = ring.wrap(key, owner=applicant)

    assert ring.unwrap(wrapped, key_id=key.id, owner=applicant).secret == key.secret
    with pytest.raises(SealBroken):
        ring.unwrap(wrapped, key_id=key.id, owner=uuid.uuid4())
    with pytest.raises(SealBroken):
        ring.unwrap(wrapped, key_id=uuid.uuid4(), owner=applicant)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("phone", "+254 712-345 678", "0712345678"),
        ("phone", "00254712345678", "٠٧١٢٣٤٥٦٧٨"),
        ("national_id", "ab-12 34", "AB1234"),
        ("name", "Amina  Odhiambo", "odhiambo amina"),
        ("name", "José Ndiaye", "JOSE NDIAYE"),
    ],
)
def test_a_blind_index_finds_the_same_value_however_written(in_north: House, kind: Any, one: str, other: str) -> None:
    assert keyring().blind_index(kind, one) == keyring().blind_index(kind, other)


def test_blind_indexes_differ_by_kind_and_partner_and_are_none_for_nothing(north: House, south: House) -> None:
    with tenant_context(north.partner):
        ring = keyring()
        norths = ring.blind_index("phone", "0712345678")
        assert norths != ring.blind_index("national_id", "712345678")
        assert ring.blind_index("phone", "---") is None
        reference = ring.applicant_id("A-1")
        assert reference == ring.applicant_id(" A-1 ") != ring.applicant_id("a-1")

    with tenant_context(south.partner):
        assert keyring().blind_index("phone", "0712345678") != norths
        assert keyring().applicant_id("A-1") != reference


def test_ensuring_a_keyring_twice_changes_nothing(in_north: House) -> None:
    before = list(Keyring.objects.order_by("id").values_list("id", "wrapped"))

    ensure_keyring()

    assert list(Keyring.objects.order_by("id").values_list("id", "wrapped")) == before
    assert sorted(Keyring.objects.values_list("purpose", flat=True)) == ["index", "sign", "token", "wrap"]


def test_a_wrong_root_key_is_one_clear_error(in_north: House) -> None:
    with override_settings(ROOT_KEY="22" * 32), pytest.raises(RootKeyWrong, match="not the key they were made with"):
        refresh_keyring()


@pytest.mark.parametrize("text", ["", "abc", "22" * 31, "not hex and not base64 either, but long"])
def test_an_unusable_root_key_is_one_clear_error(in_north: House, text: str) -> None:
    with override_settings(ROOT_KEY=text), pytest.raises(RootKeyMissing, match="VOUCH_ROOT_KEY"):
        refresh_keyring()


def test_a_wrapped_key_that_was_swapped_for_another_purpose_is_refused(in_north: House) -> None:
    index, token = (Keyring.objects.get(purpose=purpose) for purpose in ("index", "token"))
    Keyring.objects.filter(id=index.id).update(wrapped=token.wrapped)

    with pytest.raises(RootKeyWrong):
        refresh_keyring()


def test_without_keys_there_is_one_clear_error(in_north: House) -> None:
    Keyring.objects.filter(purpose="sign").delete()

    with pytest.raises(KeyringMissing):
        refresh_keyring()


def test_after_a_rotation_old_keys_still_open_and_verify(in_north: House) -> None:
    old = keyring()
    sealed, signature = old.seal(old.partner_key, b"text", **PLACE), old.sign(b"message")

    rotate_key("wrap")
    new = rotate_key("sign")

    assert new.seal(new.partner_key, b"text", **PLACE)[0] == 2
    assert new.unseal(new.partner_key, sealed, **PLACE) == b"text"
    assert new.verify(b"message", signature, key_id=old.key_id)
    assert not new.verify(b"other", signature, key_id=old.key_id)
    assert not new.verify(b"message", signature, key_id=new.key_id)
    assert set(new.public_keys()) == {old.key_id, new.key_id}


def test_keys_are_read_once_per_process(in_north: House, django_assert_num_queries: Callable[[int], Any]) -> None:
    keyring()

    with django_assert_num_queries(0):
        assert keyring() is keyring()


def test_keys_do_not_show_in_a_traceback(in_north: House) -> None:
    ring = keyring()

    assert ring.token_key.hex() not in repr(ring)
    assert "DataKey" in repr(ring.partner_key)
    assert repr(ring.partner_key.secret) not in repr(ring.partner_key)
