"""Reading decisions, applicants, products and model versions of the current partner. For every role that may see decisions."""

from scoring.selectors.applicants_known import (
    ApplicantPage,
    ApplicantRow,
    ApplicantSummary,
    applicant,
    applicant_by_id,
    find_applicants,
    newest_applicants,
    search_applicants,
)
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
from scoring.selectors.consents_known import ConsentSummary, consents_of
from scoring.selectors.decisions_made import (
    PAGE,
    DecisionDetail,
    DecisionSummary,
    Explanation,
    Page,
    count_decisions,
    decision_detail,
    decision_explanation,
    decisions,
)
from scoring.selectors.figures import DayVolume, Overview, ScoreBin, overview
from scoring.selectors.filters import DecisionFilters
from scoring.selectors.history import Change, InForce, Part, RulesVersion, change_at, changes, in_force, newest_rules, rules_versions
from scoring.selectors.jobs_begun import score_job
from scoring.selectors.outcomes_known import OutcomeSummary, outcome_summary, outcomes_about, outcomes_of
from scoring.selectors.promotions import RefusedChampion, RequestSummary, promotion_request, promotion_requests, refused_champions
from scoring.selectors.shadows import Comparison, GapBin, challenged_versions, challenger_of, challengers, comparison, has_outstanding
from scoring.selectors.troubles import FailedJob, failed_jobs
from scoring.selectors.usage import KeyUsage, usage_by_key

__all__ = [
    "PAGE",
    "ApplicantPage",
    "ApplicantRow",
    "ApplicantSummary",
    "Change",
    "Comparison",
    "ConsentSummary",
    "DayVolume",
    "DecisionDetail",
    "DecisionFilters",
    "DecisionSummary",
    "Explanation",
    "FailedJob",
    "GapBin",
    "Happening",
    "InForce",
    "KeyUsage",
    "ModelCard",
    "ModelVersionSummary",
    "OutcomeSummary",
    "Overview",
    "Page",
    "Part",
    "ProductSummary",
    "RefusedChampion",
    "RequestSummary",
    "RulesVersion",
    "ScoreBin",
    "StoredCard",
    "applicant",
    "applicant_by_id",
    "card_digest",
    "challenged_versions",
    "challenger_of",
    "challengers",
    "change_at",
    "changes",
    "comparison",
    "consents_of",
    "count_decisions",
    "decision_detail",
    "decision_explanation",
    "decisions",
    "failed_jobs",
    "find_applicants",
    "has_outstanding",
    "in_force",
    "model_card",
    "model_version",
    "model_versions",
    "newest_applicants",
    "newest_rules",
    "outcome_summary",
    "outcomes_about",
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
    "search_applicants",
    "stored_card",
    "usage_by_key",
]
