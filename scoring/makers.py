"""What made past decisions: models, rules and policies as they were then, each read and verified once."""

import hashlib
import uuid

from audit.vault import Keyring
from scoring import registry
from scoring.engine.bundle import BundleRefused, read_bundle
from scoring.engine.pipeline import ServingModel
from scoring.engine.policy import Policy
from scoring.engine.product import Product as Definition
from scoring.errors import ModelRefused
from scoring.models import Decision, ModelVersion, ProductRevision
from scoring.models import Policy as PolicyRow


class Makers:
    """Models and policies of the decisions seen so far, each read and verified once."""

    def __init__(self, ring: Keyring) -> None:
        self.ring = ring
        self._models: dict[tuple[uuid.UUID | None, uuid.UUID, int], ServingModel] = {}
        self._policies: dict[uuid.UUID, Policy] = {}

    def of(self, decision: Decision) -> tuple[ServingModel, Policy]:
        """The model and the policy that decided: those in memory where they still are in force. Raises ModelRefused."""
        active = registry.active(decision.product.slug)
        is_in_force = active.model_version_id == decision.model_version_id
        if decision.model_version_id is None:
            is_in_force = is_in_force and active.revision == decision.revision
        try:
            model = active.model if is_in_force else self.model(decision)
        except BundleRefused as refusal:
            raise ModelRefused(f"The bundle that decided cannot be used: {refusal}") from refusal
        return model, active.policy if active.policy_id == decision.policy_id else self.policy(decision.policy_id)

    def model(self, decision: Decision) -> ServingModel:
        """The model that answered, or the rules of the product's revision. Raises BundleRefused."""
        version = decision.model_version_id
        place = (version, decision.product_id, 0 if version else decision.revision)
        if place not in self._models:
            self._models[place] = self._rules(decision) if version is None else self._of_bundle(version)
        return self._models[place]

    def policy(self, policy_id: uuid.UUID) -> Policy:
        """The policy version that decided."""
        if policy_id not in self._policies:
            self._policies[policy_id] = Policy.from_dict(PolicyRow.objects.get(id=policy_id).definition)
        return self._policies[policy_id]

    def _rules(self, decision: Decision) -> ServingModel:
        revision = ProductRevision.objects.get(product_id=decision.product_id, revision=decision.revision)
        return ServingModel.of_rules(Definition.from_dict(revision.definition))

    def _of_bundle(self, version: uuid.UUID) -> ServingModel:
        row = ModelVersion.objects.get(id=version)
        data = bytes(row.bundle)
        if hashlib.sha256(data).digest() != bytes(row.bundle_sha256):
            raise BundleRefused("the bundle is not the one whose hash was kept")
        return ServingModel.of_bundle(read_bundle(data, self.ring.public_keys()))
