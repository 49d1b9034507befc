"""Partners with a key and a promoted model of bench.models, made by the services: `python -m bench.made JSON` prints what clients send.

JSON: {"folder": for the files of the usual service}, perhaps with "partners", "first" (its number), "columns", "categories", "rows"."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

BODIES = 20


def main() -> None:
    """Makes them; the usual service finds columns.json, dtypes.joblib and model.joblib in the folder."""
    wanted = json.loads(sys.argv[1])
    import django

    from portal import embedded

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    embedded.start()
    django.setup()
    from bench.models import HTTP_CASE, fitted

    shape = {name: wanted[name] for name in ("columns", "categories", "rows") if name in wanted}
    model = fitted(replace(HTTP_CASE, **shape))
    _write_peer(Path(wanted["folder"]), model)
    first = wanted.get("first", 1)
    requests = [one for number in range(first, first + wanted.get("partners", 1)) for one in partner(f"bench-{number}", model)]
    print(json.dumps(requests))


def _write_peer(folder: Path, model: Any) -> None:
    import joblib

    inputs = model.table.product.contract.inputs
    (folder / "columns.json").write_text(json.dumps({one.name: list(one.categories) or None for one in inputs}))
    joblib.dump(model.dtypes, folder / "dtypes.joblib")
    joblib.dump(model.peer, folder / "model.joblib")


def partner(slug: str, model: Any) -> list[dict[str, Any]]:
    """The partner answers by this model from here on; returns requests to it."""
    from audit.context import SYSTEM
    from partners.accounts.services import create_api_key
    from partners.services import create_partner
    from partners.tenancy import tenant_context

    made = create_partner(slug=slug, name="Bench", country="KE", currency="KES", plan="enterprise", actor=SYSTEM)
    with tenant_context(made):
        promoted(model.content())
        key = create_api_key(name="bench", actor=SYSTEM).secret
    headers = {"Host": f"{slug}.localhost", "X-API-Key": key}
    return [_request(headers, record) for record in model.table.records[:BODIES]]


def promoted(content: Any) -> None:
    """The content's product is the current partner's, and its model is the champion."""
    from audit.context import SYSTEM
    from audit.vault import keyring
    from scoring.engine.bundle import sign_bundle, write_bundle
    from scoring.engine.policy import Policy
    from scoring.services.models import promote_model, store_model_version
    from scoring.services.products import create_product

    ring, product = keyring(), content.product
    create_product(definition=product, policy=Policy.for_base_rate(0.1), actor=SYSTEM)
    bundle = sign_bundle(write_bundle(content, card=b"{}"), sign=ring.sign, key_id=ring.key_id)
    store_model_version(product_slug=product.slug, bundle=bundle, estimator="boosted", metrics={}, actor=SYSTEM)
    promote_model(product_slug=product.slug, version=1, actor=SYSTEM)


def _request(headers: Mapping[str, str], record: Mapping[str, Any]) -> dict[str, Any]:
    return {"path": "/api/v1/scores", "headers": dict(headers), "body": {"product": "bench", "inputs": record}}


if __name__ == "__main__":
    main()
