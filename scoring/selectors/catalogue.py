"""Products and their model versions."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from scoring.engine.product import Product as Definition
from scoring.errors import ModelVersionUnknown, ProductUnknown
from scoring.models import ModelVersion, Product


@dataclass(frozen=True, slots=True)
class ProductSummary:
    """One product and what is in force for it. Without a champion the rules answer."""

    id: uuid.UUID
    slug: str
    title: str
    kind: str
    revision: int
    champion_version: int | None
    policy_version: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ModelVersionSummary:
    """One trained model of a product."""

    id: uuid.UUID
    product: str
    product_title: str
    version: int
    estimator: str
    state: str
    metrics: Mapping[str, Any]
    bundle_sha256: str
    trained_at: datetime
    trained_by: str
    challenged_at: datetime | None
    promoted_at: datetime | None


def products() -> list[ProductSummary]:
    """Every product, by slug."""
    return [_product_summary(row) for row in _products()]


def product(slug: str) -> ProductSummary:
    """One product. What it asks for is `registry.current(slug).definition`. Raises ProductUnknown."""
    row = _products().filter(slug=slug).first()
    if row is None:
        raise ProductUnknown(f"There is no product {slug!r}.")
    return _product_summary(row)


def product_definition(slug: str) -> Definition:
    """The product's definition as it was last changed; a model in force brings its own in its bundle. Raises ProductUnknown."""
    written = Product.objects.filter(slug=slug).values_list("definition", flat=True).first()
    if written is None:
        raise ProductUnknown(f"There is no product {slug!r}.")
    return Definition.from_dict(written)


def model_versions(product_slug: str | None = None) -> list[ModelVersionSummary]:
    """The model versions of one product, or of all, newest first. Raises ProductUnknown."""
    found = ModelVersion.objects.select_related("product").defer("bundle", "product__definition").order_by("product__slug", "-version")
    if product_slug is not None:
        found = found.filter(product_id=product_id(product_slug))
    return [_version_summary(row) for row in found]


def model_version(product_slug: str, version: int) -> ModelVersionSummary:
    """One model version. Raises ProductUnknown, ModelVersionUnknown."""
    found = ModelVersion.objects.select_related("product").defer("bundle", "product__definition")
    row = found.filter(product_id=product_id(product_slug), version=version).first()
    if row is None:
        raise ModelVersionUnknown(f"There is no version {version} of {product_slug!r}.")
    return _version_summary(row)


def product_id(slug: str) -> uuid.UUID:
    product_id = Product.objects.filter(slug=slug).values_list("id", flat=True).first()
    if product_id is None:
        raise ProductUnknown(f"There is no product {slug!r}.")
    return product_id


def _products() -> QuerySet[Product]:
    return Product.objects.select_related("champion", "policy").defer(
        "definition", "champion__bundle", "champion__metrics", "policy__definition"
    )


def _product_summary(row: Product) -> ProductSummary:
    champion = row.champion
    return ProductSummary(
        id=row.id,
        slug=row.slug,
        title=row.title,
        kind=row.kind,
        revision=row.revision,
        champion_version=None if champion is None else champion.version,
        policy_version=row.policy.version,
        created_at=row.created_at,
    )


def _version_summary(row: ModelVersion) -> ModelVersionSummary:
    return ModelVersionSummary(
        id=row.id,
        product=row.product.slug,
        product_title=row.product.title,
        version=row.version,
        estimator=row.estimator,
        state=row.state,
        metrics=row.metrics,
        bundle_sha256=bytes(row.bundle_sha256).hex(),
        trained_at=row.trained_at,
        trained_by=row.trained_by,
        challenged_at=row.challenged_at,
        promoted_at=row.promoted_at,
    )
