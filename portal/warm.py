"""A new worker's first answer is as quick as the next: models and kernel are in memory before it takes requests."""

import logging

import numpy as np
from django.db import connection
from django.urls import resolve

from partners.models import Partner
from partners.tenancy import public_context, tenant_context
from scoring import registry
from scoring.engine.kernel import explain
from scoring.models import Product

MOST_PARTNERS = 16
log = logging.getLogger(__name__)


def warm() -> None:
    """Routes, and what the first partners need, are loaded. Nothing that goes wrong here keeps the server from starting."""
    try:
        resolve("/api/v1/scores")
        with public_context():
            partners = list(Partner.objects.filter(is_active=True).order_by("created_at")[:MOST_PARTNERS])
        for partner in partners:
            with tenant_context(partner):
                for slug in Product.objects.filter(champion__isnull=False).values_list("slug", flat=True):
                    _run_once(slug)
    except Exception:
        log.exception("the models could not be loaded beforehand")
        connection.close()


def _run_once(slug: str) -> None:
    plan = registry.active(slug).model.plan
    if plan is not None:
        explain(plan, np.full((1, plan.n_features), np.nan))
