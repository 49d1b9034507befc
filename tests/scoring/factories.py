"""Products, model versions and applicants for tests: small, quick and without training."""

import json
import uuid
from datetime import date
from typing import Any

import numpy as np
from django.db import connection

from audit.context import SYSTEM, Actor
from audit.ids import uuid7
from audit.vault import keyring
from partners.accounts.models import ApiKey
from partners.tenancy import as_owner
from scoring.applicants import ApplicantDetails
from scoring.engine.bundle import BundleContent, sign_bundle, write_bundle
from scoring.engine.contract import Contract, Input, InputKind
from scoring.engine.features import Feature
from scoring.engine.forest import NUMBER, Tree, assemble
from scoring.engine.policy import Condition, Policy
from scoring.engine.product import Product, Rule, Rules
from scoring.models import Batch, ModelVersion
from scoring.models import Product as ProductRow
from scoring.selectors import card_digest
from scoring.services.batches import receive_batch
from scoring.services.models import promote_model, store_model_version
from scoring.services.products import create_product
from scoring.services.score import ScoreItem
from scoring.services.uploads import place_of
from tests.conftest import House

SLUG = "stall-loan"
INPUTS: dict[str, Any] = {"income": 900.0, "amount": 3000.0, "months": 14, "trade": "food", "born": "1990-02-28", "member": True}
PERSON = ApplicantDetails(
    reference="A-1", name="Amina Odhiambo", phone="+254 712 345 678", national_id="AB-1234567", birth_date=date(1990, 2, 28)
)


def a_definition(slug: str = SLUG) -> Product:
    """A product with every kind of input and some kinds of feature."""
    return Product(
        slug=slug,
        title="Stall loan",
        contract=Contract(
            (
                Input(name="income", kind=InputKind.NUMBER, minimum=0, maximum=1e6),
                Input(name="amount", kind=InputKind.NUMBER, minimum=1, maximum=1e6),
                Input(name="months", kind=InputKind.INTEGER, required=False, minimum=0, maximum=600),
                Input(name="trade", kind=InputKind.CATEGORY, categories=("food", "cloth", "repair"), required=False),
                Input(name="born", kind=InputKind.DATE, required=False, is_personal=True),
                Input(name="member", kind=InputKind.BOOLEAN, required=False),
            )
        ),
        features=(
            Feature(name="income"),
            Feature(name="loan_to_income", kind="ratio", inputs=("amount", "income")),
            Feature(name="months"),
            Feature(name="age", kind="age", inputs=("born",)),
            Feature(name="member"),
        ),
        rules=Rules(
            base_probability=0.2,
            rules=(Rule("high_amount", Condition("amount", "gt", 2000), 0.7, {"en": "The amount is more than usual for a stall."}),),
        ),
    )


def a_bundle(seed: int = 1, slug: str = SLUG, *, is_old: bool = False) -> bytes:
    """A bundle that the current partner signed: a small forest drawn from the seed, over `a_definition`. An old one has no card."""
    draw = np.random.default_rng(seed)
    features = len(a_definition(slug).features)
    trees = [_tree(draw, features) for _ in range(12)]
    content = BundleContent(
        product=a_definition(slug),
        forest=assemble(trees, features, base=-1.5, scale=0.5),
        slope=1.1,
        intercept=-0.1,
        usual={"income": 1200.0, "loan_to_income": 2.0, "months": 24.0, "age": 35.0, "member": 1.0},
        golden=draw.uniform(0, 100, (5, features)),
        estimator="boosted",
        seed=seed,
    )
    ring = keyring()
    return sign_bundle(write_bundle(content, card=b"" if is_old else a_card(content)), sign=ring.sign, key_id=ring.key_id)


