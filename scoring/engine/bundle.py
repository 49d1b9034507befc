"""One model version as one file: signed, hashed and checked before a byte of it is understood."""

import hashlib
import json
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray

from scoring.engine.contract import DefinitionRefused
from scoring.engine.forest import FIELDS, Forest, UnsupportedModel
from scoring.engine.kernel import Plan, explain
from scoring.engine.product import Product

MAGIC = b"VOUCH\x01\r\n"
_KEY_ID = 16          # characters
_SIGNATURE = 64       # bytes
_HEAD = len(MAGIC) + _KEY_ID + _SIGNATURE
_LENGTH = struct.Struct("<Q")
_UNREADABLE = (
    KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError, struct.error, UnsupportedModel, DefinitionRefused,
)    # fmt: skip


class BundleRefused(Exception):
    """This file is not a bundle that this partner signed, or it no longer computes what it promised."""

    code = "bundle_refused"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BundleContent:
    """What a bundle holds: log-odds of the bad outcome = slope * margin + intercept. `golden` [rows, features] is what it is checked by."""

    product: Product
    forest: Forest
    slope: float
    intercept: float
    usual: Mapping[str, float]
    golden: NDArray[np.float64]
    estimator: str
    seed: int
    metrics: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)        # fingerprint, rows, range, histograms for drift
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)    # of the libraries that trained it


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Bundle(BundleContent):
    """A bundle that was verified, with its plan ready to walk."""

    plan: Plan
    sha256: str


def write_bundle(content: BundleContent, *, card: bytes = b"") -> bytes:
    """The bundle's body, not yet signed: the same bytes for the same content. A model card goes with it as it is, for `read_card`."""
    arrays: dict[str, NDArray[Any]] = content.forest.arrays()
    margins, contributions = explain(Plan.of(content.forest), content.golden)
    arrays |= {"golden": content.golden.astype("<f8"), "golden_margins": margins, "golden_contributions": contributions}
    if card:
        arrays["card"] = np.frombuffer(card, "u1")
    manifest = {
        "product": content.product.to_dict(), "forest": content.forest.digest(), "slope": content.slope, "intercept": content.intercept,
        "usual": dict(content.usual), "estimator": content.estimator, "seed": content.seed, "metrics": dict(content.metrics),
        "data": dict(content.data), "settings": dict(content.settings), "versions": dict(content.versions),
        "arrays": [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()],
    }    # fmt: skip
    text = json.dumps(manifest, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
    return _LENGTH.pack(len(text)) + text + b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())


def sign_bundle(body: bytes, *, sign: Callable[[bytes], bytes], key_id: str) -> bytes:
    """The finished file: magic, key, Ed25519 signature over both and the body's SHA-256, body."""
    key = key_id.encode("ascii")
    if len(key) != _KEY_ID:
        raise ValueError(f"a key id has {_KEY_ID} characters")
    return MAGIC + key + sign(_signed(key, body)) + body


def read_bundle(data: bytes, public_keys: Mapping[str, bytes]) -> Bundle:
    """The verified content. Nothing is parsed before the signature holds; the golden rows must give the same bits. Raises BundleRefused."""
    body = _verified(data, public_keys)
    try:
        return _parse(body)
    except _UNREADABLE as error:
        raise BundleRefused(f"its content cannot be read: {error}") from error


def read_card(data: bytes, public_keys: Mapping[str, bytes]) -> bytes:
    """The verified bundle's model card as it was written; empty for a bundle made before there were cards. Raises BundleRefused."""
    body = _verified(data, public_keys)
    try:
        return bytes(_opened(body)[1].get("card", b""))
    except _UNREADABLE as error:
        raise BundleRefused(f"its content cannot be read: {error}") from error


def bundle_body(data: bytes, public_keys: Mapping[str, bytes]) -> bytes:
    """What the verified bundle holds beneath its signature, for another key to sign. Raises BundleRefused."""
    return _verified(data, public_keys)


def _verified(data: bytes, public_keys: Mapping[str, bytes]) -> bytes:
    if len(data) < _HEAD + _LENGTH.size or data[: len(MAGIC)] != MAGIC:
        raise BundleRefused("it is not a bundle")
    key, signature, body = data[len(MAGIC) :][:_KEY_ID], data[_HEAD - _SIGNATURE : _HEAD], data[_HEAD:]
    public = public_keys.get(key.decode("ascii", "replace"))
    if public is None:
        raise BundleRefused("it is signed by a key that is not this partner's")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _signed(key, body))
    except InvalidSignature as error:
        raise BundleRefused("its signature does not hold: it was changed after it was signed") from error
    return body


def _signed(key: bytes, body: bytes) -> bytes:
    return MAGIC + key + hashlib.sha256(body).digest()


def _opened(body: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The manifest, and the arrays that it names, which must fill the rest."""
    (length,) = _LENGTH.unpack_from(body)
    at = _LENGTH.size + length
    manifest = json.loads(body[_LENGTH.size : at])
    arrays: dict[str, NDArray[Any]] = {}
    for name, kind, shape in manifest["arrays"]:
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        arrays[name] = np.frombuffer(body[at : at + size], kind).reshape(shape)
        at += size
    if at != len(body):
        raise BundleRefused("its arrays are not the ones it names")
    return manifest, arrays


def _parse(body: bytes) -> Bundle:
    manifest, arrays = _opened(body)
    forest = Forest(**{name: arrays[name] for name in FIELDS})
    if forest.digest() != manifest["forest"]:
        raise BundleRefused("its arrays are not the ones it names")
    product, plan = Product.from_dict(manifest["product"]), Plan.of(forest)
    if plan.n_features != len(product.features):
        raise BundleRefused("its forest and its features do not fit together")
    if not all(math.isfinite(number) for number in (manifest["slope"], manifest["intercept"], *manifest["usual"].values())):
        raise BundleRefused("its calibration is no finite number")
    _check_golden(plan, arrays)
    return Bundle(
        product=product, forest=forest, slope=manifest["slope"], intercept=manifest["intercept"], usual=manifest["usual"],
        golden=arrays["golden"], estimator=manifest["estimator"], seed=manifest["seed"], metrics=manifest["metrics"], data=manifest["data"],
        settings=manifest["settings"], versions=manifest["versions"], plan=plan, sha256=hashlib.sha256(body).hexdigest(),
    )    # fmt: skip


def _check_golden(plan: Plan, arrays: Mapping[str, NDArray[Any]]) -> None:
    margins, contributions = explain(plan, arrays["golden"])
    if margins.tobytes() != arrays["golden_margins"].tobytes() or contributions.tobytes() != arrays["golden_contributions"].tobytes():
        raise BundleRefused("its golden rows give other bits on this machine than where it was made")
