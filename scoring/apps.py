"""Scoring: products, model versions, policies, applicants and the decisions about them."""

from importlib import import_module

from django.apps import AppConfig

from audit.actions import Action
from audit.registry import Attested, attest
from audit.retention.registry import keep


class ScoringConfig(AppConfig):
    name = "scoring"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Scoring"
    # A partner's role may INSERT and SELECT here and nothing else; a trigger refuses the rest to everybody.
    append_only_tables = (
        "scoring_decision", "scoring_promotion", "scoring_policy", "scoring_productrevision", "scoring_shadow", "scoring_outcome",
        "scoring_consent",
    )  # fmt: skip
    # What a partner's sandbox gets from here: read in the partner's schema, written in the sandbox's (partners.sandboxes).
    sandbox_copy = ("scoring.services.sandboxes.read_products", "scoring.services.sandboxes.write_products")

    def ready(self) -> None:
        """Decisions stand in exports of the record, beside the events that made them; what is held of applicants is known to whoever copies
        and erases it. Models cannot be imported before the apps are ready."""
        sealed = import_module("scoring.sealed")
        attest(Attested(Action.DECISION_MADE, sealed.attested_rows, sealed.unrecorded_rows))
        import_module("scoring.privacy").register()
        keep(import_module("scoring.retention").BATCHES)    # models can be imported only now
