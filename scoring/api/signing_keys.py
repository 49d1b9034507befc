"""The public keys by which anybody can check a decision's receipt, over HTTP."""

import base64
from datetime import datetime
from typing import Literal

import msgspec
from django.http import HttpResponse
from rest_framework.request import Request

from audit.selectors import SigningKey, signing_keys
from partners.accounts.roles import Permission
from partners.api.description import described
from partners.api.queries import read_query
from partners.api.views import ApiView, answer


class SigningKeyListed(msgspec.Struct, frozen=True):
    """One public key, raw, as base64. A receipt names its key by `key_id`; a retired key signs nothing new."""

    key_id: str
    algorithm: Literal["Ed25519"]
    public_key: str
    created_at: datetime
    retired_at: datetime | None


class SigningKeyList(msgspec.Struct, frozen=True):
    """Every key that ever signed for the partner, the one in use first."""

    data: list[SigningKeyListed]
    next_cursor: str | None = None
    has_more: bool = False


class SigningKeysView(ApiView):
    """What receipts are checked with."""

    permissions = {"GET": Permission.DECISION_READ}

    @described(
        "List the public keys that receipts are signed with", operation="signing_key_list", gives=SigningKeyList, refuses=(400,),
        text="A receipt's `signature` (base64) is Ed25519 over the UTF-8 text of five lines, each ended by a line feed, without quotes: "
        "`vouch receipt v1`, the schema (`t_` and your slug with `_` for `-`), and the receipt's `event_id`, `leaf_hash` and `issued_at` "
        "as they stand in the answer.",
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """The keys."""
        read_query(request, {})
        return answer(SigningKeyList([_listed(key) for key in signing_keys()]))


def _listed(key: SigningKey) -> SigningKeyListed:
    return SigningKeyListed(key.key_id, "Ed25519", base64.b64encode(key.public_key).decode(), key.created_at, key.retired_at)
