"""The partner's public keys as a file, in the form that `GET /api/v1/signing-keys` gives and verify.py reads."""

import base64

import msgspec

from audit.selectors import signing_keys


def keys_document() -> bytes:
    """Every key that ever signed for the partner."""
    keys = [
        {"key_id": key.key_id, "algorithm": "Ed25519", "public_key": base64.b64encode(key.public_key).decode(),
         "created_at": key.created_at, "retired_at": key.retired_at}
        for key in signing_keys()
    ]    # fmt: skip
    return msgspec.json.encode({"data": keys})