def a_card(content: BundleContent) -> bytes:
    """A model card as training writes it, with invented figures that differ by the seed."""
    product, better = content.product, content.seed / 1000
    swarm = [{"feature": name, "points": [[-400, 90], [-50, -1], [120, 40], [600, 5]]} for name in ("income", "loan_to_income")]
    step = {"rows": 40, "low": -0.3, "mean": 0.1, "high": 0.4}
    card = {
        "format": 1,
        "purpose": {"product": product.slug, "title": product.title, "kind": "risk", "target": "late", "positive": "1"},
        "data": {"fingerprint": "ab" * 32, "rows": 100, "bad": 20, "dropped_rows": 3, "span": ["2024-01-02", "2025-03-04"]},
        "features": [
            {"name": one.name, "label": product.label(one, "en"), "kind": one.kind, "inputs": list(one.sources), "group": one.group,
             "unit": one.unit, "monotone": -1 if one.name == "income" else 0} for one in product.features
        ],
        "left_out": [{"name": "trade", "label": "Trade", "why": "not used"}],
        "learner": {
            "estimator": "boosted", "about": "boosted trees (LightGBM)", "settings": {"num_leaves": 4, "rounds": 12}, "seed": content.seed,
            "versions": {"python": "3.11.9", "numpy": "2.4.1"}, "trees": content.forest.trees, "nodes": content.forest.nodes,
            "slope": 1.1, "intercept": -0.1, "forest": content.forest.digest(),
        },
        "figures": {
            "folds": [{"auc": 0.7, "ks": 0.3, "brier": 0.14}, {"auc": 0.76, "ks": 0.38, "brier": 0.12}], "rows": 100,
            "mean": {"auc": 0.73 + better, "ks": 0.34, "brier": 0.13}, "spread": {"auc": 0.042426, "ks": 0.056569, "brier": 0.014142},
            "together": {"auc": 0.729 + better, "ks": 0.33, "brier": 0.13}, "level": 0.95, "resamples": 200,
            "interval": {"auc": [0.62, 0.83], "ks": [0.2, 0.5], "brier": [0.1, 0.16]},
        },
        "over_time": {
            "auc": 0.7, "ks": 0.3, "brier": 0.14, "undated_rows": 0,
            "steps": [
                {"fitted_rows": 60, "from": "2024-11-05", "to": "2025-03-04", "rows": 40, "positives": 8, "auc": 0.7, "ks": 0.3, "brier": 0}
            ],
        },
        "roc": [[0.0, 0.0], [0.1, 0.4], [0.3, 0.7], [1.0, 1.0]],
        "calibration": [{"rows": 50, "predicted": 0.08, "observed": 0.06}, {"rows": 50, "predicted": 0.32, "observed": 0.34}],
        "scores": [[430, 5, 9], [480, 15, 6], [520, 30, 4], [600, 30, 1]],
        "protected": [{"name": "gender", "label": "Gender", "groups": [
            {"group": "female", "rows": 40, "bad": 6, "auc": 0.74, "mean": 0.16, "scores": [[430, 10], [600, 30]]},
            {"group": "male", "rows": 52, "bad": 12, "auc": 0.71, "mean": 0.24, "scores": [[430, 32], [600, 20]]},
            {"group": "not known", "rows": 8},
        ]}],
        "scale": {"anchor_score": 600.0, "anchor_odds": 20.0, "points_to_double": 40.0},
        "importance": {
            "features": [["income", 0.6], ["loan_to_income", 0.4], ["months", 0.2]], "others": [2, 0.05],
            "groups": [["Income", 0.6], ["Loan to income", 0.4], ["Months", 0.2], ["Age", 0.03], ["Member", 0.02]],
        },
        "explained": {
            "library": "shap 0.51.0", "rows": 100, "judged_rows": 60, "agrees_within": 1e-9, "swarm": swarm,
            "dependence": [
                {"feature": "income", "steps": [{"above": None, "upto": 800.0, **step}, {"above": 800.0, "upto": None, **step}]},
                {"feature": "loan_to_income", "steps": [{"is": "food", **step}, {"missing": True, **step}]},
            ],
        },
        "limits": ["The table is small (100 rows, 20 of the rarer outcome): the figures may be as far off as their intervals."],
    }  # fmt: skip
    return json.dumps(card, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def card_of(version: int, slug: str = SLUG) -> str:
    """The digest by which a request names the version's card; some other where there is none."""
    return card_digest(slug, version) or "0" * 64


def _tree(draw: np.random.Generator, features: int) -> Tree:
    """Two levels of number splits over four leaves."""
    scales = np.array([1200.0, 3.0, 24.0, 35.0, 0.5])
    feature = np.array([*draw.integers(0, features, 3), 0, 0, 0, 0])
    return Tree(
        left=np.array([1, 3, 5, -1, -1, -1, -1]),
        right=np.array([2, 4, 6, -1, -1, -1, -1]),
        kind=np.array([NUMBER] * 3 + [0] * 4),
        feature=feature,
        threshold=np.array([*(scales[feature[:3]] * draw.uniform(0.6, 1.4, 3)), 0, 0, 0, 0]),
        missing_left=draw.integers(0, 2, 7),
        value=np.array([0, 0, 0, *draw.normal(0, 0.8, 4)]),
        cover=np.array([100, 60, 40, 35, 25, 15, 25]),
    )


def add_product(slug: str = SLUG) -> ProductRow:
    """The product, answered by its rules so far."""
    return create_product(definition=a_definition(slug), policy=Policy.for_base_rate(0.2), actor=SYSTEM)


def add_version(seed: int = 1, slug: str = SLUG) -> ModelVersion:
    """A candidate of the product."""
    return store_model_version(product_slug=slug, bundle=a_bundle(seed, slug), estimator="boosted", metrics={}, actor=SYSTEM)


def put_in_force(seed: int = 1, slug: str = SLUG) -> ModelVersion:
    """A new version of the product, promoted."""
    version = add_version(seed, slug)
    promote_model(product_slug=slug, version=version.version, actor=SYSTEM)
    return version


def by_key(request_id: str = "req-1") -> Actor:
    """The partner's API key acting."""
    key = ApiKey.objects.order_by("created_at").first()
    assert key is not None
    return Actor(kind="api_key", id=str(key.id), label=key.name, address="203.0.113.9", request_id=request_id)


def an_item(reference: str = "A-1", *, applicant: ApplicantDetails | None = None, **changed: Any) -> ScoreItem:
    """One applicant with checked inputs."""
    return ScoreItem(applicant or ApplicantDetails(reference=reference), {**INPUTS, **changed})


def by_force(house: House, table: str, statement: str, *values: str | int | float | bytes | uuid.UUID) -> int:
    """What an administrator of the database could do: triggers off, then anything. Returns how many rows were changed."""
    with as_owner(house.schema), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        changed = int(cursor.rowcount)
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    return changed


def a_batch(product: str, text: str, *, name: str = "loans.csv", kind: str = Batch.Kind.APPLICANTS) -> Batch:
    """A table of this text that was brought."""
    batch_id = uuid7()
    place_of(batch_id).write_text(text)
    return receive_batch(
        batch_id=batch_id, kind=kind, product_slug=product, name=name, size=len(text), digest="00" * 32, actor=SYSTEM
    )
