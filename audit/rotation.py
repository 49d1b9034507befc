"""Changing a partner's keys: what the old ones made stays readable and checkable."""

from typing import Literal

from django.db import transaction

from audit.actions import Action
from audit.context import Actor
from audit.services import record
from audit.vault import Keyring, refresh_keyring, rotate_key

Purpose = Literal["wrap", "token", "sign"]
PURPOSES: tuple[Purpose, ...] = ("sign", "wrap", "token")


def change_key(purpose: Purpose, *, actor: Actor) -> Keyring:
    """A new key of this purpose is in use and the record says so; every earlier one still opens and verifies what it made."""
    before = refresh_keyring()
    with transaction.atomic():
        ring = rotate_key(purpose)
        keys = {"old_key": before.key_id, "new_key": ring.key_id} if purpose == "sign" else {}
        record(action=Action.KEYRING_ROTATED, actor=actor, object_kind="keyring", object_id=purpose, detail=keys)
    return ring
