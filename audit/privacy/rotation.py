"""Changing the keys that guard others, while the portal works: the partner's wrapping key, and the root key above all partners."""

from collections.abc import Callable

from django.db import transaction

from audit import root
from audit.actions import Action
from audit.context import Actor
from audit.models import Keyring as KeyringRow
from audit.privacy.holders import keeper
from audit.services import record
from audit.vault import keyring, refresh_keyring, root_place

AT_ONCE = 500
Report = Callable[[int], None]


def rewrap(*, actor: Actor, report: Report) -> int:
    """Every applicant's key is under the partner's key in use; how many were not. Batch by batch, each for good: whoever stops it
    starts it again. `report` is told how many so far."""
    refresh_keyring()
    done = 0
    while found := keeper().rewrap(AT_ONCE):
        done += found
        report(done)
    if done:
        record(action=Action.KEYRING_REWRAPPED, actor=actor, object_kind="keyring", object_id="wrap", detail={"keys": done})
    return done


@transaction.atomic
def rewrap_keyring(*, actor: Actor) -> int:
    """Every key of the current partner is under the root key in use; how many were not.

    Raises RootKeyWrong, RootKeyMissing, RootKeyUnreachable."""
    schema, found = keyring().schema, 0
    for row in KeyringRow.objects.select_for_update().order_by("id"):
        place, wrapped = root_place(schema, row.purpose, row.version), bytes(row.wrapped)
        if root.is_current(wrapped, place):
            continue
        row.wrapped = root.wrap(root.unwrap(wrapped, place), place)
        row.save(update_fields=["wrapped"])
        found += 1
    if found:
        record(action=Action.KEYRING_REWRAPPED, actor=actor, object_kind="keyring", object_id="root", detail={"keys": found})
    return found
