"""Reading decisions, applicants, products and model versions of the current partner. For every role that may see decisions."""

from scoring.selectors.applicants_known import ApplicantSummary, applicant, find_applicants
from scoring.selectors.cards import Happening, ModelCard, StoredCard, card_digest, model_card, points_table, stored_card
from scoring.selectors.catalogue import (
    ModelVersionSummary,
    ProductSummary,
    model_version,
    model_versions,
    product,
    product_definition,
    products,
)
from scoring.selectors.decisions_made import (
    PAGE,
    DecisionDetail,
    DecisionFilters,
    DecisionSummary,
    Explanation,
    Page,
    count_decisions,
    decision_detail,
    decision_explanation,
    decisions,
)
from scoring.selectors.figures import DayVolume, Overview, ScoreBin, overview
from scoring.selectors.history import Change, InForce, RulesVersion, changes, in_force, rules_versions
from scoring.selectors.jobs_begun import score_job
from scoring.selectors.outcomes_known import OutcomeSummary, outcome_summary, outcomes_of
from scoring.selectors.promotions import RefusedChampion, RequestSummary, promotion_request, promotion_requests, refused_champions
from scoring.selectors.shadows import Comparison, GapBin, challenged_versions, challenger_of, challengers, comparison, has_outstanding
from scoring.selectors.usage import KeyUsage, usage_by_key

__all__ = [
    "PAGE",
    "ApplicantSummary",
    "Change",
    "Comparison",
    "DayVolume",
    "DecisionDetail",
    "DecisionFilters",
    "DecisionSummary",
    "Explanation",
    "GapBin",
    "Happening",
    "InForce",
    "KeyUsage",
    "ModelCard",
    "ModelVersionSummary",
    "OutcomeSummary",
    "Overview",
    "Page",
    "ProductSummary",
    "RefusedChampion",
    "RequestSummary",
    "RulesVersion",
    "ScoreBin",
    "StoredCard",
    "applicant",
    "card_digest",
    "challenged_versions",
    "challenger_of",
    "challengers",
    "changes",
    "comparison",
    "count_decisions",
    "decision_detail",
    "decision_explanation",
    "decisions",
    "find_applicants",
    "has_outstanding",
    "in_force",
    "model_card",
    "model_version",
    "model_versions",
    "outcome_summary",
    "outcomes_of",
    "overview",
    "points_table",
    "product",
    "product_definition",
    "products",
    "promotion_request",
    "promotion_requests",
    "refused_champions",
    "rules_versions",
    "score_job",
    "stored_card",
    "usage_by_key",
]
