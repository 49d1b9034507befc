"""The public keys of receipts over HTTP."""

import base64

import pytest

from audit import vault
from audit.context import SYSTEM
from audit.models import Keyring
from audit.selectors import signing_keys
from audit.services import Receipt, verify_receipt
from audit.vault import keyring, rotate_key
from partners.accounts.roles import Permission
from partners.accounts.services import create_api_key
from partners.tenancy import tenant_context
from tests.conftest import House

PATH = "/api/v1/signing-keys"


def score(house: House) -> dict[str, str]:
    body = {"product": house.product, "applicant": {"reference": "K-1"}, "inputs": dict(house.inputs)}
    answer = house.api().post("/api/v1/scores", body, content_type="application/json")
    assert answer.status_code == 201
    return dict(answer.json()["receipt"])


def test_receipts_of_before_and_after_a_rotation_are_checked_with_what_is_listed(north: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "_rings", {})    # what this test changes is rolled back, and no other shall remember it
    old = score(north)
    with tenant_context(north.partner):
        rotate_key("sign")
    new = score(north)

    listed = north.api().get(PATH).json()["data"]

    assert [one["key_id"] for one in listed] == [new["key_id"], old["key_id"]]
    assert [one["retired_at"] is None for one in listed] == [True, False]
    assert {one["algorithm"] for one in listed} == {"Ed25519"}
    assert all(one["created_at"] for one in listed)
    keys = {one["key_id"]: base64.b64decode(one["public_key"]) for one in listed}
    for receipt in (old, new):
        verify_receipt(Receipt(**receipt), schema=north.schema, public_keys=keys)


def test_a_rotation_elsewhere_is_listed_and_a_planted_key_is_not(north: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "_rings", {})
    with tenant_context(north.partner):
        known = keyring()
        rotated = rotate_key("sign").key_id
        vault._rings[north.schema] = known    # as a process that has not noticed

        assert [key.key_id for key in signing_keys()] == [rotated, known.key_id]

        Keyring.objects.filter(purpose="sign", retired_at=None).update(public_key=b"x" * 32)
        assert [key.key_id for key in signing_keys()] == [known.key_id]


def test_another_partner_has_other_keys(north: House, south: House) -> None:
    ours, theirs = ({one["key_id"] for one in house.api().get(PATH).json()["data"]} for house in (north, south))

    assert ours
    assert not ours & theirs


def test_a_key_of_another_scope_reads_no_signing_keys(north: House) -> None:
    with tenant_context(north.partner):
        reading = create_api_key(name="reads", actor=SYSTEM, scopes=[Permission.DECISION_READ]).secret
        other = create_api_key(name="other", actor=SYSTEM, scopes=[Permission.PRODUCT_READ]).secret

    assert north.api(reading).get(PATH).status_code == 200
    assert north.api(other).get(PATH).status_code == 403
