"""What was done about a request, signed by the partner: anybody with the public key can check it, and it names nobody."""

import base64
from collections.abc import Mapping
from typing import Any

from audit.models import PrivacyRequest, PrivacyStep
from audit.services import canonical, timestamp
from audit.vault import keyring

FORMAT = "vouch privacy certificate v1"


def certificate_of(request: PrivacyRequest) -> dict[str, Any]:
    """The certificate of a request as it stands: its steps with their evidence, and an Ed25519 signature over the canonical text."""
    assert request.closed_at is not None
    said = {
        "format": FORMAT,
        "partner": keyring().schema,
        "request": request.number,
        "kind": request.kind,
        "applicant_id": str(request.applicant_id),
        "received_on": request.received_on.isoformat(),
        "due_on": request.due_on.isoformat(),
        "closed_at": timestamp(request.closed_at),
        "outcome": request.state,
        "because": request.because,
        "steps": [_step(one) for one in request.steps.order_by("id")],
    }
    ring = keyring()
    signature = base64.b64encode(ring.sign(canonical(said).encode())).decode()
    return {"certificate": said, "key_id": ring.key_id, "signature": signature}


def is_genuine(certificate: Mapping[str, Any]) -> bool:
    """Whether the current partner signed exactly this."""
    try:
        signature = base64.b64decode(certificate["signature"], validate=True)
        message = canonical(certificate["certificate"]).encode()
    except (KeyError, TypeError, ValueError):
        return False
    return keyring().verify(message, signature, key_id=str(certificate.get("key_id")))


def _step(one: PrivacyStep) -> dict[str, Any]:
    return {"name": one.name, "at": timestamp(one.at), "by": one.actor_kind, "evidence": one.detail}
